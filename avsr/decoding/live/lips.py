"""The mouths of one person in a session, frame by frame, and where they speak; kept for as long as they may be needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from avsr.decoding.segment import mouth_motion, runs_of
from avsr.lips.live import Mouth
from avsr.runtime import one_thread

if TYPE_CHECKING:
    from avsr.lips.speaking import SpeakingStream

DEAD = 8
"""Frames (0.32 s) without anything that mean a stream is gone; a file has the time to wait for a second."""

AROUND = 45
"""Frames on either side that it depends on whether a mouth speaks (avsr.lips.speaking's reach)."""

_AGAIN = 25  # frames before the new ones whose answer may become another with them


class Lips:
    """Frames are counted from the beginning of the session, and `base` is the first that is kept. `asked` is the frame up to which it was
    asked whether they speak, `since` the first one in which they were seen beside others."""

    def __init__(self, base: int, since: int = 0) -> None:
        self.base = self.asked = base
        self.since = since
        self.speaking = np.zeros(0, np.float32)
        self._mouths: list[Mouth] = []
        self._stream: SpeakingStream | None = None

    @property
    def end(self) -> int:
        """Frames there are."""
        return self.base + len(self._mouths)

    @property
    def seen(self) -> bool:
        """Whether there is a mouth in any frame that is kept."""
        return any(mouth.confidence > 0 for mouth in self._mouths)

    def add(self, mouths: Sequence[Mouth]) -> None:
        """Mouths that follow on those before."""
        self._mouths += mouths

    def ask(self) -> None:
        """Whether the new mouths speak, and once more those just before them, which can be told better now."""
        first = max(self.base, self.asked - _AGAIN)
        around = max(self.base, first - AROUND)
        confidence, told = self._confidence(around, self.end), np.zeros(self.end - first, np.float32)
        if confidence.any():
            from avsr.lips.speaking import SpeakingStream

            self._stream = self._stream or SpeakingStream()
            with one_thread():  # for so few frames: a second one waits for its turn where several sessions have their own
                told = self._stream.tell(first, self.end, self.base, self._crops)
        told = np.where(confidence[first - around :] > 0, told, np.float32(0.0))
        self.speaking = np.concatenate([self.speaking[: first - self.base], told])
        self.asked = self.end

    def window(self, first: int, stop: int) -> tuple[np.ndarray, np.ndarray] | None:
        """crops (T, 96, 96) uint8 and confidence (T,) of what there is of the frames first .. stop; None where nobody is seen in them: black
        pictures that wait to be recognised would take three times what the sound does."""
        stop = min(stop, self.end)
        seen = any(mouth.confidence > 0 for mouth in self._kept(first, stop))
        return (self._crops(first, stop), self._confidence(first, stop)) if seen else None

    def probability(self, first: int, stop: int) -> np.ndarray:
        """(stop - first,) how likely they speak, 0 where it was not asked yet."""
        known = self.speaking[first - self.base : stop - self.base]
        return np.pad(known, (0, stop - first - len(known)))

    def seen_in(self, first: int, stop: int) -> np.ndarray:
        """(stop - first,) bool: whether there is a mouth."""
        seen = [mouth.confidence > 0 for mouth in self._kept(first, stop)]
        return np.array(seen + [False] * (stop - first - len(seen)), bool)

    def motion(self, first: int, stop: int) -> np.ndarray:
        """How much they move in what there is of the frames first .. stop, see `avsr.decoding.segment.mouth_motion`."""
        return mouth_motion(self._crops(first, stop)) if self._kept(first, stop) else np.zeros(0)

    def forget(self, count: int) -> None:
        """The first frames that are kept are needed no more."""
        self._mouths, self.speaking = self._mouths[count:], self.speaking[count:]
        self.base += count
        self.asked = max(self.asked, self.base)

    def _kept(self, first: int, stop: int) -> list[Mouth]:
        return self._mouths[max(0, first - self.base) : max(0, stop - self.base)]

    def _crops(self, first: int, stop: int) -> np.ndarray:
        """(T, 96, 96) uint8."""
        return np.stack([mouth.crop for mouth in self._kept(first, stop)])

    def _confidence(self, first: int, stop: int) -> np.ndarray:
        """(T,) float32; a picture that stands still has none."""
        seen = self._kept(first, stop)
        confidence = np.array([mouth.confidence for mouth in seen], np.float32)
        confidence[runs_of(np.array([mouth.still for mouth in seen], bool), DEAD)] = 0.0
        return confidence
