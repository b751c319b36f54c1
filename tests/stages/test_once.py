"""A stage is done once, again when something it depends on changed, and never counts as done when it failed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from avsr.errors import AvsrError
from avsr.stages import once

COUNT = "import pathlib, sys; p = pathlib.Path(sys.argv[1]); p.write_text(p.read_text() + 'x' if p.exists() else 'x')"


@pytest.fixture(autouse=True)
def own_handlers():
    """`once` is a program of its own and takes the signals; a test gives them back."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.fixture
def stage(tmp_path):
    """stage(*options, code=...): runs a stage that adds an x to tmp_path/out; returns the exit code."""
    (tmp_path / "in").write_text("one")

    def run(*options: str, code: str = COUNT) -> int:
        files = ["--stamp", tmp_path / "done", "--input", tmp_path / "in", "--output", tmp_path / "out"]
        command = [sys.executable, "-c", code, tmp_path / "out"]
        return once.main([*map(str, ["--stage", "1 x", "--says", "does x", *files, *options, "--", *command])])

    return run


def test_done_once(stage, tmp_path, capsys):
    assert stage() == 0 and stage() == 0
    assert (tmp_path / "out").read_text() == "x"
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == lines[1] == "[1 x] does x" and "done already" in lines[2]


def test_a_changed_input_option_or_missing_output_runs_it_again(stage, tmp_path):
    stage()
    (tmp_path / "in").write_text("two")
    stage()
    assert (tmp_path / "out").read_text() == "xx"
    stage("--option", "fast")
    assert (tmp_path / "out").read_text() == "xxx"
    (tmp_path / "out").unlink()
    stage("--option", "fast")
    assert (tmp_path / "out").read_text() == "x"


def test_the_same_content_written_anew_is_no_change(stage, tmp_path):
    stage()
    (tmp_path / "in").write_text("one")
    stage()
    assert (tmp_path / "out").read_text() == "x"


def test_a_failure_is_not_done(stage, tmp_path, capsys):
    stage()
    (tmp_path / "in").write_text("two")
    assert stage(code="import sys; sys.exit(3)") == 3
    assert "stopped in stage 1 x" in capsys.readouterr().err
    assert not (tmp_path / "done").exists()
    assert stage() == 0


def test_what_ends_well_without_its_output_is_a_fault(stage, tmp_path):
    with pytest.raises(AvsrError, match="did not write .*out"):
        stage(code="pass")
    assert not (tmp_path / "done").exists()


def test_a_missing_input_is_a_sentence(stage, tmp_path):
    (tmp_path / "in").unlink()
    with pytest.raises(AvsrError, match="in is missing: run the stages before this one"):
        stage()


def test_the_stamp_tells_how_it_was_made(stage, tmp_path):
    stage()
    note = json.loads((tmp_path / "done").read_text())
    assert note["seconds"] > 0 and "cores" in note["machine"] and note["commit"] and note["command"][1] == "-c"


