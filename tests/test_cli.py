"""The command line: its options are frozen, it answers at once, and its errors are one sentence."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner

import avsr
from avsr import cli
from avsr.errors import AvsrError

HEAVY = {"numpy", "torch", "cv2", "av", "mediapipe", "scipy", "librosa", "espnet", "espnet2", "soundfile", "matplotlib"}

# What users may have put into their scripts: an addition is one more word here, a removal breaks somebody.
FROZEN = {
    "transcribe": {
        "videos", "--model", "--mode", "--out", "--lm", "--lm_weight", "--bias", "--mouth-only", "--formats", "--profile", "--ear", "--burn",
        "--faces", "--name", "--mark-streams",
    },
    "live": {"--camera", "--model", "--ear", "--mode", "--out"},
    "lm": {"--text", "--out", "--model", "--kind", "--order", "--prune", "--epochs", "--seed", "--test"},
    "adapt": {"--clips", "--out", "--model", "--steps", "--seed"},
    "explain": {"video", "--out", "--model", "--start", "--seconds"},
    "crop": {"folder", "--out", "--nj", "--mouth-only", "--backend", "--ray-address"},
    "synth": {
        "--out", "--utterances", "--domain", "--speakers", "--seed", "--text", "--full-face", "--no-sound", "--train-only",
        "--layout", "--nj", "--backend", "--ray-address",
    },
    "benchmark": {
        "--data", "--out", "--model", "--conditions", "--noise", "--baseline", "--limit", "--search", "--nj",
    },
    "serve": {
        "--data", "--host", "--port", "--token", "--model", "--ear", "--workers", "--backend", "--ray-address",
        "--max-mb", "--max-minutes", "--max-waiting", "--keep-hours",
        "--tls-cert", "--tls-key",
    },
    "live-client": {"file", "--url", "--name", "--token", "--transport"},
    "doctor": set(),
}


def run(*arguments: str, **extra_env: str) -> subprocess.CompletedProcess:
    """`avsr ARGUMENTS` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "avsr.cli", *arguments],
        capture_output=True,
        text=True,
        cwd=Path(avsr.__file__).parents[1],
        env=os.environ | extra_env,
    )


def in_process(monkeypatch, capsys, *arguments: str) -> tuple[int, str]:
    """`main()` with ARGUMENTS here, so that a room can be stood in for: (exit code, stderr)."""
    monkeypatch.setattr(sys, "argv", ["avsr", *arguments])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return int(stopped.value.code or 0), capsys.readouterr().err


def stand_in(monkeypatch, module: str, **attributes) -> None:
    """Put a module with these functions where the command line imports MODULE from."""
    stub = types.ModuleType(module)
    vars(stub).update(attributes)
    monkeypatch.setitem(sys.modules, module, stub)


def test_commands_and_options_are_frozen():
    group = typer.main.get_command(cli.app)
    found = {
        name: {
            max(parameter.opts, key=len)
            for parameter in command.params
            if "--help" not in parameter.opts
        }
        for name, command in group.commands.items()
    }
    assert found == FROZEN


def test_modes_and_defaults_are_frozen():
    group = typer.main.get_command(cli.app)
    assert [mode.value for mode in cli.Mode] == ["auto", "av", "audio", "lip"]
    defaults = {parameter.name: parameter.default for parameter in group.commands["transcribe"].params}
    assert defaults["mode"] in (cli.Mode.auto, "auto")
    assert defaults["model"] is None and defaults["out"] is None


def test_version():
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"avsr {avsr.__version__}\n")


@pytest.mark.parametrize("command", [(), ("transcribe",), ("crop",), ("synth",), ("adapt",), ("explain",), ("live",), ("live-client",), ("doctor",)])
def test_help_imports_nothing_heavy(command):
    script = (
        "import sys\n"
        f"sys.argv = ['avsr', *{command!r}, '--help']\n"
        "from avsr.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit as stop:\n    assert not stop.code\n"
        "print('\\nMODULES', *sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "Usage: avsr" in done.stdout
    assert not HEAVY & set(done.stdout.rpartition("MODULES")[2].split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("crop", "somewhere", "--out", "x", "--bad"), "--bad"),
        (("transcribe", "a.mp4", "--mode", "eyes"), "eyes"),
        (("transcribe",), "VIDEO"),
        (("dance",), "dance"),
        (("crop", "somewhere", "--out", "x", "--nj", "0"), "--nj"),
        (("synth", "--out", "x", "--domain", "poetry"), "poetry"),
        (("synth", "--utterances", "20"), "--out"),
    ],
)
def test_wrong_use_is_named_and_exits_2(arguments, words):
    result = CliRunner().invoke(cli.app, list(arguments))
    assert result.exit_code == 2
    assert words in result.output
    assert "Traceback" not in result.output


