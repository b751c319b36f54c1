"""What a person wears over the skin: hair, clothes, glasses; sheets that stand off the head's own surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avsr.corpora.talking_heads import mesh
from avsr.corpora.talking_heads.head import Head
from avsr.corpora.talking_heads.identity import Identity
from avsr.corpora.talking_heads.materials import CLOTH, FRAME, HAIR, SKIN
from avsr.corpora.talking_heads.raster import vertex_normals

_COLLAR = 5.72  # decimetres: below it, at the front of the neck, clothes


@dataclass(frozen=True)
class Shell:
    """points (V, 3) at rest, source (V,) the fine point of the head that each goes along with, quads (F, 4) numbered on
    from the head's points, material (F,), uv (V, 2)."""

    points: np.ndarray
    source: np.ndarray
    quads: np.ndarray
    material: np.ndarray
    uv: np.ndarray


def dress(head: Head, identity: Identity, neutral: np.ndarray, rest: np.ndarray) -> Shell:
    """Hair and clothes for fine points `rest` (M, 3) that lie at `neutral` (M, 3) on the base head."""
    quads = head.quads[head.material == SKIN]
    outward = np.empty_like(rest)
    vertex_normals(rest, mesh.triangles(quads), outward)
    parts = [
        _sheet(quads, rest, outward, _hair(neutral, identity), HAIR),
        _sheet(quads, rest, outward, _clothes(neutral), CLOTH),
    ]
    if identity.hair_style == "long":
        parts.append(_curtain(neutral, rest, identity))
    if identity.glasses:
        parts += _glasses(head, rest, identity)
    offset, numbered = len(rest), []
    for part in parts:
        numbered.append(part.quads + offset)
        offset += len(part.points)
    return Shell(
        np.concatenate([part.points for part in parts]).astype(np.float32),
        np.concatenate([part.source for part in parts]),
        np.concatenate(numbered).astype(np.int32),
        np.concatenate([part.material for part in parts]),
        np.concatenate([part.uv for part in parts]).astype(np.float32),
    )


def _sheet(quads: np.ndarray, rest: np.ndarray, outward: np.ndarray, thickness: np.ndarray, material: int) -> Shell:
    """The quads whose points all have a thickness, moved outwards by it."""
    kept = quads[(thickness[quads] > -0.02).all(axis=1)]
    source, numbers = np.unique(kept, return_inverse=True)
    points = rest[source] + outward[source] * thickness[source, None]
    return Shell(
        points, source, numbers.reshape(-1, 4), np.full(len(kept), material, np.uint8), rest[source][:, :2] * (1, 1)
    )


def hairline(x: np.ndarray, identity: Identity) -> np.ndarray:
    """The height on the base head, in decimetres, above which the forehead is under hair, at `x`."""
    rng = np.random.default_rng(identity.seed + 1)
    bow = np.clip((np.abs(x) - 0.3) / 0.35, 0, 1) ** 2
    if identity.hair_style == "fringe":
        locks = 0.03 * np.sin(x * rng.uniform(7, 14) + rng.uniform(0, 6)) + 0.02 * np.sin(x * rng.uniform(18, 30))
        return 7.68 + 0.05 * rng.standard_normal() + locks - 0.12 * bow
    return 7.97 + identity.hairline - 0.22 * bow + 0.012 * np.sin(x * rng.uniform(15, 25) + rng.uniform(0, 6))


def _hair(neutral: np.ndarray, identity: Identity) -> np.ndarray:
    """(M,) decimetres of hair on each point; below -0.02 none. It begins under the skin, so that its edge is soft."""
    x, y, z = neutral.T
    side = np.abs(x)
    # From the forehead down in front of the ears, and behind them to the nape.
    lower = hairline(x, identity)
    before = np.interp(z, (0.42, 0.6, 0.85), (6.95, 7.15, 7.75))
    lower = np.where((side > 0.55) & (z > 0.42), np.minimum(lower, before), lower)
    lower = np.where(z <= 0.42, np.interp(z, (-0.4, 0.1, 0.3, 0.42), (6.35, 6.4, 6.7, 6.95)), lower)
    above = y - lower
    full = identity.hair_height * np.clip((y - 7.2) / 1.0, 0.2, 1)
    depth = np.where(above > 0, np.clip(above / 0.3, 0, 1) ** 0.7 * full, np.clip(above, -1, 0))
    ear = (side > 0.73) & (y < 7.52) & (z > 0.12) & (z < 0.8)
    return np.where(ear | (y < 6.2), -1.0, depth).astype(np.float32)


