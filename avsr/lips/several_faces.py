"""Finds one face at the price of one, and now and then looks whether there are more."""

from __future__ import annotations

import numpy as np

from avsr.lips.landmarks import Face, FaceDetector

MOST = 6
"""Faces that are found at once, at most: each costs some 9 ms a look on one core, and a picture of more people shows them too small."""

_EVERY = 2.0  # seconds between two looks for more than one
_KEPT = 10.0  # seconds for which more are looked for all the time after there were any
_SAME = 0.5  # intersection over union from which two faces are one that was found twice


class SeveralFaces:
    """As a `FaceDetector` for one, as long as there is one: with room for more, MediaPipe would seek them in every picture. A context manager.

    FaceModelError when the model cannot be had.
    """

    def __init__(self, most: int = MOST) -> None:
        self._one, self._many = FaceDetector(1), FaceDetector(most)
        self._found = False
        self._next, self._until = 0.0, -1.0  # seconds at which it is looked for more, and until which it goes on

    def detect(self, image: np.ndarray, time: float) -> list[Face]:
        """Faces in `image` (H, W, 3) uint8 RGB shown at `time` seconds; times must grow. Where the first face is seen after none was, and
        every two seconds, it is looked whether there are more."""
        if time < self._until:
            faces = distinct(self._many.detect(image, time))
        else:
            faces = self._one.detect(image, time)
            if faces and (time >= self._next or not self._found):
                self._next = time + _EVERY
                several = distinct(self._many.detect(image, time))
                faces = several if len(several) > 1 else faces
        self._found = bool(faces)
        if len(faces) > 1:
            self._until = time + _KEPT
        return faces

    def close(self) -> None:
        """Ends MediaPipe's threads."""
        self._one.close()
        self._many.close()

    def __enter__(self) -> SeveralFaces:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


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
