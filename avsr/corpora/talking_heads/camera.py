"""Where the camera stands, and what a camera does to pictures: blur, noise, few pixels, few frames, compression."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from avsr.media.x264 import steady_options

PIVOT = np.array([0.0, 6.75, 0.25], np.float32)  # decimetres: about where the head turns on the neck


@dataclass(frozen=True)
class Camera:
    """Angles (degrees) at which the head is seen before it moves; distance in decimetres (near: a wide lens); `size`, the
    height of the head from chin to crown as a share of the picture's; `across` and `down`, where the face's middle
    lies, as shares of the picture's height from its centre."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    distance: float = 12.0
    size: float = 0.5
    across: float = 0.0
    down: float = 0.0

    @staticmethod
    def random(rng: np.random.Generator) -> Camera:
        """Somebody filmed as people film each other: mostly from the front, seldom from quite so."""
        return Camera(
            yaw=float(np.clip(rng.normal(0, 9), -28, 28)),
            pitch=float(np.clip(rng.normal(0, 6), -15, 15)),
            roll=float(np.clip(rng.normal(0, 2.5), -8, 8)),
            distance=float(rng.uniform(6, 20)),
            size=float(rng.uniform(0.38, 0.62)),
            across=float(np.clip(rng.normal(0, 0.08), -0.2, 0.2)),
            down=float(np.clip(rng.normal(0, 0.03), -0.06, 0.06)),
        )

    def turns(self, pose: np.ndarray) -> np.ndarray:
        """(T, 3, 3) float32: the head's rotations for poses (T, 3) of yaw (to the person's left), pitch (up) and roll
        (to the person's left shoulder), degrees, beside the camera's own."""
        yaw, pitch, roll = np.radians(np.asarray(pose, np.float64) + (self.yaw, self.pitch, self.roll)).T
        zero, one = np.zeros_like(yaw), np.ones_like(yaw)

        def rows(*values: np.ndarray) -> np.ndarray:
            return np.stack(values, axis=-1).reshape(-1, 3, 3)

        about_y = rows(np.cos(yaw), zero, np.sin(yaw), zero, one, zero, -np.sin(yaw), zero, np.cos(yaw))
        about_x = rows(one, zero, zero, zero, np.cos(pitch), np.sin(pitch), zero, -np.sin(pitch), np.cos(pitch))
        about_z = rows(np.cos(roll), np.sin(roll), zero, -np.sin(roll), np.cos(roll), zero, zero, zero, one)
        return (about_z @ about_x @ about_y).astype(np.float32)

    def lens(self, height: int, width: int) -> np.ndarray:
        """(5,) float32 for a (height, width) picture: pixels a decimetre at the pivot, distance, x and y of the centre
        in pixels, and the decimetres above the pivot that are seen there."""
        scale = self.size * height / _HEAD_HEIGHT
        centre = (width / 2 - 0.5 + self.across * height, height / 2 - 0.5 + self.down * height)
        return np.array([scale, self.distance, *centre, _FACE_MIDDLE], np.float32)

    def project(self, points: np.ndarray, height: int, width: int) -> np.ndarray:
        """Turned points (..., 3) less the pivot, decimetres -> (..., 2) x and y in pixels of a (height, width) picture."""
        scale, distance, x, y, middle = self.lens(height, width)
        size = scale * distance / (distance - points[..., 2])
        return np.stack([x + size * points[..., 0], y - size * (points[..., 1] - middle)], axis=-1)


_HEAD_HEIGHT = 2.45  # decimetres from chin to crown
_FACE_MIDDLE = 0.45  # decimetres that the middle of the face lies above the pivot


