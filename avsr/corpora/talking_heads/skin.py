"""A face's colours, made and not photographed: skin, brows, beard and hair's shade, as one picture over the neutral face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avsr.corpora.talking_heads.dress import hairline
from avsr.corpora.talking_heads.identity import Colour, Identity

# The picture lies over the neutral head as seen from the front: its left upper corner in decimetres, pixels a decimetre.
LEFT, TOP, SCALE = -1.05, 8.6, 210.0
WIDTH, HEIGHT = 441, 700

# Places on the base head, in decimetres: eyes, mouth, and the brow's inner end, arch and outer end.
_EYE = (0.308, 7.284)
_MOUTH = (0.0, 6.609)
_BROW = ((0.12, 7.44), (0.36, 7.515), (0.55, 7.43))


@dataclass(frozen=True)
class Map:
    """Coordinates of the picture's pixels, (HEIGHT, WIDTH) each, in decimetres of the neutral head."""

    x: np.ndarray
    y: np.ndarray

    @staticmethod
    def grid() -> Map:
        x = (LEFT + np.arange(WIDTH) / SCALE).astype(np.float32)
        y = (TOP - np.arange(HEIGHT) / SCALE).astype(np.float32)
        return Map(*np.meshgrid(x, y))


def linear(colour: Colour | np.ndarray) -> np.ndarray:
    """Screen values 0..1 -> linear light, by the power 2.2."""
    return np.asarray(colour, np.float32) ** np.float32(2.2)


def paint(identity: Identity) -> np.ndarray:
    """(HEIGHT, WIDTH, 4) uint8: 255 times the root of the skin's linear colour, and 255 times the grain of hair and lips."""
    rng = np.random.default_rng(identity.seed)
    grid = Map.grid()
    colour = np.broadcast_to(linear(identity.skin), (HEIGHT, WIDTH, 3)).copy()
    _mottle(colour, grid, identity, rng)
    _redden(colour, grid, identity)
    hair = linear(identity.hair)
    strands = _strands(rng)
    _darken(colour, hair, identity.brow * _brows(grid, identity, rng))
    _darken(colour, hair, _beard(grid, identity, rng))
    _darken(colour, np.float32(0.02) + 0.3 * hair, 0.75 * _lash_line(grid))
    rough = 0.022 * _noise(5, rng) + 0.02 * _streaks(rng, 12)
    _darken(colour, hair, 0.92 * _step(-0.035, 0.03, grid.y - hairline(grid.x, identity) + rough))
    picture = np.concatenate([np.sqrt(np.clip(colour, 0, 1)), strands[..., None]], axis=-1)
    return (255 * picture + 0.5).astype(np.uint8)


def _mottle(colour: np.ndarray, grid: Map, identity: Identity, rng: np.random.Generator) -> None:
    """Skin is uneven on every scale: patches, spots, pores."""
    amount = identity.roughness
    light = np.ones((HEIGHT, WIDTH), np.float32)
    for cell, strength in ((60, 0.05), (22, 0.045), (7, 0.04), (2, 0.05)):
        light += amount * strength * _noise(cell, rng)
    colour *= light[..., None]
    red = 1 + 0.05 * amount * _noise(30, rng)
    colour[..., 1] /= red
    colour[..., 2] /= red
    for _ in range(int(rng.poisson(2 + 5 * identity.freckles))):  # moles
        x, y, size = rng.uniform(-0.6, 0.6), rng.uniform(6.2, 8.0), rng.uniform(0.006, 0.014)
        mole = np.exp(-(((grid.x - x) ** 2 + (grid.y - y) ** 2) / size**2))
        colour *= 1 - (0.55 * mole)[..., None]
    spots = np.clip(_noise(4, rng) - 1.6, 0, 1) * np.clip(_noise(40, rng) + 0.5, 0, 1)
    colour *= 1 - (0.5 * identity.freckles * spots)[..., None]


def _redden(colour: np.ndarray, grid: Map, identity: Identity) -> None:
    """Blood near the surface: cheeks, nose, chin; and the shade around the eyes that comes with years."""
    cheeks = np.exp(-(((np.abs(grid.x) - 0.45) / 0.2) ** 2) - ((grid.y - 6.95) / 0.2) ** 2)
    nose = np.exp(-((grid.x / 0.13) ** 2) - ((grid.y - 6.93) / 0.13) ** 2)
    chin = np.exp(-((grid.x / 0.18) ** 2) - ((grid.y - 6.3) / 0.12) ** 2)
    blood = 0.12 * cheeks + 0.12 * nose + 0.06 * chin
    colour *= 1 - blood[..., None] * np.array([0.1, 1.0, 0.8], np.float32)
    below = np.exp(-(((np.abs(grid.x) - _EYE[0]) / 0.17) ** 2) - ((grid.y - 7.16) / 0.06) ** 2)
    lids = np.exp(-(((np.abs(grid.x) - _EYE[0]) / 0.17) ** 2) - ((grid.y - 7.37) / 0.06) ** 2)
    shade = (0.1 + 0.2 * identity.age) * below + (0.12 + 0.2 * (1 - identity.male)) * lids
    colour *= 1 - shade[..., None] * np.array([0.8, 1.0, 0.9], np.float32)
    corner = np.exp(-(((np.abs(grid.x) - 0.25) / 0.03) ** 2) - ((grid.y - _MOUTH[1]) / 0.025) ** 2)
    colour *= 1 - (0.3 * corner)[..., None]


