"""Corruption in training: shares as configured, lengths kept, the seed alone decides."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from avsr.errors import AvsrError
from avsr.noise.corruption import PictureCorruption, SoundCorruption, corrupt_picture, corrupt_sound

ONLY = dict(clean=0.0, noise=0.0, muted=0.0, dropouts=0.0, clipped=0.0, telephone=0.0)
RNG = np.random.default_rng(0)
SAMPLES = (0.1 * RNG.standard_normal(16000)).astype(np.float32)
NOISES = [RNG.standard_normal(n).astype(np.float32) for n in (5000, 16000, 40000)]
FRAMES = RNG.integers(1, 256, (25, 96, 96), dtype=np.uint8)
SURE = np.ones(25, dtype=np.float32)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32), st.integers(1, 16000), st.booleans())
@example(3217606, 1, True)  # babble of one sample, whose voices cancel out
def test_sound_keeps_its_length_whatever_is_drawn(seed, length, with_noises):
    samples, noises = SAMPLES[:length], NOISES if with_noises else None
    one, same = (
        corrupt_sound(samples, np.random.default_rng(seed), noises=noises, config=SoundCorruption()) for _ in range(2)
    )
    assert one.shape == samples.shape and one.dtype == np.float32 and np.isfinite(one).all()
    assert np.array_equal(one, same) and not np.shares_memory(one, samples)


def test_shares_are_as_configured():
    rng, config = np.random.default_rng(1), SoundCorruption(part=0.0)
    results = [corrupt_sound(SAMPLES, rng, noises=NOISES, config=config) for _ in range(1500)]
    assert np.mean([np.array_equal(result, SAMPLES) for result in results]) == pytest.approx(0.4, abs=0.05)
    assert np.mean([not result.any() for result in results]) == pytest.approx(0.1, abs=0.03)
    pictures = [corrupt_picture(FRAMES, SURE, rng, PictureCorruption()) for _ in range(500)]
    assert np.mean([np.array_equal(frames, FRAMES) for frames, _ in pictures]) == pytest.approx(0.7, abs=0.08)
    assert np.mean([not sure.all() for _, sure in pictures]) == pytest.approx(0.1, abs=0.05)
    assert any(not sure.any() for _, sure in pictures)


@pytest.mark.parametrize("kind", ["white", "pink", "recorded", "babble"])
def test_noise_stays_within_its_range(kind):
    shares = dict(white=0.0, pink=0.0, recorded=0.0, babble=0.0)
    shares[kind] = 1.0
    if kind in ("recorded", "babble"):
        shares["white"] = 1e-9  # there must be one that needs no recording
    config = SoundCorruption(**(ONLY | {"noise": 1.0}), **shares, part=0.0, snr_db=(3.0, 5.0))
    for seed in range(20):
        result = corrupt_sound(SAMPLES, np.random.default_rng(seed), noises=NOISES, config=config)
        ratio = 10 * np.log10(np.sum(SAMPLES.astype(float) ** 2) / np.sum((result.astype(float) - SAMPLES) ** 2))
        assert 2.95 <= ratio <= 5.05


def test_a_part_leaves_the_rest_untouched():
    config = SoundCorruption(**(ONLY | {"noise": 1.0}), part=1.0, part_fraction=(0.5, 0.5))
    changed = corrupt_sound(SAMPLES, np.random.default_rng(0), noises=None, config=config) != SAMPLES
    assert changed.mean() == pytest.approx(0.5, abs=0.01) and np.count_nonzero(np.diff(changed[changed.argmax() :])) <= 10


def test_silence_stays_silence():
    for seed in range(30):
        assert not corrupt_sound(np.zeros(100, np.float32), np.random.default_rng(seed), config=SoundCorruption()).any()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SoundCorruption(clean=0.9), "sum to 1.5: they have to sum to 1"),
        (lambda: SoundCorruption(white=0.0, pink=0.0), "cannot both be 0"),
        (lambda: SoundCorruption(snr_db=(20.0, -5.0)), "snr_db is .*smaller first"),
        (lambda: replace(PictureCorruption(), whole=2.0), "whole is 2.0: give a probability"),
        (lambda: PictureCorruption(dropped=0.5), "frozen, occluded, blurred, dropped sum to"),
    ],
)
def test_a_wrong_configuration_gets_a_sentence(make, message):
    with pytest.raises(AvsrError, match=message):
        make()
