"""Making a corpus: all of the plan, what is finished kept, the same hash each time. Faces and voices are stand-ins here."""

from __future__ import annotations

import json
import types
from pathlib import Path

import numpy as np
import pytest

from avsr.corpora import lipnet
from avsr.corpora.datadir import read_data_dir
from avsr.corpora.talking_heads import make, utterance
from avsr.corpora.talking_heads.corpus import SPLITS, Item, Order
from avsr.corpora.talking_heads.make import make_corpus
from avsr.corpora.talking_heads.utterance import Job, make_utterance
from avsr.corpora.talking_heads.voice import Speech
from avsr.errors import AvsrError
from avsr.lips.mouth_clip import load_mouth_clip
from avsr.lips.mouth_shape import load_mouth_shape
from avsr.stages import filter as filter_stage
from avsr.stages import format as format_stage
from avsr.tables import read_table


def fake_say(item: Item, order: Order) -> Speech:
    """A tone as long as the text; the words share it."""
    texts = item.text.split()
    seconds = 0.4 + 0.2 * len(texts)
    samples = (0.1 * np.sin(np.arange(round(seconds * 16000)) * (0.05 + 0.01 * item.face))).astype(np.float32)
    words = [(0.2 + 0.2 * place, 0.4 + 0.2 * place, word) for place, word in enumerate(texts)]
    return Speech(samples, [], words)


def fake_draw(item: Item, order: Order, speech: Speech) -> tuple[np.ndarray, float, np.ndarray]:
    frames = np.full((round(speech.duration * 25), 96, 96), 60 + 10 * item.face, np.uint8)
    shape = np.linspace(0, 7, 7 * len(frames)).reshape(-1, 7)
    return (np.repeat(frames[..., None], 3, axis=-1) if order.full_face else frames), 25, shape


def fake_make(job: Job, order: Order, out: Path) -> str | None:
    """Runs in a worker: `make_utterance` itself, with a stand-in for voice and face."""
    if (out.parent / "bad").exists() and job.item.split == "dev":
        return "no voice today"
    utterance.say, utterance.draw = fake_say, fake_draw
    (out.parent / "made").open("a").write(f"{job.item.utt}\n")
    return make_utterance(job, order, out)


@pytest.fixture
def stand_ins(monkeypatch, tmp_path) -> Path:
    """Where the corpora go; `made` beside them lists the utterances that were made."""
    from avsr.corpora.talking_heads import quickstart

    speech = [
        types.SimpleNamespace(
            name=f"v{voice:02d}-{place}", speaker=f"v{voice:02d}", text=f"학생 축구 {chr(0xAC00 + 28 * (40 * voice + place))}"
        )
        for voice in range(1, 5)
        for place in range(8)
    ]
    monkeypatch.setattr(quickstart, "load_quickstart", lambda: speech)
    monkeypatch.setattr(make, "make_utterance", fake_make)
    return tmp_path


def made(folder: Path) -> list[str]:
    path = folder / "made"
    lines = path.read_text().split() if path.exists() else []
    path.unlink(missing_ok=True)
    return lines


ORDER = Order(utterances=14, seed=5)


def test_a_corpus_is_ready_for_the_format_stage(stand_ins):
    out, dump = stand_ins / "corpus", stand_ins / "dump"
    report = make_corpus(ORDER, out, nj=2)
    assert (report.made, report.kept) == (14, 0) and sorted(made(stand_ins)) == sorted(set(read_all(out)))
    for split in SPLITS:
        utterances = read_data_dir(out / split)
        assert utterances and all(" ".join(word for *_, word in u.words) == u.text for u in utterances)
        clip = load_mouth_clip(read_table(out / split / "video.scp")[utterances[0].utt_id])
        assert clip.frames.shape[1:] == (96, 96)
        assert load_mouth_shape(read_table(out / split / "shape.scp")[utterances[0].utt_id]).shape == (len(clip.frames), 7)
        assert float(read_table(out / split / "utt2dur")[utterances[0].utt_id]) == len(clip.frames) / 25
    splits = ["--splits", *SPLITS]
    assert format_stage.main(["--data", str(out), "--crops", str(out), "--out", str(dump / "f"), *splits]) == 0
    assert filter_stage.main(["--source", str(dump / "f"), "--out", str(dump), *splits]) == 0
    assert read_table(dump / "test_seen" / "wav.scp") and read_table(dump / "train" / "align")
    assert read_table(dump / "train" / "shape.scp").keys() == read_table(dump / "train" / "text").keys()
    manifest = json.loads((out / "manifest.json").read_text("utf-8"))
    assert manifest["hash"] == report.hash and manifest["order"]["seed"] == 5
    assert sum(part["utterances"] for part in manifest["splits"].values()) == 14
    assert "train/text" in manifest["files"] and str(stand_ins) not in json.dumps(manifest)


