"""Finds faces in a picture with MediaPipe's Face Landmarker and gives the five points a mouth crop is made from."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np

from avsr.lips.face_model import face_model_path

# Numbers of the 478-point mesh (MediaPipe's canonical face model), in the order avsr.lips.crop wants.
_RIGHT_EYE, _LEFT_EYE, _NOSE, _RIGHT_CORNER, _LEFT_CORNER = (33, 133), (362, 263), 1, 61, 291
_STDERR = Lock()  # two threads at once would each keep and restore the other's nowhere


@dataclass(frozen=True)
class Face:
    """points (5, 2) float64 pixels (order: see avsr.lips.crop), box (4,) left, top, right, bottom of all landmarks."""

    points: np.ndarray
    box: np.ndarray


class FaceDetector:
    """Landmarks picture by picture in MediaPipe's video mode, which follows a face instead of seeking it each time.

    A context manager: MediaPipe's threads must be closed by name, or the interpreter hangs or complains at exit.
    FaceModelError when the model cannot be had.
    """

    def __init__(self, max_faces: int = 1, model: Path | None = None) -> None:
        model = model or face_model_path()
        with quiet_stderr():
            from mediapipe.tasks.python import BaseOptions, vision

            options = vision.FaceLandmarkerOptions(
                base_options=BaseOptions(model_asset_path=str(model)),
                running_mode=vision.RunningMode.VIDEO,
                num_faces=max_faces,
            )
            self._landmarker = vision.FaceLandmarker.create_from_options(options)
        self._last_ms = -1
        self._warm = False

    def detect(self, image: np.ndarray, time: float) -> list[Face]:
        """Faces in `image` (H, W, 3) uint8 RGB shown at `time` seconds; times must grow."""
        import mediapipe

        # MediaPipe finds no face, and says nothing, in an array that is not contiguous.
        picture = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(image))
        self._last_ms = max(self._last_ms + 1, round(time * 1000))
        if self._warm:
            result = self._landmarker.detect_for_video(picture, self._last_ms)
        else:
            with quiet_stderr():  # its threads write their warnings at the first picture and at the first face
                result = self._landmarker.detect_for_video(picture, self._last_ms)
            self._warm = bool(result.face_landmarks)
        height, width = image.shape[:2]
        return [_face(landmarks, width, height) for landmarks in result.face_landmarks]

    def close(self) -> None:
        """Ends MediaPipe's threads."""
        if self._landmarker is not None:
            with quiet_stderr():
                self._landmarker.close()
            self._landmarker = None

    def __enter__(self) -> "FaceDetector":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _face(landmarks: list, width: int, height: int) -> Face:
    xy = np.array([(mark.x, mark.y) for mark in landmarks], np.float64) * (width, height)
    points = np.stack(
        [xy[list(_RIGHT_EYE)].mean(0), xy[list(_LEFT_EYE)].mean(0), xy[_NOSE], xy[_RIGHT_CORNER], xy[_LEFT_CORNER]]
    )
    return Face(points, np.concatenate([xy.min(0), xy.max(0)]))


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Nothing that C++ code writes to file descriptor 2 meanwhile is seen; Python's own stderr keeps working.

    MediaPipe logs through absl and TensorFlow Lite before any setting of theirs can be made from Python.
    """
    with _STDERR:
        sys.stderr.flush()
        kept = os.dup(2)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)