def _clothes(neutral: np.ndarray) -> np.ndarray:
    """(M,) decimetres of cloth on each point; below -0.02 none."""
    y, z = neutral[:, 1], neutral[:, 2]
    edge = _COLLAR + 0.22 * (0.3 - z)
    return np.where(y < edge, 0.03 + 0.05 * np.clip((edge - y) / 0.4, 0, 1), -1.0).astype(np.float32)


def _curtain(neutral: np.ndarray, rest: np.ndarray, identity: Identity) -> Shell:
    """Hair that falls from the crown past the ears to the shoulders: a half pipe around the back of the head."""
    rng = np.random.default_rng(identity.seed + 2)
    turn = np.radians(np.linspace(-112, 112, 41))  # 0 is the back
    level = np.linspace(8.1, 5.35 + 0.5 * rng.random(), 22)
    crown = int(np.argmax(neutral[:, 1]))
    width = float(np.abs(rest[(neutral[:, 1] > 7.6) & (neutral[:, 1] < 8.2), 0]).max())
    flare = np.interp(level, (5.3, 6.2, 7.0, 7.7, 8.1), (0.22, 0.18, 0.2, 0.14, -0.05))[:, None]
    flare = flare + 0.3 * identity.hair_height
    wave = 0.02 * np.sin(turn * rng.uniform(8, 16) + rng.uniform(0, 6))[None]
    radius = width + flare + wave
    x = radius * np.sin(turn)
    z = 0.35 - np.where(np.cos(turn) > 0, 1.05, 0.75) * radius * np.cos(turn) * np.ones_like(level)[:, None]
    y = np.broadcast_to(level[:, None], x.shape) + rest[crown, 1] - neutral[crown, 1]
    points = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    index = np.arange(len(points)).reshape(len(level), len(turn))
    quads = np.stack([index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]], axis=-1).reshape(-1, 4)
    uv = np.stack([points[:, 0] + 0.3 * points[:, 2], points[:, 1]], axis=1)
    source = np.full(len(points), crown)
    return Shell(points, source, quads, np.full(len(quads), HAIR, np.uint8), uv)


def _glasses(head: Head, rest: np.ndarray, identity: Identity) -> list[Shell]:
    """Two rims before the eyes, a bridge over the nose and two temples to the ears, as thin tubes; no glass."""
    rng = np.random.default_rng(identity.seed + 3)
    right, left = rest[head.marks[0]], rest[head.marks[1]]
    bridge = int(head.marks[2])
    forward = max(float(rest[head.marks[:2], 2].max()) + 0.16, 1.52)
    wide, high = rng.uniform(0.2, 0.27), rng.uniform(0.14, 0.21)
    thick, corner = rng.uniform(0.008, 0.02), rng.uniform(2.0, 4.5)  # the more, the squarer
    turn = np.linspace(0, 2 * np.pi, 41)
    ring = np.stack([np.cos(turn), np.sin(turn)])
    ring = np.sign(ring) * np.abs(ring) ** (2 / corner)
    lines = []
    for eye in (right, left):
        out = np.sign(eye[0])
        middle = np.array([eye[0] + 0.015 * out, eye[1] - 0.01, forward])
        rim = middle + np.stack([wide * ring[0], high * ring[1], -0.25 * np.clip(out * ring[0], -0.4, 1) * wide], axis=1)
        lines.append(rim)
        hinge = middle + (out * wide, 0.4 * high, -0.25 * wide)
        lines.append(np.linspace(hinge, (out * 0.80, hinge[1] + 0.02, 0.5), 12))
    gap = (left[0] - right[0]) / 2 + 0.015 - wide
    arc = np.linspace(-1, 1, 9)
    height = (right[1] + left[1]) / 2 + 0.25 * high
    lines.append(np.stack([arc * gap, height + 0.02 * (1 - arc**2), np.full(9, forward + 0.02)], axis=1))
    return [_tube(line, thick, bridge) for line in lines]


def _tube(line: np.ndarray, radius: float, source: int) -> Shell:
    """A tube of six sides around a line (n, 3)."""
    along = np.gradient(line, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    first = np.cross(along, np.where(np.abs(along[:, 2:]) > 0.8, (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(along, first)
    turn = np.linspace(0, 2 * np.pi, 6, endpoint=False)
    around = np.cos(turn)[None, :, None] * first[:, None] + np.sin(turn)[None, :, None] * second[:, None]
    points = (line[:, None] + radius * around).reshape(-1, 3)
    index = np.arange(len(points)).reshape(len(line), 6)
    after = np.roll(index, -1, axis=1)
    quads = np.stack([index[:-1], after[:-1], after[1:], index[1:]], axis=-1).reshape(-1, 4)
    count = len(points)
    return Shell(points, np.full(count, source), quads, np.full(len(quads), FRAME, np.uint8), np.zeros((count, 2)))
