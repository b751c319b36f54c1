"""The mouths of one person in a session, frame by frame, and where they speak; kept for as long as they may be needed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from avsr.decoding.segment import mouth_motion, runs_of
from avsr.lips.live import Mouth

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
        from avsr.lips import speaking

        first = max(0, self.asked - self.base - _AGAIN)
        around = max(0, first - AROUND)
        frames, confidence = self._arrays(around, len(self._mouths))
        told = speaking.speaking_probability(frames, confidence) if confidence.any() else np.zeros(len(frames), np.float32)
        self.speaking = np.concatenate([self.speaking[:first], told[first - around :]])
        self.asked = self.end

    def window(self, first: int, stop: int) -> tuple[np.ndarray, np.ndarray] | None:
        """crops (T, 96, 96) uint8 and confidence (T,) of what there is of the frames first .. stop; None where that is nothing."""
        first, stop = first - self.base, min(stop, self.end) - self.base
        return self._arrays(first, stop) if stop > first else None

    def probability(self, first: int, stop: int) -> np.ndarray:
        """(stop - first,) how likely they speak, 0 where it was not asked yet."""
        known = self.speaking[first - self.base : stop - self.base]
        return np.pad(known, (0, stop - first - len(known)))

    def seen_in(self, first: int, stop: int) -> np.ndarray:
        """(stop - first,) bool: whether there is a mouth."""
        seen = [mouth.confidence > 0 for mouth in self._mouths[first - self.base : stop - self.base]]
        return np.array(seen + [False] * (stop - first - len(seen)), bool)

    def motion(self, first: int, stop: int) -> np.ndarray:
        """How much they move in what there is of the frames first .. stop, see `avsr.decoding.segment.mouth_motion`."""
        seen = self._mouths[first - self.base : stop - self.base]
        return mouth_motion(np.stack([mouth.crop for mouth in seen])) if seen else np.zeros(0)

    def forget(self, count: int) -> None:
        """The first frames that are kept are needed no more."""
        self._mouths, self.speaking = self._mouths[count:], self.speaking[count:]
        self.base += count
        self.asked = max(self.asked, self.base)

    def _arrays(self, first: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Of the kept frames first .. stop; a picture that stands still has no confidence."""
        seen = self._mouths[first:stop]
        frames, confidence = np.stack([mouth.crop for mouth in seen]), np.array([mouth.confidence for mouth in seen], np.float32)
        confidence[runs_of(np.array([mouth.still for mouth in seen]), DEAD)] = 0.0
        return frames, confidence
