"""Mixing at an exact ratio, for any lengths and levels, and the noises that are made here."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.errors import AvsrError
from avsr.noise.mix import babble, cut_or_loop, mix_at_snr, pink, white


def snr_of(speech, mixed):
    rest = mixed.astype(np.float64) - speech
    return 10 * np.log10(np.sum(speech.astype(np.float64) ** 2) / np.sum(rest**2))


@settings(deadline=None, max_examples=50)
@given(
    length=st.integers(1, 20000),
    noise_length=st.integers(1, 30000),
    level=st.floats(1e-4, 1.0),
    noise_level=st.floats(1e-4, 1.0),
    snr_db=st.floats(-30, 40),
    seed=st.integers(0, 2**32),
)
def test_the_ratio_is_exact(length, noise_length, level, noise_level, snr_db, seed):
    rng = np.random.default_rng(seed)
    speech = (level * rng.standard_normal(length)).astype(np.float32)
    noise = (noise_level * rng.standard_normal(noise_length)).astype(np.float32)
    mixed = mix_at_snr(speech, noise, snr_db, rng)
    assert mixed.dtype == np.float32 and mixed.shape == speech.shape
    assert snr_of(speech, mixed) == pytest.approx(snr_db, abs=0.05)


def test_the_seed_decides_and_inputs_are_left_alone():
    rng = np.random.default_rng(0)
    speech, noise = rng.standard_normal(1000) * 0.1, rng.standard_normal(5000)
    kept = speech.copy(), noise.copy()
    one, same, other = (mix_at_snr(speech, noise, 0, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, same) and not np.array_equal(one, other)
    assert np.array_equal(speech, kept[0]) and np.array_equal(noise, kept[1])


@settings(deadline=None)
@given(st.integers(1, 50), st.integers(1, 120), st.integers(0, 1000))
def test_a_short_noise_is_looped_without_a_gap(noise_length, length, seed):
    noise = np.arange(1.0, noise_length + 1)
    cut = cut_or_loop(noise, length, np.random.default_rng(seed))
    steps = np.diff(cut)
    assert len(cut) == length and set(steps) <= {1.0, 1.0 - noise_length}


def test_a_hole_of_silence_in_the_noise_is_passed_over():
    noise = np.zeros(100_000)
    noise[77_000] = 0.5
    for seed in range(5):
        speech = np.full(100, 0.1)
        assert snr_of(speech, mix_at_snr(speech, noise, 5, np.random.default_rng(seed))) == pytest.approx(5, abs=0.05)


SPEECH = np.full(100, 0.1, dtype=np.float32)


@pytest.mark.parametrize(
    ("speech", "noise", "snr_db", "message"),
    [
        (np.zeros(100), SPEECH, 0, "speech is silent"),
        (SPEECH, np.zeros(10), 0, "noise is silent"),
        (SPEECH, np.full(100, np.nan), 0, "noise holds NaN"),
        (np.array([0.1, np.inf]), SPEECH, 0, "speech holds NaN or infinite"),
        (np.zeros((100, 2)), SPEECH, 0, r"shape \(100, 2\).*mono"),
        (SPEECH, np.ones((2, 100)), 0, "noise has shape"),
        (SPEECH, np.ones(100, dtype=np.int16), 0, "float samples"),
        (SPEECH[:0], SPEECH, 0, "speech has no samples"),
        (SPEECH, SPEECH[:0], 0, "noise has no samples"),
        (SPEECH, SPEECH, float("inf"), "finite"),
    ],
)
def test_what_has_no_ratio_gets_a_sentence(speech, noise, snr_db, message):
    with pytest.raises(AvsrError, match=message):
        mix_at_snr(speech, noise, snr_db, np.random.default_rng(0))


@pytest.mark.parametrize("length", [1, 2, 4801, 48000])
def test_made_noises_have_the_length(length):
    for make in (white, pink):
        noise = make(length, np.random.default_rng(3))
        assert noise.dtype == np.float32 and noise.shape == (length,) and np.isfinite(noise).all()


def test_the_colours():
    rng = np.random.default_rng(4)
    octaves = [(250, 500), (500, 1000), (1000, 2000), (2000, 4000)]

    def powers(noise):
        spectrum = np.abs(np.fft.rfft(noise)) ** 2
        hertz = np.fft.rfftfreq(len(noise), 1 / 16000)
        return np.array([10 * np.log10(spectrum[(low <= hertz) & (hertz < high)].sum()) for low, high in octaves])

    assert np.diff(powers(white(160000, rng))) == pytest.approx(3.0, abs=0.3)
    assert np.diff(powers(pink(160000, rng))) == pytest.approx(0.0, abs=0.3)
    assert np.std(pink(160000, rng)) == pytest.approx(1.0, rel=0.05)


def test_babble_is_the_sum_of_its_talkers_at_one_level():
    rng = np.random.default_rng(5)
    talkers = [rng.standard_normal(16000) * level for level in (0.001, 0.1, 1.0)]
    noise = babble(talkers, 32000, rng, talkers=3)
    assert noise.shape == (32000,) and np.mean(noise**2) == pytest.approx(3.0, rel=0.1)
    for talker in talkers:  # each one's loop is found in the sum, however quiet it was
        match = np.fft.irfft(np.fft.rfft(noise[:16000]) * np.conj(np.fft.rfft(talker)))
        assert np.max(match) / (np.linalg.norm(talker) * np.linalg.norm(noise[:16000])) == pytest.approx(3**-0.5, abs=0.05)
    assert babble(talkers[:1], 100, rng, talkers=4).shape == (100,)
    with pytest.raises(AvsrError, match="at least one"):
        babble([], 100, rng, talkers=2)
