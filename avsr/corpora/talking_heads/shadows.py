"""How much light reaches each point of a surface: from all around, and from one lamp; found by drawing it from there."""

from __future__ import annotations

import numpy as np

from avsr.corpora.talking_heads.raster import rasterize

_SIDE = 160  # pixels of a drawing of what a far-off light sees
_BIAS = 0.03  # decimetres: nearer than this a surface does not hide itself
_DIRECTIONS = 32


def open_sky(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(V,) float32 0..1: the share of the front half of the sky that each point sees, weighted by the cosine."""
    index = np.arange(_DIRECTIONS) + 0.5
    rise = np.sqrt(1 - index / _DIRECTIONS)  # cosine-weighted about the view axis, on a golden spiral
    turn = np.pi * (1 + np.sqrt(5)) * index
    flat = np.sqrt(1 - rise**2)
    directions = np.stack([flat * np.cos(turn), flat * np.sin(turn), rise], axis=1).astype(np.float32)
    return np.mean([shadow(points, triangles, direction) for direction in directions], axis=0).astype(np.float32)


def shadow(points: np.ndarray, triangles: np.ndarray, towards: np.ndarray) -> np.ndarray:
    """(V,) float32 0..1: how far each point (V, 3) is seen from the direction `towards` (3,); soft at the edges."""
    import cv2

    towards = towards / np.linalg.norm(towards)
    side = np.cross((0.0, 1.0, 0.0), towards)
    side /= np.linalg.norm(side)
    seen = points @ np.stack([side, np.cross(towards, side), towards], axis=1).astype(np.float32)
    centre = np.array([seen[:, 0].mean(), seen[points[:, 1] > 6.0, 1].mean()], np.float32)
    scale = _SIDE / 4.0  # decimetres across: the head and its neck
    screen = np.empty_like(seen)
    screen[:, 0] = (seen[:, 0] - centre[0]) * scale + _SIDE / 2
    screen[:, 1] = _SIDE / 2 - (seen[:, 1] - centre[1]) * scale
    screen[:, 2] = seen[:, 2]
    ids, nearest = np.empty((_SIDE, _SIDE), np.int32), np.empty((_SIDE, _SIDE), np.float32)
    rasterize(screen, triangles, np.ones(len(triangles), np.bool_), ids, nearest)
    nearest[ids < 0] = -10.0
    total = np.zeros(len(points), np.float32)
    for across in (-0.8, 0.8):
        for down in (-0.8, 0.8):
            place = screen[:, :2] + np.array([across, down], np.float32)
            depth = cv2.remap(nearest, place[None], None, cv2.INTER_LINEAR, borderValue=-10.0)[0]
            total += np.clip((seen[:, 2] - depth + 2 * _BIAS) / _BIAS, 0, 1)
    return total / 4

