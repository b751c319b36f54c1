"""Windows of a recording cut into pieces that may hold speech, so that it does not show where the windows meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from avsr.decoding.people import UNSEEN, Mouths, only_own, share_voice
from avsr.decoding.segment import GAP, LONGEST, MARGIN, SAMPLES, SCRAP, Piece, begun_before, speech_pieces
from avsr.decoding.streams import FPS, Streams, Window
from avsr.media.voice_activity import voice_probability

# Frames at the end of a window of which it cannot be told yet whether their lips speak (avsr.lips.speaking's reach, and the
# margin that a piece has around it).
_UNSURE = 55
_MAY_JOIN = LONGEST + SCRAP


def pieces_of(
    streams: Streams,
    start: float = 0.0,
    begin: Callable[[float, dict[str, Any]], None] | None = None,
    read: Callable[[float], None] | None = None,
) -> Iterator[list[tuple[Window, list[Piece], int | None]]]:
    """Of each window in order (window, pieces of it, whose); a piece that runs into the end of its window waits for what comes after.
    `start`, `begin`, `read`: see `Streams.windows`.

    Whose: None where one person is looked for, and there is one entry. Else there is one for each person, people by number, the window
    showing that person's mouth alone, or none for UNSEEN; their pieces may overlap.
    """
    if streams.faces == 1:
        alone = _Pieces(streams.mouth_only)
        for window in streams.windows(start, begin, read):
            yield [(*alone.of(window), None)]
        return
    everybody, ever = {UNSEEN: _Pieces(False)}, set()
    for window in streams.windows(start, begin, read):
        ever |= set(window.people)
        for number in window.people:
            everybody.setdefault(number, _Pieces(False))
        alone = len(ever) <= 1
        voices = None if window.samples is None else _voices(window, next(iter(ever)) if len(ever) == 1 else None)
        found = []
        for number, pieces in sorted(everybody.items()):
            own = None if voices is None else voices.get(number, np.zeros(window.length))
            found.append((*pieces.of(_only(window, number, voices, last=not alone), own, alone=alone), number))
        yield found
        if not alone:  # who is away has said what there was to say, and costs nothing until they are seen again
            everybody = {number: pieces for number, pieces in everybody.items() if number == UNSEEN or number in window.people}


def _voices(window: Window, only: int | None) -> dict[int, np.ndarray]:
    """number -> (T,) how likely their voice is heard in the window; all of it is `only`'s, where nobody else was ever seen."""
    voice = voice_probability(window.samples)
    if only is not None:
        return {only: voice, UNSEEN: np.zeros_like(voice)}
    return share_voice(voice, {number: _speaking(*mouths) for number, mouths in window.people.items()})


class _Pieces:
    """Cuts the windows of one person's recording, and keeps what waits."""

    def __init__(self, mouth_only: bool) -> None:
        self._mouth_only = mouth_only
        self._held: Window | None = None
        self._voice: np.ndarray | None = None  # of what is held, where it is given
        self._before: Mouths | None = None  # what was seen just before the window

    def of(self, window: Window, voice: np.ndarray | None = None, *, alone: bool = True) -> tuple[Window, list[Piece]]:
        """The window, with what was held of the one before, and its pieces. `voice` (T,): how likely this person's voice is heard in
        it; None where any voice is theirs. `alone`: nobody else was seen."""
        own = voice is not None or self._voice is not None
        if own:
            voice = np.zeros(window.length) if voice is None else voice
            voice = voice if self._voice is None else np.concatenate([self._voice, voice])
        window = window if self._held is None else _joined(self._held, window)
        speaking = self._speaks(window)
        if not own and window.samples is not None:
            voice = voice_probability(window.samples)
        pieces = speech_pieces(window.samples, window.frames, speaking, voice, alone=alone)
        self._held = self._voice = None
        if not window.last:
            keep = _held_back(pieces, window.length, speaking)
            self._before, self._held = _seen_until(window, keep, self._before), _tail(window, keep)
            self._voice = voice[keep:] if own and voice is not None else None
        return window, pieces

    def _speaks(self, window: Window) -> np.ndarray | None:
        """(T,) how likely the window's lips speak. In videos that show only a mouth, cut in a way that nobody knows, all do."""
        if window.frames is None or window.confidence is None:
            return None
        if self._mouth_only:
            return (window.confidence > 0).astype(np.float32)
        frames, confidence = self._before or (window.frames[:0], window.confidence[:0])
        both = np.concatenate([frames, window.frames]), np.concatenate([confidence, window.confidence])
        return _speaking(*both)[len(frames) :]


def _speaking(frames: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    from avsr.lips.speaking import speaking_probability

    return speaking_probability(frames, confidence)


def _only(window: Window, number: int, voices: dict[int, np.ndarray] | None, *, last: bool) -> Window:
    """The window with that person's mouth alone, and silence where others speak and they do not; without pictures for who is out of
    them, and black ones for who is away, whose last window it then is, if `last`."""
    samples = window.samples
    if samples is not None and voices is not None:
        own = voices.get(number, np.zeros(1))
        others = np.any([voice > 0 for other, voice in voices.items() if other != number] or [own < 0], axis=0)
        samples = only_own(samples, own > 0, others)
    if number == UNSEEN or window.frames is None or window.confidence is None:
        return Window(window.start, samples, None, None, window.last)
    if number in window.people:
        return Window(window.start, samples, *window.people[number], window.last)
    return Window(window.start, samples, np.zeros_like(window.frames), np.zeros_like(window.confidence), window.last or last)


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


def _seen_until(window: Window, first: int, before: Mouths | None) -> Mouths | None:
    """The _UNSURE frames before the window's frame `first`, some of which may lie before the window."""
    if window.frames is None or window.confidence is None:
        return None
    frames, confidence = before or (window.frames[:0], window.confidence[:0])
    seen = np.concatenate([frames, window.frames[:first]]), np.concatenate([confidence, window.confidence[:first]])
    return seen[0][-_UNSURE:].copy(), seen[1][-_UNSURE:].copy()  # or the whole window would be kept for them


def _tail(window: Window, first: int) -> Window:
    streams = ((window.samples, SAMPLES), (window.frames, 1), (window.confidence, 1))
    rest = [None if x is None else x[first * per :].copy() for x, per in streams]
    return Window(window.start + first / FPS, *rest, window.last)


def _joined(held: Window, window: Window) -> Window:
    pairs = ((held.samples, window.samples), (held.frames, window.frames), (held.confidence, window.confidence))
    samples, frames, confidence = (None if a is None or b is None else np.concatenate([a, b]) for a, b in pairs)
    return Window(held.start, samples, frames, confidence, window.last)
