"""From visemes in time to the mouth's shape in millimetres at any moment, with coarticulation.

Every gesture has a dominance over each channel that is full during the sound and falls off exponentially before and
after it; the shape is the mean of the targets weighted by dominance (Cohen and Massaro 1993, Modeling coarticulation in
synthetic visual speech). A mean never shuts the lips, so the bilabials are laid over it: an envelope that is exactly
closed through the closure, and so is the tip of the tongue for the coronals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from avsr.corpora.talking_heads.manner import MouthStyle
from avsr.corpora.talking_heads.visemes import CHANNELS, VISEMES, Gesture

FRAME = 0.04  # seconds: the picture is sampled 25 times a second

_STEP = 0.005  # seconds between the points at which the mouth is computed, before it is sampled
_REACH = 0.6  # seconds: dominance further away is nothing
# Time constants of dominance before and after the sound, seconds. The lips are rounded well ahead of a rounded vowel
# and let go sooner; jaw and aperture follow the sound more closely.
_BEFORE = np.array([0.035, 0.035, 0.060, 0.070])
_AFTER = np.array([0.035, 0.035, 0.040, 0.045])
_SMOOTH = 0.012  # seconds, deviation of the Gaussian that rounds the corners dominance leaves
_SHUT = -0.5  # mm: lips that touch yield a little
_LIP_TRAVEL = 0.065  # seconds the lips take to shut or to part
_LIP_FASTEST = 0.035  # seconds, where a short vowel between two closures leaves no more
_VOWEL = 0.02  # seconds: two closures less far apart have no vowel between them
_SEEN = 0.085  # seconds from one closure to the next in which 25 pictures a second show that the lips were open
_TIP_TRAVEL = 0.045
_SHORTEST = 1.05 * FRAME  # a closure or tongue contact shorter than a frame's time could fall between two frames
_OPENING, _CLOSING = (0.10, 0.25), (0.15, 0.30)  # seconds from rest to speech, and back: drawn for each phrase
_TOKEN, _WORD = 0.06, 0.08  # deviations (of the logarithm) of one sound, and of one eojeol, about the speaker's manner


@dataclass
class Articulation:
    """The mouth at T moments: `shape` (T, 4) mm for CHANNELS; `press`, `tip` and `speaking` (T,) 0 to 1.

    `speaking` is exactly 0 in a pause, once the mouth has come to rest.
    """

    shape: np.ndarray
    press: np.ndarray
    tip: np.ndarray
    speaking: np.ndarray


def articulate(sounds: Sequence[Gesture], frames: int, style: MouthStyle, rng: np.random.Generator) -> Articulation:
    """The mouth at the times 0, 1/25, 2/25 ... s of `frames` pictures, for gestures in the order of time."""
    per_frame = round(FRAME / _STEP)
    pad = 10  # steps before the first picture and after the last, for the smoothing
    times = (np.arange((frames - 1) * per_frame + 1 + 2 * pad) - pad) * _STEP
    rest = np.array([min(1.0, style.rest_gap), style.rest_gap, 0.0, 0.0])
    if not sounds:
        still = np.zeros(frames)
        return Articulation(np.tile(rest, (frames, 1)), still, still.copy(), still.copy())
    start = np.array([sound.start for sound in sounds]) - style.lead
    end = np.array([sound.end for sound in sounds]) - style.lead
    strength = _strength(sounds, style, rng)
    phrases = _phrases(start, end, rng)
    speaking = np.max([_bump(times, *phrase) for phrase in phrases], axis=0)
    shape = _dominate(sounds, times, start, end, strength, style)
    shape = rest + speaking[:, None] * (_smooth(shape) - rest)
    shut, press = _closures(sounds, times, start, end, phrases, style)
    gap = CHANNELS.index("gap")
    shape[:, gap] = (1.0 - shut) * shape[:, gap] + shut * _SHUT
    tip = _tip(sounds, times, start, end, style) * speaking
    at = slice(pad, len(times) - pad, per_frame)
    return Articulation(shape[at], press[at], tip[at], speaking[at])


def _strength(sounds: Sequence[Gesture], style: MouthStyle, rng: np.random.Generator) -> np.ndarray:
    """(N, 4) factors of the targets: the speaker's, the eojeol's, this speaker's viseme's, and the token's own."""
    own = np.random.default_rng(style.seed).normal(0.0, 1.0, (len(VISEMES), len(CHANNELS)))
    row = {name: index for index, name in enumerate(VISEMES)}
    words = {word: rng.normal(0.0, _WORD) for word in dict.fromkeys(sound.word for sound in sounds)}
    chance = rng.normal(0.0, _TOKEN, (len(sounds), len(CHANNELS)))
    logarithm = np.array([style.quirk * own[row[s.name]] + words[s.word] for s in sounds]) + chance
    target = np.array([sound.viseme.target for sound in sounds])
    manner = np.tile([style.strength, style.strength, 1.0, style.rounding], (len(sounds), 1))
    manner[:, 2] = np.where(target[:, 2] < 0, style.rounding, style.spread)
    return manner * np.exp(logarithm)


