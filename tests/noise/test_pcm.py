"""Whole-number mixing: exact ratios, the same bits everywhere, and a sentence for what has no ratio."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.errors import AvsrError
from avsr.noise import codec, picture_faults, sound_faults
from avsr.noise.corruption import PictureCorruption, SoundCorruption
from avsr.noise.held_out import HELD_OUT, check_trainable
from avsr.noise.pcm import babble_pcm, from_pcm, mix_pcm, to_pcm, white_pcm


def voice(seed: int = 0, length: int = 16000, level: float = 0.1) -> np.ndarray:
    """Something like speech: a buzz that comes and goes."""
    time = np.arange(length) / 16000
    rng = np.random.default_rng(seed)
    buzz = np.sign(np.sin(2 * np.pi * (110 + 30 * seed) * time)) * (np.sin(2 * np.pi * 3 * time + seed) > 0)
    return to_pcm((level * (buzz + 0.05 * rng.standard_normal(length))).astype(np.float32))


@settings(deadline=None, max_examples=60)
@given(st.floats(-30, 30), st.floats(0.001, 0.9), st.floats(0.0005, 0.9), st.integers(0, 99))
def test_the_ratio_is_reached(snr_db, level, noise_level, seed):
    speech, noise = voice(1, level=level), voice(seed + 2, level=noise_level)
    mixed = mix_pcm(speech, noise, snr_db)
    rest = mixed.samples.astype(np.int64) - mixed.speech
    ratio = 10 * np.log10((mixed.speech.astype(float) ** 2).sum() / (rest.astype(float) ** 2).sum())
    assert ratio == pytest.approx(snr_db, abs=0.05) and mixed.snr_db == pytest.approx(ratio, abs=1e-6)
    assert mixed.samples.dtype == np.int16


def test_the_same_bits_for_ever():
    """Known hashes: another machine, Python or numpy that gives others breaks the benchmark's promise."""
    rng = np.random.default_rng(7)
    time = np.arange(8000, dtype=np.int64)
    speech = ((time * time // 7) % 8001 - 4000).astype(np.int16)
    mixed = mix_pcm(speech, white_pcm(8000, rng), -5.0).samples
    crowd = babble_pcm([speech, speech[::-1].copy()], 8000, rng, talkers=6)
    line = to_pcm(sound_faults.telephone(from_pcm(speech), rng))
    found = [hashlib.sha256(x.astype("<i2").tobytes()).hexdigest()[:16] for x in (mixed, crowd, line)]
    assert found == ["0719603d38bc269d", "59149e8acd2779df", "78f8c0c936783f45"]


def test_no_tap_of_the_telephone_lies_between_two_whole_numbers():
    """Its taps come out of floating point; only where none is near a half do they round alike everywhere."""
    from scipy.signal import firwin

    taps = firwin(321, [300.0, 3420.0], pass_zero=False, fs=16000, window=("kaiser", 8.0)) * 2**15
    assert np.array_equal(sound_faults._telephone_taps(), np.rint(taps))
    assert np.abs(np.abs(taps - np.floor(taps)) - 0.5).min() > 1e-6


@pytest.mark.parametrize(
    "speech, noise, message",
    [
        (np.zeros(100, np.int16), voice(length=100), "the speech is silent"),
        (voice(length=100), np.zeros(100, np.int16), "the noise is silent"),
        (voice(length=100), voice(length=99), "as long as each other"),
        (voice(length=100).astype(np.float32), voice(length=100), "int16"),
    ],
)
def test_what_has_no_ratio_is_a_sentence(speech, noise, message):
    with pytest.raises(AvsrError, match=message):
        mix_pcm(speech, noise, 0.0)


@pytest.mark.parametrize("bad, message", [(np.array([0.1, np.nan]), "NaN"), (np.zeros((5, 2)), "mono"), (np.zeros(5, int), "float")])
def test_bad_sound_is_a_sentence(bad, message):
    with pytest.raises(AvsrError, match=message):
        to_pcm(bad)


@given(st.lists(st.integers(-32768, 32767), max_size=50))
def test_pcm_there_and_back(values):
    samples = np.array(values, np.int16)
    assert np.array_equal(to_pcm(from_pcm(samples)), samples)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 400), st.integers(1, 8), st.integers(1, 5), st.integers(0, 9))
def test_babble_of_any_size_sounds(length, talkers, voices, seed):
    rng = np.random.default_rng(seed)
    result = babble_pcm([voice(i, length=3 + 50 * i) for i in range(1, voices + 1)], length, rng, talkers=talkers)
    assert result.shape == (length,) and result.any()


SOUND = {
    "low_bitrate": {"kbits": 8},
    "packet_loss": {"fraction": 0.3},
    "damaged_packets": {"fraction": 0.3},
    "dying": {},
    "shifted": {"ms": 100.0},
}


@pytest.mark.parametrize("name", SOUND)
def test_a_fault_keeps_length_and_seed_and_changes_something(name):
    fault = getattr(codec, name, None) or getattr(sound_faults, name)
    samples = from_pcm(voice(3))
    one, same = (fault(samples, np.random.default_rng(5), **SOUND[name]) for _ in range(2))
    assert one.shape == samples.shape and one.dtype == np.float32
    assert np.array_equal(one, same) and not np.array_equal(one, samples)


def test_a_codec_keeps_time():
    samples = from_pcm(voice(4, 32000))
    for result in (
        codec.low_bitrate(samples, np.random.default_rng(0), kbits=64),
        codec.damaged_packets(samples, np.random.default_rng(0), fraction=0.0),
    ):
        middle = samples[8000:24000]
        lags = [float(middle @ result[8000 + lag : 24000 + lag]) for lag in range(-40, 41)]
        assert abs(int(np.argmax(lags)) - 40) <= 1


def test_a_shift_is_of_its_length_and_a_dead_microphone_stays_dead():
    samples = from_pcm(voice(5))
    rng = np.random.default_rng(0)
    late, early = (sound_faults.shifted(samples, rng, ms=ms) for ms in (50.0, -50.0))
    assert np.array_equal(late[800:], samples[:-800]) and np.array_equal(early[:-800], samples[800:])
    assert not sound_faults.dying(samples, rng)[8000:].any()
    assert np.array_equal(sound_faults.shifted(samples, rng, ms=0.0), samples)


def test_shrinking_loses_detail_and_another_face_is_the_others():
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (6, 96, 96), dtype=np.uint8)
    sure = np.ones(6, np.float32)
    small, _ = picture_faults.shrunk(frames, sure, rng, factor=4)
    assert small.shape == frames.shape and small.std() < 0.5 * frames.std()
    other = (frames[:4] // 2, np.full(4, 0.5, np.float32))
    swapped, confidence = picture_faults.swapped(frames, sure, rng, other=other)
    assert all(any(np.array_equal(frame, theirs) for theirs in other[0]) for frame in swapped) and (confidence == 0.5).all()


def test_what_is_held_out_cannot_be_trained_on():
    assert not HELD_OUT & {*SoundCorruption.__dataclass_fields__, *PictureCorruption.__dataclass_fields__}
    with pytest.raises(AvsrError, match="packet_loss is kept for the benchmark"):
        check_trainable(["white", "packet_loss"], "train.yaml")
