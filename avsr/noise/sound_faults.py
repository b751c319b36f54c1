"""Faults of the sound: each takes 16 kHz mono samples, (n,) float32, and gives new ones, as long and float32."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from avsr.errors import AvsrError
from avsr.noise.spans import random_span, scattered_spans

RATE = 16000


def muted(samples: np.ndarray, rng: np.random.Generator, *, fraction: float = 1.0) -> np.ndarray:
    """Digital silence over one span of ``fraction`` of the samples: a microphone switched off; 1 is the whole."""
    result = _samples(samples)
    result[random_span(len(result), fraction, rng)] = 0.0
    return result


def dropouts(
    samples: np.ndarray, rng: np.random.Generator, *, fraction: float, seconds: tuple[float, float] = (0.02, 0.2)
) -> np.ndarray:
    """Holes of ``seconds`` each, ``fraction`` of the samples together: a bad connection without concealment."""
    result = _samples(samples)
    for span in scattered_spans(len(result), fraction, (seconds[0] * RATE, seconds[1] * RATE), rng):
        result[span] = 0.0
    return result


def clipped(samples: np.ndarray, rng: np.random.Generator, *, overdrive_db: float = 12.0) -> np.ndarray:
    """Turned up until the peak is ``overdrive_db`` above full scale, and cut off there: an overdriven microphone.

    ``rng`` is not used; every fault is called alike. Silence stays silence.
    """
    result = _samples(samples)
    peak = float(np.abs(result).max(initial=0.0))
    if peak == 0.0:
        return result
    return np.clip(result * np.float32(10.0 ** (overdrive_db / 20.0) / peak), -1.0, 1.0)


def telephone(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A telephone line: 300 to 3400 Hz, nothing from 4 kHz, 8-bit mu-law (ITU-T G.711, the continuous curve), at 16 kHz.

    ``rng`` is not used; every fault is called alike. The filter has no phase, so lips and sound stay together.
    """
    import scipy.fft

    result = _samples(samples)
    size = scipy.fft.next_fast_len(len(result) + RATE // 10, real=True)  # room for the ringing, which would wrap round
    spectrum = scipy.fft.rfft(result, size) * _telephone_gain(size)
    result = np.clip(scipy.fft.irfft(spectrum, size)[: len(result)], -1.0, 1.0)
    mu = 255.0
    companded = np.round(np.log1p(mu * np.abs(result)) / np.log1p(mu) * 127.0) / 127.0
    return (np.sign(result) * np.expm1(companded * np.log1p(mu)) / mu).astype(np.float32)


@lru_cache(maxsize=64)
def _telephone_gain(size: int) -> np.ndarray:
    """(size // 2 + 1,) float32: a Butterworth band of order 8, -3 dB at 300 and 3400 Hz, cut off at 4 kHz."""
    low, high = 300.0, 3400.0
    hertz = np.maximum(np.fft.rfftfreq(size, 1.0 / RATE), 1e-3)
    gain = 1.0 / np.sqrt(1.0 + ((hertz**2 - low * high) / (hertz * (high - low))) ** 16)
    gain[hertz >= 4000.0] = 0.0
    return gain.astype(np.float32)


def _samples(samples: np.ndarray) -> np.ndarray:
    """A float32 copy; AvsrError where it is no mono signal. NaN passes: a fault makes no level, so none has to be known."""
    if samples.ndim != 1 or not np.issubdtype(samples.dtype, np.floating):
        raise AvsrError(f"sound has to be (samples,) of float, not {samples.shape} of {samples.dtype}")
    return samples.astype(np.float32)  # astype copies
