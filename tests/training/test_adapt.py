"""Adapting: a model that learns the clips it is given, or is left alone; layouts of clips; the whole road on made faces."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from avsr.decoding.packed import load_packed, pack, read_meta
from avsr.errors import AvsrError, LabelError
from avsr.training import adapt as adapting
from avsr.training.adapt import Clip, adapt, adapt_model, read_clips
from tests.corpora.talking_heads.test_head import needs_head
from tests.decoding.conftest import DECODE, SENTENCES, write_run
from tests.media_maker import make_video


LIPS = frozenset({"lips"})


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A packed model of random weights."""
    folder = tmp_path_factory.mktemp("tiny")
    pack(*write_run(folder), folder / "tiny.zip", {"what": "for tests", "recipe": "tiny", "decode": DECODE})
    return folder / "tiny.zip"


def clips_of(packed, count: int) -> list[Clip]:
    """Sentences, each seen as its own flicker."""
    made = []
    for number in range(count):
        text = SENTENCES[number % len(SENTENCES)]
        rng = np.random.default_rng(number % len(SENTENCES))
        frames = np.clip(120 + 60 * rng.standard_normal((60, 1, 1)) + np.zeros((60, 96, 96)), 0, 255).astype(np.uint8)
        tokens = np.array(packed.tokenizer.encode(text))
        made.append(Clip(f"p-{number}", text, tokens, frames, np.ones(60, np.float32), None))
    return made


def test_the_best_step_is_kept_and_the_fusion_left_alone(tiny):
    results = []
    for _ in range(2):
        packed = load_packed(tiny)
        before = copy.deepcopy(packed.model.state_dict())
        clips = clips_of(packed, 12)
        loss = adapting._loss(packed, clips[:3], LIPS)
        step = adapting._teach(packed, clips[3:], clips[:3], LIPS, 40, seed=2)
        after = packed.model.state_dict()
        assert step in (20, 40) and adapting._loss(packed, clips[:3], LIPS) < loss
        for name, value in before.items():
            still = name.startswith("fusion.") or "running_" in name
            assert not still or (value == after[name]).all(), name
        assert any((before[name] != after[name]).any() for name in before if name.startswith("lip_encoder."))
        results.append(after)
    assert all((results[0][name] == results[1][name]).all() for name in results[0]), "the same seed, the same model"


def test_where_nothing_helps_the_model_is_as_it_was(tiny, monkeypatch):
    packed = load_packed(tiny)
    before = copy.deepcopy(packed.model.state_dict())
    clips = clips_of(packed, 8)
    worse = iter(range(100))
    monkeypatch.setattr(adapting, "_loss", lambda *_: float(next(worse)))
    assert adapting._teach(packed, clips[2:], clips[:2], LIPS, 20, seed=1) == 0
    assert all((before[name] == value).all() for name, value in packed.model.state_dict().items())


def test_clips_beside_texts_tables_and_labels_are_read(tmp_path):
    folder = tmp_path / "clips"
    folder.mkdir()
    make_video(folder / "가 하나.mp4", seconds=0.4)
    (folder / "가 하나.txt").write_text("안녕하세요\n반갑습니다\n", encoding="utf-8")
    make_video(folder / "b.mp4", seconds=0.4)
    failures = []
    (only,) = read_clips(folder, failures)
    assert only.text == "안녕하세요 반갑습니다" and only.media.name == "가 하나.mp4"
    assert len(failures) == 1 and "b.txt" in failures[0].reason
    (folder / "t.tsv").write_text("path\tspeaker\ttext\nb.mp4\ta\t안녕\n", encoding="utf-8")
    assert [clip.text for clip in read_clips(folder / "t.tsv", [])] == ["안녕"]
    (folder / "me.zip.clips").mkdir()
    make_video(folder / "me.zip.clips" / "c.mp4", seconds=0.4)
    more = []
    assert len(read_clips(folder, more, folder / "me.zip.clips")) == 1 and len(more) == 1, "our own crops are no clips"
    for wrong in (tmp_path / "nowhere", folder / "b.mp4"):
        with pytest.raises(LabelError, match="neither a folder nor a table"):
            read_clips(wrong, [])
    (tmp_path / "empty").mkdir()
    with pytest.raises(LabelError, match=".txt of the same name"):
        read_clips(tmp_path / "empty", [])


