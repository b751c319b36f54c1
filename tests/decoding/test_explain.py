"""Where the reader looked: shares that add up, pixels that the words do hang on, files that open, and sentences for what cannot be."""

from __future__ import annotations

import json

import av
import numpy as np
import pytest

from avsr.decoding.explain import coloured, explain_file
from avsr.decoding.packed import read_meta, write_with_meta
from avsr.decoding.recognizer import Recognizer
from avsr.decoding.saliency import saliency
from avsr.errors import AvsrError, NoFaceError
from avsr.lips.mouth_clip import MouthClip
from tests.media_maker import make_video


@pytest.fixture(scope="module")
def clip() -> MouthClip:
    """Noise in the middle of a grey picture."""
    frames = np.full((40, 96, 96), 120, np.uint8)
    frames[:, 30:66, 30:66] = np.random.default_rng(5).integers(0, 255, (40, 36, 36), dtype=np.uint8)
    return MouthClip(frames, np.ones(40, np.float32), 2.0)


def test_each_word_has_its_share_of_frames_and_pixels(recognizer, clip):
    seen = saliency(recognizer, clip)
    said = recognizer.recognise(None, clip, "lip", start=2.0)
    assert seen.words and [word.word.text for word in seen.words] == [word.text for word in said.words]
    assert [word.word.start for word in seen.words] == [word.start for word in said.words]
    for word in seen.words:
        assert word.course.shape == (40,) and word.course.sum() == pytest.approx(1, abs=1e-3) and (word.course >= 0).all()
        assert word.maps.shape[1:] == (96, 96) and 0 <= word.first < word.first + len(word.maps) <= 40
    assert seen.total.sum() == pytest.approx(len(seen.words), rel=1e-3)
    again = saliency(recognizer, clip)
    assert np.array_equal(seen.total, again.total), "the same seed, the same pictures"
    assert not np.array_equal(seen.total, saliency(recognizer, clip, seed=1).total)


def test_what_lies_outside_the_crop_does_not_count(recognizer, clip):
    total = saliency(recognizer, clip).total.sum(0)
    rim = np.ones((96, 96), bool)
    rim[2:-2, 2:-2] = False  # the model's middle 88 pixels, and what the blur carries over
    assert total[rim].sum() < 0.02 * total.sum()


def test_a_model_that_cannot_see_is_told(packed, clip, tmp_path):
    write_with_meta(packed, tmp_path / "deaf.zip", read_meta(packed) | {"streams": ["sound"]})
    with pytest.raises(AvsrError, match="nothing to explain of lips"):
        saliency(Recognizer.load(tmp_path / "deaf.zip"), clip)


def test_files_are_written(packed, video, face, tmp_path):
    said = explain_file(video, tmp_path / "out", model=packed, seconds=2)
    names = ["a clip.saliency.json", "a clip.saliency.mp4", "a clip.saliency.png"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    facts = json.loads((tmp_path / "out" / names[0]).read_text("utf-8"))
    assert facts["words"] and f"{len(facts['words'])} words" in said
    for word in facts["words"]:
        assert 0 <= word["seen_at"] <= 2 and 0 <= word["x"] <= 95 and 0 <= word["y"] <= 95 and word["spread"] >= 0
    with av.open(str(tmp_path / "out" / names[1])) as container:
        assert container.streams.audio and sum(1 for _ in container.decode(video=0)) == 50
    from PIL import Image

    assert Image.open(tmp_path / "out" / names[2]).size == (150 + 9 * 96, len(facts["words"]) * 118)


def test_what_cannot_be_explained_is_one_sentence(packed, video, face, tmp_path, monkeypatch):
    for start, seconds, words in ((-1, 5, "give a start"), (0, 0, "give a start"), (0, 90, "30 seconds"), (5, 5, "lasts 2.0 s")):
        with pytest.raises(AvsrError, match=words):
            explain_file(video, tmp_path, model=packed, start=start, seconds=seconds)
    with pytest.raises(AvsrError, match="is not a folder"):
        explain_file(video, video, model=packed)
    from avsr.lips import speaking

    monkeypatch.setattr(speaking, "speaking_probability", lambda frames, confidence: np.zeros(len(frames), np.float32))
    with pytest.raises(NoFaceError, match="nobody is seen to speak"):
        explain_file(video, tmp_path, model=packed)
    face.shown = False
    with pytest.raises(NoFaceError, match="no face was found"):
        explain_file(make_video(tmp_path / "b.mp4"), tmp_path, model=packed)
    assert [path.name for path in tmp_path.iterdir()] == ["b.mp4"]


def test_colours_are_where_the_map_is():
    frames = np.full((2, 8, 8), 100, np.uint8)
    maps = np.zeros((2, 8, 8), np.float32)
    maps[1, 2, 3] = 1.0
    shown = coloured(frames, maps, 1.0)
    changed = (shown != 100).any(-1)
    assert changed[1, 2, 3] and changed.sum() == 1


def test_the_pixels_that_are_marked_are_those_that_count(recognizer, clip):
    """Along a small step in the tenth of the pixels that counted most, what was read changes more than in the tenth that did least."""
    import torch

    words = saliency(recognizer, clip)
    text = " ".join(word.word.text for word in words.words)
    tokens = torch.tensor([recognizer.packed.tokenizer.encode(text)])
    lengths = torch.tensor([40])

    def loss(frames: np.ndarray) -> float:
        with torch.inference_mode():
            video = torch.from_numpy(frames)[None].float()
            told = recognizer.packed.model.see(video, lengths, torch.ones(1, 40), lengths).log_probs
        return float(torch.nn.functional.ctc_loss(told.transpose(0, 1), tokens, lengths, torch.tensor([tokens.shape[1]]), reduction="sum"))

    order = np.argsort(words.total[:, 30:66, 30:66].ravel())[::-1]  # the noise: elsewhere there is nothing
    tenth, rng, moved = len(order) // 10, np.random.default_rng(2), [0.0, 0.0]
    for _ in range(12):
        step = rng.choice([-8, 8], tenth)
        for place, chosen in enumerate((order[:tenth], order[-tenth:])):
            noise = np.zeros(len(order), int)
            noise[chosen] = step
            frames = clip.frames.astype(int)
            frames[:, 30:66, 30:66] += noise.reshape(40, 36, 36)
            moved[place] += abs(loss(frames.clip(0, 255).astype(np.uint8)) - loss(clip.frames))
    assert moved[0] > 1.5 * moved[1]
