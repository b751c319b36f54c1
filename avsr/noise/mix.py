"""Mixes noise into speech at an exact signal-to-noise ratio, and makes the noises that need no recording."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from avsr.errors import AvsrError


def mix_at_snr(speech: np.ndarray, noise: np.ndarray, snr_db: float, rng: np.random.Generator) -> np.ndarray:
    """``speech`` plus ``noise`` at ``snr_db``, float32, as long as ``speech``.

    Both are mono float samples of one rate, (n,). A longer noise is cut at a random place, a shorter one is looped from a
    random place. The ratio is of energies over the speech's whole length, pauses included, and exact to 0.05 dB:
    ``10 log10(sum(speech**2) / sum((result - speech)**2))``. The speech keeps its level, so the sum may leave [-1, 1].

    AvsrError for what has no ratio: silence, NaN or infinity, integers, more than one channel, nothing at all.
    """
    speech_energy = energy(speech, "speech")
    if speech_energy == 0.0:
        raise AvsrError("the speech is silent, so no noise level gives the ratio asked for: leave this utterance out")
    if not np.isfinite(snr_db):
        raise AvsrError(f"a signal-to-noise ratio of {snr_db} dB cannot be mixed: give a finite number")
    _check(noise, "noise")
    cut = cut_or_loop(noise, len(speech), rng)
    gain = np.sqrt(speech_energy / (energy(cut, "noise") * 10.0 ** (snr_db / 10.0)))
    return (speech + gain * cut.astype(np.float64)).astype(np.float32)


def cut_or_loop(noise: np.ndarray, length: int, rng: np.random.Generator) -> np.ndarray:
    """(length,) samples of ``noise``, float or int, from a random place, looped where it is too short; never all zeros.

    AvsrError where ``noise`` is silent throughout, or no (n,) array with a sample at least.
    """
    if noise.ndim != 1 or not len(noise):
        raise AvsrError(f"the noise has shape {noise.shape}, not (samples,): mix it down to mono, and give a sample at least")
    longer = len(noise) >= length
    start = int(rng.integers(len(noise) - length + 1 if longer else len(noise)))
    cut = _from(noise, start, length)
    if not cut.any():
        # A recording with a hole of digital silence: begin where there is something.
        (sounding,) = np.nonzero(noise)
        if len(sounding) == 0:
            raise AvsrError("the noise is silent throughout: use another recording")
        cut = _from(noise, int(rng.choice(sounding)), length)
    return cut


def white(length: int, rng: np.random.Generator) -> np.ndarray:
    """(length,) float32 Gaussian noise of unit power, equal in every band of the same width."""
    return rng.standard_normal(length, dtype=np.float32)


def pink(length: int, rng: np.random.Generator) -> np.ndarray:
    """(length,) float32 Gaussian noise of about unit power, equal in every octave (power falls as 1/f from 20 Hz, at 16 kHz)."""
    import scipy.fft

    size = scipy.fft.next_fast_len(max(length, 2), real=True)
    bins = size // 2 + 1
    amplitude = 1.0 / np.sqrt(np.maximum(np.arange(bins, dtype=np.float32), 20.0 * size / 16000.0))
    spectrum = rng.standard_normal((bins, 2), dtype=np.float32).view(np.complex64)[:, 0] * amplitude
    spectrum[0] = 0.0  # no constant offset
    spectrum *= np.sqrt(size * size / (4.0 * np.sum(amplitude**2))).astype(np.float32)
    return scipy.fft.irfft(spectrum, size)[:length].astype(np.float32, copy=False)


def babble(utterances: Sequence[np.ndarray], length: int, rng: np.random.Generator, *, talkers: int) -> np.ndarray:
    """(length,) float32: ``talkers`` of the ``utterances`` at once, each at unit power, from random places.

    With fewer utterances than talkers some are heard twice, at different places.
    """
    if not utterances or talkers < 1:
        raise AvsrError(f"babble of {talkers} talkers cannot be made from {len(utterances)} utterances: give at least one")
    order = np.concatenate([rng.permutation(len(utterances)) for _ in range(-(-talkers // len(utterances)))])
    total = np.zeros(length, dtype=np.float32)
    for index in order[:talkers]:
        cut = cut_or_loop(utterances[index], length, rng)
        voice = cut * np.float32(np.sqrt(length / energy(cut, "utterance")))
        total += voice
    return total if total.any() else voice  # of one sample each voice is 1 or -1, and an even number can cancel out


def energy(samples: np.ndarray, name: str) -> float:
    """Sum of squares of (n,) float samples; AvsrError, naming ``name``, where it is none."""
    _check(samples, name)
    values = samples.astype(np.float64)
    total = float(values @ values)
    if not np.isfinite(total):
        raise AvsrError(f"the {name} holds NaN or infinite samples: decode it again")
    return total


def _check(samples: np.ndarray, name: str) -> None:
    if not isinstance(samples, np.ndarray) or not np.issubdtype(samples.dtype, np.floating):
        raise AvsrError(f"the {name} has to be a NumPy array of float samples in [-1, 1]")
    if samples.ndim != 1:
        raise AvsrError(f"the {name} has shape {samples.shape}, not (samples,): mix it down to mono first")
    if len(samples) == 0:
        raise AvsrError(f"the {name} has no samples")


def _from(noise: np.ndarray, start: int, length: int) -> np.ndarray:
    if start + length <= len(noise):
        return noise[start : start + length]
    repeats = -(-(start + length) // len(noise))
    return np.tile(noise, repeats)[start : start + length]
