"""How bright and of what colour each pixel of a drawn face is, compiled: skin, lips, teeth, tongue, eyes, hair, cloth."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from avsr.corpora.talking_heads.materials import EYE, FRAME, HAIR, MOUTH, SKIN, TEETH, TONGUE

# Columns of the points' properties.
U, V, LIP, DEPTH, SKY, LIT = range(6)
# Places in the scene's numbers.
SKIN_SHINE, LIP_SHINE, LIP_EDGE, MOUTH_LIGHT, FURROWS, TEXTURE_X, TEXTURE_Y, TEXTURE_SCALE = range(8)


@njit(cache=True, nogil=True)
def inside_mask(ids: np.ndarray, material: np.ndarray, mask: np.ndarray) -> bool:
    """Into `mask` (H, W) uint8: 255 where the inside of the mouth is seen. Whether any of it is."""
    found = False
    for y in range(ids.shape[0]):
        for x in range(ids.shape[1]):
            t = ids[y, x]
            mask[y, x] = 0
            if t >= 0:
                what = material[t]
                if what == MOUTH or what == TEETH or what == TONGUE:
                    mask[y, x] = 255
                    found = True
    return found


@njit(cache=True, nogil=True, fastmath=True)
def shade(
    ids: np.ndarray, screen: np.ndarray, triangles: np.ndarray, material: np.ndarray, normals: np.ndarray,
    properties: np.ndarray, texture: np.ndarray, palette: np.ndarray, light: np.ndarray, scene: np.ndarray,
    openness: np.ndarray, gamma: np.ndarray, image: np.ndarray,
) -> None:  # fmt: skip
    """Into `image` (H, W, 3) uint8 the colour of each pixel that shows a triangle; the others stay as they are.

    ids, screen and triangles as avsr.corpora.talking_heads.raster.rasterize has them; material (F,) uint8; normals
    (V, 3); properties (V, 6) float32, columns as named above: place on the texture, red of the lips, depth in the mouth,
    share of the sky and of the lamp that is seen; texture (h, w, 4) uint8: 255 times the roots of the skin's linear
    colour and of the grain; palette (8, 3): a linear colour for each material, for SKIN the lips'; light (5, 3):
    direction to the lamp, its colour, light from above, from below and from the viewer; scene (8,): as named above;
    openness (H, W) uint8: how much of the surroundings is open mouth; gamma (4096,) uint8: linear light to the screen.
    """
    one = np.float32(1.0)
    # The viewer is far off on the z axis, so the half vector of Blinn (1977) is the same everywhere.
    half = light[0].copy()
    half[2] += one
    half /= math.sqrt(half[0] ** 2 + half[1] ** 2 + half[2] ** 2)
    colour, at, normal = np.empty(3, np.float32), np.empty(6, np.float32), np.empty(3, np.float32)
    for y in range(ids.shape[0]):
        for x in range(ids.shape[1]):
            t = ids[y, x]
            if t < 0:
                continue
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            x0, y0 = screen[a, 0], screen[a, 1]
            x1, y1, x2, y2 = screen[b, 0] - x0, screen[b, 1] - y0, screen[c, 0] - x0, screen[c, 1] - y0
            scale = one / (x1 * y2 - x2 * y1)
            dx, dy = np.float32(x) - x0, np.float32(y) - y0
            wb = (dx * y2 - x2 * dy) * scale
            wc = (x1 * dy - dx * y1) * scale
            wa = one - wb - wc
            for k in range(3):
                normal[k] = wa * normals[a, k] + wb * normals[b, k] + wc * normals[c, k]
            for k in range(6):
                at[k] = wa * properties[a, k] + wb * properties[b, k] + wc * properties[c, k]
            what = material[t]
            if what == SKIN or what == HAIR:
                shine, sharpness, wrap = _outer(what, at, texture, palette, scene, colour)
            else:
                shine, sharpness = _inner(what, at[U], at[V], palette, colour)
                wrap = np.float32(0.1)
            if what == MOUTH or what == TEETH or what == TONGUE:
                # What reaches into the mouth comes through its opening: the more the wider, and the less deep.
                deep = one + np.float32(3.0) * at[DEPTH] + np.float32(6.0) * at[DEPTH] * at[DEPTH]
                entering = min(np.float32(openness[y, x]) * np.float32(1.7 / 255.0), one) * scene[MOUTH_LIGHT] / deep
                at[SKY] = at[LIT] = entering + np.float32(0.05)
            _lighten(normal, at, light, half, shine, sharpness, wrap, colour)
            for k in range(3):
                image[y, x, k] = gamma[int(min(max(colour[k], np.float32(0.0)), one) * np.float32(4095.0))]


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _lighten(
    normal: np.ndarray, at: np.ndarray, light: np.ndarray, half: np.ndarray, shine: float, sharpness: float, wrap: float,
    colour: np.ndarray,
) -> None:  # fmt: skip
    """Turns `colour` (3,) from that of the surface to that of the light that comes from it."""
    zero, one = np.float32(0.0), np.float32(1.0)
    nx, ny, nz = normal[0], normal[1], normal[2]
    length = one / (math.sqrt(nx * nx + ny * ny + nz * nz) + np.float32(1e-9))
    nx, ny, nz = nx * length, ny * length, nz * length
    facing = nx * light[0, 0] + ny * light[0, 1] + nz * light[0, 2]
    up = np.float32(0.5) + np.float32(0.5) * ny
    gloss = max(nx * half[0] + ny * half[1] + nz * half[2], zero)
    # Schlick (1994): a quotient that looks like the power of Phong's model and costs a tenth of it.
    gloss = shine * at[LIT] * gloss / (sharpness - sharpness * gloss + gloss) if facing > zero else zero
    for k in range(3):
        # Light that entered the skin leaves it beside where it fell, red light furthest (Jensen et al. 2001).
        around = wrap * (one - np.float32(0.35) * np.float32(k))
        direct = max((facing + around) / (one + around), zero) * at[LIT]
        room = (light[3, k] + (light[2, k] - light[3, k]) * up + light[4, k] * max(nz, zero)) * at[SKY]
        colour[k] = colour[k] * (light[1, k] * direct + room) + light[1, k] * gloss


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _outer(
    what: int, at: np.ndarray, texture: np.ndarray, palette: np.ndarray, scene: np.ndarray, colour: np.ndarray
) -> tuple[float, float, float]:
    """Into `colour` that of skin, lips or hair; how it shines, how sharply, and how far light spreads in it."""
    zero, one = np.float32(0.0), np.float32(1.0)
    grain = _sample(texture, at[U], at[V], scene, colour)
    if what == HAIR:
        for k in range(3):
            colour[k] = palette[HAIR, k] * (np.float32(0.35) + np.float32(1.3) * grain)
        return np.float32(0.25) * grain, np.float32(12.0), np.float32(0.1)
    edge = one + np.float32(5.0) * scene[LIP_EDGE]
    red = min(max((at[LIP] - np.float32(0.5)) * edge + np.float32(0.5), zero), one)
    for k in range(3):
        lips = palette[SKIN, k] * (one + scene[FURROWS] * (grain - np.float32(0.5)))
        colour[k] += red * (lips - colour[k])
    shine = scene[SKIN_SHINE] + red * (scene[LIP_SHINE] - scene[SKIN_SHINE])
    return shine, np.float32(10.0) + red * np.float32(30.0), np.float32(0.3)


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _sample(texture: np.ndarray, u: float, v: float, scene: np.ndarray, colour: np.ndarray) -> float:
    """Into `colour` the texture at u, v (decimetres of the neutral head), between its pixels; its grain."""
    height, width = texture.shape[0], texture.shape[1]
    px = min(max((u - scene[TEXTURE_X]) * scene[TEXTURE_SCALE], np.float32(0.0)), np.float32(width - 1.01))
    py = min(max((scene[TEXTURE_Y] - v) * scene[TEXTURE_SCALE], np.float32(0.0)), np.float32(height - 1.01))
    ix, iy = int(px), int(py)
    fx, fy = px - np.float32(ix), py - np.float32(iy)
    w11 = fx * fy
    w10, w01 = fy - w11, fx - w11
    w00 = np.float32(1.0) - fx - w10
    for k in range(3):
        root = (
            w00 * np.float32(texture[iy, ix, k])
            + w01 * np.float32(texture[iy, ix + 1, k])
            + w10 * np.float32(texture[iy + 1, ix, k])
            + w11 * np.float32(texture[iy + 1, ix + 1, k])
        ) * np.float32(1 / 255)
        colour[k] = root * root
    return np.float32(texture[iy, ix, 3]) * np.float32(1 / 255)


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _inner(what: int, u: float, v: float, palette: np.ndarray, colour: np.ndarray) -> tuple[float, float]:
    """Into `colour` that of anything but skin and hair; how it shines and how sharply."""
    shine, sharpness, level = np.float32(0.0), np.float32(20.0), np.float32(1.0)
    source = what
    if what == TEETH:
        shine, sharpness = np.float32(0.22), np.float32(40.0)
        share = u - math.floor(u)
        side = min(share, np.float32(1.0) - share)
        if v < 0.0:  # gum
            source = TONGUE
            level = np.float32(0.95)
        else:
            # Dark between two teeth, more so towards the edge; a greyer, see-through edge; yellower at the neck.
            level = np.float32(1.0) - np.float32(0.38) * max(np.float32(0.0), np.float32(1.0) - side * np.float32(14.0))
            level *= np.float32(0.86) + np.float32(0.14) * min(v * np.float32(2.0), np.float32(1.0))
            level *= np.float32(1.0) - np.float32(0.2) * max(np.float32(0.0), np.float32(5.0) * v - np.float32(4.0))
    elif what == TONGUE:
        shine, sharpness = np.float32(0.18), np.float32(16.0)
    elif what == MOUTH:
        shine = np.float32(0.05)
    elif what == EYE:
        shine, sharpness = np.float32(0.9), np.float32(160.0)
        away = math.sqrt(u * u + v * v)
        if away < 0.19:
            level = np.float32(0.03)
        elif away < 0.45:
            source = EYE
            level = np.float32(0.7) + np.float32(0.6) * away
            if away > 0.40:
                level *= np.float32(0.5)
        else:
            for k in range(3):
                colour[k] = np.float32(0.62) - np.float32(0.04) * k
            level = np.float32(1.0) - np.float32(0.35) * max(v, np.float32(0.0))
            for k in range(3):
                colour[k] *= level
            return shine, sharpness
    elif what == FRAME:
        shine, sharpness = np.float32(0.5), np.float32(30.0)
    for k in range(3):
        colour[k] = palette[source, k] * level
    return shine, sharpness
