"""Talking faces as pictures: whole faces before a background, and mouths straight in the crop's geometry."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from avsr.corpora.talking_heads.camera import PIVOT, Camera
from avsr.corpora.talking_heads.face_units import FACE_UNITS
from avsr.corpora.talking_heads.head import Head
from avsr.corpora.talking_heads.identity import Identity
from avsr.corpora.talking_heads.materials import MOUTH, SKIN, TEETH, TONGUE
from avsr.corpora.talking_heads.mouth import Motion
from avsr.corpora.talking_heads.portrait import Portrait, portrait
from avsr.corpora.talking_heads.raster import inside_mask, rasterize, shade, vertex_normals
from avsr.lips.crop import SIDE, similarity, smooth

_TIMES = 2  # drawn at twice the size and reduced, so that edges are smooth
_GAMMA = (255 * np.linspace(0, 1, 4096) ** (1 / 2.2) + 0.5).astype(np.uint8)


def draw_mouth_clip(
    head: Head, identity: Identity, motion: Motion, camera: Camera, rng: np.random.Generator
) -> np.ndarray:
    """(T, 96, 96) uint8 grey: what avsr.lips.crop cuts from the same clip's whole faces, drawn without the rest.

    The geometry is the crop's own: the head's five points as the camera sees them, smoothed over time, carried to the
    template. Only what the crop can show is drawn. `rng` gives the grain of the background.
    """
    import cv2

    person = _portrait(head, identity)
    marks = camera.project(_posed_marks(head, person, motion, camera), *_NOMINAL)
    matrices = np.stack([similarity(points) for points in smooth(marks[..., :2].astype(np.float64))])
    stage = _Stage(head, person, motion, camera, _seen(person, camera, motion, matrices))
    side = SIDE * _TIMES
    canvas = _Canvas(side, side)
    clip = np.empty((len(matrices), SIDE, SIDE), np.uint8)
    scale = float(np.hypot(matrices[:, 0, 0], matrices[:, 1, 0]).mean()) * _TIMES * _pixels_a_decimetre(camera, _NOMINAL[0])
    behind = np.uint8(255 * np.mean(identity.background))
    for index, matrix in enumerate(matrices):
        screen = stage.screen(index, *_NOMINAL)
        screen[:, :2] = screen[:, :2] @ matrix[:, :2].T.astype(np.float32) + matrix[:, 2].astype(np.float32)
        screen[:, :2] = screen[:, :2] * _TIMES + np.float32((_TIMES - 1) / 2)
        canvas.image[:] = behind
        canvas.draw(stage, screen, scale)
        small = cv2.resize(canvas.image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        clip[index] = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    return clip


def draw_face_clip(
    head: Head,
    identity: Identity,
    motion: Motion,
    camera: Camera,
    rng: np.random.Generator,
    size: tuple[int, int] = (480, 640),
) -> np.ndarray:
    """(T, H, W, 3) uint8 RGB: the whole person before a background, in pictures of `size` (height, width)."""
    import cv2

    height, width = size
    person = _portrait(head, identity)
    stage = _Stage(head, person, motion, camera, np.arange(len(person.triangles)))
    canvas = _Canvas(height * _TIMES, width * _TIMES)
    backdrop = _backdrop(identity, canvas.image.shape[:2], rng)
    clip = np.empty((len(motion.units), height, width, 3), np.uint8)
    scale = _pixels_a_decimetre(camera, height) * _TIMES
    for index in range(len(clip)):
        screen = stage.screen(index, height, width)
        screen[:, :2] = screen[:, :2] * _TIMES + np.float32((_TIMES - 1) / 2)
        canvas.image[:] = backdrop
        canvas.draw(stage, screen, scale)
        clip[index] = cv2.resize(canvas.image, (width, height), interpolation=cv2.INTER_AREA)
    return clip


_NOMINAL = (480, 640)  # the picture whose pixels the face points are measured in before they go to the crop


class _Stage:
    """Chosen triangles of a portrait and how their points move through a clip."""

    def __init__(
        self, head: Head, person: Portrait, motion: Motion, camera: Camera, triangles: np.ndarray
    ) -> None:
        used, numbers = np.unique(person.triangles[triangles], return_inverse=True)
        self.person = person
        self.triangles = numbers.reshape(-1, 3).astype(np.int32)
        self.material = np.ascontiguousarray(person.material[triangles])
        self.two_sided = np.ascontiguousarray(person.two_sided[triangles])
        self.properties = np.ascontiguousarray(person.properties[used])
        self._rest = person.points[used]
        self._behind = _behind(self.triangles, self.material, len(used))
        self._stiff = person.stiff[used][:, None]
        self._moves, self._weights = _moves(head, person, person.source[used], motion)
        self._turns = camera.turns(motion.pose)
        self._camera = camera
        self.normals = np.empty_like(self._rest)

    def screen(self, index: int, height: int, width: int) -> np.ndarray:
        """(n, 3) float32 x, y in pixels and z, of picture `index`; `normals` are brought up to date."""
        moved = self._rest + (self._weights[index] @ self._moves).reshape(-1, 3)
        turned = (moved - PIVOT) @ self._turns[index].T + PIVOT
        turned = moved + self._stiff * (turned - moved)
        vertex_normals(turned, self.triangles, self.normals)
        screen = self._camera.project(turned, height, width)
        screen[:, 2] -= self._behind
        return screen


def _behind(triangles: np.ndarray, material: np.ndarray, count: int) -> np.ndarray:
    """(n,) float32 decimetres by which points are held to be further off than they are: what lies in the mouth must not
    come through thin cheeks and chins."""
    behind = np.zeros(count, np.float32)
    for part, by in ((MOUTH, 0.10), (TONGUE, 0.02), (TEETH, 0.02)):
        behind[triangles[material == part]] = by
    behind[triangles[material == SKIN]] = 0.0
    return behind


class _Canvas:
    """The buffers of one picture size, used again for each picture."""

    def __init__(self, height: int, width: int) -> None:
        self.image = np.zeros((height, width, 3), np.uint8)
        self._ids = np.empty((height, width), np.int32)
        self._nearest = np.empty((height, width), np.float32)
        self._mask = np.zeros((height, width), np.uint8)

    def draw(self, stage: _Stage, screen: np.ndarray, scale: float) -> None:
        """Draws into `image`; `scale` is pixels a decimetre at the face."""
        import cv2

        person = stage.person
        rasterize(screen, stage.triangles, stage.two_sided, self._ids, self._nearest)
        openness = self._mask
        if inside_mask(self._ids, stage.material, self._mask):
            across = max(3, round(_APERTURE * scale))
            down = max(3, round(0.7 * _APERTURE * scale))
            # More of what lies above counts: rooms are lit from above, and the upper lip stands before the teeth.
            openness = cv2.blur(self._mask, (across, down), anchor=(across // 2, min(down - 1, round(down * 0.68))))
        shade(
            self._ids, screen, stage.triangles, stage.material, stage.normals, stage.properties, person.texture,
            person.palette, person.light, person.scene, openness, _GAMMA, self.image,
        )  # fmt: skip


_APERTURE = 0.16  # decimetres over which the opening of the mouth lets light in


@lru_cache(maxsize=4)
def _portrait(head: Head, identity: Identity) -> Portrait:
    return portrait(head, identity)


def _moves(head: Head, person: Portrait, source: np.ndarray, motion: Motion) -> tuple[np.ndarray, np.ndarray]:
    """What the units in use do to the points that go along with the head's fine points `source`: (U, n * 3), (T, U).

    A narrow mouth is drawn less far together or apart than a wide one."""
    used = np.flatnonzero(motion.units.any(axis=0))
    names = [FACE_UNITS[unit] for unit in used]
    rows, moves = head.refine[source], np.zeros((len(used), len(source), 3), np.float32)
    for index, (name, column) in enumerate(zip(names, head.unit_columns(names), strict=True)):
        moves[index] = rows @ head.units[column]
        if name.startswith("mouth"):
            moves[index, :, 0] *= person.mouth_width
    return moves.reshape(len(used), 3 * len(source)), np.ascontiguousarray(motion.units[:, used], np.float32)


def _posed_marks(head: Head, person: Portrait, motion: Motion, camera: Camera) -> np.ndarray:
    """(T, 5, 3) the five face points of avsr.lips.crop as the head turns and talks."""
    marks = head.marks
    moves, weights = _moves(head, person, marks, motion)
    moved = person.points[marks] + (weights @ moves).reshape(len(weights), -1, 3)
    return np.einsum("tij,tpj->tpi", camera.turns(motion.pose), moved - PIVOT) + PIVOT


def _seen(person: Portrait, camera: Camera, motion: Motion, matrices: np.ndarray) -> np.ndarray:
    """Numbers of the triangles that the crop may show during the clip."""
    middle = len(matrices) // 2
    turn = camera.turns(motion.pose[middle : middle + 1])[0]
    turned = (person.points - PIVOT) @ turn.T + PIVOT
    place = camera.project(turned, *_NOMINAL)[:, :2] @ matrices[middle][:, :2].T + matrices[middle][:, 2]
    near = ((place > -_MARGIN) & (place < SIDE + _MARGIN)).all(axis=1)
    chosen = np.flatnonzero(near[person.triangles].any(axis=1))
    corner = turned[person.triangles[chosen]]
    outward = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    # What faces away from the camera will not come to face it by a nod or a smile.
    towards = outward[:, 2] > -0.35 * np.linalg.norm(outward, axis=1)
    return chosen[towards | person.two_sided[chosen]]


_MARGIN = 26  # pixels of the crop that a jaw or a nod may carry something into it


def _pixels_a_decimetre(camera: Camera, height: int) -> float:
    ahead = camera.project(PIVOT + np.array([[0.0, 0.0, 1.2], [1.0, 0.0, 1.2]], np.float32), height, height)
    return float(ahead[1, 0] - ahead[0, 0])


def _backdrop(identity: Identity, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """(H, W, 3) uint8: a wall or an unsharp room in the identity's two colours."""
    import cv2

    height, width = size
    top, bottom = (np.array(colour, np.float32) for colour in identity.background)
    wall = top + np.linspace(0, 1, height, dtype=np.float32)[:, None, None] * (bottom - top)
    wall = np.repeat(wall, width, axis=1)
    rough = rng.standard_normal((7, 9, 1), dtype=np.float32) * rng.uniform(0.0, 0.1)
    wall = wall + cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]
    return (255 * np.clip(wall, 0, 1)).astype(np.uint8)