@dataclass(frozen=True)
class Film:
    """What happens to one clip between lens and file. Lengths are in pixels of a mouth crop, levels in 0..255."""

    shrink: float  # how many pixels of the drawing one of the sensor takes in, 1 or more
    blur: float  # deviation of the lens's blur
    smear: float  # share of the picture before that a picture still shows: a slow shutter
    fps: float  # pictures a second that the camera takes; below 25 some are shown twice
    sharpen: float
    gain: float
    lift: float
    gamma: float
    slope: tuple[float, float]  # by how much it is lighter at the right and at the bottom than in the middle
    flicker: float
    noise: float
    coarse: bool  # noise in grains of two pixels
    quality: int | None  # x264's constant rate factor; None is not compressed here

    @staticmethod
    def random(rng: np.random.Generator) -> Film:
        """From a studio camera's file to a video call in a dark room."""

        def sometimes(share: float, value: float, otherwise: float) -> float:
            return float(value) if rng.random() < share else otherwise

        # Real mouths are 23 to 38 pixels wide in their pictures (AI-Hub 23, a video of the web 29, GRID 38), which a crop
        # enlarges 1.7 to 2.5 times, and they are softer than that alone makes them: lens, codec, camera's own smoothing.
        shrink = sometimes(0.9, np.exp(rng.uniform(np.log(1.15), np.log(_COARSEST))), 1.0)
        return Film(
            shrink=shrink,
            blur=sometimes(0.9, min(0.5 + abs(rng.normal(0, 1.1)), 2.4), 0.0),
            smear=sometimes(0.3, rng.uniform(0.05, 0.4), 0.0),
            fps=sometimes(0.12, rng.choice([12.5, 15.0, 20.0, 24.0]), 25.0),
            sharpen=sometimes(0.2, rng.uniform(0.2, 1.0), 0.0),
            gain=float(rng.uniform(0.65, 1.25)),
            lift=float(rng.normal(0, 8)),
            gamma=float(np.exp(rng.normal(0, 0.25))),
            slope=(float(rng.normal(0, 12)), float(rng.normal(-5, 12))),
            flicker=sometimes(0.1, rng.uniform(0.5, 3.0), 0.0),
            noise=sometimes(0.95, np.clip(rng.gamma(1.5, 1.1), 0.3, 8.0), 0.0),
            coarse=bool(rng.random() < 0.4),
            # Of whole pictures, never of crops: there the codec's blocks are smaller than a mouth. In all three real sets
            # no block or trail is seen.
            quality=int(rng.integers(20, 33)) if shrink >= _COARSE and rng.random() < 0.7 else None,
        )

    def again(self, rng: np.random.Generator) -> Film:
        """A film for pictures that this one has been kept on: as coarse as it or coarser, compressed, and some noise more.

        Light, lens and shutter stay the first one's. ValueError where this one compressed them already.
        """
        if self.quality is not None:
            raise ValueError("compressed pictures are not compressed again")
        other = Film.random(rng)
        shrink = max(self.shrink, float(np.exp(rng.uniform(np.log(_COARSE), np.log(_COARSEST)))))
        return Film(
            shrink=shrink, blur=0.0, smear=0.0, fps=25.0, sharpen=0.0 if self.sharpen else other.sharpen, gain=1.0, lift=0.0, gamma=1.0,
            slope=(0.0, 0.0), flicker=0.0, noise=0.7 * other.noise, coarse=other.coarse, quality=int(rng.integers(21, 33)),
        )

    @property
    def oversampling(self) -> int:
        """How many times larger than the crop a drawing for this film has to be, so that its edges are smooth."""
        return 1 if self.shrink >= _COARSE or self.blur >= _SOFT else 2


_COARSEST = 3.7  # pixels of the crop in one of the sensor
_COARSE = 1.5  # pixels of the crop in one of the sensor: from here on each takes in two of a drawing, or more
_SOFT = 0.9  # pixels of blur that leave nothing of a drawing's steps


def vary(frames: np.ndarray, rng: np.random.Generator, film: Film | None = None) -> np.ndarray:
    """Frames (T, H, W) grey or (T, H, W, 3) RGB uint8 as a camera drawn at random, or `film`, would have kept them.

    As many pictures of the same size come back. What belongs to one clip (lens, sensor, file) stays the same all
    through it. Whole faces, which go to a compressed file anyway, are not compressed here.
    """
    import cv2

    film = film or Film.random(rng)
    total, height, width = frames.shape[:3]
    unit = 1.0 if frames.ndim == 3 else height / _FACE_HEIGHT  # pixels of these pictures for one of a mouth crop
    size = tuple(max(16, 2 * round(side / film.shrink / 2)) for side in (width, height))
    table = _tone(film, float(frames.mean()))
    tilt = _tilt(film, height, width)
    kernel = cv2.getGaussianKernel(2 * max(1, round(3 * film.blur * unit)) + 1, max(film.blur * unit, 1e-3))
    kept = np.empty((total, size[1], size[0], *frames.shape[3:]), np.uint8)
    before: np.ndarray | None = None
    for index, shown in enumerate(_shown(total, film.fps)):
        picture = frames[shown]
        if before is not None and film.smear:
            picture = cv2.addWeighted(picture, 1 - film.smear, before, film.smear, 0.0)
        before = frames[shown]
        if film.blur > 0.1:
            picture = cv2.sepFilter2D(picture, -1, kernel, kernel, borderType=cv2.BORDER_REPLICATE)
        picture = cv2.LUT(cv2.add(picture, tilt if picture.ndim == 2 else cv2.merge([tilt] * 3), dtype=cv2.CV_8U), table)
        kept[index] = cv2.resize(picture, size, interpolation=cv2.INTER_AREA) if size != (width, height) else picture
    _grain(kept, film, rng)
    if film.quality is not None and kept.ndim == 3:
        kept = _compressed(kept, film.quality)
    if film.sharpen:
        for picture in kept:
            soft = cv2.GaussianBlur(picture, (0, 0), 1.2)
            picture[...] = cv2.addWeighted(picture, 1 + film.sharpen, soft, -film.sharpen, 0.0)
    if size == (width, height):
        return kept
    return np.stack([cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR) for picture in kept])


