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
    """A telephone line: 300 to 3400 Hz, nothing from 4 kHz, 8-bit mu-law (ITU-T G.711), at 16 kHz.

    ``rng`` is not used; every fault is called alike. The filter has no phase, so lips and sound stay together. All in whole
    numbers, see `avsr.noise.pcm`; NaN is taken for silence.
    """
    from avsr.noise.pcm import from_pcm, to_pcm

    if not len(samples):
        return _samples(samples)
    taps = _telephone_taps()
    pcm = to_pcm(np.nan_to_num(_samples(samples), posinf=1.0, neginf=-1.0))
    filtered = np.convolve(pcm.astype(np.int64), taps)[len(taps) // 2 :][: len(pcm)] >> _TAP_BITS
    return from_pcm(_mu_law()[np.clip(filtered, -32768, 32767) + 32768])


def dying(samples: np.ndarray, rng: np.random.Generator, *, at: float = 0.5, seconds: float = 0.6) -> np.ndarray:
    """A microphone that dies: from ``at`` (a fraction of the whole) on silence, and before it ``seconds`` with holes."""
    result = _samples(samples)
    if not 0.0 <= at <= 1.0:
        raise AvsrError(f"a microphone that dies at {at:g} of the sound: give a fraction from 0 to 1")
    end = round(at * len(result))
    begin = max(0, end - round(seconds * RATE))
    result[begin:end] = dropouts(result[begin:end], rng, fraction=0.5, seconds=(0.01, 0.08))
    result[end:] = 0.0
    return result


def shifted(samples: np.ndarray, rng: np.random.Generator, *, ms: float) -> np.ndarray:
    """The sound so many milliseconds too late for its picture, too early where ``ms`` is negative.

    What comes in at the edge is the quietest 40 ms of the sound again and again, for a real recording is never cut off
    there. ``rng`` is not used.
    """
    result, piece = _samples(samples), RATE // 25
    count = min(abs(round(ms * RATE / 1000)), len(result))
    pieces = result[: len(result) // piece * piece].reshape(-1, piece)
    room = pieces[np.argmin(np.abs(pieces).max(axis=1))] if len(pieces) else np.zeros(piece, np.float32)
    edge = np.resize(room, count)
    kept = len(result) - count
    return np.concatenate([edge, result[:kept]] if ms > 0 else [result[count:], edge])


_TAP_BITS = 15


@lru_cache(maxsize=1)
def _telephone_taps() -> np.ndarray:
    """(321,) int64 of an odd, symmetric filter, -3 dB at 300 and 3400 Hz and nothing from 4 kHz, in 2**-15."""
    from scipy.signal import firwin

    taps = firwin(321, [300.0, 3420.0], pass_zero=False, fs=RATE, window=("kaiser", 8.0))
    return np.rint(taps * (1 << _TAP_BITS)).astype(np.int64)


@lru_cache(maxsize=1)
def _mu_law() -> np.ndarray:
    """(65536,) int16: what comes back of each 16-bit sample, the first of -32768 (ITU-T G.711, table 2)."""
    bias, most = 132, 32635  # as in the 16-bit form of the ITU's Software Tool Library (G.191)
    levels = np.arange(-32768, 32768, dtype=np.int64)
    size = np.minimum(np.abs(levels), most) + bias
    exponent = np.searchsorted(2 ** np.arange(8, 16), size, side="right")  # the segment: 7 bits and less are the first
    step = 1 << (exponent + 3)
    return (np.sign(levels) * (size // step * step + step // 2 - bias)).astype(np.int16)


def _samples(samples: np.ndarray) -> np.ndarray:
    """A float32 copy; AvsrError where it is no mono signal. NaN passes: a fault makes no level, so none has to be known."""
    if samples.ndim != 1 or not np.issubdtype(samples.dtype, np.floating):
        raise AvsrError(f"sound has to be (samples,) of float, not {samples.shape} of {samples.dtype}")
    return samples.astype(np.float32)  # astype copies
