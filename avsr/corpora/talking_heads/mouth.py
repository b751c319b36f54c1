"""How a face moves while it speaks: phonemes with their times in, weights of the face units 25 times a second out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from avsr.corpora.talking_heads.articulation import FRAME, articulate
from avsr.corpora.talking_heads.face_units import FACE_UNITS, unit_weights
from avsr.corpora.talking_heads.manner import MouthStyle
from avsr.corpora.talking_heads.timing import PhoneTime
from avsr.corpora.talking_heads.visemes import gestures
from avsr.errors import AvsrError

# Seconds, deviation of the Gaussian that makes head movement of noise, and its strength. In AI-Hub, GRID and a video of
# the web alike the rim of a mouth crop changes half as much as the mouth: heads that only drift are too still.
_SWAYS = ((0.35, 1.0), (0.10, 0.33))
_AXES = np.array([1.0, 1.0, 0.5])  # yaw, pitch, roll: how far each turns, against the yaw; people nod as they speak
_STILLER = 0.35  # of the head's movement that is left in a pause
_BLINK_DOWN, _BLINK_SHUT, _BLINK_UP = 0.07, 0.03, 0.16  # seconds
_BROW = 0.25  # the most that a stressed eojeol lifts the brows


@dataclass
class Motion:
    """T pictures at 25 a second: `units` (T, U) float32 0 to 1 for FACE_UNITS, `pose` (T, 3) float32 degrees.

    Pose is yaw (+ to the speaker's left), pitch (+ up), roll (+ towards the speaker's left shoulder), around 0. `shape`
    (T, 7) float32 is what the units were made from, for the CHANNELS of avsr.lips.mouth_shape.
    """

    units: np.ndarray
    pose: np.ndarray
    shape: np.ndarray


def frame_count(duration: float) -> int:
    """How many pictures at 25 a second go with `duration` seconds of sound; at least 1."""
    return max(1, round(duration / FRAME))


def mouth_motion(
    phones: Sequence[PhoneTime], duration: float, style: MouthStyle, rng: np.random.Generator
) -> Motion:
    """The face that says `phones` (seconds, in order, pauses as None or left out) for `duration` seconds.

    Picture t shows the mouth at t / 25 s. The lips are shut in at least one picture of every bilabial, and in a pause
    the mouth comes to rest and then does not move at all; head and eyes go on. AvsrError for times that run backwards
    or past the duration, and for sounds that are not Korean.
    """
    _check(phones, duration)
    frames = frame_count(duration)
    sounds = gestures(phones)
    mouth = articulate(sounds, frames, style, rng)
    units = unit_weights(mouth, style)
    eyes = _blinks(frames, style, rng)
    for side in ("Left", "Right"):
        units[:, FACE_UNITS.index(f"eyeBlink{side}")] = eyes
    units[:, FACE_UNITS.index("browInnerUp")] = _brows([sound.start for sound in sounds], frames, style, rng)
    shape = np.column_stack([mouth.shape, mouth.press, mouth.tip, mouth.speaking]).astype(np.float32)
    return Motion(units, _sway(mouth.speaking, style, rng), shape)


def _check(phones: Sequence[PhoneTime], duration: float) -> None:
    if not (np.isfinite(duration) and duration > 0):
        raise AvsrError(f"a motion of {duration} s cannot be made: give a duration above 0")
    for phone in phones:
        if not 0 <= phone.start < phone.end <= duration + FRAME:
            raise AvsrError(
                f"a sound from {phone.start:.3f} to {phone.end:.3f} s does not lie within the {duration:.3f} s of the"
                " speech: give times in seconds, each end after its start"
            )
    for one, two in pairwise(phones):
        if two.start < one.end - 1e-6:
            raise AvsrError(
                f"the sound at {two.start:.3f} s begins before the one at {one.start:.3f} s has ended: give the sounds"
                " in order, without overlap"
            )


def _blinks(frames: int, style: MouthStyle, rng: np.random.Generator) -> np.ndarray:
    """(T,) lids, 0 open to 1 shut, at random times about 60 / `style.blinks` seconds apart."""
    times, lids = np.arange(frames) * FRAME, np.zeros(frames)
    pause = 60.0 / style.blinks
    moment = rng.uniform(0.0, pause)
    while moment < times[-1] + 1.0:
        falling = np.interp(times, (moment, moment + _BLINK_DOWN), (0.0, 1.0))
        reopened = moment + _BLINK_DOWN + _BLINK_SHUT
        np.maximum(lids, falling - np.interp(times, (reopened, reopened + _BLINK_UP), (0.0, 1.0)), out=lids)
        moment += max(0.6, pause * rng.lognormal(-0.3, 0.8))
    return lids


def _brows(starts: list[float], frames: int, style: MouthStyle, rng: np.random.Generator) -> np.ndarray:
    """(T,) inner brows, lifted now and then at a sound by a lively speaker."""
    times, lift = np.arange(frames) * FRAME, np.zeros(frames)
    lively = min(1.0, style.head / 2.5)
    for start in starts:
        if rng.random() < 0.04:
            np.maximum(lift, _BROW * lively * np.exp(-0.5 * ((times - start) / 0.18) ** 2), out=lift)
    return lift


def _sway(speaking: np.ndarray, style: MouthStyle, rng: np.random.Generator) -> np.ndarray:
    """(T, 3) float32 degrees of head movement, drift and nods, less of it in pauses."""
    drift = sum(strength * _drift(len(speaking), seconds, rng) for seconds, strength in _SWAYS)
    kernel = _gaussian(_SWAYS[0][0])
    level = np.convolve(np.pad(speaking, len(kernel) // 2, mode="edge"), kernel / kernel.sum(), "valid")
    moving = _STILLER + (1 - _STILLER) * level
    return (style.head * _AXES * drift * moving[:, None]).astype(np.float32)


def _drift(frames: int, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """(frames, 3) noise of unit deviation, smoothed over `seconds`."""
    kernel = _gaussian(seconds)
    noise = rng.standard_normal((frames + len(kernel) - 1, 3))
    unit = kernel / np.sqrt((kernel**2).sum())
    return np.stack([np.convolve(noise[:, axis], unit, "valid") for axis in range(3)], axis=1)


def _gaussian(seconds: float) -> np.ndarray:
    radius = round(4 * seconds / FRAME)
    return np.exp(-0.5 * (np.arange(-radius, radius + 1) * FRAME / seconds) ** 2)
