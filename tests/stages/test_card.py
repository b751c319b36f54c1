"""A model's card: made from a run's files, carried in the zip, shipped for a gain alone, and told once to the person."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest
import yaml

from avsr.decoding import packed as packing
from avsr.decoding.first_use import first_words
from avsr.decoding.packed import load_packed, pack, read_meta
from avsr.errors import AvsrError, ModelError
from avsr.stages import card, score, ship
from avsr.stages.pack import describe_model
from avsr.stages.results import read_results
from avsr.tables import write_table
from tests.decoding.conftest import DECODE, write_run
from tests.stages.test_results import run  # noqa: F401  (a fixture)

ROOT = Path(__file__).resolve().parents[2]
WORDS = ROOT / "recipes/daily_ko/avsr1/conf/card.yaml"


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Path, Path, Path]:
    """What a training leaves to pack."""
    return write_run(tmp_path_factory.mktemp("trained"))


@pytest.fixture
def shipping(run, trained, capsys) -> list[str]:  # noqa: F811
    """Options of `avsr.stages.ship` for a run that was scored: audio gets a half wrong, the others nothing."""
    shutil.copytree(run / "exp" / "decode_lip", run / "exp" / "decode_av")
    decoded(run, "audio", "다 마")
    files = ["--exp", run / "exp", "--data", run / "data", "--dump", run / "dump", "--train_config", run / "train.yaml"]
    options = ["--recipe", "x", "--modes", "av audio lip", "--command", "./run.sh", "--publish", run / "RESULTS.md"]
    assert score.main([*map(str, files), *map(str, options)]) == 0
    meta = describe_model(run / "exp" / "avsr", run / "dump", "x", run / "decode.yaml") | {"decode": DECODE}
    pack(*trained, run / "x.zip", meta)
    (run / "manifest.json").write_text(json.dumps(manifest("daily")), "utf-8")
    capsys.readouterr()
    named = {"model": "x.zip", "results": "RESULTS.md", "manifest": "manifest.json", "to": "models/mini_ko.zip"}
    return [word for name, file in named.items() for word in (f"--{name}", str(run / file))] + ["--words", str(WORDS)]


def decoded(run: Path, mode: str, second: str) -> None:  # noqa: F811
    write_table(run / "exp" / f"decode_{mode}" / "test" / "text", {"a-1": "가 나", "a-2": second})


def manifest(domain: str) -> dict:
    train = {"utterances": 3600, "seconds": 18000.0, "speakers": 64, "voices": {"v01": 1800, "v02": 1800}}
    return {"hash": "feed", "order": {"domain": domain, "text": None, "seed": 4}, "splits": {"train": train}}


def test_results_are_read_back(shipping):
    written = read_results(Path(shipping[3]))
    assert written.figures["test"]["audio"]["cer"][0] == 25.0 and written.figures["test"]["lip"]["wer"] == (50.0, 0.0, 100.0)
    assert written.facts["seed"] == "7" and written.configuration == {"max_epoch": 60}


def test_the_card_is_in_the_zip_and_beside_it(run, shipping):  # noqa: F811
    assert ship.main([*shipping, "--real", "read 3 of 20."]) == 0
    shipped = run / "models" / "mini_ko.zip"
    told = read_meta(shipped)["card"]
    assert "5.0 hours" in told["first_use"] and "25.0 % of the characters wrong from sound, 0.0 % from lips" in told["first_use"]
    assert told["first_use"].count(". ") == 2 and "{" not in "".join(told["limits"] + told["limits_ko"])
    model = load_packed(shipped)
    assert told["parameters"] == sum(parameter.numel() for parameter in model.model.parameters())
    assert model.meta["decode"] == DECODE and model.meta["name"] == "mini_ko"
    same = zipfile.ZipFile(run / "x.zip").read("model.pth")
    assert zipfile.ZipFile(shipped).read("model.pth") == same
    text = (run / "models" / "README.md").read_text("utf-8")
    for part in ("25.0 (0.0 to 50.0)", "| daily | 3600 | 5.00 | 2 | 64 | 4 | yes | `feed` |", "max_epoch: 60", "read 3 of 20.",
                 "## 한계", "CC0", f"{told['parameters']:,}", "실제 사람은 한 번도"):
        assert part in text
    assert sorted(path.name for path in shipped.parent.iterdir()) == ["README.md", "mini_ko.zip"]
    assert card.main(["--model", str(shipped), "--out", str(run / "again.md")]) == 0
    assert (run / "again.md").read_text("utf-8") == text
    with pytest.raises(ModelError, match="x.zip: carries no model card"):
        card.card_text(run / "x.zip")


def test_a_shipped_model_is_replaced_for_a_gain_of_a_tenth(run, shipping, monkeypatch):  # noqa: F811
    shipped = run / "models" / "mini_ko.zip"
    assert ship.main(shipping) == 0
    before = shipped.read_bytes()
    with pytest.raises(ModelError, match=r"mini_ko.zip: stays, as the new model's mean CER .* is 8.33 % and its own 8.33 %; .*7.50 %"):
        ship.main(shipping)
    (run / "manifest.json").write_text(json.dumps(manifest("command")), "utf-8")
    with pytest.raises(ModelError, match="is of the domain daily, the new model of command"):
        ship.main(shipping)
    (run / "manifest.json").write_text(json.dumps(manifest("daily")), "utf-8")
    results = (run / "RESULTS.md").read_text("utf-8")
    (run / "RESULTS.md").write_text(results.replace("25.0 (0.0 to 50.0)", "20.0 (0.0 to 50.0)"), "utf-8")
    monkeypatch.setattr(ship, "LARGEST", 1000)
    with pytest.raises(ModelError, match="MB with its card, and 0 may be shipped"):
        ship.main(shipping)
    assert shipped.read_bytes() == before and len(list(shipped.parent.iterdir())) == 2
    monkeypatch.undo()
    assert ship.main(shipping) == 0
    assert read_meta(shipped)["card"]["figures"]["test"]["audio"]["cer"][0] == 20.0


def test_what_the_model_that_it_began_with_learnt_from_is_told_too(run, shipping):  # noqa: F811
    first = run / "first.zip"
    assert ship.main([*shipping, "--to", str(first)]) == 0
    more = manifest("daily") | {"hash": "f00d"}
    (run / "manifest.json").write_text(json.dumps(more), "utf-8")
    assert ship.main([*shipping, "--began_with", str(first)]) == 0
    told = read_meta(run / "models" / "mini_ko.zip")["card"]
    assert [corpus["hash"] for corpus in told["corpora"]] == ["feed", "f00d"] and "10.0 hours" in told["first_use"]
    assert ship.main([*shipping, "--began_with", str(run / "models" / "mini_ko.zip"), "--to", str(run / "again.zip")]) == 0
    assert [corpus["hash"] for corpus in read_meta(run / "again.zip")["card"]["corpora"]] == ["feed", "f00d"]


def test_what_was_filmed_again_is_told_and_counts_once(run, shipping):  # noqa: F811
    twins = manifest("daily") | {"hash": "beef", "again": {"of": "feed", "seed": 1, "version": 1}}
    (run / "again.json").write_text(json.dumps(twins), "utf-8")
    place = shipping.index(str(run / "manifest.json")) + 1
    assert ship.main([*shipping[:place], str(run / "again.json"), *shipping[place:]]) == 0
    told = read_meta(run / "models" / "mini_ko.zip")["card"]
    assert "5.0 hours" in told["first_use"] and [corpus["hash"] for corpus in told["corpora"]] == ["feed", "beef"]
    text = (run / "models" / "README.md").read_text("utf-8")
    assert "| 4 | yes | `feed` |" in text and "| 4 | filmed again | `beef` |" in text


@pytest.mark.parametrize(
    ("file", "change", "sentence"),
    [
        ("RESULTS.md", ("| seed | 7 |", "| seed | 8 |"), "its seed is 8, the model's is 7"),
        ("RESULTS.md", ("| lip only |", "| lips |"), "has no figures of lip only on the set test"),
        ("RESULTS.md", ("```yaml", "```"), "is no RESULTS.md of the score stage"),
        ("manifest.json", ('"hash"', '"sum"'), "is no manifest of avsr synth"),
        ("card.yaml", ("{lip}", "{ear}"), "'ear' in braces is none of"),
        ("card.yaml", ("first_use", "last_use"), "first_use is not a text"),
    ],
)
def test_what_does_not_go_together_is_a_sentence(run, shipping, file, change, sentence):  # noqa: F811
    shutil.copy(WORDS, run / "card.yaml")
    (run / file).write_text((run / file).read_text("utf-8").replace(*change), "utf-8")
    with pytest.raises(AvsrError, match=sentence):
        ship.main([*shipping[:-1], str(run / "card.yaml")])
    assert not (run / "models" / "mini_ko.zip").exists()


def test_the_first_words_are_said_once(tmp_path, monkeypatch):
    monkeypatch.setenv("AVSR_CACHE", str(tmp_path / "cache"))
    meta = {"card": {"first_use": "I am a model."}}
    assert first_words(meta) == "I am a model." and first_words(meta) is None
    assert first_words({"card": {"first_use": "I am a better one."}}) == "I am a better one."
    assert first_words({}) is None and first_words({"card": "none"}) is None
    (tmp_path / "file").touch()
    monkeypatch.setenv("AVSR_CACHE", str(tmp_path / "file"))
    assert first_words(meta) == first_words(meta) == "I am a model."


def test_what_the_words_name_is_there():
    words = yaml.safe_load(WORDS.read_text("utf-8"))
    assert "README.md" in words["first_use"] and "## What to type" in (ROOT / "README.md").read_text("utf-8")


def test_half_the_size_says_the_same(trained, tmp_path):
    """The texts of both files, from sound and lips alike; vectors, and what float16 cannot hold, stay as they are."""
    import numpy as np
    import torch

    from avsr.decoding.recognizer import Recognizer
    from avsr.lips.mouth_clip import MouthClip

    whole, half = tmp_path / "whole.zip", tmp_path / "half.zip"
    pack(*trained, whole, {"decode": DECODE})
    pack(*trained, half, {"decode": DECODE}, half=True)
    assert half.stat().st_size < 0.75 * whole.stat().st_size
    rng = np.random.default_rng(1)
    samples = (0.1 * rng.standard_normal(16000)).astype(np.float32)
    mouth = MouthClip(rng.integers(0, 255, (25, 96, 96), np.uint8), np.ones(25, np.float32))
    texts = []
    for path in (whole, half):
        recognizer = Recognizer.load(path)
        assert all(value.dtype != torch.float16 for value in recognizer.packed.model.state_dict().values())
        texts.append([recognizer.recognise(samples, mouth, mode).text for mode in ("av", "audio", "lip")])
    assert texts[0] == texts[1] and all(texts[0])
    large = {"a": torch.full((2, 2), 1e6), "b": torch.full((2,), 0.1), "c": torch.full((2, 2), 0.5), "n": torch.tensor([3])}
    stored = packing._read_state(packing._state_bytes(large, True), "here")
    assert [stored[name].dtype for name in "abcn"] == [torch.float32, torch.float32, torch.float16, torch.int64]


def test_the_model_that_comes_along_is_whole():
    from avsr.decoding.default_model import CHECKOUT, SHIPPED
    from avsr.decoding.packed import load_packed
    from avsr.stages.card import card_text

    shipped = CHECKOUT / SHIPPED
    packed = load_packed(shipped)
    assert packed.meta["card"]["figures"]["test"].keys() >= {"audio", "lip", "av"}
    assert shipped.with_name("README.md").read_text(encoding="utf-8") == card_text(shipped)
    assert shipped.stat().st_size < ship.LARGEST
