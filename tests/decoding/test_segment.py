"""Pieces: cut at pauses or still mouths, never too long, nothing spoken left out, silence left out."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.decoding.segment import LONGEST, SAMPLES, Piece, cut, sound_activity, sound_level, speech_pieces


def sound(*parts: tuple[float, float], hiss: float = 0.0005) -> np.ndarray:
    """(seconds, level) one after another, syllables at four a second, over a hiss."""
    rng = np.random.default_rng(0)
    pieces = []
    for seconds, level in parts:
        times = np.arange(round(seconds * 16000)) / 16000
        pieces.append(level * np.sin(2 * np.pi * 180 * times) * np.clip(np.sin(4 * np.pi * times), 0, None))
    samples = np.concatenate(pieces)
    return (samples + hiss * rng.standard_normal(len(samples))).astype(np.float32)


def mouth(frames: int, still: range = range(0)) -> np.ndarray:
    """A mouth clip of noise that stands still in these frames."""
    clip = np.random.default_rng(1).integers(0, 255, (frames, 96, 96), dtype=np.uint8)
    for index in still:
        clip[index] = clip[still[0]]
    return clip


def pieces_in(samples, frames, speaking, voice: float = 1.0) -> list[Piece]:
    """`speech_pieces`, all of the sound as likely a voice."""
    return speech_pieces(samples, frames, speaking, None if samples is None else np.full(-(-len(samples) // SAMPLES), voice))


def test_a_sound_that_is_no_voice_is_for_the_lips_to_judge():
    samples, frames = sound((20, 0.3)), mouth(500)
    speaking = np.r_[np.zeros(100), np.full(100, 0.99), np.zeros(300)]
    assert pieces_in(samples, None, None, voice=0.1) == []
    assert pieces_in(samples, frames, np.zeros(500), voice=0.1) == []
    (piece,) = pieces_in(samples, frames, speaking, voice=0.1)
    assert 80 <= piece.first <= 100 and 200 <= piece.stop <= 220
    for piece in pieces_in(sound((15, 0.0), (5, 0.3), hiss=0.001), frames, speaking, voice=0.9):
        assert piece.first > 340, "in a quiet room lips that move and are not heard say nothing"


def test_a_short_clip_is_one_piece():
    assert pieces_in(sound((3, 0.3)), None, None) == [Piece(0, 75)]
    assert pieces_in(sound((1, 0.0), (2, 0.3)), mouth(75), np.ones(75)) == [Piece(0, 75)]


def test_nothing_but_hiss_and_no_mouth_is_no_piece():
    assert pieces_in(sound((3, 0.0)), None, None) == []
    assert pieces_in(np.zeros(48000, np.float32), mouth(75), np.zeros(75)) == []
    assert pieces_in(None, None, None) == []
    assert pieces_in(np.zeros(0, np.float32), mouth(0), np.zeros(0)) == []


def test_long_sound_is_cut_at_its_pauses():
    pieces = pieces_in(sound((8, 0.3), (2, 0.0), (9, 0.3), (3, 0.0), (4, 0.3)), None, None)
    assert len(pieces) == 3
    for piece, (start, end) in zip(pieces, ((0, 8), (10, 19), (22, 26))):
        assert start - 0.6 <= piece.first / 25 <= start + 0.2
        assert end - 0.3 <= piece.stop / 25 <= end + 0.6


def test_quiet_and_loud_background():
    for hiss in (0.0, 0.0005, 0.01):
        pieces = pieces_in(sound((9, 0.3), (3, 0.0), (9, 0.3), hiss=hiss), None, None)
        assert len(pieces) == 2, hiss


def test_without_a_sound_the_stillest_mouth_parts():
    frames = mouth(500, still=range(200, 220))
    for samples in (None, np.zeros(500 * SAMPLES, np.float32)):
        pieces = pieces_in(samples, frames, np.ones(500))
        assert pieces[0].first == 0 and pieces[-1].stop == 500
        assert 200 <= pieces[0].stop < 220


def test_lips_that_twitch_or_never_speak_are_no_piece():
    frames = mouth(500)
    for speaking in (np.zeros(500), np.full(500, 0.6), np.r_[np.zeros(100), np.ones(5), np.zeros(395)]):
        assert pieces_in(None, frames, speaking) == []
    pieces = pieces_in(None, frames, np.r_[np.zeros(100), np.full(50, 0.99), np.full(20, 0.4), np.zeros(330)])
    assert len(pieces) == 1 and 80 <= pieces[0].first <= 100 and 170 <= pieces[0].stop <= 190
    assert pieces_in(None, frames[:250], np.r_[np.zeros(200), np.full(50, 0.99)])[0].first > 150, "a short one too"


def test_a_piece_of_a_short_clip_ends_with_it():
    """Found in review: a clip of ten frames had a piece of seventeen."""
    for length in (3, 10, 16, 17, 40):
        (piece,) = pieces_in(None, mouth(length), np.ones(length)) or [Piece(0, length)]
        assert 0 <= piece.first < piece.stop <= length


def test_where_the_sound_is_off_the_lips_carry_on():
    samples = sound((10, 0.3), (10, 0.0), (10, 0.3), hiss=0.0)
    lips = mouth(750)
    covered = lambda pieces: sum(piece.stop - piece.first for piece in pieces)  # noqa: E731
    assert covered(pieces_in(samples, lips, np.ones(750))) > 730
    assert covered(pieces_in(samples, lips, np.zeros(750))) < 550
    # A pause with room noise in it is a pause.
    assert covered(pieces_in(sound((10, 0.3), (10, 0.0), (10, 0.3)), lips, np.ones(750))) < 550


def test_speech_without_a_pause_is_cut_where_it_is_softest():
    samples = sound((30, 0.3), hiss=0.01)
    samples[round(9.0 * 16000) : round(9.25 * 16000)] *= 0.05
    pieces = pieces_in(samples, None, None)
    assert 9.0 <= pieces[0].stop / 25 <= 9.28


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 400)), min_size=1, max_size=12), st.integers(0, 99))
def test_pieces_are_in_order_short_enough_and_hold_all_but_knocks(runs, seed):
    active = np.concatenate([np.full(length, on) for on, length in runs])
    pieces = cut(active, np.random.default_rng(seed).standard_normal(len(active)))
    covered = np.zeros(len(active), bool)
    last = 0
    for piece in pieces:
        assert last <= piece.first < piece.stop <= len(active)
        assert piece.stop - piece.first <= LONGEST
        covered[piece.first : piece.stop] = True
        last = piece.stop
    padded = np.concatenate([[0], active.astype(int), [0]])
    edges = np.flatnonzero(np.diff(padded))
    for first, stop in zip(edges[::2], edges[1::2]):
        if stop - first >= 3:
            assert covered[first:stop].all()


def test_levels():
    level = sound_level(np.concatenate([np.zeros(SAMPLES), np.ones(SAMPLES + 1)]).astype(np.float32))
    assert level.shape == (3,) and level[0] == -90 and abs(level[1]) < 1e-6
    assert not sound_activity(np.full(100, -70.0)).any()
    assert sound_activity(np.full(100, -20.0)).all()
    assert sound_activity(np.zeros(0)).shape == (0,)
