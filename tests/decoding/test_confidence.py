"""Confidence: shares of an N-best list, a calibration that recovers known odds, and its error measured as published."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avsr.decoding.confidence import (
    FEATURES,
    calibrate,
    calibration_error,
    confidences,
    read_weights,
    word_features,
    words_right,
)
from avsr.errors import AvsrError, ModelError


def test_calibration_finds_the_odds_that_words_were_drawn_with():
    rng = np.random.default_rng(1)
    features = np.column_stack([rng.normal(0, 2, 20_000), rng.normal(0, 1, 20_000), np.zeros(20_000)])
    truth = 1 / (1 + np.exp(-(0.5 + 0.8 * features[:, 0])))
    weights = calibrate(features, rng.random(20_000) < truth)
    assert weights["bias"] == pytest.approx(0.5, abs=0.08) and weights["posterior"] == pytest.approx(0.8, abs=0.08)
    assert abs(weights["least"]) < 0.05
    fresh = np.column_stack([rng.normal(0, 2, 20_000), np.zeros((20_000, 2))])
    right = rng.random(20_000) < 1 / (1 + np.exp(-(0.5 + 0.8 * fresh[:, 0])))
    assert calibration_error(confidences(fresh, weights), right) < 0.02


def test_too_little_to_learn_from_is_told():
    for words, right in ((5, 2), (100, 100), (100, 0)):
        with pytest.raises(AvsrError, match="more of dev is needed"):
            calibrate(np.zeros((words, 3)), np.arange(words) < right)


def test_calibration_error_is_the_mean_gap():
    assert calibration_error([0.95] * 10, [True] * 9 + [False]) == pytest.approx(0.05)
    assert calibration_error([0.95, 0.15], [False, True]) == pytest.approx((0.95 + 0.85) / 2)
    assert calibration_error([], []) == 0.0
    assert calibration_error([1.0, 0.0], [True, False]) == 0.0


def test_right_words_are_those_of_the_alignment():
    assert words_right("오늘 날씨가 좋다", ["오늘은", "날씨가", "좋다"]) == [False, True, True]
    assert words_right("오늘 좋다", ["오늘", "날씨가", "좋다"]) == [True, False, True]
    assert words_right("", ["오늘"]) == [False] and words_right("오늘", []) == []


def test_words_are_held_against_each_other_as_they_are_scored():
    """Found in review: a number is scored as several words, and there were more answers than words."""
    assert words_right("값은 십이만 삼백 원", ["값은", "120300", "원"]) == [True, True, True]
    assert words_right("값은 십이만 오백 원", ["값은", "120300", "원"]) == [True, False, True]
    assert words_right("그래 좋다", ["그래", "?!", "좋다"]) == [True, None, True]


@given(st.lists(st.sampled_from(["가", "나다", "120300", "3", "⁇", "?", "a-b"]), max_size=6), st.text("가나다 3,.?", max_size=12))
def test_there_is_one_answer_a_word(words, reference):
    assert len(words_right(reference, words)) == len(words)


def test_features_of_sure_and_unsure_words():
    features = word_features([(1.0, 0.9), (0.2, 0.0)], 0.7)
    assert features.shape == (2, len(FEATURES)) and np.isfinite(features).all()
    assert (features[0, :2] > features[1, :2]).all() and (features[:, 2] == 0.7).all()
    assert word_features([], 0.5).shape == (0, 3)


def test_a_models_calibration_is_read_or_refused():
    weights = dict.fromkeys(("bias", *FEATURES), 0.5)
    assert read_weights({"confidence": weights}, "m.zip") == weights
    assert read_weights({}, "m.zip") is None
    for wrong in ({"bias": 1.0}, weights | {"posterior": "high"}, [1, 2]):
        with pytest.raises(ModelError, match="m.zip: its calibration"):
            read_weights({"confidence": wrong}, "m.zip")