def _brows(grid: Map, identity: Identity, rng: np.random.Generator) -> np.ndarray:
    """(HEIGHT, WIDTH) 0..1: two arcs of hairs, full at the inner end and thin at the outer."""
    x = np.abs(grid.x)
    (x0, y0), (x1, y1), (x2, y2) = _BROW
    height = np.interp(x, (x0, (x0 + x1) / 2, x1, x2), (y0, (y0 + y1) / 2 + 0.012, y1, y2))
    thick = np.interp(x, (x0 - 0.03, x0 + 0.05, x1, x2 + 0.02), (0.0, 0.046, 0.038, 0.012)) * (0.6 + 0.5 * identity.brow)
    inside = np.exp(-(((grid.y - height) / np.maximum(thick, 1e-3)) ** 4)) * (x > x0 - 0.03) * (x < x2 + 0.02)
    hairs = np.clip(0.72 + 0.22 * _noise(2.2, rng) + 0.1 * _streaks(rng, 9), 0, 1)
    return (0.85 * inside * hairs).astype(np.float32)


def _beard(grid: Map, identity: Identity, rng: np.random.Generator) -> np.ndarray:
    """(HEIGHT, WIDTH) 0..1: stubble where a beard grows, and a moustache."""
    x, y = np.abs(grid.x), grid.y
    upper = np.exp(-((x / 0.27) ** 4)) * _step(6.655, 6.69, y) * _step(6.83, 6.77, y)
    chin = np.exp(-((x / 0.42) ** 4)) * _step(6.53, 6.42, y)
    jaw = _step(0.3, 0.5, x) * _step(7.0, 6.6, y) * _step(0.27, 0.4, x - 0.25 * (y - 6.6))
    grows = np.clip(np.maximum(np.maximum(upper, chin), 0.9 * jaw), 0, 1)
    dots = np.clip(0.45 + 0.5 * _noise(1.2, rng), 0, 1)
    stubble = identity.stubble * (0.18 + 0.42 * dots) * grows
    moustache = identity.moustache * upper * _step(0.03, 0.06, x + 0.05) * np.clip(0.8 + 0.12 * _streaks(rng, 10) + 0.15 * _noise(2, rng), 0, 1)
    return np.maximum(stubble, 0.9 * moustache).astype(np.float32)


def _lash_line(grid: Map) -> np.ndarray:
    """(HEIGHT, WIDTH) 0..1: the dark edge of the upper lid."""
    x = (np.abs(grid.x) - _EYE[0]) / 0.165
    lid = 7.335 - 0.045 * x**2 - 0.012 * x
    return np.exp(-(((grid.y - lid) / 0.016) ** 2)) * (np.abs(x) < 1.05)


def _strands(rng: np.random.Generator) -> np.ndarray:
    """(HEIGHT, WIDTH) 0..1: streaks from top to bottom, as of hair and of the lips' furrows."""
    return np.clip(0.5 + 0.16 * _streaks(rng, 60) + 0.1 * _noise(3, rng), 0, 1).astype(np.float32)


def _streaks(rng: np.random.Generator, length: int) -> np.ndarray:
    """(HEIGHT, WIDTH) noise of unit deviation that runs downwards."""
    import cv2

    grain = rng.standard_normal((HEIGHT // length + 3, WIDTH), dtype=np.float32)
    grain = cv2.GaussianBlur(grain, (3, 1), 0.8)
    streaks = cv2.resize(grain, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return streaks / streaks.std()


def _noise(cell: float, rng: np.random.Generator) -> np.ndarray:
    """(HEIGHT, WIDTH) float32 noise of unit deviation with features of `cell` pixels."""
    import cv2

    size = (max(4, int(WIDTH / cell) + 2), max(4, int(HEIGHT / cell) + 2))
    grain = rng.standard_normal(size[::-1], dtype=np.float32)
    noise = cv2.resize(grain, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return noise / noise.std()


def _darken(colour: np.ndarray, hair: np.ndarray, share: np.ndarray) -> None:
    colour += np.clip(share, 0, 1)[..., None] * (hair - colour)


def _step(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """0 at `low`, 1 at `high`, smooth between, whichever is the larger."""
    share = np.clip((value - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)