def test_a_training_that_was_elsewhere_says_where(stage, tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_STEP_NUM_NODES", "2")
    code = COUNT + "; from avsr.stages.machine import note_machine; note_machine(p.parent / 'work')"
    assert stage("--resumes", str(tmp_path / "work"), code=code) == 0
    assert json.loads((tmp_path / "done").read_text())["machine"].startswith("2 machines of ")


def test_going_on_counts_the_time_before_and_other_inputs_set_the_old_work_aside(stage, tmp_path, capsys):
    work = tmp_path / "work"
    assert stage("--resumes", str(work), code="import time, sys; time.sleep(0.2); sys.exit(1)") == 1
    (work / "half").write_text("half done")
    assert stage("--resumes", str(work)) == 0
    assert (work / "half").exists()
    assert json.loads((tmp_path / "done").read_text())["seconds"] >= 0.2
    (tmp_path / "in").write_text("two")
    assert stage("--resumes", str(work)) == 0
    assert not (work / "half").exists() and (tmp_path / "work.1" / "half").exists()
    assert "it is now" in capsys.readouterr().out


def test_a_kill_before_the_first_note_of_a_training_sets_nothing_aside(stage, tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / ".begun.new").write_text("")
    assert stage("--resumes", str(tmp_path / "work")) == 0
    assert not (tmp_path / "work.1").exists() and not (tmp_path / "work" / ".begun.new").exists()


def test_what_a_killed_run_was_writing_is_removed(stage, tmp_path):
    (tmp_path / "train").mkdir()
    for folder in (tmp_path, tmp_path / "train"):
        half_written(folder / "text")
    (tmp_path / ".others.12345678").write_text("")
    assert stage() == 0
    assert {path.name for path in tmp_path.iterdir()} == {"in", "out", "done", "train", ".others.12345678"}
    assert not list((tmp_path / "train").iterdir())


def half_written(path: Path) -> None:
    """What a process that is killed in `replace_file` leaves."""
    code = "import os, signal, sys, avsr.files as f; f.os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
    code += "f.replace_file(f.Path(sys.argv[1]), b'x')"
    assert subprocess.run([sys.executable, "-c", code, str(path)], cwd=Path(__file__).resolve().parents[2]).returncode == -signal.SIGKILL
    assert not path.exists()


def test_fresh_removes_what_an_earlier_run_left(stage, tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "stale").write_text("")
    stage("--fresh", str(tmp_path / "old"))
    assert not (tmp_path / "old").exists()


def test_a_log_takes_everything_and_progress_is_shown(stage, tmp_path, capsys):
    talk = COUNT + "; print('INFO: 3epoch results: [train] loss=1.5'); print('much else')"
    stage("--log", str(tmp_path / "log"), code=talk)
    assert "3epoch results: [train] loss=1.5" in capsys.readouterr().out
    assert "much else" in (tmp_path / "log").read_text()
    (tmp_path / "in").write_text("two")
    assert stage("--log", str(tmp_path / "log"), code="raise SystemExit('what went wrong')") == 1
    assert "what went wrong" in capsys.readouterr().err


def test_adopting(stage, tmp_path, capsys):
    with pytest.raises(AvsrError, match="cannot be adopted: .*out is missing"):
        stage("--adopt")
    (tmp_path / "out").write_text("made elsewhere")
    assert stage("--adopt") == 0 and stage() == 0
    assert (tmp_path / "out").read_text() == "made elsewhere"
    assert json.loads((tmp_path / "done").read_text())["adopted"] is True


def test_folders_are_compared_by_names_sizes_and_times(tmp_path):
    folder = tmp_path / "corpus"
    (folder / "s1").mkdir(parents=True)
    (folder / "s1" / "a").write_text("1")
    first = once.digest(folder)
    os.utime(folder / "s1" / "a", (1, 1))
    second = once.digest(folder)
    (folder / "s1" / "b").write_text("")
    assert len({first, second, once.digest(folder)}) == 3


def test_ctrl_c_waits_for_the_command_and_leaves_no_stamp(tmp_path):
    finish = "import time, pathlib, sys\ntry:\n print('go', flush=True); time.sleep(20)\nexcept KeyboardInterrupt:\n time.sleep(0.7)\n pathlib.Path(sys.argv[1]).write_text('put in order')\n sys.exit(130)"
    out = tmp_path / "out"
    options = ["--stage", "1 x", "--says", "does x", "--stamp", str(tmp_path / "done"), "--output", str(out)]
    command = [sys.executable, "-m", "avsr.stages.once", *options, "--", sys.executable, "-c", finish, str(out)]
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, start_new_session=True, cwd=root, preexec_fn=_default_interrupt
    )
    assert any(line == "go\n" for line in process.stdout)
    time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(20) == 130
    assert out.read_text() == "put in order" and not (tmp_path / "done").exists()


def test_two_runs_are_not_at_one_stage(stage, tmp_path, monkeypatch):
    """The second would take the first one's half-written files for those of a run that was killed."""
    monkeypatch.setattr(once, "_PATIENCE", 0.3)
    other = _begin_in_another_run(tmp_path)
    half_written(tmp_path / "out")
    there = set(tmp_path.iterdir())
    with pytest.raises(AvsrError, match=rf"another run is at it in .* \(begun by process {other.pid}\); wait"):
        stage()
    assert set(tmp_path.iterdir()) == there and len(there) > 2, "what the first one is writing is left alone"
    (tmp_path / "go").touch()
    assert other.wait(10) == 0
    assert stage() == 0 and (tmp_path / "out").read_text() == "x", "it is done, by the other run"


def test_a_command_that_outlives_its_killed_run_still_has_the_stage(stage, tmp_path, monkeypatch):
    monkeypatch.setattr(once, "_PATIENCE", 0.3)
    other = _begin_in_another_run(tmp_path)
    other.kill()
    other.wait()
    with pytest.raises(AvsrError, match="another run is at it"):
        stage()
    (tmp_path / "go").touch()
    monkeypatch.setattr(once, "_PATIENCE", 10.0)
    assert stage() == 0, "it lets go when it ends"


def _begin_in_another_run(folder: Path) -> subprocess.Popen:
    """The stage of `stage`, begun by another process, with a command that waits for the file `go`."""
    wait = f"import pathlib, time\np = pathlib.Path({str(folder)!r})\n(p / 'begun').touch()\nwhile not (p / 'go').exists(): time.sleep(0.02)\n"
    files = ["--stamp", folder / "done", "--input", folder / "in", "--output", folder / "out"]
    command = ["--stage", "1 x", "--says", "does x", *files, "--", sys.executable, "-c", wait + COUNT, folder / "out"]
    other = subprocess.Popen([sys.executable, "-m", "avsr.stages.once", *map(str, command)])
    while not (folder / "begun").exists():
        assert other.poll() is None
        time.sleep(0.02)
    return other


def _default_interrupt() -> None:
    """A shell starts what is in the background with Ctrl-C switched off, and that is inherited."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
