"""Windows of a recording cut into pieces that may hold speech, so that it does not show where the windows meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from avsr.decoding.segment import GAP, LONGEST, MARGIN, SAMPLES, SCRAP, Piece, begun_before, speech_pieces
from avsr.decoding.streams import FPS, Streams, Window
from avsr.media.voice_activity import voice_probability

# Frames at the end of a window of which it cannot be told yet whether their lips speak (avsr.lips.speaking's reach, and the
# margin that a piece has around it).
_UNSURE = 55
_MAY_JOIN = LONGEST + SCRAP

Mouths = tuple[np.ndarray, np.ndarray]


def pieces_of(
    streams: Streams, start: float = 0.0, begin: Callable[[float, dict[str, Any]], None] | None = None
) -> Iterator[tuple[Window, list[Piece]]]:
    """(window, pieces of it) in order; a piece that runs into the end of its window waits for what comes after. `start`, `begin`: see
    `Streams.windows`."""
    held: Window | None = None
    before: Mouths | None = None  # what was seen just before the window
    for window in streams.windows(start, begin):
        window = window if held is None else _joined(held, window)
        speaking = _speaking(window, before, streams.mouth_only)
        voice = None if window.samples is None else voice_probability(window.samples)
        pieces, held = speech_pieces(window.samples, window.frames, speaking, voice), None
        if not window.last:
            keep = _held_back(pieces, window.length, speaking)
            before, held = _seen_until(window, keep, before), _tail(window, keep)
        yield window, pieces


def _held_back(pieces: list[Piece], length: int, speaking: np.ndarray | None) -> int:
    """The frame from which a window of `length` waits for the next; pieces that may still change are taken off the list.

    It is the last second, in which a soft beginning may hide, or as much as it takes to tell whether lips speak; lips that may
    have begun to; and each piece that may go on, be joined with what comes, or be cut elsewhere on its account.
    """
    sure = keep = length - (FPS if speaking is None else _UNSURE)
    if speaking is not None:
        keep = max(begun_before(speaking, sure + MARGIN) - MARGIN, sure - LONGEST)
    while pieces and (pieces[-1].stop > keep or (keep - pieces[-1].stop < GAP and sure - pieces[-1].first < _MAY_JOIN)):
        keep = min(keep, pieces.pop().first)
    return max(0, keep)


def _speaking(window: Window, before: Mouths | None, mouth_only: bool) -> np.ndarray | None:
    """(T,) how likely the window's lips speak. In videos that show only a mouth, cut in a way that nobody knows, all do."""
    from avsr.lips.speaking import speaking_probability

    if window.frames is None or window.confidence is None:
        return None
    if mouth_only:
        return (window.confidence > 0).astype(np.float32)
    frames, confidence = before or (window.frames[:0], window.confidence[:0])
    both = np.concatenate([frames, window.frames]), np.concatenate([confidence, window.confidence])
    return speaking_probability(*both)[len(frames) :]


def _seen_until(window: Window, first: int, before: Mouths | None) -> Mouths | None:
    """The _UNSURE frames before the window's frame `first`, some of which may lie before the window."""
    if window.frames is None or window.confidence is None:
        return None
    frames, confidence = before or (window.frames[:0], window.confidence[:0])
    seen = np.concatenate([frames, window.frames[:first]]), np.concatenate([confidence, window.confidence[:first]])
    return seen[0][-_UNSURE:], seen[1][-_UNSURE:]


def _tail(window: Window, first: int) -> Window:
    streams = ((window.samples, SAMPLES), (window.frames, 1), (window.confidence, 1))
    rest = [None if x is None else x[first * per :] for x, per in streams]
    return Window(window.start + first / FPS, *rest, window.last)


def _joined(held: Window, window: Window) -> Window:
    pairs = ((held.samples, window.samples), (held.frames, window.frames), (held.confidence, window.confidence))
    samples, frames, confidence = (None if a is None or b is None else np.concatenate([a, b]) for a, b in pairs)
    return Window(held.start, samples, frames, confidence, window.last)
