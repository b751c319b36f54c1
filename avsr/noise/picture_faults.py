"""Faults of the picture: each takes a mouth clip's frames and confidence and gives new ones.

Frames are (T, 96, 96) uint8, confidence (T,) float32 in 0..1. A fault changes the confidence only where the face tracker
would see it: when the face is gone. It finds a face in a frozen or blurred picture and behind a hand, so those have to be
judged from the pixels.
"""

from __future__ import annotations

import numpy as np

from avsr.errors import AvsrError
from avsr.noise.spans import random_span, scattered_spans

FPS = 25
DROPPED_SECONDS = (0.2, 1.0)  # the least and the longest hole without a face


def frozen(
    frames: np.ndarray, confidence: np.ndarray, rng: np.random.Generator, *, fraction: float
) -> tuple[np.ndarray, np.ndarray]:
    """The picture stands still over one span of ``fraction`` of the frames, at the frame before (the first, at the start)."""
    frames, confidence = _copies(frames, confidence)
    span = random_span(len(frames), fraction, rng)
    if span.stop > span.start:
        frames[span] = frames[max(0, span.start - 1)].copy()
    return frames, confidence


def occluded(
    frames: np.ndarray,
    confidence: np.ndarray,
    rng: np.random.Generator,
    *,
    fraction: float,
    size: tuple[float, float] = (0.3, 0.7),
) -> tuple[np.ndarray, np.ndarray]:
    """Something in front of the mouth over one span of ``fraction`` of the frames: a hand, a cup, a microphone.

    A patch, ``size`` (least, greatest) of the crop's width and height, near its middle, drifting
    slowly; its grey is one that the clip itself has, with a gradient and grain, so that it is no mere black box.
    """
    frames, confidence = _copies(frames, confidence)
    span = random_span(len(frames), fraction, rng)
    if span.stop == span.start:
        return frames, confidence
    side = frames.shape[1]
    height, width = (max(1, round(side * rng.uniform(*size))) for _ in range(2))
    grey = float(frames[span.start].flat[rng.integers(side * side)])
    slope_y, slope_x = rng.uniform(-40.0, 40.0, size=2)
    patch = grey + slope_y * np.linspace(-1, 1, height)[:, None] + slope_x * np.linspace(-1, 1, width)
    patch = np.clip(patch + rng.normal(0.0, 4.0, size=(height, width)), 0, 255).astype(np.uint8)
    middle = side / 2 + rng.uniform(-0.15, 0.15, size=2) * side
    drift = rng.uniform(-0.3, 0.3, size=2)  # pixels a frame
    for step, index in enumerate(range(span.start, span.stop)):
        top, left = np.round(middle + step * drift - (height / 2, width / 2)).astype(int)
        y, x = np.clip(top, 0, side - height), np.clip(left, 0, side - width)
        frames[index, y : y + height, x : x + width] = patch
    return frames, confidence


def blurred(
    frames: np.ndarray, confidence: np.ndarray, rng: np.random.Generator, *, fraction: float, sigma: float = 3.0
) -> tuple[np.ndarray, np.ndarray]:
    """Out of focus over one span of ``fraction`` of the frames: a Gaussian of ``sigma`` pixels of the crop."""
    import cv2

    frames, confidence = _copies(frames, confidence)
    span = random_span(len(frames), fraction, rng)
    # Not cv2.GaussianBlur: bit-exact on uint8, and six times slower than its own separable filter.
    kernel = cv2.getGaussianKernel(2 * round(3 * sigma) + 1, sigma)
    for index in range(span.start, span.stop):
        frames[index] = cv2.sepFilter2D(frames[index], -1, kernel, kernel, borderType=cv2.BORDER_REPLICATE)
    return frames, confidence


def dropped(
    frames: np.ndarray,
    confidence: np.ndarray,
    rng: np.random.Generator,
    *,
    fraction: float,
    seconds: tuple[float, float] = DROPPED_SECONDS,
) -> tuple[np.ndarray, np.ndarray]:
    """No face found over ``fraction`` of the frames, in holes of ``seconds``: black, and no confidence; 1 is the whole."""
    frames, confidence = _copies(frames, confidence)
    for span in scattered_spans(len(frames), fraction, (seconds[0] * FPS, seconds[1] * FPS), rng):
        frames[span] = 0
        confidence[span] = 0.0
    return frames, confidence


def shrunk(
    frames: np.ndarray, confidence: np.ndarray, rng: np.random.Generator, *, fraction: float = 1.0, factor: int = 4
) -> tuple[np.ndarray, np.ndarray]:
    """So far away that the mouth is ``factor`` times smaller, over one span of ``fraction`` of the frames."""
    import cv2

    frames, confidence = _copies(frames, confidence)
    side = frames.shape[1]
    if factor < 1 or side // factor < 1:
        raise AvsrError(f"a mouth {factor} times smaller than {side} pixels: give 1 or more, and leave a pixel")
    for index in range(*random_span(len(frames), fraction, rng).indices(len(frames))):
        small = cv2.resize(frames[index], (side // factor,) * 2, interpolation=cv2.INTER_AREA)
        frames[index] = cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR)
    return frames, confidence


def swapped(
    frames: np.ndarray, confidence: np.ndarray, rng: np.random.Generator, *, other: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """The clip of ``other`` (frames, confidence), who says something else, from a random place, looped where it is shorter."""
    _copies(frames, confidence)  # both are checked
    other_frames, other_confidence = _copies(*other)
    if not len(other_frames):
        raise AvsrError("the other person's clip has no frames: take another")
    longer = len(other_frames) >= len(frames)
    start = int(rng.integers(len(other_frames) - len(frames) + 1 if longer else len(other_frames)))
    places = (start + np.arange(len(frames))) % len(other_frames)
    return other_frames[places], other_confidence[places]


def _copies(frames: np.ndarray, confidence: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if frames.ndim != 3 or frames.dtype != np.uint8 or frames.shape[1] != frames.shape[2]:
        raise AvsrError(f"a mouth clip has to be (frames, 96, 96) of uint8, not {frames.shape} of {frames.dtype}")
    if confidence.shape != frames.shape[:1]:
        raise AvsrError(f"a mouth clip of {len(frames)} frames has a confidence of shape {confidence.shape}")
    return frames.copy(), confidence.astype(np.float32)  # astype copies
