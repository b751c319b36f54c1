"""Two rows of teeth, built tooth by tooth on the arches of the base head, whose own teeth are one smooth band."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Crown widths from the middle outwards in millimetres, means of adults (Wheeler's Dental Anatomy): incisors, canine,
# premolars, first molar.
_UPPER_WIDTHS = (8.5, 6.5, 7.5, 7.0, 7.0, 10.0)
_LOWER_WIDTHS = (5.0, 5.5, 7.0, 7.0, 7.0, 11.0)
# How far each tooth's edge falls short of the longest one's, in decimetres.
_UPPER_SHORT = (0.0, 0.008, 0.0, 0.008, 0.012, 0.016)
_LOWER_SHORT = (0.004, 0.002, 0.0, 0.008, 0.012, 0.016)
_ACROSS = np.array([0.0, 0.07, 0.22, 0.5, 0.78, 0.93])  # columns of one tooth, as shares of its width
_DOWN = np.array([-0.75, -0.35, -0.08, 0.0, 0.25, 0.55, 0.85, 1.0, 1.04])  # rows: gum, neck of the tooth, crown, edge
_BULGE = 0.014  # decimetres by which the middle of a crown stands before its sides
_CROWN = {True: 0.105, False: 0.090}  # decimetres of an incisor's crown, upper and lower (Wheeler)
_NARROWER = 0.87  # the band passes through the corners of some mouths; 5.4 cm across the molars is a mean arch
_BEHIND = {True: 0.0, False: 0.030}  # decimetres that the row stands behind the band: the upper teeth bite over the lower
_BELOW = {True: 0.0, False: 0.045}  # decimetres that its edge lies below the band's: the lower lip covers it at rest


@dataclass(frozen=True)
class Arch:
    """points (V, 3); quads (F, 4) that face outwards; uv (V, 2): tooth number and share of its width, -0.75..0 gum and
    0..1 crown."""

    points: np.ndarray
    quads: np.ndarray
    uv: np.ndarray


def arch(band: np.ndarray, *, upper: bool) -> Arch:
    """A row of twelve teeth along the band (V, 3) that the base head has in its place."""
    half, back = _NARROWER * float(np.abs(band[:, 0]).max()), float(band[:, 2].min())
    front = float(band[:, 2].max()) - _BEHIND[upper]
    low, high = float(band[:, 1].min()), float(band[:, 1].max())
    shortfall = np.array(_UPPER_SHORT if upper else _LOWER_SHORT)
    place, tooth, share = _columns(_UPPER_WIDTHS if upper else _LOWER_WIDTHS)
    turn = _turn_at(place, half, front - back)
    outward = np.stack([np.sin(turn) * (front - back), np.cos(turn) * half], axis=1)
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    x, z = half * np.sin(turn), front - (front - back) * (1 - np.cos(turn))

    gap = np.minimum(share, 1 - share)  # 0 between two teeth, 0.5 in the middle of one
    rounded = np.where(gap < 0.2, (1 - gap / 0.2) ** 2, 0.0) * 0.012 + shortfall[tooth.astype(int) % 6]
    crown = _CROWN[upper]
    edge, direction = (low, -1.0) if upper else (high - _BELOW[upper], 1.0)
    level = edge + direction * crown * (_DOWN[:, None] - 1)
    level = level - direction * rounded * np.clip(_DOWN[:, None] - 0.5, 0, 0.5) * 2
    # A crown bulges between its sides and between neck and edge; the gum lies over its neck; the edge curls inwards.
    bulge = _BULGE * (1 - (1 - 2 * gap) ** 2) * np.clip(np.sin(np.pi * np.clip(_DOWN * 0.8 + 0.2, 0, 1)), 0, 1)[:, None]
    bulge = np.where(_DOWN[:, None] < -0.05, 0.008 + 0.012 * gap, bulge)
    bulge = bulge - np.where(_DOWN[:, None] > 1.0, 0.035, 0.0)
    points = np.stack([x + outward[:, 0] * bulge, level, z + outward[:, 1] * bulge], axis=-1)

    rows, columns = level.shape
    index = np.arange(rows * columns).reshape(rows, columns)
    quads = np.stack([index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]], axis=-1).reshape(-1, 4)
    if upper:  # rows run downwards, so the order that faces outwards is the other one
        quads = quads[:, ::-1]
    uv = np.stack(np.broadcast_arrays(tooth + share, np.minimum(_DOWN, 1.0)[:, None]), axis=-1)
    return Arch(points.reshape(-1, 3).astype(np.float32), quads, uv.reshape(-1, 2).astype(np.float32))


def _columns(widths: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each column's place along the arch (-1..1), its tooth (0..11 from the person's right) and its share of it."""
    whole = np.array(widths[::-1] + widths)
    start = np.concatenate([[0.0], np.cumsum(whole)])
    place = (start[:-1, None] + whole[:, None] * _ACROSS).ravel()
    tooth = np.repeat(np.arange(12.0), len(_ACROSS))
    share = np.tile(_ACROSS, 12)
    place, tooth, share = np.append(place, start[-1]), np.append(tooth, 11.0), np.append(share, 0.999)
    number = np.where(tooth < 6, 5 - tooth, tooth - 6) % 6  # 0 the middle one
    return place / start[-1] * 2 - 1, number + 6 * (tooth >= 6), share


def _turn_at(place: np.ndarray, half: float, depth: float) -> np.ndarray:
    """The angle on the half ellipse that lies at a share of its length."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, 721)
    steps = np.hypot(np.diff(half * np.sin(angle)), np.diff(depth * np.cos(angle)))
    length = np.concatenate([[0.0], np.cumsum(steps)])
    return np.interp((place + 1) / 2 * length[-1], length, angle)
