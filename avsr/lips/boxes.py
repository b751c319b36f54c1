"""Mouth clips cut by a corpus's own boxes of face and lips, without looking for the face: as where one was found, and much faster."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from avsr.lips.crop import SIDE, TEMPLATE, cut, fill_gaps, smooth
from avsr.lips.mouth_clip import FPS, MouthClip
from avsr.media.video import Frame

# Where the crop of a found face lies by the boxes: means over the 2,391 frames of the 20 clips of AI-Hub 538 at hand (one person
# from the front; benchmarks/README.md has how well they agree). The size is the face's, whose box keeps steady while lips open.
_SIDE = 0.250  # of the face box's width
_DOWN = -0.0082  # of the face box's width, from the middle of the lip box to that of the crop
_MOUTH = (TEMPLATE[4, 0] - TEMPLATE[3, 0]) / SIDE  # the mouth's width, of the crop's
_MOUTH_PIXELS = 20.0  # as in avsr.lips.crop: a narrower mouth has less to read


def boxes_at(boxes: np.ndarray, fps: float, start: float, count: int) -> np.ndarray:
    """Boxes (N, 4), one each 1/fps seconds, at the 25 instants a second from media second `start` on: (count, 4), NaN where there are none.

    Between two boxes it is interpolated; a box without any area is none.
    """
    places = (start + np.arange(count) / FPS) * fps
    known = boxes.astype(np.float64)
    known[(boxes[:, 2] <= boxes[:, 0]) | (boxes[:, 3] <= boxes[:, 1])] = np.nan
    low = np.floor(places + 1e-6).astype(int)
    weight = (places - low).clip(0, 1)[:, None]
    found = np.full((count, 4), np.nan)
    there = low < len(known)
    low = low[there]
    high = np.minimum(low + 1, len(known) - 1)
    share = weight[there]
    # 0 * NaN is NaN: an instant that falls on a frame has nothing of the next one.
    found[there] = np.where(share > 1e-6, known[low] * (1 - share) + known[high] * share, known[low])
    return found


def crop_matrices(face: np.ndarray, lips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Boxes of face and lips (T, 4), a row a frame at 25 a second, -> what carries each picture to the crop (T, 2, 3), and which are known (T,).

    Smoothed over time, and where boxes are missing for a while interpolated, as face points are.
    """
    middle = (lips[:, :2] + lips[:, 2:]) / 2
    width = face[:, 2] - face[:, 0]
    half = np.stack([width, width], axis=1) * _SIDE / 2
    middle = middle + np.stack([np.zeros(len(width)), _DOWN * width], axis=1)
    corners = np.stack([middle - half, middle + half], axis=1)
    corners[np.isnan(corners).any(axis=(1, 2))] = np.nan
    corners, trust = fill_gaps(corners, np.ones(len(corners)))
    corners = smooth(corners)
    scale = SIDE / (corners[:, 1, 0] - corners[:, 0, 0])
    # Pixels are counted by their middles: the crop's outermost ones lie half a crop pixel inside its edges.
    shift = (SIDE - 1) / 2 - scale[:, None] * corners.mean(axis=1)
    matrices = np.zeros((len(corners), 2, 3))
    matrices[:, 0, 0] = matrices[:, 1, 1] = scale
    matrices[:, :, 2] = shift
    return matrices, trust


def box_mouths(
    pictures: Iterable[Frame], start: float, count: int, face: np.ndarray, lips: np.ndarray, fps: float
) -> MouthClip | None:
    """The clip of up to `count` grey pictures, 25 a second from media second `start` on, by boxes (N, 4) of left, top, right, bottom in
    their pixels, one each 1/fps seconds from media second 0 on; None where there is no picture.

    A frame without boxes is black at confidence 0, one that the file gives damaged is cut at confidence 0.
    """
    matrices, trust = crop_matrices(boxes_at(face, fps, start, count), boxes_at(lips, fps, start, count))
    clip = np.zeros((count, SIDE, SIDE), np.uint8)
    confidence = np.zeros(count, np.float32)
    seen = 0
    for frame in pictures:
        if trust[seen] > 0:
            clip[seen] = cut(frame.image, matrices[seen])
            confidence[seen] = 0.0 if frame.damaged else trust[seen] * _share(matrices[seen], frame.image.shape)
        seen += 1
    return MouthClip(clip[:seen], confidence[:seen], start) if seen else None


def _share(matrix: np.ndarray, shape: tuple[int, ...]) -> float:
    """How much of a crop lies in the picture and how near its mouth comes to enough pixels, 0 to 1."""
    side = SIDE / matrix[0, 0]
    left, top = (-0.5 - matrix[:, 2]) / matrix[0, 0]
    across = min(left + side, shape[1]) - max(left, 0.0)
    down = min(top + side, shape[0]) - max(top, 0.0)
    inside = max(across, 0.0) * max(down, 0.0) / side**2
    return inside * min(1.0, _MOUTH * side / _MOUTH_PIXELS)
