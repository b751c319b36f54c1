"""Corrupts training examples as they are drawn: one fault at most for the sound and one for the picture, by chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from avsr.errors import AvsrError
from avsr.noise import picture_faults, sound_faults
from avsr.noise.held_out import check_trainable
from avsr.noise.mix import babble, energy, mix_at_snr, pink, white
from avsr.noise.spans import random_span

Range = tuple[float, float]


@dataclass(frozen=True)
class SoundCorruption:
    """How often which fault comes (the first six sum to 1), and the ranges that its strength is drawn from, evenly.

    ``white`` .. ``babble`` are the shares among noises. ``recorded`` is one of the noises handed in, ``babble`` several
    at once; without noises handed in their shares fall to white and pink. ``part`` is the chance that noise or muting
    covers only a piece of the utterance: only then does a frame-wise fusion learn to change its mind half-way.
    """

    clean: float = 0.4
    noise: float = 0.35
    muted: float = 0.1
    dropouts: float = 0.05
    clipped: float = 0.05
    telephone: float = 0.05

    white: float = 0.2
    pink: float = 0.2
    recorded: float = 0.3
    babble: float = 0.3

    snr_db: Range = (-5.0, 20.0)
    talkers: Range = (2, 6)
    part: float = 0.4
    part_fraction: Range = (0.2, 0.8)
    dropout_fraction: Range = (0.05, 0.4)
    overdrive_db: Range = (3.0, 24.0)

    def __post_init__(self) -> None:
        _check(self, ("clean", "noise", "muted", "dropouts", "clipped", "telephone"))
        if self.white + self.pink <= 0.0:
            raise AvsrError("SoundCorruption: white and pink cannot both be 0, for there may be no other noise at hand")


@dataclass(frozen=True)
class PictureCorruption:
    """How often which fault comes (the first five sum to 1), and the ranges of its strength. ``whole`` is the chance that
    a lost picture is lost for the whole utterance."""

    clean: float = 0.7
    frozen: float = 0.06
    occluded: float = 0.08
    blurred: float = 0.06
    dropped: float = 0.1

    fraction: Range = (0.1, 0.8)
    sigma: Range = (1.5, 5.0)
    whole: float = 0.4

    def __post_init__(self) -> None:
        _check(self, ("clean", "frozen", "occluded", "blurred", "dropped"))


def corrupt_sound(
    samples: np.ndarray,
    rng: np.random.Generator,
    *,
    noises: Sequence[np.ndarray] | None = None,
    config: SoundCorruption,
) -> np.ndarray:
    """One utterance's (n,) float32 samples at 16 kHz, by chance with one fault; a new array, as long.

    ``noises`` are recordings of noise or other utterances, (m,) float each. Where the utterance is silent throughout there
    is no level to set noise against: it stays as it is.
    """
    fault = _draw(config, ("clean", "noise", "muted", "dropouts", "clipped", "telephone"), rng)
    if fault == "noise":
        if energy(samples, "utterance") == 0.0:
            return samples.astype(np.float32)
        return _with_noise(samples, rng, noises or (), config)
    if fault == "muted":
        return sound_faults.muted(samples, rng, fraction=_fraction(config, rng))
    if fault == "dropouts":
        return sound_faults.dropouts(samples, rng, fraction=rng.uniform(*config.dropout_fraction))
    if fault == "clipped":
        return sound_faults.clipped(samples, rng, overdrive_db=rng.uniform(*config.overdrive_db))
    if fault == "telephone":
        return sound_faults.telephone(samples, rng)
    return samples.astype(np.float32)


def corrupt_picture(
    frames: np.ndarray, confidence: np.ndarray, rng: np.random.Generator, config: PictureCorruption
) -> tuple[np.ndarray, np.ndarray]:
    """One mouth clip's (T, 96, 96) uint8 frames and (T,) confidence, by chance with one fault; new arrays, as long."""
    fault = _draw(config, ("clean", "frozen", "occluded", "blurred", "dropped"), rng)
    fraction = rng.uniform(*config.fraction)
    if fault == "frozen":
        return picture_faults.frozen(frames, confidence, rng, fraction=fraction)
    if fault == "occluded":
        return picture_faults.occluded(frames, confidence, rng, fraction=fraction)
    if fault == "blurred":
        return picture_faults.blurred(frames, confidence, rng, fraction=fraction, sigma=rng.uniform(*config.sigma))
    if fault == "dropped":
        whole = rng.random() < config.whole
        return picture_faults.dropped(frames, confidence, rng, fraction=1.0 if whole else fraction)
    return frames.copy(), confidence.astype(np.float32)


def _with_noise(
    samples: np.ndarray, rng: np.random.Generator, noises: Sequence[np.ndarray], config: SoundCorruption
) -> np.ndarray:
    kinds = ("white", "pink", "recorded", "babble") if noises else ("white", "pink")
    kind = _draw(config, kinds, rng)
    if kind == "white":
        noise = white(len(samples), rng)
    elif kind == "pink":
        noise = pink(len(samples), rng)
    elif kind == "recorded":
        noise = noises[rng.integers(len(noises))]
    else:
        talkers = int(rng.integers(int(config.talkers[0]), int(config.talkers[1]) + 1))
        noise = babble(noises, len(samples), rng, talkers=talkers)
    mixed = mix_at_snr(samples, noise, rng.uniform(*config.snr_db), rng)
    span = random_span(len(samples), _fraction(config, rng), rng)
    result = samples.astype(np.float32)
    result[span] = mixed[span]
    return result


def _fraction(config: SoundCorruption, rng: np.random.Generator) -> float:
    return rng.uniform(*config.part_fraction) if rng.random() < config.part else 1.0


def _draw(config: SoundCorruption | PictureCorruption, names: tuple[str, ...], rng: np.random.Generator) -> str:
    shares = np.cumsum([getattr(config, name) for name in names])
    return names[int(np.searchsorted(shares, rng.random() * shares[-1], side="right"))]


def _check(config: SoundCorruption | PictureCorruption, faults: tuple[str, ...]) -> None:
    name = type(config).__name__
    check_trainable((field.name for field in fields(config)), name)
    for field in fields(config):
        value = getattr(config, field.name)
        if isinstance(field.default, tuple):
            if len(value) != 2 or value[0] > value[1]:
                raise AvsrError(f"{name}: {field.name} is {value}: give a range, the smaller first")
        elif not 0.0 <= value <= 1.0:
            raise AvsrError(f"{name}: {field.name} is {value}: give a probability from 0 to 1")
    total = sum(getattr(config, fault) for fault in faults)
    if abs(total - 1.0) > 1e-6:
        raise AvsrError(f"{name}: {', '.join(faults)} sum to {total:g}: they have to sum to 1")
