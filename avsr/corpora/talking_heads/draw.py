"""Talking faces as pictures: whole faces before a background, and mouths straight in the crop's geometry."""

from __future__ import annotations

import numpy as np

from avsr.corpora.talking_heads import raster, shade
from avsr.corpora.talking_heads.camera import PIVOT, Camera
from avsr.corpora.talking_heads.face_units import FACE_UNITS
from avsr.corpora.talking_heads.head import Head
from avsr.corpora.talking_heads.identity import Identity
from avsr.corpora.talking_heads.materials import MOUTH, SKIN, TEETH, TONGUE
from avsr.corpora.talking_heads.mouth import Motion
from avsr.corpora.talking_heads.portrait import Body, Portrait, portrait
from avsr.lips.crop import SIDE, similarity, smooth

_TIMES = 2  # drawn at twice the size and reduced, so that edges are smooth
_GAMMA = (255 * np.linspace(0, 1, 4096) ** (1 / 2.2) + 0.5).astype(np.uint8)
_NOMINAL = (480, 640)  # the picture whose pixels the face points are measured in before they go to the crop
_MARGIN = 26  # pixels of the crop that a jaw or a nod may carry something into it
_LOOKS = 8  # every so many pictures it is seen what shows
_OFF = (0.1, 0.65)  # pixels, deviation of a point that a detector finds
_MISJUDGED = (0.003, 0.015)  # deviation of the face's size
_BREATH = 12  # pictures in which that error changes
_APERTURE = 0.16  # decimetres over which the opening of the mouth lets light in


