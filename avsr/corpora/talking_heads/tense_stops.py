"""Makes the release of tense stops short: Kokoro's own ㄲ ㄸ ㅃ ㅉ are released too breathily to be told from plain ones.

What sets Korean tense stops apart is that the voice begins at once after the burst (voice onset time about 10 ms, where
plain ones have 30 to 60 and aspirated ones 70 to 100; Cho, Jun & Ladefoged 2002) after a longer closure. Both are
done by moving the burst: what lies between burst and voice is taken out, and as much silence is put before the burst. All
times outside stay what they were.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

VOICE_ONSET = 0.010  # seconds from burst to voice that a tense stop keeps
_FRAME = 0.0025  # seconds
_BEFORE, _AFTER = 0.02, 0.06  # seconds around the consonant in which its release is looked for
_FADE = 0.003  # seconds
_DEPTH_DB = 15.0  # a closure is at least so much softer than what follows
_VOICED_DB = -14.0  # of the vowel's low band: the voice has begun
_LASTING = 6  # frames: 15 ms
_LOW, _HIGH = 600.0, 2000.0  # Hz: the voice lies below the first, the burst above the second


@dataclass(frozen=True)
class Release:
    """Seconds: when the closure is deepest, the burst comes, the voice begins."""

    closed: float
    burst: float
    voice: float


def find_release(samples: np.ndarray, rate: int, start: float, end: float) -> Release | None:
    """The release of a stop that lies about ``start`` to ``end`` seconds of (N,) samples; None where none stands out."""
    first = max(0, int((start - _BEFORE) * rate))
    last = min(len(samples), int((end + _AFTER) * rate))
    size = int(_FRAME * rate)
    count = (last - first) // size
    if count < 8:
        return None
    window = samples[first : first + count * size].astype(np.float64)
    low, high = _band_db(window, rate, size, 60.0, _LOW), _band_db(window, rate, size, _HIGH, 8000.0)
    total = np.logaddexp(low, high)
    vowel = max(1, int((end - start + _BEFORE) / _FRAME) - 4)
    closed = int(np.argmin(total[: vowel + 8]))
    # The burst has low frequencies too, but not for long.
    loud = np.convolve(low[closed:] > low[closed:].max() + _VOICED_DB, np.ones(_LASTING), "full")[_LASTING - 1 :]
    voiced = np.flatnonzero(loud >= _LASTING)
    if low[closed:].max() - low[closed] < _DEPTH_DB or len(voiced) == 0 or voiced[0] < 2:
        return None
    voice = closed + int(voiced[0])
    rise = high[closed + 1 : voice + 1] - high[closed:voice]
    burst = closed + int(np.argmax(rise))
    return Release(*((first + frame * size) / rate for frame in (closed, burst + 1, voice)))


def tighten(samples: np.ndarray, rate: int, release: Release) -> np.ndarray:
    """(N,) samples with the voice ``VOICE_ONSET`` after the burst: the burst comes later, the voice where it was."""
    keep, fade = int(VOICE_ONSET * rate), int(_FADE * rate)
    burst, voice = int(release.burst * rate) - fade, int(release.voice * rate)
    cut = voice - burst - keep - fade
    if cut <= fade:
        return samples
    result = samples.copy()
    ramp = np.linspace(0.0, 1.0, fade, dtype=samples.dtype)
    # The closure goes on where the burst was...
    result[burst : burst + cut] = 0.0
    result[burst : burst + fade] = samples[burst : burst + fade] * ramp[::-1]
    # ... and the burst runs into the voice.
    moved = samples[burst : burst + keep + fade].copy()
    moved[:fade] *= ramp
    moved[-fade:] *= ramp[::-1]
    place = burst + cut
    result[place : place + keep + fade] = moved
    result[place + keep : place + keep + fade] += samples[place + keep : place + keep + fade] * ramp
    return result


def _band_db(window: np.ndarray, rate: int, size: int, low: float, high: float) -> np.ndarray:
    """Level of each frame of ``size`` samples between two frequencies, in dB."""
    spectrum = np.fft.rfft(window)
    frequencies = np.fft.rfftfreq(len(window), 1.0 / rate)
    band = np.fft.irfft(np.where((frequencies >= low) & (frequencies <= high), spectrum, 0.0), len(window))
    return 10.0 * np.log10(np.square(band.reshape(-1, size)).mean(1) + 1e-9)
