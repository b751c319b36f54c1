"""The recipe olkavs from AI-Hub's archives to a trained, scored, packed model, in miniature."""

import pytest

from tests.stages.conftest import TINY_TRAINING
from tests.stages.test_run_sh import ROOT, installed, run_sh  # noqa: F401  (a fixture)


def test_only_recipes_that_take_options_for_their_data_are_given_any(tmp_path):
    done = run_sh("--recipe", "grid", "--data", str(tmp_path), "--data_args", "--boxes", cwd=tmp_path)
    assert done.returncode == 2 and done.stderr == "run.sh: --data_args: the recipe grid takes no options for its data.\n"


@pytest.mark.slow  # as tests/stages/test_run_sh.py's whole road: nearly all of it ESPnet's imports
def test_from_archives_to_a_packed_model(miniature, tmp_path, installed):  # noqa: F811
    source = miniature.write(tmp_path / "내려받은 것")
    before = sum(path.stat().st_size for path in source.rglob("*") if path.is_file())
    training, decoding, work = tmp_path / "train.yaml", tmp_path / "decode.yaml", tmp_path / "work"
    training.write_text(TINY_TRAINING)
    decoding.write_text("beam_size: 1\nctc_weight: 1.0\n")
    arguments = ["--recipe", "olkavs", "--data", str(source), "--data_args", "--boxes", "--work", str(work), "--nj", "2"]
    arguments += ["--train_config", str(training), "--decode_config", str(decoding), "--modes", "av"]
    done = run_sh(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    results = (work / "exp" / "olkavs" / "RESULTS.md").read_text("utf-8")
    for column, rows in {"angle": ("| A | 2 |",), "noise": ("| indoor | 2 |", "| none | 2 |"), "sex": ("| F | 2 |", "| M | 2 |")}.items():
        assert f"By {column}:\n\n| {column} | utterances | speakers | audio-visual |" in results
        assert any(row in results for row in rows)
    assert "By age:" in results and "| train | 6 | 0.00 | 2 | 0 | 0 |" in results
    assert (work / "exp" / "olkavs" / "olkavs.zip").is_file()
    assert sum(path.stat().st_size for path in source.rglob("*") if path.is_file()) == before
    assert "[2 crops] nothing to crop" in done.stdout


