"""A face's colours, made and not photographed: skin, brows, beard, the hair's shade, as one picture over the face."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

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


def linear(colour: Colour | np.ndarray) -> np.ndarray:
    """Screen values 0..1 -> linear light, by the power 2.2."""
    return np.asarray(colour, np.float32) ** np.float32(2.2)


def paint(identity: Identity) -> np.ndarray:
    """(HEIGHT, WIDTH, 4) uint8: 255 times the root of the skin's linear colour, and of the grain of hair and lips."""
    rng = np.random.default_rng(identity.seed)
    places = _places()
    colour = _mottled(identity, rng)
    colour *= 1 - places.blood * np.array([0.1, 1.0, 0.8], np.float32)
    colour *= 1 - (0.1 + 0.2 * identity.age) * places.below_eyes
    colour *= 1 - (0.12 + 0.2 * (1 - identity.male)) * places.lids
    colour *= 1 - 0.3 * places.corners
    _moles(colour, places, identity, rng)
    hair = linear(identity.hair)
    _darken(colour, hair, identity.brow * _brows(places, identity, rng))
    if identity.stubble or identity.moustache:
        _darken(colour, hair, _beard(places, identity, rng))
    _darken(colour, np.float32(0.02) + 0.3 * hair, 0.75 * places.lashes)
    rough = 0.022 * _noise(5, rng) + 0.02 * _streaks(rng, 12)
    line = hairline(places.x[0], identity).astype(np.float32)
    _darken(colour, hair, 0.92 * _step(-0.035, 0.03, places.y - line + rough))
    picture = np.dstack([np.sqrt(np.clip(colour, 0, 1)), _strands(rng)])
    return (255 * picture + 0.5).astype(np.uint8)


@dataclass(frozen=True)
class _Places:
    """Where things are on everybody's face: (HEIGHT, WIDTH) float32, 0..1; what colours skin (HEIGHT, WIDTH, 1 or 3)."""

    x: np.ndarray
    y: np.ndarray
    blood: np.ndarray
    below_eyes: np.ndarray
    lids: np.ndarray
    corners: np.ndarray
    lashes: np.ndarray
    upper_lip: np.ndarray
    beard: np.ndarray


@lru_cache(maxsize=1)
def _places() -> _Places:
    across, height = LEFT + np.arange(WIDTH) / SCALE, TOP - np.arange(HEIGHT) / SCALE
    x, y = np.meshgrid(across.astype(np.float32), height.astype(np.float32))
    side = np.abs(x)
    dark = np.array([0.8, 1.0, 0.9], np.float32)

    def spot(middle: tuple[float, float], size: tuple[float, float]) -> np.ndarray:
        return np.exp(-(((side - middle[0]) / size[0]) ** 2) - ((y - middle[1]) / size[1]) ** 2)

    cheeks, nose, chin = spot((0.45, 6.95), (0.2, 0.2)), spot((0.0, 6.93), (0.13, 0.13)), spot((0.0, 6.3), (0.18, 0.12))
    along = (side - _EYE[0]) / 0.165
    lid = 7.335 - 0.045 * along**2 - 0.012 * along
    upper_lip = np.exp(-((side / 0.27) ** 4)) * _step(6.655, 6.69, y) * _step(6.83, 6.77, y)
    on_chin = np.exp(-((side / 0.42) ** 4)) * _step(6.53, 6.42, y)
    jaw = _step(0.3, 0.5, side) * _step(7.0, 6.6, y) * _step(0.27, 0.4, side - 0.25 * (y - 6.6))
    return _Places(
        x=x,
        y=y,
        blood=(0.12 * cheeks + 0.12 * nose + 0.06 * chin)[..., None],
        below_eyes=spot((_EYE[0], 7.16), (0.17, 0.06))[..., None] * dark,
        lids=spot((_EYE[0], 7.37), (0.17, 0.06))[..., None] * dark,
        corners=spot((0.25, _MOUTH[1]), (0.03, 0.025))[..., None],
        lashes=np.exp(-(((y - lid) / 0.016) ** 2)) * (np.abs(along) < 1.05),
        upper_lip=upper_lip,
        beard=np.clip(np.maximum(np.maximum(upper_lip, on_chin), 0.9 * jaw), 0, 1),
    )