_EXPOSED = (48.0, 190.0)  # levels
_FACE_HEIGHT = 720.0  # a picture of a whole face this high shows a mouth about as large as a crop does


def _shown(total: int, fps: float) -> np.ndarray:
    """(total,) the picture that is seen at each 25th of a second when only `fps` are taken."""
    time = np.arange(total)
    taken = np.floor(time * fps / 25.0 + 1e-6) * 25.0 / fps
    return np.minimum(np.ceil(taken - 1e-6).astype(int), time)


def _tone(film: Film, mean: float) -> np.ndarray:
    """(256,) uint8: what the sensor and its maker's curve make of each level of pictures whose mean is `mean`."""
    # Cameras expose for what they see: a mean stays within bounds, which the real ones (86 to 139) keep with room to spare.
    darkest, lightest = (255.0 * (bound / 255.0) ** (1 / film.gamma) - film.lift for bound in _EXPOSED)
    gain = float(np.clip(film.gain, darkest / max(mean, 1.0), lightest / max(mean, 1.0)))
    level = np.clip((np.arange(256) * gain + film.lift) / 255.0, 0, 1) ** film.gamma
    return (255 * level + 0.5).astype(np.uint8)


def _tilt(film: Film, height: int, width: int) -> np.ndarray:
    """(height, width) int16: light that falls off to a side."""
    across, down = np.linspace(-1, 1, width), np.linspace(-1, 1, height)
    return np.rint(film.slope[0] * across[None] + film.slope[1] * down[:, None]).astype(np.int16)


def _grain(frames: np.ndarray, film: Film, rng: np.random.Generator) -> None:
    """Adds noise, new in each picture, and flicker to (T, H, W[, 3]) uint8 in place."""
    import cv2

    if not film.noise and not film.flicker:
        return
    height, width = frames.shape[1:3]
    # One field, larger than a picture, seen through a window that jumps: as good as new noise, and cheap.
    field = rng.standard_normal((2 * height, 2 * width), dtype=np.float32)
    if film.coarse:
        field = cv2.GaussianBlur(field, (0, 0), 0.8) * 2.2
    field = np.rint(film.noise * field).astype(np.int16)
    levels = np.rint(film.flicker * rng.standard_normal(len(frames))).astype(np.int16)
    corners = rng.integers(0, (height, width), (len(frames), 2))
    for picture, (top, left), level in zip(frames, corners, levels, strict=True):
        noise = field[top : top + height, left : left + width] + level
        noise = noise if picture.ndim == 2 else cv2.merge([noise] * 3)
        picture[...] = cv2.add(picture, noise, dtype=cv2.CV_8U)


def _compressed(frames: np.ndarray, quality: int) -> np.ndarray:
    """(T, H, W) uint8 grey after H.264 at a constant rate factor; H and W are even."""
    import av

    height, width = frames.shape[1:]
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate, encoder.thread_count = Fraction(1, 25), Fraction(25), 1
    encoder.options = {"crf": str(quality), "preset": "veryfast"} | steady_options()
    decoder = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    pictures: list[np.ndarray] = []

    def decode(packets: list[av.Packet]) -> None:
        for packet in packets:
            for frame in decoder.decode(packet):
                pictures.append(_luma(frame))

    whole = np.full((height * 3 // 2, width), 128, np.uint8)  # brightness, and below it two pictures without colour
    for index, picture in enumerate(frames):
        whole[:height] = picture
        frame = av.VideoFrame.from_ndarray(whole, format="yuv420p")
        frame.pts, frame.time_base = index, Fraction(1, 25)
        decode(encoder.encode(frame))
    decode(encoder.encode(None))
    pictures += [_luma(frame) for frame in decoder.decode(None)]
    return np.stack(pictures)


def _luma(frame) -> np.ndarray:
    """(H, W) uint8: a decoded frame's brightness as it lies there; PyAV's own way sets up a converter for each frame,
    which takes ten times as long as decoding."""
    plane = frame.planes[0]
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width].copy()
