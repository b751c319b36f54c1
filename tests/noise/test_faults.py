"""Faults of sound and picture: they do what their names say, where they say, and nothing to what they were given."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.errors import AvsrError
from avsr.noise import picture_faults, sound_faults
from avsr.noise.spans import random_span, scattered_spans

SOUND = {
    "muted": {"fraction": 0.5},
    "dropouts": {"fraction": 0.3},
    "clipped": {},
    "telephone": {},
}
PICTURE = ("frozen", "occluded", "blurred", "dropped")


def noise(seed=0, length=48000):
    return (0.1 * np.random.default_rng(seed).standard_normal(length)).astype(np.float32)


def clip(seed=0, frames=75):
    rng = np.random.default_rng(seed)
    return rng.integers(1, 256, (frames, 96, 96), dtype=np.uint8), np.full(frames, 0.9, dtype=np.float32)


@settings(deadline=None)
@given(st.integers(0, 500), st.floats(0, 1), st.integers(1, 20), st.integers(0, 20), st.integers(0, 1000))
def test_spans_cover_exactly_their_fraction_in_order(length, fraction, least, more, seed):
    rng = np.random.default_rng(seed)
    spans = scattered_spans(length, fraction, (least, least + more), rng)
    places = [place for span in spans for place in range(span.start, span.stop)]
    assert places == sorted(set(places)) and len(places) == round(fraction * length)
    assert not places or (places[0] >= 0 and places[-1] < length)
    assert all(span.stop - span.start <= least + more for span in spans)
    one = random_span(length, fraction, rng)
    assert 0 <= one.start and one.stop <= length and one.stop - one.start == round(fraction * length)


@pytest.mark.parametrize("name", SOUND)
@pytest.mark.parametrize("length", [0, 1, 999, 48000])
def test_sound_keeps_length_type_and_seed(name, length):
    samples = noise(length=length)
    kept = samples.copy()
    fault = getattr(sound_faults, name)
    one, same = (fault(samples, np.random.default_rng(7), **SOUND[name]) for _ in range(2))
    assert one.dtype == np.float32 and one.shape == samples.shape and np.array_equal(one, same)
    assert np.array_equal(samples, kept) and np.abs(one).max(initial=0) <= max(1.0, np.abs(kept).max(initial=0))
    assert length < 999 or not np.array_equal(one, kept)


def test_muting_and_dropouts_are_silence_of_the_fraction():
    rng, samples = np.random.default_rng(0), noise()
    assert not sound_faults.muted(samples, rng).any()
    half = sound_faults.muted(samples, rng, fraction=0.5)
    assert np.count_nonzero(half == 0) == 24000 and np.count_nonzero(np.diff(half == 0)) <= 2
    holes = sound_faults.dropouts(samples, rng, fraction=0.3, seconds=(0.05, 0.05))
    assert np.count_nonzero(holes == 0) == 14400 and np.array_equal(holes[holes != 0], samples[holes != 0])


def test_clipping_flattens_the_peaks():
    time = np.arange(16000) / 16000
    tone = (0.01 * np.sin(2 * np.pi * 100 * time)).astype(np.float32)
    rng = np.random.default_rng(0)
    result = sound_faults.clipped(tone, rng, overdrive_db=6.0206)
    assert np.mean(np.abs(result) == 1.0) == pytest.approx(2 / 3, abs=0.01)  # a sine is above half its peak 2/3 of the time
    assert not sound_faults.clipped(np.zeros(10, np.float32), rng).any()


def test_the_telephone_takes_what_lies_outside_its_band():
    def gain_db(hertz):
        tone = (0.5 * np.sin(2 * np.pi * hertz * np.arange(16000) / 16000)).astype(np.float32)
        result = sound_faults.telephone(tone, np.random.default_rng(0))
        return 20 * np.log10(max(np.std(result[4000:]), 1e-9) / np.std(tone))

    assert gain_db(1000) == pytest.approx(0, abs=0.3)
    assert gain_db(100) < -35 and gain_db(6000) < -40


@pytest.mark.parametrize("name", PICTURE)
@pytest.mark.parametrize("fraction", [0.0, 0.4, 1.0])
def test_picture_changes_its_fraction_and_nothing_else(name, fraction):
    frames, confidence = clip()
    kept = frames.copy()
    fault = getattr(picture_faults, name)
    (one, sure), (same, _) = (fault(frames, confidence, np.random.default_rng(7), fraction=fraction) for _ in range(2))
    assert one.dtype == np.uint8 and one.shape == frames.shape and np.array_equal(one, same)
    assert np.array_equal(frames, kept) and (confidence == np.float32(0.9)).all()
    changed = np.count_nonzero((one != frames).any(axis=(1, 2)))
    assert changed == round(fraction * 75) - (name == "frozen" and fraction == 1.0)  # the first frame stands for itself
    assert np.array_equal(sure == 0, (one == 0).all(axis=(1, 2))) and sure.dtype == np.float32


@pytest.mark.parametrize("name", PICTURE)
@pytest.mark.parametrize("length", [0, 1])
def test_very_short_clips_pass(name, length):
    frames, confidence = getattr(picture_faults, name)(*clip(frames=length), np.random.default_rng(0), fraction=1.0)
    assert frames.shape == (length, 96, 96) and confidence.shape == (length,)


def test_each_picture_fault_is_what_it_says():
    frames, confidence = clip()
    rng = np.random.default_rng(1)
    still, _ = picture_faults.frozen(frames, confidence, rng, fraction=0.4)
    assert np.count_nonzero((still[1:] == still[:-1]).all(axis=(1, 2))) == 30
    soft, _ = picture_faults.blurred(frames, confidence, rng, fraction=1.0, sigma=3.0)
    assert soft.std() < frames.std() / 5 and soft.mean() == pytest.approx(frames.mean(), abs=1)
    hidden, _ = picture_faults.occluded(frames, confidence, rng, fraction=1.0, size=(0.5, 0.5))
    assert (hidden != frames)[0].mean() == pytest.approx(0.25, abs=0.01)
    assert (hidden[:, 48, 48] != frames[:, 48, 48]).mean() > 0.9  # the middle of the mouth
    gone, sure = picture_faults.dropped(frames, confidence, rng, fraction=0.4)
    assert not gone[sure == 0].any() and np.array_equal(gone[sure > 0], frames[sure > 0])


def test_wrong_input_gets_a_sentence():
    rng = np.random.default_rng(0)
    frames, confidence = clip()
    with pytest.raises(AvsrError, match=r"\(frames, 96, 96\) of uint8"):
        picture_faults.frozen(frames.astype(np.float32), confidence, rng, fraction=0.5)
    with pytest.raises(AvsrError, match="confidence of shape"):
        picture_faults.dropped(frames, confidence[:-1], rng, fraction=0.5)
    with pytest.raises(AvsrError, match="from 0 to 1"):
        picture_faults.blurred(frames, confidence, rng, fraction=1.5)
    with pytest.raises(AvsrError, match="first has to be the smaller"):
        sound_faults.dropouts(noise(), rng, fraction=0.5, seconds=(0.5, 0.1))
    with pytest.raises(AvsrError, match=r"\(samples,\) of float"):
        sound_faults.muted(np.zeros((2, 10), np.float32), rng)
