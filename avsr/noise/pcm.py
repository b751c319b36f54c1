"""Mixes speech and noise in whole numbers, so that a mixture is the same to the bit on every machine.

16-bit PCM in and out, 64-bit integers between, gains as integers over 2**24 that `decimal` computes: no step depends on how
a processor or a library rounds. It is what the benchmark is made of; training, where speed counts more, mixes floats
(`avsr.noise.mix`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

import numpy as np

from avsr.errors import AvsrError
from avsr.noise.mix import cut_or_loop

FULL = 32767
TOLERANCE_DB = 0.05

_FRACTION = 24  # bits of a gain behind the point
_WHITE_PARTS, _WHITE_STEP = 12, 1365  # a sum of twelve even draws is close to Gaussian, and never leaves 16 bits


@dataclass(frozen=True)
class Mixture:
    """samples (n,) int16; speech (n,) int16, what of them is speech; snr_db: the ratio of the speech to the rest."""

    samples: np.ndarray
    speech: np.ndarray
    snr_db: float


def to_pcm(samples: np.ndarray) -> np.ndarray:
    """(n,) float in -1..1 to int16, as files hold it: 1 / 32768 is a step. AvsrError for NaN, infinity or channels."""
    if samples.ndim != 1 or not np.issubdtype(samples.dtype, np.floating):
        raise AvsrError(f"sound has to be (samples,) of float, not {samples.shape} of {samples.dtype}: mix it down to mono.")
    if not np.isfinite(samples).all():
        raise AvsrError("the sound holds NaN or infinite samples: decode it again.")
    return np.clip(np.rint(samples.astype(np.float64) * 32768.0), -32768, FULL).astype(np.int16)


def from_pcm(samples: np.ndarray) -> np.ndarray:
    """(n,) int16 to float32 in -1..1."""
    return samples.astype(np.float32) / np.float32(32768.0)


def hash_pcm(samples: np.ndarray) -> str:
    """sha256 of int16 samples, the lower byte first."""
    return hashlib.sha256(samples.astype("<i2").tobytes()).hexdigest()


def mix_pcm(speech: np.ndarray, noise: np.ndarray, snr_db: float) -> Mixture:
    """`speech` plus `noise`, both (n,) int16, at `snr_db` over the whole length, pauses included.

    Both are turned down alike where the sum leaves 16 bits, and up where rounding would spoil the ratio.

    AvsrError where either is silent, or the ratio cannot be had within 0.05 dB in 16 bits.
    """
    for name, samples in (("speech", speech), ("noise", noise)):
        if samples.dtype != np.int16 or samples.shape != speech.shape or samples.ndim != 1:
            raise AvsrError(f"the {name} is {samples.shape} of {samples.dtype}: both have to be (n,) int16, as long as each other.")
        if not samples.any():
            raise AvsrError(f"the {name} is silent, so no level gives a ratio of {snr_db:g} dB: leave the utterance out.")
    clean, other = speech.astype(np.int64), noise.astype(np.int64)
    gain = _gain(_power(clean), _power(other), snr_db)
    mixture = _mixed(clean, _times(other, gain))
    while abs(mixture.snr_db - snr_db) > TOLERANCE_DB and np.abs(clean).max() < FULL:
        clean, gain = clean * 2, gain * 2
        mixture = _mixed(clean, _times(other, gain))
    if abs(mixture.snr_db - snr_db) > TOLERANCE_DB:
        raise AvsrError(f"{snr_db:g} dB came out as {mixture.snr_db:.2f} dB: 16 bits are too coarse for these two; use others.")
    return mixture


def _mixed(clean: np.ndarray, noise: np.ndarray) -> Mixture:
    """The sum, turned down until it fits into 16 bits."""
    total = clean + noise
    peak = int(np.abs(total).max())
    if peak > FULL:
        down = (FULL << _FRACTION) // peak
        total, clean = _times(total, down), _times(clean, down)
    reached = _ratio_db(clean, total - clean)
    return Mixture(total.astype(np.int16), np.clip(clean, -32768, FULL).astype(np.int16), reached)


def white_pcm(length: int, rng: np.random.Generator) -> np.ndarray:
    """(length,) int16 noise, equal in every band of the same width; near Gaussian, -22 dBFS."""
    draws = rng.integers(-_WHITE_STEP, _WHITE_STEP + 1, size=(_WHITE_PARTS, length), dtype=np.int64)
    return draws.sum(0).astype(np.int16)


def babble_pcm(utterances: Sequence[np.ndarray], length: int, rng: np.random.Generator, *, talkers: int) -> np.ndarray:
    """(length,) int16: `talkers` of the (m,) int16 `utterances` at once, equally loud, from random places.

    With fewer utterances than talkers some are heard twice, at different places. AvsrError without any, or for a silent one.
    """
    if not utterances or talkers < 1:
        raise AvsrError(f"babble of {talkers} talkers cannot be made from {len(utterances)} utterances: give at least one.")
    rounds = -(-talkers // len(utterances))
    order = np.concatenate([rng.permutation(len(utterances)) for _ in range(rounds)])[:talkers]
    total = np.zeros(length, np.int64)
    for index in order:
        voice = cut_or_loop(utterances[index], length, rng).astype(np.int64)
        total += _times(voice, _gain(length * 3000**2, _power(voice), 0.0))
    if not total.any():  # of one or two samples two voices can cancel out
        return voice.astype(np.int16)
    peak = int(np.abs(total).max())
    return (_times(total, (FULL << _FRACTION) // peak) if peak > FULL else total).astype(np.int16)


def _gain(speech: int, noise: int, snr_db: float) -> int:
    """By how much, in 2**-24, noise of this energy is to be turned up to lie snr_db under the speech's."""
    with localcontext() as context:
        context.prec = 50
        ratio = Decimal(10) ** (Decimal(str(float(snr_db))) / 10)
        gain = (Decimal(speech) / (Decimal(noise) * ratio)).sqrt() * (1 << _FRACTION)
        return int(gain.to_integral_value(ROUND_HALF_EVEN))


def _power(samples: np.ndarray) -> int:
    """Sum of squares of int64 samples that hold 16-bit values."""
    return int(samples @ samples)


def _times(samples: np.ndarray, gain: int) -> np.ndarray:
    """Rounded; a gain of up to 2**14 and 25-bit samples stay within 64 bits."""
    if gain.bit_length() + int(np.abs(samples).max(initial=0)).bit_length() > 62:
        raise AvsrError("one of the two sounds is too faint against the other to be mixed: use a louder recording.")
    return (samples * gain + (1 << (_FRACTION - 1))) >> _FRACTION


def _ratio_db(speech: np.ndarray, noise: np.ndarray) -> float:
    with localcontext() as context:
        context.prec = 30
        if not noise.any():
            return float("inf")
        return float(10 * (Decimal(_power(speech)) / Decimal(_power(noise))).log10())
