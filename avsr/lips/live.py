"""Mouth crops of pictures as they come: those of `avsr.lips.extract`, but cut `AHEAD` frames after they were seen, not a second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from avsr.lips.crop import MAX_GAP, RADIUS, SIDE, face_confidence, fill_gaps, smooth, warp
from avsr.lips.extract import STRIDE, shrunk
from avsr.lips.mouth_clip import FPS
from avsr.lips.tracks import REJOIN, FaceTrack, Tracker

if TYPE_CHECKING:
    from avsr.lips.landmarks import FaceDetector

AHEAD = 6
"""Frames (0.24 s) that are waited for, so that a crop moves as smoothly as one of a file: benchmarks/README.md has what fewer cost."""

_BEHIND = RADIUS + MAX_GAP + 1  # frames before a frame that its crop depends on
_DARK = 6.0  # deviation of a picture's grey: less is a lens that is covered
_TRIMMED = 250  # frames after which tracks forget what no crop needs


@dataclass(frozen=True)
class Mouth:
    """A frame: crop (96, 96) uint8, black at `confidence` 0 where no mouth is seen; `still` where the picture is the one before it,
    pixel by pixel."""

    crop: np.ndarray
    confidence: float
    still: bool


@dataclass(frozen=True)
class Look:
    """What was seen in a frame at once, before it is cut: whether there is a face, and whether the lens is `covered`."""

    index: int
    face: bool
    covered: bool


class LiveMouth:
    """The mouth of the one person in the pictures, or of whoever is seen best.

    `looks` are what was seen, the newest last, for its owner to take away; `still_for`, for how many frames the picture has not changed.
    """

    def __init__(self, detector: FaceDetector, ahead: int = AHEAD) -> None:
        self.count = 0  # frames added
        self.looks: list[Look] = []
        self.still_for = 0
        self._cut = 0  # frames cut
        self._ahead = ahead
        self._detector = detector
        self._tracker = Tracker()
        self._waiting: list[tuple[np.ndarray | None, bool]] = []  # grey picture or none, still; of frames _cut .. count
        self._grey: np.ndarray | None = None
        self._thumb: np.ndarray | None = None
        self._ready: list[Mouth] = []

    def add(self, index: int, image: np.ndarray) -> None:
        """The picture (H, W, 3) uint8 RGB or (H, W) grey of frame `index`; one that is not after all before is left out.

        Frames that are missing before it are the one before them over again, or nothing where they are more than 0.48 s.
        """
        import cv2

        if index < self.count:
            return
        missing = index - self.count
        for _ in range(missing):
            self._put(self._grey if missing <= MAX_GAP else None, missing <= MAX_GAP)
        image = shrunk(image)
        grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        thumb = grey[::8, ::8]
        still = self._thumb is not None and thumb.shape == self._thumb.shape and bool(np.array_equal(thumb, self._thumb))
        self._grey, self._thumb = grey, thumb
        if index % STRIDE == 0 or missing:
            self._look(index, image)
        self._put(grey, still)
        self._cut_ready()

    def miss(self, until: int) -> None:
        """No picture came for the frames up to `until`."""
        for _ in range(until - self.count):
            self._put(None, False)
        self._cut_ready()

    def take(self) -> list[Mouth]:
        """The frames that were cut since the last call, in order, none left out."""
        ready, self._ready = self._ready, []
        return ready

    def finish(self) -> None:
        """Cuts what waits; nothing comes any more."""
        self._cut_until(self.count)

    def _look(self, index: int, image: np.ndarray) -> None:
        import cv2

        colour = image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
        faces = self._detector.detect(colour, index / FPS)
        if faces:
            height, width = image.shape[:2]
            self._tracker.add(index, faces, [face_confidence(face.points, width, height) for face in faces])
        self.looks.append(Look(index, bool(faces), not faces and float(self._thumb.std()) < _DARK))

    def _put(self, grey: np.ndarray | None, still: bool) -> None:
        self._waiting.append((grey, still))
        self.still_for = self.still_for + 1 if still else 0
        self.count += 1

    def _cut_ready(self) -> None:
        if self.count - self._ahead > self._cut:
            self._cut_until(self.count - self._ahead)
        if self.count % _TRIMMED == 0:
            for track in self._tracker.tracks:
                _forget(track, self._cut - max(_BEHIND, REJOIN))

    def _cut_until(self, stop: int) -> None:
        """Cuts the frames _cut .. stop with what is known by now."""
        first, last = max(0, self._cut - _BEHIND), self.count
        best: dict[int, tuple[float, np.ndarray]] = {}
        for track in self._tracker.tracks:
            if track.seen[-1] < first or track.seen[0] >= last:
                continue
            points, confidence = fill_gaps(*track.window(first, last), stride=STRIDE)
            points = smooth(points)
            for index in range(self._cut, stop):
                trust = float(confidence[index - first])
                if trust > best.get(index, (0.0, None))[0]:
                    best[index] = trust, points[index - first]
        for index in range(self._cut, stop):
            grey, still = self._waiting[index - self._cut]
            if grey is None or index not in best:
                self._ready.append(Mouth(np.zeros((SIDE, SIDE), np.uint8), 0.0, still))
            else:
                trust, points = best[index]
                self._ready.append(Mouth(warp(grey, points), trust, still))
        del self._waiting[: stop - self._cut]
        self._cut = stop


def _forget(track: FaceTrack, before: int) -> None:
    """What was seen before a frame, but the last of it."""
    count = min(int(np.searchsorted(track.seen, before)), len(track.seen) - 1)
    del track.seen[:count], track.points[:count], track.confidence[:count]