def test_an_error_for_the_person_is_one_sentence(monkeypatch, capsys):
    def transcribe_files(videos, **_):
        raise AvsrError(f"{videos[0]} is not media: give a video or sound file.")

    stand_in(monkeypatch, "avsr.decoding.transcribe", transcribe_files=transcribe_files)
    code, said = in_process(monkeypatch, capsys, "transcribe", "a.txt")
    assert (code, said) == (1, "avsr: a.txt is not media: give a video or sound file.\n")


def test_a_file_that_cannot_be_written_is_named(monkeypatch, capsys):
    def crop_folder(folder, out, **_):
        raise PermissionError(13, "Permission denied", str(out))

    stand_in(monkeypatch, "avsr.lips.folder", crop_folder=crop_folder)
    code, said = in_process(monkeypatch, capsys, "crop", "in", "--out", "closed")
    assert (code, said) == (1, "avsr: closed: Permission denied.\n")


def test_a_disk_that_gets_full_in_mid_writing_is_a_sentence(monkeypatch, capsys):
    def crop_folder(folder, out, **_):
        with open("/dev/full", "wb") as file:
            file.write(b"x")

    stand_in(monkeypatch, "avsr.lips.folder", crop_folder=crop_folder)
    code, said = in_process(monkeypatch, capsys, "crop", "in", "--out", "out")
    assert code == 1 and said.startswith("avsr: the disk is full") and said.endswith("what is finished is kept.\n")


def test_an_oserror_that_is_nobodys_fault_keeps_its_traceback(monkeypatch):
    def crop_folder(folder, out, **_):
        raise OSError(9, "Bad file descriptor")

    stand_in(monkeypatch, "avsr.lips.folder", crop_folder=crop_folder)
    monkeypatch.setattr(sys, "argv", ["avsr", "crop", "in", "--out", "out"])
    with pytest.raises(OSError, match="Bad file"):
        cli.main()


def test_a_missing_package_is_named(monkeypatch, capsys):
    def transcribe_files(videos, **_):
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    stand_in(monkeypatch, "avsr.decoding.transcribe", transcribe_files=transcribe_files)
    code, said = in_process(monkeypatch, capsys, "transcribe", "a.mp4")
    assert code == 1
    assert "torch is missing" in said and "tools/install.sh" in said


def test_a_bug_keeps_its_traceback(monkeypatch):
    def transcribe_files(videos, **_):
        raise KeyError("a bug")

    stand_in(monkeypatch, "avsr.decoding.transcribe", transcribe_files=transcribe_files)
    monkeypatch.setattr(sys, "argv", ["avsr", "transcribe", "a.mp4"])
    with pytest.raises(KeyError):
        cli.main()


def test_options_reach_the_room(monkeypatch, capsys):
    seen = {}

    def transcribe_files(videos, **options):
        seen.update(videos=videos, **options)
        return 3

    stand_in(monkeypatch, "avsr.decoding.transcribe", transcribe_files=transcribe_files)
    code, _ = in_process(
        monkeypatch, capsys, "transcribe", "a.mp4", "b.mkv", "--model", "m.zip", "--mode", "lip", "--out", "d",
        "--lm", "t.lm", "--lm_weight", "0.5", "--bias", "names.txt", "--mouth-only", "--formats", "ass, json",
        "--profile", "standard", "--ear", "whisper:base", "--burn", "--faces", "2", "--name", "1=민지", "--name", "2=서준",
        "--mark-streams",
    )  # fmt: skip
    assert code == 3
    assert seen == {
        "videos": [Path("a.mp4"), Path("b.mkv")], "model": Path("m.zip"), "mode": "lip", "out": Path("d"),
        "lm": Path("t.lm"), "lm_weight": 0.5, "bias": Path("names.txt"), "mouth_only": True,
        "formats": ["ass", "json"], "profile": "standard", "ear": "whisper:base", "burn": True, "faces": 2,
        "names": ["1=민지", "2=서준"], "mark_streams": True,
    }  # fmt: skip