def draw_mouth_clip(
    head: Head, identity: Identity, motion: Motion, camera: Camera, rng: np.random.Generator, times: int = _TIMES
) -> np.ndarray:
    """(T, 96, 96) uint8 grey: what avsr.lips.crop cuts from the same clip's whole faces, drawn without the rest.

    The geometry is the crop's own: the head's five points as the camera sees them, smoothed over time, carried to the
    template, after they were found as unsurely as a detector finds them. Only what the crop can show is drawn, `times`
    the size. `rng` draws the detector's errors and the grey of the room behind a head that is turned.
    """
    import cv2

    person = portrait(head, identity)
    points = camera.project(_posed_marks(head, person.body, motion, camera), *_NOMINAL)
    points[..., 0] += 0.5  # MediaPipe counts from the picture's edge, not from its first pixel's middle
    matrices = np.stack([similarity(five) for five in smooth(_found(points.astype(np.float64), rng))])
    warps = _enlarged(matrices, times)
    side = SIDE * times
    canvas = _Canvas(side, side)
    lens = camera.lens(*_NOMINAL)
    near = _Stage(head, person, motion, camera, _near(person.body, camera, motion, matrices))
    shown = np.zeros(len(near.numbers), np.bool_)
    for index in [*range(0, len(warps), _LOOKS), len(warps) - 1]:
        near.set(index, lens, warps[index])
        raster.shows(near.screen, near.triangles, near.two_sided, np.float32(side), shown)
    stage = _Stage(head, person, motion, camera, near.numbers[shown])
    behind = np.uint8(np.clip(255 * np.mean(identity.background) + rng.normal(0, 15), 0, 255))
    scale = float(np.hypot(*matrices[len(matrices) // 2][0, :2])) * times * _face_scale(camera, _NOMINAL)
    clip = np.empty((len(warps), SIDE, SIDE), np.uint8)
    for index, warp in enumerate(warps):
        stage.set(index, lens, warp)
        canvas.image[:] = behind
        canvas.draw(stage, scale)
        small = canvas.image if times == 1 else cv2.resize(canvas.image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        cv2.cvtColor(small, cv2.COLOR_RGB2GRAY, dst=clip[index])
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
    person = portrait(head, identity)
    stage = _Stage(head, person, motion, camera, np.arange(len(person.body.triangles)))
    canvas = _Canvas(height * _TIMES, width * _TIMES)
    backdrop = _backdrop(identity, canvas.image.shape[:2], rng)
    lens, warp = camera.lens(height, width), _enlarged(np.eye(2, 3)[None], _TIMES)[0]
    scale = _face_scale(camera, size) * _TIMES
    clip = np.empty((len(motion.units), height, width, 3), np.uint8)
    for index, picture in enumerate(clip):
        stage.set(index, lens, warp)
        canvas.image[:] = backdrop
        canvas.draw(stage, scale)
        cv2.resize(canvas.image, (width, height), dst=picture, interpolation=cv2.INTER_AREA)
    return clip


class _Stage:
    """Chosen triangles of a portrait, their `numbers` in it, and where their points are in each picture of a clip."""

    def __init__(self, head: Head, person: Portrait, motion: Motion, camera: Camera, numbers: np.ndarray) -> None:
        body = person.body
        used, corners = np.unique(body.triangles[numbers], return_inverse=True)
        self.person = person
        self.numbers = numbers
        self.triangles = corners.reshape(-1, 3).astype(np.int32)
        self.material = np.ascontiguousarray(body.material[numbers])
        self.two_sided = np.ascontiguousarray(body.two_sided[numbers])
        self.properties = np.ascontiguousarray(person.properties[used])
        self._rest = body.points[used]
        self._stiff = body.stiff[used]
        self._behind = _behind(self.triangles, self.material, len(used))
        self._moves, self._weights = _moves(head, body, body.source[used], motion)
        self._turns = camera.turns(motion.pose)
        self._turned = np.empty_like(self._rest)
        self.screen = np.empty_like(self._rest)
        self.normals = np.empty_like(self._rest)

    def set(self, index: int, lens: np.ndarray, warp: np.ndarray) -> None:
        """Brings `screen` (n, 3) and `normals` (n, 3) to picture `index`."""
        moved = (self._weights[index] @ self._moves).reshape(-1, 3)
        turn = self._turns[index]
        raster.place(
            self._rest, moved, self._stiff, self._behind, PIVOT, turn, lens, warp, self._turned, self.screen
        )  # fmt: skip
        raster.vertex_normals(self._turned, self.triangles, self.normals)


class _Canvas:
    """The buffers of one picture size, used again for each picture."""

    def __init__(self, height: int, width: int) -> None:
        self.image = np.zeros((height, width, 3), np.uint8)
        self._ids = np.empty((height, width), np.int32)
        self._nearest = np.empty((height, width), np.float32)
        self._mask = np.zeros((height, width), np.uint8)

    def draw(self, stage: _Stage, scale: float) -> None:
        """Draws into `image`; `scale` is pixels a decimetre at the face."""
        import cv2

        person = stage.person
        raster.rasterize(stage.screen, stage.triangles, stage.two_sided, self._ids, self._nearest)
        openness = self._mask
        if shade.inside_mask(self._ids, stage.material, self._mask):
            across = max(3, round(_APERTURE * scale))
            down = max(3, round(0.7 * _APERTURE * scale))
            # More of what lies above counts: rooms are lit from above, and the upper lip stands before the teeth.
            openness = cv2.blur(self._mask, (across, down), anchor=(across // 2, min(down - 1, round(down * 0.68))))
        shade.shade(
            self._ids, stage.screen, stage.triangles, stage.material, stage.normals, stage.properties,
            person.body.texture, person.body.palette, person.light, person.scene, openness, _GAMMA, self.image,
        )  # fmt: skip


def _behind(triangles: np.ndarray, material: np.ndarray, count: int) -> np.ndarray:
    """(n,) float32 decimetres by which points are held to be further off than they are: what lies in the mouth must not
    come through thin cheeks and chins."""
    behind = np.zeros(count, np.float32)
    for part, by in ((MOUTH, 0.10), (TONGUE, 0.02), (TEETH, 0.02)):
        behind[triangles[material == part]] = by
    behind[triangles[material == SKIN]] = 0.0
    return behind


def _moves(head: Head, body: Body, source: np.ndarray, motion: Motion) -> tuple[np.ndarray, np.ndarray]:
    """What the units in use do to the points that go along with the head's fine points `source`: (U, n * 3), (T, U).

    A narrow mouth is drawn less far together or apart than a wide one.
    """
    used = np.flatnonzero(motion.units.any(axis=0))
    names = [FACE_UNITS[unit] for unit in used]
    rows, moves = head.refine[source], np.zeros((len(used), len(source), 3), np.float32)
    for index, (name, column) in enumerate(zip(names, head.unit_columns(names), strict=True)):
        moves[index] = rows @ head.units[column]
        if name.startswith("mouth"):
            moves[index, :, 0] *= body.mouth_width
    return moves.reshape(len(used), 3 * len(source)), np.ascontiguousarray(motion.units[:, used], np.float32)


def _posed_marks(head: Head, body: Body, motion: Motion, camera: Camera) -> np.ndarray:
    """(T, 5, 3) the five face points of avsr.lips.crop, less the pivot, as the head turns and talks."""
    moves, weights = _moves(head, body, head.marks, motion)
    moved = body.points[head.marks] + (weights @ moves).reshape(len(weights), -1, 3)
    return np.einsum("tij,tpj->tpi", camera.turns(motion.pose), moved - PIVOT)


def _near(body: Body, camera: Camera, motion: Motion, matrices: np.ndarray) -> np.ndarray:
    """Numbers of the triangles that lie near the crop in the middle of the clip and may come to face the camera."""
    middle = len(matrices) // 2
    turned = (body.points - PIVOT) @ camera.turns(motion.pose[middle : middle + 1])[0].T
    place = camera.project(turned, *_NOMINAL) @ matrices[middle][:, :2].T + matrices[middle][:, 2]
    near = ((place > -_MARGIN) & (place < SIDE + _MARGIN)).all(axis=1)
    chosen = np.flatnonzero(near[body.triangles].any(axis=1))
    corner = turned[body.triangles[chosen]]
    outward = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    # What faces away from the camera will not come to face it by a nod or a smile.
    towards = outward[:, 2] > -0.35 * np.linalg.norm(outward, axis=1)
    return chosen[towards | body.two_sided[chosen]]


def _found(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(T, 5, 2) pixels: the face points as a detector finds them, each a little off in every picture, and the face's size
    now a little over- and now a little underrated. The crop of AI-Hub, GRID and a web video trembles by .10 to .24
    pixels from picture to picture; how much here belongs to the clip."""
    total = len(points)
    off = rng.uniform(*_OFF) * rng.standard_normal(points.shape)
    knots = rng.standard_normal(total // _BREATH + 3)
    size = 1 + rng.uniform(*_MISJUDGED) * np.interp(np.arange(total) / _BREATH, np.arange(len(knots)), knots)
    middle = points.mean(axis=1, keepdims=True)
    return middle + size[:, None, None] * (points - middle) + off


def _enlarged(matrices: np.ndarray, times: int) -> np.ndarray:
    """(T, 2, 3) float32: the same maps to drawings `times` the size; the middles of pixels stay where they are."""
    larger = matrices * times
    larger[:, :, 2] += (times - 1) / 2
    return larger.astype(np.float32)


def _face_scale(camera: Camera, size: tuple[int, int]) -> float:
    """Pixels a decimetre at the mouth of a head in a picture of `size`."""
    ends = camera.project(np.array([[0.0, 0.0, 1.2], [1.0, 0.0, 1.2]], np.float32), *size)
    return float(ends[1, 0] - ends[0, 0])


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