def test_mistakes_are_told_before_anything_is_done(tiny, tmp_path):
    with pytest.raises(AvsrError, match="steps 3: give 20 or more"):
        adapt(tiny, tmp_path, tmp_path / "o.zip", steps=3)
    with pytest.raises(AvsrError, match="seed -1: give 0 or more"):
        adapt(tiny, tmp_path, tmp_path / "o.zip", seed=-1)
    with pytest.raises(AvsrError, match="is the model itself"):
        adapt(tiny, tmp_path, tiny)
    assert list(tmp_path.iterdir()) == []


@needs_head
def test_the_whole_road(tiny, tmp_path, face_model, monkeypatch):
    pytest.importorskip("numba", reason="numba, which compiles the drawing, is not installed")
    from avsr.corpora.talking_heads.make_quiet import QuietOrder, make_quiet

    folder = tmp_path / "me"
    make_quiet(QuietOrder(clips=6, seconds=1.2, seed=5, full_face=True), tmp_path / "made", nj=2)
    folder.mkdir()
    for number, path in enumerate(sorted((tmp_path / "made" / "face").glob("*.mp4"))):
        path.rename(folder / f"{number}.mp4")
        (folder / f"{number}.txt").write_text(SENTENCES[number % 2], encoding="utf-8")
    with pytest.raises(AvsrError, match="5 clips can be used, at least 6"):
        (folder / "0.txt").write_text("xyz", encoding="utf-8")
        adapt(tiny, folder, tmp_path / "me.zip")
    assert not (tmp_path / "me.zip").exists()
    assert "letters that the model does not know" in (tmp_path / "me.zip.clips" / "failed.tsv").read_text("utf-8")
    (folder / "0.txt").write_text(SENTENCES[0], encoding="utf-8")
    rates = iter([{"lip": 90.0, "av": 80.0}, {"lip": 95.0, "av": 60.0}, {"lip": 10.0}, {"lip": 30.0}])
    monkeypatch.setattr(adapting, "errors", lambda *_: next(rates))  # a net of random weights reads nothing
    told = adapt_model(tiny, folder, tmp_path / "me.zip", steps=20)
    assert "4 clips learnt from, 2 held out" in told and "lip 90.0 -> 95.0, av 80.0 -> 60.0" in told and "of 20" in told
    meta = read_meta(tmp_path / "me.zip")
    assert meta["adapted"]["clips"] == 4 and meta["adapted"]["from"] == "tiny" and meta["what"] == "for tests"
    assert meta["name"] == "me" and "confidence" not in meta
    load_packed(tmp_path / "me.zip")
    with pytest.raises(AvsrError, match="read no better, so nothing was written .*lip 10.0 -> 30.0"):
        adapt_model(tiny, folder, tmp_path / "other.zip", steps=20)  # found in review: it was written
    monkeypatch.setattr(adapting, "_used", lambda *_: frozenset())
    with pytest.raises(AvsrError, match="learnt from sound alone"):
        adapt_model(tiny, folder, tmp_path / "other.zip", steps=20)
    assert not (tmp_path / "other.zip").exists()


def test_a_model_of_sound_alone_learns_from_sound_alone(tiny):
    """Found in review: its lip encoder, which had learnt nothing, was taught along."""
    from dataclasses import replace

    packed = load_packed(tiny)
    packed.meta["streams"] = ["sound"]
    clips = [replace(clip, samples=np.zeros(38_400, np.float32)) for clip in clips_of(packed, 8)]
    assert adapting._used(packed, clips) == {"sound"} and adapting._used(packed, clips_of(packed, 1)) == frozenset()
    batch = adapting._batch([adapting._centred(clip) for clip in clips], adapting._used(packed, clips))
    assert "video" not in batch and batch["speech"].shape == (8, 38_400)
    assert set(adapting.errors(packed, clips[:1], frozenset({"sound"}))) == {"av"}
