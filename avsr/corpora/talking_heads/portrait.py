"""A head made ready to be drawn as one person: the shaped surface with hair and clothes, its colours and its light."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from avsr.corpora.talking_heads import mesh, skin
from avsr.corpora.talking_heads.dress import dress
from avsr.corpora.talking_heads.head import Head
from avsr.corpora.talking_heads.identity import Identity, Light
from avsr.corpora.talking_heads.lip_line import LipLine
from avsr.corpora.talking_heads.materials import CLOTH, EYE, FRAME, HAIR, MOUTH, SKIN, TEETH, TONGUE
from avsr.corpora.talking_heads.raster import spread
from avsr.corpora.talking_heads.shadows import open_sky, shadow

_NECK = (5.75, 6.35)  # decimetres: below the first the head's turns are not felt, above the second in full
_RED_SKY, _RED_LIT = 0.62, 0.55  # shut lips hide their own inner side, which must not stay dark in an open mouth
_WORN_SKY = 0.85  # of hair and clothes


@dataclass(frozen=True)
class Body:
    """What of a person no light changes. points (V, 3) float32 at rest; source (V,) the head's fine point that each goes
    along with; triangles (F, 3) int32, their material (F,) uint8 and whether both sides show, (F,) bool; sky, uv, lip
    and depth (V, ...) as in avsr.corpora.talking_heads.raster; stiff (V,) 0..1 how far a point follows the head's
    turns; mouth_width, against the base head's; texture (h, w, 4) and palette (8, 3) as raster.shade takes them."""

    points: np.ndarray
    source: np.ndarray
    triangles: np.ndarray
    material: np.ndarray
    two_sided: np.ndarray
    uv: np.ndarray
    lip: np.ndarray
    depth: np.ndarray
    sky: np.ndarray
    stiff: np.ndarray
    mouth_width: float
    texture: np.ndarray
    palette: np.ndarray


@dataclass(frozen=True)
class Portrait:
    """A body in a light: properties (V, 6), light (5, 3) and scene (8,) float32 as raster.shade takes them."""

    body: Body
    properties: np.ndarray
    light: np.ndarray
    scene: np.ndarray


def portrait(head: Head, identity: Identity) -> Portrait:
    """The head in this person's shape, its mouth shut, in this person's light."""
    person = _body(head, identity.anywhere())
    light = lamp(identity.light)
    opaque = person.triangles[np.isin(person.material, (SKIN, EYE, HAIR, CLOTH))]
    lit = spread(shadow(person.points, opaque, light[0]), opaque, 2)
    lit = np.maximum(lit, _RED_LIT * person.lip)
    properties = [person.uv[:, 0], person.uv[:, 1], person.lip, person.depth, person.sky, lit]
    scene = [
        0.06 * identity.shine, 0.12 * identity.lip_shine, identity.lip_edge, identity.mouth_light,
        identity.furrows, skin.LEFT, skin.TOP, skin.SCALE,
    ]  # fmt: skip
    return Portrait(person, np.stack(properties, axis=1).astype(np.float32), light, np.array(scene, np.float32))


@lru_cache(maxsize=16)
def _body(head: Head, person: Identity) -> Body:
    neutral = head.fine()
    rest = shaped(head, person, neutral)
    worn = dress(head, person, neutral, rest)
    count = len(worn.points)
    source = np.concatenate([np.arange(len(rest)), worn.source])
    material = np.repeat(np.concatenate([head.material, worn.material]), 2)
    sky = np.maximum(_neutral_sky(head), _RED_SKY * head.lip)
    return Body(
        points=np.concatenate([rest, worn.points]).astype(np.float32),
        source=source,
        triangles=mesh.triangles(np.concatenate([head.quads, worn.quads])),
        material=material,
        two_sided=np.isin(material, (MOUTH, TONGUE, TEETH, HAIR, FRAME)),
        uv=np.concatenate([head.uv, worn.uv]),
        lip=np.concatenate([head.lip, np.zeros(count, np.float32)]),
        depth=np.concatenate([head.depth, np.zeros(count, np.float32)]),
        sky=np.concatenate([sky, np.full(count, _WORN_SKY, np.float32)]),
        stiff=np.interp(neutral[source, 1], _NECK, (0.0, 1.0)).astype(np.float32),
        mouth_width=_width(rest, head) / _width(neutral, head),
        texture=skin.paint(person),
        palette=_palette(person),
    )