def read_all(out: Path) -> list[str]:
    return [utt for split in SPLITS for utt in read_table(out / split / "text")]


def test_the_same_order_has_the_same_hash_whatever_lay_there_before(stand_ins):
    other, one, two = Order(utterances=12, seed=6), stand_ins / "one", stand_ins / "two"
    first, second = make_corpus(ORDER, one, nj=1), make_corpus(other, two, nj=1)
    assert make_corpus(ORDER, two, nj=2).hash == first.hash != second.hash
    made(stand_ins)
    # A kill before a record was written, and damage.
    victims = sorted((two / ".made").glob("*.json"))[:3]
    victims[0].unlink()
    (two / "mouth" / f"{victims[1].stem}.mp4").unlink()
    victims[2].write_text("{broken")
    again = make_corpus(ORDER, two, nj=1)
    assert (again.made, again.kept, again.hash) == (3, 11, first.hash)
    assert sorted(made(stand_ins)) == sorted(path.stem for path in victims)


def test_lipnet_layout_is_read_back_with_true_times(stand_ins):
    out = stand_ins / "corpus"
    make_corpus(Order(utterances=12, layout="lipnet"), out, nj=1)
    utterances = {utterance.utt_id: utterance for utterance in lipnet.read_corpus(out)}
    assert len(utterances) == 12
    one = next(iter(utterances.values()))
    assert one.words[0][:2] == pytest.approx((0.2, 0.4)) and one.text.startswith("학생 축구 ")
    lists = {split: (out / f"{split}.list").read_text("utf-8").split() for split in SPLITS[1:]}
    assert all(names and set(names) <= set(utterances) for names in lists.values())


def test_whole_faces_are_media_with_sound(stand_ins):
    from avsr.media.probe import probe

    out = stand_ins / "corpus"
    make_corpus(Order(utterances=12, full_face=True), out, nj=1)
    utterances = read_data_dir(out / "test")
    media = probe(utterances[0].media)
    assert media.audio is not None and media.video.fps == 25 and not (out / "test" / "video.scp").exists()


def test_without_sound_there_are_mouths_alone(stand_ins):
    out, dump = stand_ins / "corpus", stand_ins / "dump"
    make_corpus(Order(utterances=14, silent=True), out, nj=1)
    assert not (out / "wav").exists() and not (out / "train" / "wav.scp").exists()
    assert len(load_mouth_clip(next((out / "mouth").glob("*.mp4"))).frames) > 10
    format_stage.main(["--data", str(out), "--crops", str(out), "--out", str(dump), "--splits", "train", "dev", "--no_speech"])
    assert set(read_table(dump / "train" / "video.scp")) == set(read_table(out / "train" / "text"))
    with pytest.raises(AvsrError, match="without sound only mouth clips"):
        Order(silent=True, full_face=True)


def test_for_training_alone(stand_ins):
    out = stand_ins / "corpus"
    make_corpus(Order(utterances=12, train_only=True), out, nj=1)
    assert [path.parent.name for path in out.glob("*/text")] == ["train"] and len(read_table(out / "train" / "text")) == 12
    assert list(json.loads((out / "manifest.json").read_bytes())["splits"]) == ["train"]


def test_what_cannot_be_made_is_a_sentence(stand_ins):
    (stand_ins / "bad").touch()
    with pytest.raises(AvsrError, match="1 of 14 utterances could not be made .*no voice today.*failed.tsv"):
        make_corpus(ORDER, stand_ins / "corpus", nj=1)
    assert "no voice today" in (stand_ins / "corpus" / "failed.tsv").read_text("utf-8")
    (stand_ins / "bad").unlink()
    assert make_corpus(ORDER, stand_ins / "corpus", nj=1).kept == 13
    (stand_ins / "theirs").mkdir()
    (stand_ins / "theirs" / "thesis.txt").touch()
    with pytest.raises(AvsrError, match="holds other files"):
        make_corpus(ORDER, stand_ins / "theirs")
    with pytest.raises(AvsrError, match="is a file"):
        make_corpus(ORDER, stand_ins / "theirs" / "thesis.txt")
    with pytest.raises(AvsrError, match="nj is 0"):
        make_corpus(ORDER, stand_ins / "corpus", nj=0)


def test_align_text():
    speech = Speech(np.zeros(16000, np.float32), [], [(0.2, 0.4, "학생"), (0.4, 0.9, "축구")])
    assert utterance.align_text(speech) == "0 5000 sil\n5000 10000 학생\n10000 22500 축구\n22500 25000 sil\n"
