"""Voices are told from other sounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.media.voice_activity import VoiceStream, voice_probability


@pytest.fixture(scope="module")
def spoken() -> np.ndarray:
    """Two seconds and more of a made voice."""
    from avsr.corpora.talking_heads.quickstart import load_quickstart

    return next(iter(load_quickstart())).load().samples


def test_a_voice_is_found_where_it_is(spoken):
    empty = np.zeros(32000, np.float32)
    found = voice_probability(np.concatenate([empty, spoken, empty])) > 0.5
    inside = found[50 : 50 + len(spoken) // 640]
    assert inside.mean() > 0.7 and found[:45].sum() == 0 and found[-40:].sum() == 0


def test_in_noise_too(spoken):
    noise = np.random.default_rng(1).standard_normal(len(spoken)).astype(np.float32)
    assert (voice_probability(spoken + noise * spoken.std()) > 0.5).mean() > 0.5  # 0 dB


@pytest.mark.parametrize("kind", ["silence", "white", "brown", "chord", "clicks"])
def test_other_sounds_are_no_voice(kind):
    rng, times = np.random.default_rng(1), np.arange(16000 * 20) / 16000
    samples = {
        "silence": np.zeros(len(times)),
        "white": rng.normal(0, 0.1, len(times)),
        "brown": np.cumsum(rng.normal(0, 1e-3, len(times))) * 0.1,
        "chord": sum(np.sin(2 * np.pi * pitch * times) for pitch in (220, 277, 330, 440)) * 0.1,
        "clicks": (times % 0.5 < 0.002) * 0.5,
    }[kind]
    assert not (voice_probability(samples.astype(np.float32)) > 0.5).any()


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 4000), st.sampled_from([160, 512, 640, 1000]))
def test_one_value_a_frame(count, frame):
    found = voice_probability(np.zeros(count, np.float32), frame)
    assert len(found) == -(-count // frame) and ((found >= 0) & (found <= 1)).all()


def test_the_blocks_in_which_it_is_computed_do_not_show(spoken, monkeypatch):
    long = np.tile(spoken, 3)
    whole = voice_probability(long)
    monkeypatch.setattr("avsr.media.voice_activity._BLOCK", 37)
    assert np.allclose(voice_probability(long), whole, atol=1e-4)


@settings(deadline=None, max_examples=15)
@given(st.lists(st.integers(0, 5000), min_size=1, max_size=12), st.sampled_from([160, 640, 1000]))
def test_a_sound_that_comes_bit_by_bit_gives_the_same(spoken, sizes, frame):
    stream, edges = VoiceStream(frame), np.minimum(np.cumsum([0, *sizes]), len(spoken))
    parts = [stream.add(spoken[first:stop]) for first, stop in zip(edges, edges[1:])]
    assert all(sum(map(len, parts[:count])) * frame <= edges[count] for count in range(1, len(parts)))  # nothing is guessed
    assert np.allclose(np.concatenate([*parts, stream.finish()]), voice_probability(spoken[: edges[-1]], frame), atol=1e-4)