def _dominate(
    sounds: Sequence[Gesture],
    times: np.ndarray,
    start: np.ndarray,
    end: np.ndarray,
    strength: np.ndarray,
    style: MouthStyle,
) -> np.ndarray:
    """(M, 4) mm: the mean of the targets weighted by dominance at each of the M times."""
    total, weights = np.zeros((len(times), 4)), np.full((len(times), 4), 1e-12)
    before, after = 1.0 / (style.tempo * _BEFORE), 1.0 / (style.tempo * _AFTER)
    for index, sound in enumerate(sounds):
        first, last = np.searchsorted(times, (start[index] - _REACH, end[index] + _REACH))
        here = times[first:last]
        # The middle half of the sound is its own; its edges already belong in part to its neighbours.
        inset = 0.25 * (end[index] - start[index])
        early = np.maximum(start[index] + inset - here, 0.0)[:, None]
        late = np.maximum(here - end[index] + inset, 0.0)[:, None]
        weight = np.array(sound.viseme.hold) * np.exp(-early * before - late * after)
        weights[first:last] += weight
        total[first:last] += weight * (strength[index] * sound.viseme.target)
    return total / weights


def _phrases(start: np.ndarray, end: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(P, 4) seconds: start and end of each phrase, and how long the mouth takes to open and to close."""
    breaks = np.flatnonzero(start[1:] - end[:-1] > 1e-3)
    count = len(breaks) + 1
    times = start[np.r_[0, breaks + 1]], end[np.r_[breaks, len(end) - 1]]
    return np.stack([*times, rng.uniform(*_OPENING, count), rng.uniform(*_CLOSING, count)], axis=1)


def _closures(
    sounds: Sequence[Gesture],
    times: np.ndarray,
    start: np.ndarray,
    end: np.ndarray,
    phrases: np.ndarray,
    style: MouthStyle,
) -> tuple[np.ndarray, np.ndarray]:
    """(M,) how far the lips are shut, exactly 1 in every bilabial, and (M,) how tightly."""
    shut, press = np.zeros(len(times)), np.zeros(len(times))
    travel = style.tempo * _LIP_TRAVEL
    spans = _closed_spans(sounds, start, end, phrases, travel)
    for index, (first, last, firm) in enumerate(spans):
        before = first - spans[index - 1][1] if index else np.inf
        after = spans[index + 1][0] - last if index + 1 < len(spans) else np.inf
        rise, fall = (max(_LIP_FASTEST, min(travel, room / 2)) for room in (before, after))
        np.maximum(shut, _bump(times, first, last, rise, fall), out=shut)
        middle = max(first, last - 2 * travel), last  # lips at rest before the phrase are shut, but not pressed
        tight = _bump(times, *(0.7 * np.array(middle) + 0.3 * np.array(middle[::-1])), rise, fall)
        np.maximum(press, style.press * firm * tight, out=press)
    return shut, np.minimum(press, 1.0)


def _closed_spans(
    sounds: Sequence[Gesture], start: np.ndarray, end: np.ndarray, phrases: np.ndarray, travel: float
) -> list[tuple[float, float, float]]:
    """From when to when (s) each bilabial keeps the lips shut, and how tightly it presses them."""
    spans, own = [], []
    phrase = 0
    for index, sound in enumerate(sounds):
        if start[index] >= phrases[phrase, 1]:
            phrase += 1
        shut_from, shut_to = sound.viseme.closed
        if shut_from >= shut_to:
            continue
        begin, finish, opening, closing = phrases[phrase]
        first, last = start[index] + np.array([shut_from, shut_to]) * (end[index] - start[index])
        first = min(first, last - _SHORTEST)  # the lips come early rather than part late
        own.append((first, last))
        if begin == start[index]:  # lips at rest are not opened to be shut again
            free = phrases[phrase - 1, 1] if phrase else -np.inf
            first = min(first, max(begin - opening, free) + travel)
        if finish == end[index] and shut_to == 1.0:  # nor opened to come to rest
            free = phrases[phrase + 1, 0] if phrase + 1 < len(phrases) else np.inf
            last = max(last, min(finish + closing, free) - travel)
        spans.append((first, last, sound.viseme.press))
    return _with_room(spans, own)


def _with_room(
    spans: list[tuple[float, float, float]], own: list[tuple[float, float]]
) -> list[tuple[float, float, float]]:
    """Closures cut shorter, though never below a picture's time, where the vowel between two would leave no opening.

    That picture is one of the sound itself, `own`: what of a closure is rest before or after the phrase does not count.
    """
    wide = list(spans)
    for index in range(len(wide) - 1):
        (first, last, firm), (begin, end, tight) = wide[index : index + 2]
        wanted = _SEEN - (begin - last)
        if not 0 < wanted < _SEEN - _VOWEL:
            continue
        last = max(own[index][0] + _SHORTEST, last - wanted / 2)
        begin = min(own[index + 1][1] - _SHORTEST, begin + wanted / 2)
        wide[index : index + 2] = [(first, last, firm), (begin, end, tight)]
    return wide


def _tip(
    sounds: Sequence[Gesture], times: np.ndarray, start: np.ndarray, end: np.ndarray, style: MouthStyle
) -> np.ndarray:
    """(M,) height of the tongue tip, 0 to 1; the coronals touch in at least one picture."""
    height = np.zeros(len(times))
    for index, sound in enumerate(sounds):
        if not sound.viseme.tip:
            continue
        middle = (start[index] + end[index]) / 2
        half = max(_SHORTEST, end[index] - start[index]) / 2
        travel = style.tempo * _TIP_TRAVEL
        np.maximum(height, sound.viseme.tip * _bump(times, middle - half, middle + half, travel, travel), out=height)
    return height


def _bump(times: np.ndarray, first: float, last: float, rise: float, fall: float) -> np.ndarray:
    """1 from `first` to `last`, 0 from `rise` before and `fall` after, half a cosine between: no jerk."""
    outside = np.maximum((first - times) / rise, (times - last) / fall)
    return 0.5 + 0.5 * np.cos(np.pi * np.clip(outside, 0.0, 1.0))


def _smooth(shape: np.ndarray) -> np.ndarray:
    """(M, 4) smoothed along time by a short Gaussian, its ends held."""
    radius = round(3 * _SMOOTH / _STEP)
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) * _STEP / _SMOOTH) ** 2)
    held = np.pad(shape, ((radius, radius), (0, 0)), mode="edge")
    return np.lib.stride_tricks.sliding_window_view(held, 2 * radius + 1, axis=0) @ (kernel / kernel.sum())
