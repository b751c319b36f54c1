"""Windows of a long recording: where they meet does not show in the pieces, whatever the lips do there."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from avsr.decoding.pieces import pieces_of
from avsr.decoding.segment import MARGIN, SAMPLES, lip_activity
from avsr.decoding.streams import Window
from avsr.lips import speaking


def streams(frames: np.ndarray, cuts: list[int], *, mouth_only: bool = False, samples: np.ndarray | None = None):
    """A recording in windows that begin at `cuts`."""

    def windows(*_):
        for first, stop in zip(cuts, [*cuts[1:], len(frames)]):
            sound = None if samples is None else samples[first * SAMPLES : stop * SAMPLES]
            yield Window(first / 25, sound, frames[first:stop], np.ones(stop - first, np.float32), stop == len(frames))

    return SimpleNamespace(windows=windows, mouth_only=mouth_only, faces=1)


def spans(given) -> list[tuple[int, int]]:
    return [
        (round(window.start * 25) + piece.first, round(window.start * 25) + piece.stop)
        for [(window, pieces, _)] in pieces_of(given)
        for piece in pieces
    ]


@pytest.fixture
def told(monkeypatch):
    """Frames tell by their brightness how likely they speak, averaged as far as the network sees."""

    def probability(frames, confidence):
        level = frames.mean((1, 2)) / 255
        weights = np.ones(2 * speaking.REACH + 1)
        share = np.convolve(level, weights)[speaking.REACH : speaking.REACH + len(level)]
        count = np.convolve(np.ones(len(level)), weights)[speaking.REACH : speaking.REACH + len(level)]
        return np.where(confidence > 0, np.clip(3 * share / count, 0, 1), 0).astype(np.float32)

    monkeypatch.setattr(speaking, "speaking_probability", probability)


def covered(found: list[tuple[int, int]]) -> np.ndarray:
    """(1500,) bool: frames that are read; none twice."""
    times = np.zeros(1500, int)
    for first, stop in found:
        times[first:stop] += 1
    assert times.max() <= 1
    return times > 0


def lively(seed: int, length: int = 1500) -> np.ndarray:
    """Frames that are bright for some seconds now and then."""
    rng, level = np.random.default_rng(seed), np.zeros(length, np.uint8)
    place = 0
    while place < length:
        place += int(rng.integers(60, 200))
        stop = place + int(rng.integers(40, 220))
        level[place:stop] = 255
        place = stop
    return np.broadcast_to(level[:, None, None], (length, 96, 96))


@pytest.mark.parametrize("seed", range(4))
def test_it_does_not_matter_where_windows_meet(told, seed):
    """Found in review: lips at a window's edge were judged without what lies beyond it."""
    frames = lively(seed)
    whole = covered(spans(streams(frames, [0])))
    spoken = lip_activity(speaking.speaking_probability(frames, np.ones(1500)))
    assert spoken.any() and whole[spoken].all()
    for cut in range(400, 1100, 37):
        found = covered(spans(streams(frames, [0, cut])))
        # Where one run is too long and is cut in a frame of its end, that frame alone is no piece.
        assert (spoken & ~found).sum() <= 1, cut
        assert (found != whole).sum() <= 2 * MARGIN, "a pause between two runs may be read or not"


def test_where_only_a_mouth_is_shown_it_is_not_asked_whether_it_speaks(monkeypatch):
    def asked(*_):
        raise AssertionError("cut in a way that the network has not seen")

    monkeypatch.setattr(speaking, "speaking_probability", asked)
    assert spans(streams(lively(1, 200), [0], mouth_only=True)) == [(0, 200)]
    assert spans(streams(lively(1, 0), [0], mouth_only=True)) == []


def test_a_recording_without_pictures_is_cut_by_its_sound(monkeypatch):
    monkeypatch.setattr("avsr.decoding.pieces.voice_probability", lambda samples: np.ones(-(-len(samples) // 640)))
    rng = np.random.default_rng(1)
    samples = np.concatenate([rng.normal(0, level, 16000 * 8) for level in (0.2, 0.0005, 0.2)]).astype(np.float32)
    windows = [Window(0.0, samples, None, None, True)]
    found = spans(SimpleNamespace(windows=lambda *_: iter(windows), mouth_only=False, faces=1))
    assert len(found) == 2 and abs(found[0][1] - 200) < 12 and abs(found[1][0] - 400) < 12
