"""Listens to all of a file's sound before anything is recognised: how much speech there is in the minutes to come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avsr.decoding.segment import SAMPLES, sound_activity, sound_level, speech_pieces
from avsr.decoding.streams import FPS, WINDOW
from avsr.errors import AvsrError
from avsr.media.audio import SAMPLE_RATE, AudioReader
from avsr.media.voice_activity import voice_probability


@dataclass(frozen=True)
class SpeechAhead:
    """How much is said when in a file's sound.

    spoken: (n,) seconds, 0 to 1, that are in pieces of speech of each second from media second `start` on. end: media second at which
    the sound ends. took: seconds that finding voices took for each of the sound, None where it was quiet throughout.
    """

    start: float
    end: float
    spoken: np.ndarray
    took: float | None

    def after(self, second: float) -> float:
        """Seconds in pieces of speech after that media second."""
        before = np.concatenate([[0.0], np.cumsum(self.spoken)])
        return float(before[-1] - np.interp(second - self.start, np.arange(len(before)), before))


def look_ahead(
    path: Path, start: float, told: Callable[[float], None] | None = None, clock: Callable[[], float] = time.monotonic
) -> SpeechAhead | None:
    """The sound cut into pieces as the recogniser will cut it, but for the lips and for where windows meet.

    The network remembers: begun anew with each window, as here and there, it finds other voices than over all of a file. So what it
    says here is no substitute for what it will say there of other stretches, and is not kept.

    It takes 3 ms a second, most of it for the network that finds voices. Minutes that are quiet, or as loud throughout as their
    background, are not given to it: it plays no part in them.

    Args:
        path: a file with sound.
        start: media second to begin at.
        told: the media second up to which it has listened, now and then; what this raises is passed on.
        clock: in seconds.

    Returns:
        None where the sound cannot be read: recognising it will say so, and an estimate is not worth an error of its own.
    """
    spoken, end, took, heard = [np.zeros(0)], start, 0.0, 0.0
    try:
        windows = _windows(AudioReader(path, start=start))
        voice_probability(np.zeros(SAMPLES, np.float32))  # loads the network
    except AvsrError:
        return None
    while True:
        try:
            samples = next(windows, None)
        except AvsrError:
            return None
        if samples is None:
            return SpeechAhead(start, end, np.concatenate(spoken), took / heard if heard else None)
        seconds, begun = len(samples) / SAMPLE_RATE, clock()
        frames = np.zeros(-(-len(samples) // SAMPLE_RATE) * FPS, bool)
        if sound_activity(sound_level(samples)).any():
            for piece in speech_pieces(samples, None, None, voice_probability(samples)):
                frames[piece.first : piece.stop] = True
            took, heard = took + clock() - begun, heard + seconds
        spoken.append(frames.reshape(-1, FPS).mean(1))
        end += seconds
        if told is not None:
            told(end)


def _windows(blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Blocks of samples put together to WINDOW seconds, and the last up to a quarter longer."""
    size, held, count = round(WINDOW * SAMPLE_RATE), [], 0
    for block in blocks:
        held.append(block)
        count += len(block)
        if count >= 1.25 * size:
            whole = np.concatenate(held)
            yield whole[:size]
            held, count = [whole[size:].copy()], count - size
    if count:
        yield np.concatenate(held)
