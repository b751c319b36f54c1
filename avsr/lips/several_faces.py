"""Finds one face at the price of one, and now and then looks whether there are more."""

from __future__ import annotations

from math import inf
from threading import Lock
from time import monotonic

import numpy as np

from avsr.lips.landmarks import Face, FaceDetector

MOST = 6
"""Faces that are found at once, at most: each costs some 9 ms a look on one core, and a picture of more people shows them too small."""

_EVERY = 2.0  # seconds between two looks for more than one
_SOON = 0.3  # seconds after a look that showed nobody, at which it is worth one
_KEPT = 10.0  # seconds for which more are looked for all the time after there were any
_SAME = 0.5  # intersection over union from which two faces are one that was found twice


class SeveralFaces:
    """As a `FaceDetector` for one, as long as there is one: with room for more, MediaPipe would seek them in every picture. A context manager.

    FaceModelError when the model cannot be had.
    """

    def __init__(self) -> None:
        self._one, self._many = FaceDetector(1), None
        self._next = self._until = -inf  # seconds at which it is looked for more, and until which it goes on
        _SCOUT.hire()

    def detect(self, image: np.ndarray, time: float) -> list[Face]:
        """Faces in `image` (H, W, 3) uint8 RGB shown at `time` seconds; times must grow. When one is seen after none was, and every two
        seconds, it is looked whether there are more."""
        if time < self._until:
            self._many = self._many or FaceDetector(MOST)
            faces = distinct(self._many.detect(image, time))
        else:
            self._forget_many()
            faces = self._one.detect(image, time)
            if not faces:
                self._next = min(self._next, time + _SOON)
            elif time >= self._next:
                self._next = time + _EVERY
                several = distinct(_SCOUT.detect(image))
                faces = several if len(several) > 1 else faces
        if len(faces) > 1:
            self._until = time + _KEPT
        return faces

    def close(self) -> None:
        """Ends MediaPipe's threads."""
        self._one.close()
        self._forget_many()
        _SCOUT.leave()

    def _forget_many(self) -> None:
        if self._many is not None:
            self._many.close()
            self._many = None

    def __enter__(self) -> SeveralFaces:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Scout:
    """What all sessions of a process look with whether there is more than one face; a detector takes 23 MB. What it follows in one picture
    it does not find in another's, and seeks anew."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._users = 0
        self._detector: FaceDetector | None = None

    def hire(self) -> None:
        """Somebody will ask."""
        with self._lock:
            self._users += 1

    def leave(self) -> None:
        """Somebody asks no more; after the last of them its threads end."""
        with self._lock:
            self._users -= 1
            if not self._users and self._detector is not None:
                self._detector.close()
                self._detector = None

    def detect(self, image: np.ndarray) -> list[Face]:
        """Faces in a picture."""
        with self._lock:
            self._detector = self._detector or FaceDetector(MOST)
            return self._detector.detect(image, monotonic())


_SCOUT = _Scout()


def distinct(faces: list[Face]) -> list[Face]:
    """Without those that another one before them is: MediaPipe may find a face twice."""
    kept: list[Face] = []
    for face in faces:
        if all(_overlap(face.box, other.box) < _SAME for other in kept):
            kept.append(face)
    return kept


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two boxes (4,)."""
    shared = float((np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])).clip(0).prod())
    return shared / (float((one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod()) - shared + 1e-9)
