"""Where the two lips meet: how far apart they are, and the small movement that shuts them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Measured on the base head, in decimetres: the lips part at this height, between corners this far from the middle.
LEVEL, _CORNER = 6.609, 0.248
_RED = 0.8  # points redder than this can touch
_ABOVE, _BELOW = 0.055, 0.055  # how far from the parting a point can be that touches
_FRONT = 1.37  # nearer to the throat no lips meet
_COLUMNS = np.linspace(-_CORNER, _CORNER, 15)
_HALF_COLUMN = 0.028
_REACH = 0.10  # decimetres over which the skin goes along with the lips
_LAP = 0.03  # decimetres from the parting within which a point of the one lip may lie behind the other
_OVERLAP = 0.004  # shut lips press into each other by this


@dataclass(frozen=True)
class LipLine:
    """The fine points that can touch, by column from the person's right corner to the left: upper and lower (K lists)."""

    neutral: np.ndarray  # (M, 3) the fine points of the base head
    skin: np.ndarray  # those of them that go along with the lips: teeth and tongue do not
    above: np.ndarray  # (M,) bool, those that belong to the upper lip and what is over it
    upper: tuple[np.ndarray, ...]
    lower: tuple[np.ndarray, ...]

    @staticmethod
    def of(neutral: np.ndarray, lip: np.ndarray, jaw: np.ndarray, skin: np.ndarray) -> LipLine:
        """From the fine points (M, 3) of the base head, their redness (M,), how an open jaw moves them (M, 3), and the
        numbers of those that are skin."""
        x, y, z = neutral.T
        red = (lip > _RED) & (z > _FRONT) & (np.abs(x) < _CORNER + _HALF_COLUMN)
        above = is_above(neutral, jaw)
        upper = red & above & (y < LEVEL + _ABOVE)
        lower = red & ~above & (y > LEVEL - _BELOW)
        return LipLine(neutral, skin, above, *(tuple(_column(x, side, at) for at in _COLUMNS) for side in (upper, lower)))

    def gap(self, points: np.ndarray) -> np.ndarray:
        """(K,) decimetres between the lips of the fine points (M, 3), column by column; negative where they overlap."""
        height = points[:, 1]
        return np.array(
            [height[up].min() - height[low].max() for up, low in zip(self.upper, self.lower, strict=True)], np.float32
        )

    def height(self, points: np.ndarray) -> float:
        """Where the shut lips of the fine points (M, 3) meet in the middle."""
        middle = len(_COLUMNS) // 2
        return float(points[self.upper[middle], 1].min() + points[self.lower[middle], 1].max()) / 2

    def shutting(self, points: np.ndarray) -> np.ndarray:
        """(M, 3) the movement of the fine points (M, 3) after which no column is open."""
        moved = np.zeros_like(points)
        for _ in range(3):  # the skin near the lips follows less than the lips, so a rest remains
            moved[self.skin] += field(self.neutral[self.skin], self.above[self.skin], self.excess(points + moved))
        return moved

    def excess(self, points: np.ndarray) -> np.ndarray:
        """(K,) decimetres that the lips of the fine points (M, 3) have to come together to be shut; 0 where they are."""
        gap = self.gap(points)
        return np.where(gap > -_OVERLAP, gap + _OVERLAP, 0.0)

    def roundly(self, gap: float) -> np.ndarray:
        """(K,) decimetres between lips that are `gap` apart in the middle and open in an ellipse."""
        return gap * np.sqrt(1 - (_COLUMNS / (1.02 * _CORNER)) ** 2)


def is_above(places: np.ndarray, jaw: np.ndarray) -> np.ndarray:
    """(V,) bool: which points at `places` (V, 3) of the base head go with the upper lip.

    Near the parting the lips lap over each other, and only what an open jaw does to a point (V, 3) tells.
    """
    half_way = np.interp(np.abs(places[:, 0]), (0.0, 0.1, 0.18, _CORNER), (-0.16, -0.15, -0.12, -0.12))
    height = places[:, 1] - LEVEL
    return np.where(np.abs(height) < _LAP, jaw[:, 1] > half_way, height > 0)


def field(places: np.ndarray, above: np.ndarray, together: np.ndarray) -> np.ndarray:
    """(V, 3) how points at `places` (V, 3) of the base head, some of them `above` (V,) the parting, move when the lips
    come together by (K,) decimetres."""
    x, y, z = places.T
    amount = np.interp(x, _COLUMNS, together) * np.interp(np.abs(x), (_CORNER, _CORNER + 0.06), (1.0, 0.0))
    near = np.exp(-(((y - LEVEL) / _REACH) ** 2)) * np.interp(z, (1.15, 1.35), (0.0, 1.0))
    moved = np.zeros_like(places)
    moved[:, 1] = np.where(above, -0.5, 0.5) * amount * near
    return moved


def _column(x: np.ndarray, side: np.ndarray, at: float) -> np.ndarray:
    """The points of one side of the lips that lie near one column; the nearest three where none does."""
    near = np.flatnonzero(side & (np.abs(x - at) < _HALF_COLUMN))
    if len(near):
        return near
    candidates = np.flatnonzero(side)
    return candidates[np.argsort(np.abs(x[candidates] - at), kind="stable")[:3]]
