"""The geometry of drawing, compiled: where points fall in a picture, and which triangle each of its pixels shows."""

from __future__ import annotations

import math

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, fastmath=True)
def place(
    rest: np.ndarray, moved: np.ndarray, stiff: np.ndarray, behind: np.ndarray, pivot: np.ndarray, turn: np.ndarray,
    lens: np.ndarray, warp: np.ndarray, turned: np.ndarray, screen: np.ndarray,
) -> None:  # fmt: skip
    """Points at rest (V, 3), moved by (V, 3), turned about the pivot as far as they are stiff (V,), seen through a lens.

    lens (5,): scale, distance, x and y of the pivot in the picture, and how far above it y is counted from; warp (2, 3)
    carries picture to drawing; behind (V,) is taken off the nearness. Fills turned (V, 3) and screen (V, 3), float32.
    """
    for v in range(rest.shape[0]):
        x = rest[v, 0] + moved[v, 0] - pivot[0]
        y = rest[v, 1] + moved[v, 1] - pivot[1]
        z = rest[v, 2] + moved[v, 2] - pivot[2]
        tx = x + stiff[v] * (turn[0, 0] * x + turn[0, 1] * y + turn[0, 2] * z - x)
        ty = y + stiff[v] * (turn[1, 0] * x + turn[1, 1] * y + turn[1, 2] * z - y)
        tz = z + stiff[v] * (turn[2, 0] * x + turn[2, 1] * y + turn[2, 2] * z - z)
        turned[v, 0], turned[v, 1], turned[v, 2] = tx, ty, tz
        size = lens[0] * lens[1] / (lens[1] - tz)
        px, py = lens[2] + size * tx, lens[3] - size * (ty - lens[4])
        screen[v, 0] = warp[0, 0] * px + warp[0, 1] * py + warp[0, 2]
        screen[v, 1] = warp[1, 0] * px + warp[1, 1] * py + warp[1, 2]
        screen[v, 2] = tz - behind[v]


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
def spread(values: np.ndarray, triangles: np.ndarray, times: int) -> np.ndarray:
    """(V,) the values, each averaged `times` times with those it shares a triangle with."""
    for _ in range(times):
        total, count = np.zeros_like(values), np.zeros_like(values)
        for t in range(triangles.shape[0]):
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            mean = (values[a] + values[b] + values[c]) / np.float32(3.0)
            for k in (a, b, c):
                total[k] += mean
                count[k] += np.float32(1.0)
        for k in range(values.shape[0]):
            if count[k] > 0.0:
                total[k] /= count[k]
            else:
                total[k] = values[k]
        values = total
    return values


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
def shows(screen: np.ndarray, triangles: np.ndarray, two_sided: np.ndarray, side: float, shown: np.ndarray) -> None:
    """Marks in `shown` (F,) the triangles that touch a square picture of `side` pixels, or come near it, from in front."""
    slack = np.float32(0.03) * side
    for t in range(triangles.shape[0]):
        if shown[t]:
            continue
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        x0, y0, x1, y1, x2, y2 = screen[a, 0], screen[a, 1], screen[b, 0], screen[b, 1], screen[c, 0], screen[c, 1]
        if max(x0, x1, x2) < -slack or min(x0, x1, x2) > side + slack:
            continue
        if max(y0, y1, y2) < -slack or min(y0, y1, y2) > side + slack:
            continue
        u = (x1 - x0) ** 2 + (y1 - y0) ** 2
        v = (x2 - x0) ** 2 + (y2 - y0) ** 2
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        # Seen from behind, but so nearly from the side that it may turn before the next look.
        shown[t] = two_sided[t] or area < np.float32(0.15) * (u + v)
