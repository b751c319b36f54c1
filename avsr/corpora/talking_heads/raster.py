"""The drawing itself, compiled: which triangle each pixel shows, and how bright what it shows is."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from avsr.corpora.talking_heads.materials import CLOTH, EYE, FRAME, HAIR, MOUTH, SKIN, TEETH, TONGUE

# Columns of the points' properties.
U, V, LIP, DEPTH, OPEN_SKY, LIT = range(6)
# Places in the scene's numbers.
SKIN_SHINE, LIP_SHINE, LIP_EDGE, MOUTH_LIGHT, FURROWS, TEXTURE_X, TEXTURE_Y, TEXTURE_SCALE = range(8)


@njit(cache=True, nogil=True)
def vertex_normals(points: np.ndarray, triangles: np.ndarray, normals: np.ndarray) -> None:
    """Into `normals` (V, 3) the sum of the faces' normals, weighted by their area, at unit length."""
    normals[:] = 0.0
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ux, uy, uz = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1], points[b, 2] - points[a, 2]
        vx, vy, vz = points[c, 0] - points[a, 0], points[c, 1] - points[a, 1], points[c, 2] - points[a, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for k in (a, b, c):
            normals[k, 0] += nx
            normals[k, 1] += ny
            normals[k, 2] += nz
    for k in range(normals.shape[0]):
        length = math.sqrt(normals[k, 0] ** 2 + normals[k, 1] ** 2 + normals[k, 2] ** 2) + np.float32(1e-12)
        for i in range(3):
            normals[k, i] /= length


@njit(cache=True, nogil=True)
def rasterize(
    screen: np.ndarray, triangles: np.ndarray, two_sided: np.ndarray, ids: np.ndarray, nearest: np.ndarray
) -> None:
    """Which triangle is in front at each pixel.

    screen (V, 3) float32: x and y in pixels (centres at whole numbers, y downwards), z the larger the nearer.
    triangles (F, 3) go round anticlockwise as seen from outside (y upwards); those that show their back are left out
    unless two_sided (F,). ids (H, W) int32, -1 where nothing is, and nearest (H, W) float32 are filled.
    """
    # Everything in single precision: a whole number met on the way would make doubles of it.
    zero, one, least, most = np.float32(0.0), np.float32(1.0), np.float32(-1e-5), np.float32(1.00001)
    last_x, last_y = np.float32(ids.shape[1] - 1), np.float32(ids.shape[0] - 1)
    ids[:] = -1
    nearest[:] = -1e30
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        x0, y0, x1, y1, x2, y2 = screen[a, 0], screen[a, 1], screen[b, 0], screen[b, 1], screen[c, 0], screen[c, 1]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if area == 0.0 or (area > 0.0 and not two_sided[t]):
            continue
        left, right = max(zero, np.float32(math.ceil(min(x0, x1, x2)))), min(last_x, max(x0, x1, x2))
        top, bottom = max(zero, np.float32(math.ceil(min(y0, y1, y2)))), min(last_y, max(y0, y1, y2))
        if left > right or top > bottom:
            continue
        scale = one / area
        z0, z1, z2 = screen[a, 2], screen[b, 2], screen[c, 2]
        # Weights of b and c grow by the same step from pixel to pixel.
        b_x, b_y = (y2 - y0) * scale, (x0 - x2) * scale
        c_x, c_y = (y0 - y1) * scale, (x1 - x0) * scale
        z_b, z_c = z1 - z0, z2 - z0
        first_x, count = int(left), int(right) - int(left) + 1
        for y in range(int(top), int(bottom) + 1):
            row = np.float32(y) - y0
            wb = b_x * (left - x0) + b_y * row
            wc = c_x * (left - x0) + c_y * row
            for x in range(first_x, first_x + count):
                if wb >= least and wc >= least and wb + wc <= most:
                    z = z0 + wb * z_b + wc * z_c
                    if z > nearest[y, x]:
                        nearest[y, x] = z
                        ids[y, x] = t
                wb += b_x
                wc += c_x


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

    properties (V, 6) float32, columns as named above; texture (h, w, 4) uint8: 255 times the roots of the skin's linear
    colour and of the grain; palette
    (8, 3): a linear colour for each material, for SKIN the lips'; light (5, 3): direction to the lamp, its colour, light
    from above, from below and from the viewer; openness (H, W) uint8: how much of the surroundings is open mouth; gamma
    (4096,) uint8: from linear light 0..1 to the screen.
    """
    lx, ly, lz = light[0, 0], light[0, 1], light[0, 2]
    # The viewer is far off on the z axis, so the half vector of Blinn (1977) is the same everywhere.
    hx, hy, hz = lx, ly, lz + np.float32(1.0)
    half = math.sqrt(hx * hx + hy * hy + hz * hz)
    hx, hy, hz = hx / half, hy / half, hz / half
    colour = np.empty(3, np.float32)
    for y in range(ids.shape[0]):
        for x in range(ids.shape[1]):
            t = ids[y, x]
            if t < 0:
                continue
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            x0, y0 = screen[a, 0], screen[a, 1]
            x1, y1, x2, y2 = screen[b, 0] - x0, screen[b, 1] - y0, screen[c, 0] - x0, screen[c, 1] - y0
            scale = np.float32(1.0) / (x1 * y2 - x2 * y1)
            dx, dy = np.float32(x) - x0, np.float32(y) - y0
            wb = (dx * y2 - x2 * dy) * scale
            wc = (x1 * dy - dx * y1) * scale
            wa = np.float32(1.0) - wb - wc
            nx = wa * normals[a, 0] + wb * normals[b, 0] + wc * normals[c, 0]
            ny = wa * normals[a, 1] + wb * normals[b, 1] + wc * normals[c, 1]
            nz = wa * normals[a, 2] + wb * normals[b, 2] + wc * normals[c, 2]
            length = np.float32(1.0) / (math.sqrt(nx * nx + ny * ny + nz * nz) + np.float32(1e-9))
            nx, ny, nz = nx * length, ny * length, nz * length
            u = wa * properties[a, U] + wb * properties[b, U] + wc * properties[c, U]
            v = wa * properties[a, V] + wb * properties[b, V] + wc * properties[c, V]
            sky = wa * properties[a, OPEN_SKY] + wb * properties[b, OPEN_SKY] + wc * properties[c, OPEN_SKY]
            lit = wa * properties[a, LIT] + wb * properties[b, LIT] + wc * properties[c, LIT]
            depth = wa * properties[a, DEPTH] + wb * properties[b, DEPTH] + wc * properties[c, DEPTH]
            what = material[t]
            shine, sharpness = np.float32(0.0), np.float32(20.0)
            wrap = np.float32(0.1)
            if what == SKIN or what == HAIR:
                grain = _sample(texture, u, v, scene, colour)
                if what == SKIN:
                    red = wa * properties[a, LIP] + wb * properties[b, LIP] + wc * properties[c, LIP]
                    edge = np.float32(1.0) + np.float32(5.0) * scene[LIP_EDGE]
                    red = min(max((red - np.float32(0.5)) * edge + np.float32(0.5), np.float32(0.0)), np.float32(1.0))
                    for k in range(3):
                        lips = palette[SKIN, k] * (np.float32(1.0) + scene[FURROWS] * (grain - np.float32(0.5)))
                        colour[k] += red * (lips - colour[k])
                    shine = scene[SKIN_SHINE] + red * (scene[LIP_SHINE] - scene[SKIN_SHINE])
                    sharpness = np.float32(10.0) + red * np.float32(30.0)
                    wrap = np.float32(0.3)
                else:
                    for k in range(3):
                        colour[k] = palette[HAIR, k] * (np.float32(0.35) + np.float32(1.3) * grain)
                    shine = np.float32(0.25) * grain
                    sharpness = np.float32(12.0)
            else:
                shine, sharpness = _inner(what, u, v, depth, palette, colour)
            if what == MOUTH or what == TEETH or what == TONGUE:
                # What reaches into the mouth comes through its opening: the more of it around, and the less deep, the more.
                entering = min(openness[y, x] * np.float32(1.7 / 255.0), np.float32(1.0))
                entering *= scene[MOUTH_LIGHT] / (np.float32(1.0) + np.float32(3.0) * depth + np.float32(6.0) * depth * depth)
                entering += np.float32(0.05)
                sky, lit = entering, entering
            facing = nx * lx + ny * ly + nz * lz
            up = np.float32(0.5) + np.float32(0.5) * ny
            gloss = max(nx * hx + ny * hy + nz * hz, np.float32(0.0))
            # Schlick (1994): a quotient that looks like the power of Phong's model and costs a tenth of it.
            gloss = shine * lit * gloss / (sharpness - sharpness * gloss + gloss) if facing > 0.0 else np.float32(0.0)
            for k in range(3):
                # Light that entered the skin leaves it beside where it fell, red light furthest (Jensen et al. 2001).
                around = wrap * (np.float32(1.0) - np.float32(0.35) * k)
                direct = max((facing + around) / (np.float32(1.0) + around), np.float32(0.0)) * lit
                room = (light[3, k] + (light[2, k] - light[3, k]) * up + light[4, k] * max(nz, np.float32(0.0))) * sky
                value = colour[k] * (light[1, k] * direct + room) + light[1, k] * gloss
                image[y, x, k] = gamma[int(min(max(value, np.float32(0.0)), np.float32(1.0)) * np.float32(4095.0))]


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
def _inner(what: int, u: float, v: float, depth: float, palette: np.ndarray, colour: np.ndarray) -> tuple[float, float]:
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
    elif what == CLOTH:
        shine = np.float32(0.0)
    for k in range(3):
        colour[k] = palette[source, k] * level
    return shine, sharpness
