"""A head made ready to be drawn as one person: the shaped surface with hair and clothes, its colours and its light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avsr.corpora.talking_heads import mesh, skin
from avsr.corpora.talking_heads.dress import Shell, dress
from avsr.corpora.talking_heads.head import Head
from avsr.corpora.talking_heads.identity import Identity, Light
from avsr.corpora.talking_heads.lip_line import LipLine
from avsr.corpora.talking_heads.materials import CLOTH, EYE, FRAME, HAIR, MOUTH, SKIN, TEETH, TONGUE
from avsr.corpora.talking_heads.shadows import open_sky, shadow, spread

_NECK = (5.75, 6.35)  # decimetres: below the first the head's turns are not felt, above the second in full


@dataclass(frozen=True)
class Portrait:
    """points (V, 3) float32 at rest; source (V,) the head's fine point that each goes along with; triangles (F, 3) int32,
    their material (F,) uint8 and whether both sides show, (F,) bool; properties (V, 6) float32 as avsr...raster names
    them; stiff (V,) 0..1 how far a point follows the head's turns; mouth_width, against the base head's; texture, palette, light and scene as raster.shade
    takes them."""

    points: np.ndarray
    source: np.ndarray
    triangles: np.ndarray
    material: np.ndarray
    two_sided: np.ndarray
    properties: np.ndarray
    stiff: np.ndarray
    mouth_width: float
    texture: np.ndarray
    palette: np.ndarray
    light: np.ndarray
    scene: np.ndarray


def portrait(head: Head, identity: Identity) -> Portrait:
    """The head in this person's shape, its mouth shut."""
    neutral = head.fine()
    rest = shaped(head, identity, neutral)
    shell = dress(head, identity, neutral, rest)
    points = np.concatenate([rest, shell.points])
    source = np.concatenate([np.arange(len(rest)), shell.source])
    quads = np.concatenate([head.quads, shell.quads])
    material = np.repeat(np.concatenate([head.material, shell.material]), 2)
    triangles = mesh.triangles(quads)
    light = lamp(identity.light)
    return Portrait(
        points=points.astype(np.float32),
        source=source,
        triangles=triangles,
        material=material,
        two_sided=np.isin(material, (MOUTH, TONGUE, TEETH, HAIR)),
        properties=_properties(head, neutral, points, source, shell, triangles, material, light[0]),
        stiff=np.interp(neutral[source, 1], _NECK, (0.0, 1.0)).astype(np.float32),
        mouth_width=_width(rest, head) / _width(neutral, head),
        texture=skin.paint(identity),
        palette=_palette(identity),
        light=light,
        scene=np.array(
            [
                0.06 * identity.shine, 0.12 * identity.lip_shine, identity.lip_edge, identity.mouth_light,
                identity.furrows, skin.LEFT, skin.TOP, skin.SCALE,
            ],
            np.float32,
        ),
    )


def shaped(head: Head, identity: Identity, neutral: np.ndarray) -> np.ndarray:
    """(M, 3) float32: the fine points in the person's shape, eyes where the base head has them, lips shut."""
    weights = np.array(identity.shapes, np.float32)
    used = np.flatnonzero(weights)
    rest = head.fine(np.tensordot(weights[used], head.shapes[used], axes=1))
    eyes = np.unique(head.quads[head.material == EYE])
    rest += (neutral[eyes].mean(0) - rest[eyes].mean(0))  # the targets carry the whole body's height
    line = LipLine.of(neutral, head.lip)
    rest += line.shutting(rest)
    _seat_teeth(head, identity, neutral, rest, line)
    return rest.astype(np.float32)


def _seat_teeth(head: Head, identity: Identity, neutral: np.ndarray, rest: np.ndarray, line: LipLine) -> None:
    """Moves teeth and tongue up or down to where a dentist expects them: the shapes carry lips and teeth differently far.

    Behind shut lips the edges of the upper front teeth lie two to three millimetres below where the lips meet, and those
    of the lower behind them (Peck, Peck and Kataja 1992)."""
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


def _properties(
    head: Head, neutral: np.ndarray, points: np.ndarray, source: np.ndarray, shell: Shell,
    triangles: np.ndarray, material: np.ndarray, towards_lamp: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """(V, 6) float32. Skin is hidden by what stands before it at rest; what the mouth holds is lit when it is drawn."""
    skin_like = np.isin(material, (SKIN, EYE, HAIR, CLOTH))
    surface = triangles[skin_like]
    sky = open_sky(points, surface)
    lit = spread(shadow(points, surface, towards_lamp), surface)
    red = np.concatenate([head.lip, np.zeros(len(shell.points), np.float32)])
    # Shut lips hide their own inner side, which would then stay dark in an open mouth.
    sky, lit = np.maximum(sky, 0.62 * red), np.maximum(lit, 0.55 * red)
    columns = [np.concatenate([head.uv[:, k], shell.uv[:, k]]) for k in range(2)]
    depth = np.concatenate([head.depth, np.zeros(len(shell.points), np.float32)])
    return np.stack([*columns, red, depth, sky, lit], axis=1).astype(np.float32)
