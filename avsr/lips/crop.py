"""The geometry of a mouth crop: five face points, filled and smoothed over time, to a 96x96 grey picture.

Everything here is a pure function of arrays, so that it can be checked without a face model.
A set of face points is (5, 2) float, x and y in pixels of the source picture, in the order
subject's right eye, left eye, nose tip, right mouth corner, left mouth corner (as seen in the picture: left to right).
"""

import numpy as np

SIDE = 96  # pixels, width and height of a mouth crop
SIGMA = 3.0  # frames at 25 a second: 0.12 s, slower than head motion, far slower than landmark jitter
RADIUS = 12  # frames: the Gaussian is cut at 4 sigma
MAX_GAP = 12  # frames: 0.48 s; a face lost for longer is not guessed at

# Where the five points lie in the crop, in its pixels. The mouth is 74 pixels wide and centred a little above the
# middle, so that an opening jaw stays inside; the eyes lie outside, above it.
TEMPLATE = np.array([(8, -46), (88, -46), (48, 13), (11, 46), (85, 46)], np.float64)

_KERNEL = np.exp(-0.5 * (np.arange(-RADIUS, RADIUS + 1) / SIGMA) ** 2)
_KERNEL /= _KERNEL.sum()
_KEPT_IN_GAP = 0.5  # confidence is multiplied by this, and by the closeness to a seen frame, where the face was lost
_MOUTH_PIXELS = 20.0  # a mouth narrower than this in the source has less to read than the crop pretends
_FRONTAL, _PROFILE = 0.2, 0.6  # nose offset in eye distances: full confidence up to the first, least from the second
_MAX_SUPERSAMPLING = 16


def similarity(points: np.ndarray, template: np.ndarray = TEMPLATE) -> np.ndarray:
    """The (2, 3) matrix that carries `points` (n, 2) nearest to `template` (n, 2) by turning, scaling and moving.

    Least squares in closed form (Umeyama 1991, in two dimensions, without reflection). ValueError when the points
    coincide, since they then have no size.
    """
    source_mean, target_mean = points.mean(0), template.mean(0)
    source, target = points - source_mean, template - target_mean
    size = float((source**2).sum())
    if not size > 0:
        raise ValueError("face points coincide, so they have no size to be scaled by")
    cos = float((source * target).sum()) / size
    sin = float((source[:, 0] * target[:, 1] - source[:, 1] * target[:, 0]).sum()) / size
    turn = np.array([[cos, -sin], [sin, cos]])
    return np.concatenate([turn, (target_mean - turn @ source_mean)[:, None]], axis=1)


def fill_gaps(
    points: np.ndarray, confidence: np.ndarray, *, stride: int = 1, max_gap: int = MAX_GAP
) -> tuple[np.ndarray, np.ndarray]:
    """Points (T, 5, 2), NaN where no face was seen, and confidence (T,) -> the same with short gaps filled.

    A run of at most `max_gap` missing frames is interpolated linearly, or held at the nearest seen frame where it
    touches an end; a longer run stays NaN with confidence 0. Runs shorter than `stride` were never looked at and keep
    their neighbours' confidence; a real gap has less of it, the further from a seen frame the less.
    """
    seen = np.flatnonzero(~np.isnan(points[:, 0, 0]))
    total = len(points)
    filled, trust = points.copy(), np.where(np.isnan(points[:, 0, 0]), 0.0, confidence)
    if not len(seen):
        return filled, trust
    edges = np.concatenate([[-1], seen, [total]])
    for before, after in zip(edges[:-1], edges[1:], strict=True):
        missing = int(after - before - 1)
        if not 0 < missing <= max_gap:
            continue
        left = int(before if before >= 0 else after)
        right = int(after if after < total else before)
        frames = np.arange(before + 1, after)
        weight = (frames - left) / (right - left) if right != left else np.zeros(missing)
        filled[frames] = points[left] + weight[:, None, None] * (points[right] - points[left])
        trust[frames] = confidence[left] + weight * (confidence[right] - confidence[left])
        if missing >= stride:
            far = np.minimum(np.abs(frames - left), np.abs(right - frames))
            trust[frames] *= _KEPT_IN_GAP * (1 - far / (max_gap + 1))
    return filled, trust


