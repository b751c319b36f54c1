"""How a face moves that does not speak: still, smiling, laughing, chewing, yawning, turning, pressing its lips, breathing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from avsr.corpora.talking_heads.articulation import FRAME
from avsr.corpora.talking_heads.face_units import FACE_UNITS
from avsr.corpora.talking_heads.manner import MouthStyle
from avsr.corpora.talking_heads.mouth import Motion, mouth_motion
from avsr.errors import AvsrError

# Shares of the units below are set by looking, not measured; tempi are from the sources beside them.
_CHEWS = (0.8, 2.0)  # cycles a second (Po et al. 2011, J Dent Res 90: mean 1.57, deviation 0.23, in 87 people)
_BITES = (4, 18)  # cycles between two pauses
_LAUGHS = (4.0, 5.5)  # a second (Bachorowski, Smoski and Owren 2001, JASA 110: 4.37 calls a second)
_BREATH = (0.2, 0.45)  # breaths a second

_Units = dict[str, np.ndarray]


def quiet_motion(kind: str, duration: float, style: MouthStyle, rng: np.random.Generator) -> Motion:
    """The face that does one of KINDS for `duration` seconds, 25 pictures a second; `shape` says that nobody speaks, and
    nothing else that can be trusted. AvsrError for another kind."""
    if kind not in KINDS:
        raise AvsrError(f"kind {kind!r}: it can be {', '.join(KINDS)}.")
    motion = mouth_motion([], duration, style, rng)
    frames = len(motion.units)
    times = np.arange(frames) * FRAME
    units: _Units = {}
    pose = KINDS[kind](times, rng, units)
    weights = motion.units.copy()
    for name, course in units.items():
        sides = [name] if name in FACE_UNITS else [f"{name}Left", f"{name}Right"]
        for side, factor in zip(sides, (1 + style.asymmetry, 1 - style.asymmetry) if len(sides) == 2 else (1.0,), strict=True):
            weights[:, FACE_UNITS.index(side)] += (factor * course).astype(np.float32)
    # People who do not speak hold their heads as still as those who do, or not at all.
    sway = motion.pose * rng.uniform(0.5, 3.0)
    return replace(motion, units=weights.clip(0.0, 1.0), pose=sway if pose is None else (sway + pose).astype(np.float32))


def _still(times: np.ndarray, rng: np.random.Generator, units: _Units) -> None:
    """Nothing but blinks and the head; some keep a smile or an open mouth all the time."""
    if rng.random() < 0.3:
        units["mouthSmile"] = np.full(len(times), rng.uniform(0.05, 0.5))
    elif rng.random() < 0.3:
        _part_lips(units, np.full(len(times), rng.uniform(1.0, 8.0)))


def _smiling(times: np.ndarray, rng: np.random.Generator, units: _Units) -> None:
    """Smiles that come and go, with closed lips or with teeth."""
    smile, teeth = np.zeros(len(times)), np.zeros(len(times))
    for middle in _moments(times, rng, 1.0, 5.0):
        bump = _bump(times, middle, rng.uniform(0.3, 3.0), rng.uniform(0.25, 0.9), rng.uniform(0.3, 1.2))
        np.maximum(smile, rng.uniform(0.2, 0.95) * bump, out=smile)
        if rng.random() < 0.5:
            np.maximum(teeth, rng.uniform(1.0, 9.0) * bump, out=teeth)
    units["mouthSmile"] = smile
    _part_lips(units, teeth)


def _laughing(times: np.ndarray, rng: np.random.Generator, units: _Units) -> np.ndarray:
    """An open smile that shakes."""
    smile, gap, nod = np.zeros(len(times)), np.zeros(len(times)), np.zeros((len(times), 3))
    for middle in _moments(times, rng, 1.5, 5.0):
        bump = _bump(times, middle, rng.uniform(0.6, 3.0), 0.35, rng.uniform(0.4, 1.0))
        shake = 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(*_LAUGHS) * times + rng.uniform(0, 2 * np.pi))
        depth = rng.uniform(0.1, 0.5)
        np.maximum(smile, rng.uniform(0.4, 0.9) * bump, out=smile)
        np.maximum(gap, rng.uniform(6.0, 16.0) * bump * (1 - depth * shake), out=gap)
        nod[:, 1] += rng.uniform(-6, 8) * bump + rng.uniform(0.2, 1.0) * bump * shake
    units["mouthSmile"] = smile
    _part_lips(units, gap)
    return nod


def _chewing(times: np.ndarray, rng: np.random.Generator, units: _Units) -> None:
    """The jaw goes round, the lips shut or nearly so; now and then a bite is taken, or the mouth is swept by the tongue."""
    rate, size = rng.uniform(*_CHEWS), rng.uniform(0.06, 0.3)
    # Each cycle has its own length and depth.
    phase = np.cumsum(np.full(len(times), rate) * FRAME * np.exp(0.15 * _slow(times, 0.4, rng)))
    depth = size * np.exp(0.25 * _slow(times, 0.5, rng))
    chews = np.zeros(len(times))
    start, first = -rng.uniform(0.0, 2.0), True
    while start < times[-1]:
        length = rng.integers(*_BITES) / rate
        np.maximum(chews, _bump(times, start + length / 2, length, 0.2, 0.3), out=chews)
        start += length + rng.uniform(0.4, 2.0)
        if rng.random() < 0.3 and not first:  # a bite
            bite = _bump(times, start - 0.4, rng.uniform(0.1, 0.4), 0.25, 0.2)
            _part_lips(units, rng.uniform(10.0, 22.0) * bite)
        first = False
    jaw = depth * chews * (0.5 - 0.5 * np.cos(2 * np.pi * phase)) ** rng.uniform(0.8, 1.5)
    shut = rng.uniform(0.75, 1.0)  # some chew with lips parted
    _add(units, "jawOpen", jaw)
    _add(units, "mouthClose", shut * jaw)
    side = depth * chews * rng.uniform(0.3, 2.0) * np.sin(2 * np.pi * phase + rng.uniform(0, 1))
    _add(units, "jawLeft", np.maximum(side, 0.0))
    _add(units, "jawRight", np.maximum(-side, 0.0))
    pull = rng.uniform(0.0, 0.4) * chews * (0.5 - 0.5 * np.cos(2 * np.pi * phase + rng.uniform(0, 6)))
    _add(units, str(rng.choice(["mouthPress", "mouthDimple", "mouthPucker", "mouthShrugLower"])), pull)


def _yawning(times: np.ndarray, rng: np.random.Generator, units: _Units) -> np.ndarray:
    """The mouth opens wide and slowly, stays open and shuts faster; 4 to 7 seconds in all."""
    wide, tilt = np.zeros(len(times)), np.zeros((len(times), 3))
    for middle in _moments(times, rng, 3.0, 8.0):
        bump = _bump(times, middle, rng.uniform(0.8, 2.5), rng.uniform(1.0, 2.2), rng.uniform(0.6, 1.5))
        np.maximum(wide, rng.uniform(0.5, 1.0) * bump, out=wide)
        tilt[:, 1] += rng.uniform(-4, 12) * bump
    _add(units, "jawOpen", wide)
    _add(units, "mouthStretch", rng.uniform(0.0, 0.5) * wide)
    _add(units, "mouthFunnel", rng.uniform(0.0, 0.4) * wide)
    _add(units, "eyeBlink", np.minimum(1.0, 1.5 * wide))
    return tilt


def _turning(times: np.ndarray, rng: np.random.Generator, units: _Units) -> np.ndarray:
    """The head turns away and back, nods and tilts."""
    pose = np.zeros((len(times), 3))
    for middle in _moments(times, rng, 0.6, 2.5):
        bump = _bump(times, middle, rng.uniform(0.0, 1.5), rng.uniform(0.25, 1.0), rng.uniform(0.25, 1.0))
        axis = int(rng.choice(3, p=(0.55, 0.3, 0.15)))
        pose[:, axis] += rng.choice([-1, 1]) * rng.uniform(5, (35, 18, 15)[axis]) * bump
    if rng.random() < 0.5:
        _still(times, rng, units)
    return pose.clip((-40, -22, -18), (40, 22, 18))


def _pressing(times: np.ndarray, rng: np.random.Generator, units: _Units) -> None:
    """Lips pressed, rolled in, licked, puckered or drawn to a side, as people do who listen."""
    for middle in _moments(times, rng, 0.6, 3.0):
        bump = _bump(times, middle, rng.uniform(0.1, 1.2), rng.uniform(0.15, 0.5), rng.uniform(0.15, 0.5))
        what = str(rng.choice(["roll", "press", "pucker", "side", "shrug", "lick"]))
        size = rng.uniform(0.3, 0.9)
        if what == "roll":
            _add(units, "mouthRollLower", size * bump)
            _add(units, "mouthRollUpper", rng.uniform(0.3, 1.0) * size * bump)
        elif what == "lick":
            _part_lips(units, 4.0 * size * bump)
            _add(units, "tongueOut", 0.5 * size * bump)
        elif what == "shrug":
            _add(units, "mouthShrugLower", size * bump)
            _add(units, "mouthFrown", rng.uniform(0.0, 0.6) * bump)
        else:
            names = {"press": "mouthPress", "pucker": "mouthPucker", "side": str(rng.choice(["mouthLeft", "mouthRight"]))}
            _add(units, names[what], size * bump)


def _breathing(times: np.ndarray, rng: np.random.Generator, units: _Units) -> None:
    """Through an open mouth, that opens and shuts a little with each breath; sometimes a sigh."""
    rate = rng.uniform(*_BREATH)
    wave = 0.5 + 0.5 * np.sin(2 * np.pi * rate * times + rng.uniform(0, 2 * np.pi) + 0.5 * _slow(times, 1.0, rng))
    gap = rng.uniform(0.5, 5.0) + rng.uniform(0.3, 4.0) * wave
    for middle in _moments(times, rng, 2.0, 12.0):
        np.maximum(gap, rng.uniform(4.0, 12.0) * _bump(times, middle, 0.4, 0.6, 0.7), out=gap)
    _part_lips(units, gap)


KINDS: dict[str, Callable[[np.ndarray, np.random.Generator, _Units], np.ndarray | None]] = {
    "still": _still,
    "smiling": _smiling,
    "laughing": _laughing,
    "chewing": _chewing,
    "yawning": _yawning,
    "turning": _turning,
    "pressing": _pressing,
    "breathing": _breathing,
}


def _part_lips(units: _Units, gap: np.ndarray) -> None:
    """Lips parted by (T,) mm, two thirds of it by the jaw."""
    _add(units, "jawOpen", gap / 34.8 * 0.66)
    _add(units, "mouthUpperUp", gap / 34.8 * 0.8)
    _add(units, "mouthLowerDown", gap / 34.8 * 1.2)


def _add(units: _Units, name: str, course: np.ndarray) -> None:
    units[name] = units.get(name, 0.0) + course


def _moments(times: np.ndarray, rng: np.random.Generator, least: float, most: float) -> Iterator[float]:
    """Times at which something happens, `least` to `most` seconds apart; one at least, within the clip."""
    moment = rng.uniform(0.0, max(min(most, times[-1]), FRAME))
    while moment < times[-1] + least:
        yield moment
        moment += rng.uniform(least, most)


def _bump(times: np.ndarray, middle: float, hold: float, rise: float, fall: float) -> np.ndarray:
    """(T,) 1 for `hold` seconds around `middle`, 0 outside, with a rise and a fall (s) of half a cosine."""
    outside = np.maximum((middle - hold / 2 - times) / rise, (times - middle - hold / 2) / fall)
    return 0.5 + 0.5 * np.cos(np.pi * np.clip(outside, 0.0, 1.0))


def _slow(times: np.ndarray, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """(T,) noise of unit deviation that changes within `seconds`."""
    knots = np.arange(0.0, times[-1] + 2 * seconds, seconds)
    return np.interp(times, knots, rng.standard_normal(len(knots)))
