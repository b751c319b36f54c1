"""run.sh as a person meets it: mistakes in the command line are sentences, and the whole road runs on a small corpus."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def start(*arguments: str, **options) -> subprocess.Popen:
    """run.sh in a process group of its own, as a terminal starts it."""
    return subprocess.Popen(
        [str(ROOT / "run.sh"), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell starts what is in the background with Ctrl-C switched off, and that is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        **options,
    )


def run_sh(*arguments: str, **options) -> subprocess.CompletedProcess:
    process = start(*arguments, **options)
    try:
        said, complained = process.communicate(timeout=900)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # the stage too, which would else train on
        raise
    return subprocess.CompletedProcess(process.args, process.returncode, said, complained)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--recipe", "nope"], "there is no recipe nope; recipes/ has daily_ko grid lipnet_ko mini_ko olkavs."),
        (["--recipe", "../grid"], "there is no recipe ../grid;"),
        (["--recipe", "grid", "--bogus", "1"], "unknown option --bogus; ./run.sh --help lists the options."),
        (["--recipe", "grid", "extra"], "extra is not an option;"),
        (["--recipe", "grid", "--data"], "--data needs a value."),
        (["--recipe", "grid", "--data", "/nowhere/grid"], "the corpus /nowhere/grid is not there: give --data DIR"),
        (["--recipe", "grid"], "the corpus downloads/grid is not there: give --data DIR"),
        (["--recipe", "grid", "--stage", "15"], "--stage 15: there is no such stage; it is a number from 1 to 14"),
        (["--recipe", "grid", "--stage", "score", "--stop-stage=crops"], "--stage score comes after --stop_stage crops."),
        (["--recipe", "grid", "--nj", "0"], "--nj 0: give a whole number, 1 or more."),
        (["--recipe", "grid", "--test_sets", "a/b"], "--test_sets a/b: give names of splits"),
        (["--recipe", "grid", "--seed", "x"], "--seed x: give a whole number, 0 or more."),
        (["--recipe", "grid", "--modes", "av sound"], "--modes sound: it can be one of av audio lip av_muted."),
        (["--recipe", "grid", "--backend", "slurm"], "--backend slurm: it can be one of local ray."),
        (["--recipe", "mini_ko", "--ray_address", "auto"], "--ray_address: only --backend ray works with a cluster; give that too."),
        (["--recipe", "grid", "--shards", "yes"], "--shards yes: it can be one of true false."),
        (["--recipe", "grid", "--baselines", "a/b"], "--baselines a/b: give names of baselines"),
        (["--recipe", "grid", "--baselines", "lipnet lstm"], "--baselines lstm: it can be one of audio_only lip_only"),
        (["--recipe", "grid", "--lm_text", "/nowhere.txt", "--stage", "lm"], "--lm_text /nowhere.txt: there is no such file"),
        (["--recipe", "grid", "--noise", "/tmp", "--stage", "lm"], "--noise is for the stage benchmark: give --stop_stage"),
        (["--recipe", "grid", "--noise", "/nowhere", "--stage", "benchmark"], "--noise /nowhere: there is no such folder"),
        (["--recipe", "grid", "--stage", "7", "--train_config", "none.yaml"], "there is no training configuration none.yaml"),
    ],
)
def test_a_mistake_is_one_sentence(arguments, sentence, tmp_path):
    done = run_sh(*arguments, cwd=tmp_path, env={**os.environ, "GRID": "downloads/grid"})
    assert done.returncode == 2
    assert sentence in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_the_baselines_that_can_be_named_are_those_there_are():
    from avsr.training.baselines import BASELINES

    (line,) = re.findall(r"^BASELINES=\((.*?)\)", (ROOT / "tools" / "run_options.sh").read_text("utf-8"), re.M)
    assert line.split() == list(BASELINES)


def test_without_a_recipe_it_is_the_corpus_that_makes_itself(tmp_path):
    done = run_sh("--data", "/nowhere/options", cwd=tmp_path)
    said = done.stderr.splitlines()
    assert done.returncode == 2 and "no recipe was named: it is mini_ko" in said[0]
    assert "the corpus /nowhere/options is not there" in said[1] and len(said) == 2


def test_help_says_every_stage_and_option():
    done = run_sh("--recipe", "grid", "--help")
    assert done.returncode == 0
    for word in ("--stop_stage", "--publish", "1 data", "12 score", "14 benchmark"):
        assert word in done.stdout


@pytest.mark.parametrize("script", ["run.sh", "tools/run_options.sh", *sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("recipes/*/avsr1/**/*.sh"))])
def test_scripts_are_sound(script):
    assert subprocess.run(["bash", "-n", str(ROOT / script)], capture_output=True).returncode == 0
    if shutil.which("shellcheck"):
        checked = subprocess.run(["shellcheck", "-x", str(ROOT / script)], capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout


@pytest.fixture
def installed() -> None:
    if not (ROOT / ".venv" / ".avsr-installed").exists():
        pytest.skip("run.sh would install first: run tools/install.sh")


def mini(corpus: Path, work: Path, *options: str) -> list[str]:
    """The silent recipe, told that this corpus has sound: its clips show only the mouth, so no face model is needed."""
    fixed = ["--recipe", "lipnet_ko", "--data", str(corpus), "--work", str(work), "--speech", "true", "--nj", "1"]
    return [*fixed, *options]


def test_interrupted_it_goes_on_and_a_broken_label_stops_nothing(mini_corpus, tmp_path, installed):
    corpus = shutil.copytree(mini_corpus, tmp_path / "corpus")
    next((corpus / "align").iterdir()).write_bytes(b"\xff\xfe")
    arguments = mini(corpus, tmp_path / "work", "--stop_stage", "tokens")
    process = start(*arguments)
    assert any("[2 crops]" in line for line in process.stdout)
    time.sleep(1)
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=300)[1]
    assert process.returncode == 130 and "run the same command again to go on" in said
    assert "Traceback" not in said
    dump = tmp_path / "work" / "dump" / "lipnet_ko"
    assert not (dump / "crops" / ".done").exists() and not list(dump.rglob("*.tmp"))
    done = run_sh(*arguments)
    assert done.returncode == 0, done.stderr
    assert "[1 data] done already" in done.stdout and "tokens (jamo)" in done.stdout
    assert "not UTF-8" in (tmp_path / "work" / "data" / "lipnet_ko" / "failed.tsv").read_text("utf-8")
    again = run_sh(*arguments)
    assert again.stdout.count("done already") == 5


def test_a_corpus_that_makes_itself(tmp_path, installed):
    """From shipped voices to what is trained on; nothing is cropped, and both tests are there."""
    from avsr.corpora.talking_heads.quickstart import FOLDER, INDEX

    if not (FOLDER / INDEX).exists():
        pytest.skip("the shipped voices are absent: avsr.corpora.talking_heads.make_quickstart makes them")
    options = tmp_path / "small.opts"
    options.write_text("--utterances 12 --speakers 4  # as few as there can be\n")
    work = tmp_path / "work"
    done = run_sh("--data", str(options), "--work", str(work), "--stop_stage", "tokens", "--nj", "2")
    assert done.returncode == 0, done.stderr
    assert "[2 crops] nothing to crop" in done.stdout and "tokens (jamo)" in done.stdout
    for split in ("train", "dev", "test", "test_seen"):
        for table in ("video.scp", "shape.scp"):
            assert (work / "dump" / "mini_ko" / split / table).read_text("utf-8").strip()


@pytest.mark.slow  # about a minute on two idle cores, nearly all of it ESPnet's imports
def test_the_whole_road(mini_corpus, tiny_training, tmp_path, installed):
    decoding = tmp_path / "decode.yaml"
    decoding.write_text("beam_size: 1\nctc_weight: 1.0\n")
    configuration = ["--train_config", str(tiny_training), "--decode_config", str(decoding)]
    arguments = mini(mini_corpus, tmp_path / "work", *configuration, "--modes", "av_muted")
    arguments += ["--shards", "true", "--train_args", "--max_epoch 1"]
    done = run_sh(*arguments)
    assert done.returncode == 0, done.stderr
    exp = tmp_path / "work" / "exp" / "lipnet_ko"
    results = (exp / "RESULTS.md").read_text("utf-8")
    assert "| audio-visual, sound replaced by silence |" in results and "| 1 epochs, " in results
    assert r"--train_args --max_epoch\ 1`" in results, "the command is as it would be typed"
    assert (exp / "lipnet_ko.zip").is_file() and (tmp_path / "work" / "exp" / "last_model").is_file()
    assert "1epoch results" in done.stdout, "the training shows that it moves"
    again = run_sh(*arguments)
    assert again.returncode == 0 and again.stdout.count("done already") == 13, "the shards too"
    arguments += ["--stop_stage", "benchmark", "--baselines", "concatenation"]
    measured = run_sh(*arguments)
    assert measured.returncode == 0, measured.stderr
    assert json.loads((exp / "benchmark" / "results.json").read_text("utf-8"))["cells"][0]["cer"].keys() >= {"av", "concatenation"}
    assert (tmp_path / "work" / "exp" / "last_model").read_text("utf-8") == "lipnet_ko/lipnet_ko.zip\n"
