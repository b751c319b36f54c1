"""What training does to an utterance before the model sees it: pieces, tempo, crops, light, masks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from avsr.media.audio import SAMPLE_RATE
from avsr.noise.corruption import PictureCorruption, SoundCorruption

FRAME_RATE = 25
SAMPLES_PER_FRAME = SAMPLE_RATE // FRAME_RATE
SHORTEST = 2  # frames of a piece

WordTime = tuple[float, float, str]


@dataclass(frozen=True)
class Augmentation:
    """Probabilities and ranges; conf/*.yaml sets them under `augment_conf`.

    piece: chance that a run of words is cut out, where the corpus has word times (LipNet, 2016, trains on single words
        first; a run keeps the words' neighbours).
    shortest_piece: words in the shortest run.
    margin_s: silence kept before and after the words, drawn from this range; `keep_silence` is the chance that all is kept.
    tempo: factor of duration, of pictures, sound and word times alike; the sound's pitch goes along. `densest` is the most
        tokens a frame that haste may lead to: the fastest of AI-Hub's clips has 0.83 jamo a frame, and beyond 1 CTC has
        no path left.
    rotation in degrees, scale as a factor, shift in pixels of the 96x96 clip.
    crop_size: what is cut from the clip; the lip encoder's crop_size.
    gain, offset, gamma: of brightness. erase: chance of a blank rectangle. time_masks, time_mask_frames: pieces of the
        clip replaced by its mean (Assael et al. drop frames; Ma et al., "Auto-AVSR", 2023, mask time).
    sound, picture: faults, see `avsr.noise.corruption`.
    """

    piece: float = 0.5
    shortest_piece: int = 2
    margin_s: tuple[float, float] = (0.0, 0.3)
    keep_silence: float = 0.3
    tempo: tuple[float, float] = (0.85, 1.2)
    densest: float = 0.83
    crop_size: int = 88
    rotation: float = 6.0
    scale: tuple[float, float] = (0.9, 1.12)
    shift: float = 4.0
    gain: tuple[float, float] = (0.8, 1.2)
    offset: float = 20.0
    gamma: tuple[float, float] = (0.7, 1.4)
    flip: float = 0.5
    erase: float = 0.3
    time_masks: int = 2
    time_mask_frames: int = 8
    sound: SoundCorruption = SoundCorruption()
    picture: PictureCorruption = PictureCorruption()


def choose_piece(
    words: list[WordTime], frames: int, rng: np.random.Generator, config: Augmentation
) -> tuple[int, int, list[WordTime]]:
    """A run of words to train on: its first frame, that after its last, and the words, timed from the first in seconds.

    Whole frames, so that the sound can be cut where the picture is; two or more of them, where there are that many,
    though labels are off by a little, and may be past the end.
    """
    duration = frames / FRAME_RATE
    first, stop = 0, len(words)
    if rng.random() < config.piece and len(words) > config.shortest_piece:
        count = int(rng.integers(config.shortest_piece, len(words)))
        first = int(rng.integers(0, len(words) - count + 1))
        stop = first + count
    before, after = (
        duration if rng.random() < config.keep_silence else rng.uniform(*config.margin_s) for _ in range(2)
    )
    start = max(0.0, words[first][0] - (before if first == 0 else 0.0))
    end = min(duration, words[stop - 1][1] + (after if stop == len(words) else 0.0))
    # Outwards, so that nothing of the words is lost; 1e-6 because 0.28 * 25 is a little more than 7.
    first_frame = max(0, min(math.floor(start * FRAME_RATE + 1e-6), frames - SHORTEST))
    stop_frame = max(math.ceil(end * FRAME_RATE - 1e-6), first_frame + SHORTEST)
    start = first_frame / FRAME_RATE
    return first_frame, stop_frame, [(a - start, b - start, text) for a, b, text in words[first:stop]]


def change_tempo(samples: np.ndarray, factor: float) -> np.ndarray:
    """(N,) -> (N * factor,) float32 by linear interpolation: tempo and pitch change together, as with a tape."""
    count = max(1, round(len(samples) * factor))
    return np.interp(np.arange(count) / factor, np.arange(len(samples)), samples).astype(np.float32)


def tempo_frames(frames: int, factor: float) -> np.ndarray:
    """Which source frame is shown in each of round(frames * factor) frames."""
    count = max(2, round(frames * factor))
    return np.minimum(((np.arange(count) + 0.5) / factor).astype(int), frames - 1)


@dataclass(frozen=True)
class Look:
    """How a clip's pictures are seen this time: moved by `matrix` (2, 3) from the clip to what is cut from it, mirrored then, and each
    value v made 255 (v / 255)^gamma gain + offset."""

    matrix: np.ndarray
    flip: bool
    gamma: float
    gain: float
    offset: float


def draw_look(side: int, rng: np.random.Generator, config: Augmentation) -> Look:
    """One rotation, scale, shift, flip and light for a clip of `side` pixels."""
    import cv2

    size = config.crop_size
    matrix = cv2.getRotationMatrix2D(
        (side / 2, side / 2), rng.uniform(-config.rotation, config.rotation), rng.uniform(*config.scale)
    )
    matrix[:, 2] += rng.uniform(-config.shift, config.shift, 2) - (side - size) / 2
    gamma = rng.uniform(*config.gamma) if rng.random() < 0.5 else 1.0
    gain, offset = rng.uniform(*config.gain), rng.uniform(-config.offset, config.offset)
    return Look(matrix, rng.random() < config.flip, gamma, gain, offset)


def move_and_light(frames: np.ndarray, rng: np.random.Generator, config: Augmentation) -> np.ndarray:
    """(T, 96, 96) uint8 -> (T, crop, crop) uint8, seen as `draw_look` has it, cut off at 0 and 255."""
    import cv2

    look, size = draw_look(frames.shape[-1], rng, config), config.crop_size
    table = np.arange(256, dtype=np.float32) / 255
    table = 255 * table**look.gamma * look.gain + look.offset
    table = table.round().clip(0, 255).astype(np.uint8)  # bytes: what a batch of pictures weighs is felt on its way to the model
    out = np.empty((len(frames), size, size), np.uint8)
    for source, target in zip(frames, out):
        cv2.warpAffine(source, look.matrix, (size, size), dst=target, borderMode=cv2.BORDER_REPLICATE)
    if look.flip:
        out = np.ascontiguousarray(out[:, :, ::-1])
    return cv2.LUT(out.reshape(len(out), -1), table).reshape(out.shape)


def draw_holes(
    count: int, side: int, rng: np.random.Generator, config: Augmentation
) -> tuple[tuple[slice, slice] | None, list[slice]]:
    """What is blanked of a clip: rows and columns of all its pictures, or None, and stretches of its `count` pictures."""
    rectangle = None
    if rng.random() < config.erase:
        height, width = rng.integers(side // 11, side // 3, 2)
        top, left = rng.integers(0, side - height), rng.integers(0, side - width)
        rectangle = slice(int(top), int(top + height)), slice(int(left), int(left + width))
    stretches = []
    for _ in range(int(rng.integers(0, config.time_masks + 1))):
        length = int(rng.integers(1, config.time_mask_frames + 1))
        if count > length + 4:
            first = int(rng.integers(0, count - length))
            stretches.append(slice(first, first + length))
    return rectangle, stretches


def hide(frames: np.ndarray, rng: np.random.Generator, config: Augmentation) -> np.ndarray:
    """Blank a rectangle and a few stretches of time of (T, H, W) uint8 frames, in place, with the clip's mean."""
    mean = round(float(frames.mean()))
    rectangle, stretches = draw_holes(len(frames), frames.shape[-1], rng, config)
    if rectangle is not None:
        frames[:, rectangle[0], rectangle[1]] = mean
    for stretch in stretches:
        frames[stretch] = mean
    return frames


def cut_samples(samples: np.ndarray, first: int, stop: int) -> np.ndarray:
    """The 640 samples of each frame from `first` until before `stop`; where sound ends first, silence for two frames."""
    cut = samples[first * SAMPLES_PER_FRAME : stop * SAMPLES_PER_FRAME]
    return np.pad(cut, (0, max(0, SHORTEST * SAMPLES_PER_FRAME - len(cut))))
