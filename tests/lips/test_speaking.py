"""Whether a mouth speaks: made faces that speak, chew, yawn and smile; and answers that do not depend on far frames."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.errors import ModelError
from avsr.lips import speaking
from avsr.lips.speaking import REACH, SpeakingStream, small_mouths, speaking_probability
from tests.corpora.talking_heads.test_head import needs_head


@pytest.fixture(scope="module")
def drawn():
    """(T, 96, 96) mouths by what they do: some shipped sentences that are said, and people who say nothing."""
    pytest.importorskip("numba", reason="numba, which compiles the drawing, is not installed")
    from avsr.corpora.talking_heads.corpus import Item, Order
    from avsr.corpora.talking_heads.make_quiet import QuietOrder, draw_quiet
    from avsr.corpora.talking_heads.quickstart import load_quickstart
    from avsr.corpora.talking_heads.utterance import draw, say

    order = Order(seed=77)
    said = []
    for place, speech in enumerate(list(load_quickstart())[:40:10]):
        item = Item(f"{speech.speaker}f1-{place:06d}", "test", speech.speaker, 0, speech.text, speech.name)
        frames, _, shape = draw(item, order, say(item, order))
        said.append((frames, shape[:, 6] > 0.5))
    quiet = QuietOrder(seconds=4.0, seed=77)
    kinds = ("still", "smiling", "chewing", "yawning", "turning")
    return said, {kind: draw_quiet(f"{kind}-000001", quiet) for kind in kinds}


@needs_head
def test_who_speaks_is_told_from_who_does_not(drawn):
    said, quiet = drawn
    for frames, truth in said:
        found = speaking_probability(frames, np.ones(len(frames)))
        assert found.dtype == np.float32 and found.shape == (len(frames),)
        assert (found[truth] > 0.5).mean() > 0.85
    for kind, frames in quiet.items():
        assert (speaking_probability(frames, np.ones(len(frames))) > 0.5).mean() < 0.15, kind


@needs_head
def test_no_piece_of_people_who_say_nothing(drawn):
    from avsr.decoding.segment import speech_pieces

    said, quiet = drawn
    frames, truth = said[0]
    pieces = speech_pieces(None, frames, speaking_probability(frames, np.ones(len(frames))), None)
    covered = np.zeros(len(frames), bool)
    for piece in pieces:
        covered[piece.first : piece.stop] = True
    assert covered[truth].mean() > 0.95
    for kind in ("still", "yawning", "turning"):
        assert speech_pieces(None, quiet[kind], speaking_probability(quiet[kind], np.ones(len(quiet[kind]))), None) == [], kind


def test_where_no_mouth_is_seen_nobody_speaks():
    frames = np.random.default_rng(1).integers(0, 255, (60, 96, 96), dtype=np.uint8)
    confidence = np.ones(60)
    confidence[20:40] = 0
    found = speaking_probability(frames, confidence)
    assert (found[20:40] == 0).all() and (found[:20] > 0).all()
    assert speaking_probability(frames[:0], confidence[:0]).shape == (0,)


def test_frames_further_than_its_reach_do_not_count(monkeypatch):
    frames = np.random.default_rng(2).integers(0, 255, (3 * REACH, 96, 96), dtype=np.uint8)
    other = frames.copy()
    other[2 * REACH + 1 :] = 0
    one, two = (speaking_probability(clip, np.ones(len(clip))) for clip in (frames, other))
    assert np.allclose(one[: REACH + 1], two[: REACH + 1], atol=1e-5) and not np.allclose(one, two, atol=1e-3)
    monkeypatch.setattr(speaking, "_CHUNK", 50)  # a long clip is worked on in parts, which do not show
    assert np.allclose(speaking_probability(frames, np.ones(len(frames))), one, atol=1e-5)


@settings(max_examples=10, deadline=None)
@given(steps=st.lists(st.tuples(st.integers(1, 40), st.booleans()), min_size=1, max_size=12), seed=st.integers(0, 9))
def test_a_clip_that_grows_is_told_as_it_is_whole(steps, seed):
    """Asked now and then, of what is new and 25 frames before it, by what is kept of `REACH` before those."""
    frames = np.random.default_rng(seed).integers(0, 255, (sum(count for count, _ in steps), 96, 96), dtype=np.uint8)
    stream, end, asked = SpeakingStream(), 0, 0
    for count, asks in steps:
        end += count
        if asks:
            first = max(0, asked - 25)
            begin = max(0, first - REACH)
            found = stream.tell(first, end, begin, lambda start, stop: frames[max(begin, start) : stop])
            assert np.allclose(found, speaking_probability(frames[begin:end], np.ones(end - begin))[first - begin :], atol=1e-5)
            asked = end


def test_what_has_been_seen_is_not_looked_at_again():
    frames, looked = np.random.default_rng(3).integers(0, 255, (300, 96, 96), dtype=np.uint8), []

    def mouths(start: int, stop: int) -> np.ndarray:
        looked.append(stop - start)
        return frames[start:stop]

    stream = SpeakingStream()
    for end in range(50, 301, 5):
        stream.tell(max(0, end - 30), end, 0, mouths)
    assert looked[0] == 50 and set(looked[1:]) == {5 + 2 * 15}


def test_mouths_are_halved_by_means():
    frames = np.zeros((1, 96, 96), np.uint8)
    frames[0, 4:6, 4:6] = 200
    small = small_mouths(frames)
    assert small.shape == (1, 44, 44) and small[0, 0, 0] == 200 and small.sum() == 200


def test_a_damaged_network_is_told(tmp_path, monkeypatch):
    for content in (b"", b"hello", b"PK\x03\x04"):
        path = tmp_path / "speaking.pth"
        path.write_bytes(content)
        monkeypatch.setattr(speaking, "WEIGHTS", path)
        speaking._network.cache_clear()
        with pytest.raises(ModelError, match="install the project again"):
            speaking_probability(np.zeros((2, 96, 96), np.uint8), np.ones(2))
    speaking._network.cache_clear()