def _mottled(identity: Identity, rng: np.random.Generator) -> np.ndarray:
    """(HEIGHT, WIDTH, 3) linear: skin is uneven on every scale, in patches, spots and pores."""
    amount = np.float32(identity.roughness)
    light = np.ones((HEIGHT, WIDTH), np.float32)
    for cell, strength in ((60, 0.05), (22, 0.045), (7, 0.04), (2, 0.05)):
        light += amount * np.float32(strength) * _noise(cell, rng)
    if identity.freckles > 0.05:
        spots = np.clip(_noise(4, rng) - 1.6, 0, 1) * np.clip(_noise(40, rng) + 0.5, 0, 1)
        light *= 1 - np.float32(0.5 * identity.freckles) * spots
    pale = light / (1 + np.float32(0.05) * amount * _noise(30, rng))
    return np.stack([light, pale, pale], axis=-1) * linear(identity.skin)


def _moles(colour: np.ndarray, places: _Places, identity: Identity, rng: np.random.Generator) -> None:
    """A few dark dots, each painted on the small piece of the picture that it reaches."""
    for _ in range(int(rng.poisson(2 + 5 * identity.freckles))):
        x, y, size = rng.uniform(-0.6, 0.6), rng.uniform(6.2, 8.0), rng.uniform(0.006, 0.014)
        row, column, reach = round((TOP - y) * SCALE), round((x - LEFT) * SCALE), 9
        piece = np.s_[row - reach : row + reach + 1, column - reach : column + reach + 1]
        away = (places.x[piece] - x) ** 2 + (places.y[piece] - y) ** 2
        colour[piece] *= 1 - np.float32(0.55) * np.exp(-away / size**2)[..., None]


def _brows(places: _Places, identity: Identity, rng: np.random.Generator) -> np.ndarray:
    """(HEIGHT, WIDTH) 0..1: two arcs of hairs, full at the inner end and thin at the outer."""
    (x0, y0), (x1, y1), (x2, y2) = _BROW
    x = np.abs(places.x[0])
    height = np.interp(x, (x0, (x0 + x1) / 2, x1, x2), (y0, (y0 + y1) / 2 + 0.012, y1, y2))
    thick = np.interp(x, (x0 - 0.03, x0 + 0.05, x1, x2 + 0.02), (0.002, 0.046, 0.038, 0.012)) * (0.6 + 0.5 * identity.brow)
    thick = np.where((x > x0 - 0.03) & (x < x2 + 0.02), thick, 1e-3)
    rows = slice(round((TOP - 7.7) * SCALE), round((TOP - 7.25) * SCALE))
    away = (places.y[rows] - height.astype(np.float32)) / thick.astype(np.float32)
    share = np.zeros((HEIGHT, WIDTH), np.float32)
    share[rows] = 0.85 * np.exp(-np.minimum(away**4, 50))
    return share * np.clip(0.8 + 0.13 * _noise(2.2, rng) + 0.08 * _streaks(rng, 9), 0, 1)


def _beard(places: _Places, identity: Identity, rng: np.random.Generator) -> np.ndarray:
    """(HEIGHT, WIDTH) 0..1: stubble where a beard grows, and a moustache with a parting under the nose."""
    dots = np.clip(0.45 + 0.5 * _noise(1.2, rng), 0, 1)
    stubble = identity.stubble * (0.18 + 0.42 * dots) * places.beard
    full = places.upper_lip * _step(-0.02, 0.01, np.abs(places.x))
    hairs = np.clip(0.8 + 0.12 * _streaks(rng, 10) + 0.15 * _noise(2, rng), 0, 1)
    return np.maximum(stubble, 0.9 * identity.moustache * full * hairs).astype(np.float32)


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