def smooth(points: np.ndarray) -> np.ndarray:
    """Points (T, 5, 2) smoothed over time by a Gaussian of 3 frames; each unbroken run by itself, its ends held."""
    smoothed = points.astype(np.float64, copy=True)
    known = ~np.isnan(points[:, 0, 0])
    starts = np.flatnonzero(known & ~np.concatenate([[False], known[:-1]]))
    stops = np.flatnonzero(known & ~np.concatenate([known[1:], [False]])) + 1
    for start, stop in zip(starts, stops, strict=True):
        held = np.pad(smoothed[start:stop], ((RADIUS, RADIUS), (0, 0), (0, 0)), mode="edge")
        smoothed[start:stop] = np.lib.stride_tricks.sliding_window_view(held, len(_KERNEL), axis=0) @ _KERNEL
    return smoothed


def warp(grey: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The (96, 96) uint8 crop of a grey picture (H, W) uint8 around the mouth given by smoothed face points (5, 2).

    Bilinear where the face is smaller than the crop. Where it is larger the crop is drawn at a whole multiple of its
    size and reduced by area, which no detail of the source can fall between. Beyond the picture its edge is repeated.
    """
    return cut(grey, similarity(points))


def cut(grey: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """The same of the matrix (2, 3) that carries the picture's pixels to the crop's."""
    import cv2

    shrink = 1.0 / float(np.hypot(matrix[0, 0], matrix[1, 0]))  # source pixels for one pixel of the crop
    times = int(np.clip(np.ceil(shrink - 1e-6), 1, _MAX_SUPERSAMPLING))
    matrix = matrix * times
    matrix[:, 2] += (times - 1) / 2  # pixel centres, not corners, coincide
    side = SIDE * times
    drawn = cv2.warpAffine(grey, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return drawn if times == 1 else cv2.resize(drawn, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def face_confidence(points: np.ndarray, width: int, height: int) -> float:
    """How much the crop of a face with these points (5, 2) can be trusted, 0 to 1.

    The landmarker gives no score for a face that it found, so this says what the geometry knows: how much of the crop
    lies inside the picture, whether the mouth has enough pixels, and how far the head is turned aside.
    """
    matrix = similarity(points)
    inverse = np.linalg.inv(matrix[:, :2])
    grid = np.stack(np.meshgrid(*[np.linspace(0, SIDE - 1, 9)] * 2), axis=-1).reshape(-1, 2)
    source = (grid - matrix[:, 2]) @ inverse.T
    inside = np.mean(np.all((source > -0.5) & (source < (width - 0.5, height - 0.5)), axis=1))
    resolution = min(1.0, float(np.linalg.norm(points[4] - points[3])) / _MOUTH_PIXELS)
    eyes = points[1] - points[0]
    span = float(np.linalg.norm(eyes)) or 1e-6
    aside = abs(float((points[2] - (points[0] + points[1]) / 2) @ eyes)) / span**2
    frontal = float(np.interp(aside, (_FRONTAL, _PROFILE), (1.0, 0.2)))
    return float(inside * resolution * frontal)


def fit_mouth(grey: np.ndarray) -> np.ndarray:
    """A picture that already is a mouth crop, (H, W) uint8 of any size, as (96, 96): whole, aspect kept, edges held."""
    import cv2

    height, width = grey.shape
    scale = SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    fitted = cv2.resize(grey, size, interpolation=method)
    left, top = (SIDE - size[0]) // 2, (SIDE - size[1]) // 2
    return cv2.copyMakeBorder(
        fitted, top, SIDE - size[1] - top, left, SIDE - size[0] - left, borderType=cv2.BORDER_REPLICATE
    )
