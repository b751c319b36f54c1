"""The release of tense stops: found where it was put, shortened to what Korean has, nothing else moved."""

from __future__ import annotations

import numpy as np
import pytest

from avsr.corpora.talking_heads.tense_stops import VOICE_ONSET, find_release, tighten

RATE = 24000


def stop(vot: float, burst: float = 0.30) -> np.ndarray:
    """0.6 s: a vowel to 0.2 s, a closure, noise from `burst` to `burst + vot`, a vowel."""
    time = np.arange(int(0.6 * RATE)) / RATE
    vowel = sum(np.sin(2 * np.pi * 150 * k * time) / k for k in range(1, 20))
    noise = np.random.default_rng(0).standard_normal(len(time))
    noise = np.diff(noise, append=0.0)  # more at high frequencies, as a release has it
    return (np.where((time < 0.2) | (time >= burst + vot), 0.1 * vowel, 0.05 * noise * (time >= burst))).astype(np.float32)


@pytest.mark.parametrize("vot", [0.02, 0.05, 0.08])
def test_the_release_is_found(vot):
    found = find_release(stop(vot), RATE, 0.2, 0.30 + vot)
    assert 0.2 < found.closed < 0.30
    assert found.burst == pytest.approx(0.30, abs=0.006) and found.voice == pytest.approx(0.30 + vot, abs=0.008)


@pytest.mark.parametrize("vot", [0.03, 0.05, 0.08])
def test_tightening_moves_the_burst_and_nothing_else(vot):
    samples = stop(vot)
    tight = tighten(samples, RATE, find_release(samples, RATE, 0.2, 0.30 + vot))
    after = find_release(tight, RATE, 0.2, 0.30 + vot)
    assert after.voice - after.burst == pytest.approx(VOICE_ONSET, abs=0.007)
    assert after.voice == pytest.approx(0.30 + vot, abs=0.008)
    assert len(tight) == len(samples)
    assert np.array_equal(tight[: int(0.29 * RATE)], samples[: int(0.29 * RATE)])
    assert np.array_equal(tight[int((0.32 + vot) * RATE) :], samples[int((0.32 + vot) * RATE) :])


def test_what_has_no_closure_or_is_short_already_is_left_alone():
    time = np.arange(int(0.6 * RATE)) / RATE
    assert find_release(np.sin(2 * np.pi * 150 * time).astype(np.float32), RATE, 0.2, 0.3) is None
    samples = stop(0.008)
    found = find_release(samples, RATE, 0.2, 0.31)
    assert found is None or np.array_equal(tighten(samples, RATE, found), samples)