@lru_cache(maxsize=2)
def _neutral_sky(head: Head) -> np.ndarray:
    """(M,) how open to the sky the base head's points are: noses and sockets differ too little to ask for each person."""
    outside = np.repeat(np.isin(head.material, (SKIN, EYE)), 2)
    return open_sky(head.fine(), mesh.triangles(head.quads)[outside])


@lru_cache(maxsize=2)
def _lip_line(head: Head) -> LipLine:
    return head.lip_line()


def shaped(head: Head, identity: Identity, neutral: np.ndarray) -> np.ndarray:
    """(M, 3) float32: the fine points in the person's shape, eyes where the base head has them, lips shut."""
    weights = np.array(identity.shapes, np.float32)
    used = np.flatnonzero(weights)
    rest = head.fine(np.tensordot(weights[used], head.shapes[used], axes=1))
    eyes = np.unique(head.quads[head.material == EYE])
    rest += neutral[eyes].mean(0) - rest[eyes].mean(0)  # the targets carry the whole body's height
    line = _lip_line(head)
    rest += line.shutting(rest)
    _seat_teeth(head, identity, neutral, rest, line)
    return rest.astype(np.float32)


def _seat_teeth(head: Head, identity: Identity, neutral: np.ndarray, rest: np.ndarray, line: LipLine) -> None:
    """Moves teeth and tongue up or down to where a dentist expects them: the shapes carry lips and teeth differently far.

    Behind shut lips the edges of the upper front teeth lie two to three millimetres below where the lips meet, and those
    of the lower behind them (Vig and Brundo 1978).
    """
    teeth, tongue = (np.unique(head.quads[head.material == part]) for part in (TEETH, TONGUE))
    upper = np.intersect1d(teeth, head.upper_teeth)
    lower = np.setdiff1d(teeth, upper)
    wanted = line.height(rest) - identity.teeth_drop
    edge = rest[upper[np.abs(neutral[upper, 0]) < 0.08], 1].min()
    top = rest[lower[np.abs(neutral[lower, 0]) < 0.08], 1].max()
    rest[upper, 1] += wanted - edge
    rest[np.concatenate([lower, tongue]), 1] += wanted - top + identity.overbite


def lamp(light: Light) -> np.ndarray:
    """(5, 3) float32: direction, lamp, light from above, from below, from the viewer, for raster.shade."""
    warm = np.array([1 + 0.10 * light.warmth, 1.0, 1 - 0.16 * light.warmth], np.float32)
    direction = np.array(light.direction, np.float32)
    rows = [direction / np.linalg.norm(direction), light.key * warm, light.above * (2 - warm), light.below * warm]
    return np.stack([*rows, np.full(3, light.fill)]).astype(np.float32)


def _width(points: np.ndarray, head: Head) -> float:
    return float(points[head.marks[4], 0] - points[head.marks[3], 0])


def _palette(identity: Identity) -> np.ndarray:
    palette = np.zeros((8, 3), np.float32)
    palette[SKIN] = skin.linear(identity.lip)
    palette[MOUTH] = skin.linear(np.array(identity.tongue) * (0.75, 0.6, 0.6))
    palette[EYE] = skin.linear(identity.iris)
    palette[TEETH] = skin.linear(identity.tooth)
    palette[TONGUE] = skin.linear(identity.tongue)
    palette[HAIR] = skin.linear(identity.hair)
    palette[CLOTH] = skin.linear(identity.cloth)
    palette[FRAME] = 0.01
    return palette
