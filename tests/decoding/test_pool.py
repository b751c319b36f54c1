"""An ear and the lips in one list: who is believed when, and what is said where nobody speaks."""

from __future__ import annotations


import numpy as np
import pytest

from avsr.decoding import pool
from avsr.decoding.likelihood import lip_features, text_log_likelihood
from avsr.decoding.recognizer import Recognizer
from avsr.ears.ear import open_ear
from avsr.errors import AvsrError
from avsr.lips.mouth_clip import MouthClip
from avsr.media.captions import Word
from tests.decoding.conftest import speech

SOUND = speech(np.arange(3 * 16000) / 16000)


class StandInEar:
    """Hears what it is told to."""

    name, sure = "stand-in", 0.5

    def __init__(self, **texts: float) -> None:
        self.scores, self.heard = texts, 0

    def listen(self, samples: np.ndarray) -> StandInEar:
        self.heard += 1
        return self

    @property
    def texts(self) -> list[str]:
        return sorted(self.scores, key=lambda text: -self.scores[text])

    def likelihood(self, texts) -> np.ndarray:
        return np.array([self.scores.get(text, -50.0) for text in texts])

    def words(self, text: str, start: float) -> list[Word]:
        return [Word(start + place, start + place + 1, word) for place, word in enumerate(text.split())]


@pytest.fixture
def mouth(monkeypatch) -> MouthClip:
    """Three seconds of lips that speak."""
    monkeypatch.setattr(pool, "_speaks", lambda clip: True)
    frames = np.random.default_rng(5).integers(0, 255, (75, 96, 96), dtype=np.uint8)
    return MouthClip(frames, np.ones(75, np.float32))


def trust(monkeypatch, confidence: float) -> None:
    """The lips' words are so likely to be right."""
    monkeypatch.setattr(pool, "_trust", lambda *_: confidence)


def test_a_model_that_was_not_calibrated_is_not_trusted(recognizer, mouth):
    lips = recognizer.recognise(None, mouth, "lip")
    assert recognizer.calibration is None and pool._trust(recognizer, lips) == 0.0
    calibrated = Recognizer(recognizer.packed, recognizer.options)
    calibrated.calibration = {}
    assert pool._trust(calibrated, lips) == pytest.approx(np.mean([word.confidence for word in lips.words]))


def with_ear(recognizer, **texts: float) -> tuple[Recognizer, StandInEar]:
    ear = StandInEar(**texts)
    return Recognizer(recognizer.packed, recognizer.options, ear=ear), ear


def test_without_a_mouth_the_ear_speaks_alone(recognizer):
    listener, _ = with_ear(recognizer, **{"안녕하세요.": -2.0, "안녕하세요": -2.5, "안녕히 가세요": -4.0})
    found = listener.recognise(SOUND, None, "av", start=5.0)
    assert [one.text for one in found.nbest] == ["안녕하세요.", "안녕히 가세요"], "a full stop makes no other text"
    assert (found.source, found.mode, found.words[0].start) == ("voice", "audio", 5.0)


def test_what_sounds_alike_is_told_apart_by_the_lips(recognizer, mouth, monkeypatch):
    trust(monkeypatch, 0.7)
    texts = ["오늘 날씨가 좋네요", "오늘 낮이 길네요"]
    listener, _ = with_ear(recognizer, **dict.fromkeys(texts, -3.0))
    found = listener.recognise(SOUND, mouth, "av")
    features = lip_features(recognizer.packed.model, mouth)
    seen = text_log_likelihood(recognizer.packed.model, features, texts, recognizer.packed.tokenizer).ctc_unspaced
    ranked = [one.text for one in found.nbest if one.text in texts]
    assert ranked == [texts[place] for place in np.argsort(-seen)] and found.mode == "av"


@pytest.mark.parametrize(("confidence", "asked"), [(0.3, False), (0.34, True)])
def test_lips_with_little_weight_do_not_put_the_ears_texts_into_another_order(recognizer, mouth, monkeypatch, confidence, asked):
    """A real face in a little noise: the lips tell nothing apart, and moved words by chance (0.09 of the weight; then 0.104)."""
    trust(monkeypatch, confidence)
    texts = ["오늘 날씨가 좋네요", "오늘 낮이 길네요"]
    seen = text_log_likelihood(
        recognizer.packed.model, lip_features(recognizer.packed.model, mouth), texts, recognizer.packed.tokenizer
    ).ctc_unspaced
    second, first = (texts[place] for place in np.argsort(seen))  # the lips are for `first`
    listener, _ = with_ear(recognizer, **{second: -3.0, first: -3.0001})
    found = listener.recognise(SOUND, mouth, "av")
    ranked = [one.text for one in found.nbest if one.text in texts]
    assert ranked == ([first, second] if asked else [second, first]) and (found.audio_weight < 1) == asked


@pytest.mark.parametrize(("sure", "confidence", "source"), [(1.0, 1.0, "voice"), (0.0, 1.0, "lips"), (0.1, 0.0, "voice")])
def test_the_words_come_from_who_is_sure(recognizer, mouth, monkeypatch, sure, confidence, source):
    trust(monkeypatch, confidence)
    listener, ear = with_ear(recognizer, **{"전혀 다른 말을 아주 길게 했습니다 그렇지요": -3.0})
    ear.sure = sure
    found = listener.recognise(SOUND, mouth, "av", start=2.0)
    assert found.source == source and found.audio_weight == {"voice": 1.0, "lips": 0.0}[source]
    alone = recognizer.recognise(None, mouth, "lip", start=2.0)
    if source == "lips":
        assert found.text in [one.text for one in alone.nbest] and " ".join(word.text for word in found.words) == found.text
        assert all(2.0 <= word.start < word.end <= 5.0 for word in found.words)


def test_both_may_say_the_same_and_write_it_in_their_own_way(recognizer, mouth, monkeypatch):
    lips = recognizer.recognise(None, mouth, "lip")
    trust(monkeypatch, 0.3)
    listener, _ = with_ear(recognizer, **{f"{lips.text.replace(' ', '')}!": -0.1})
    found = listener.recognise(SOUND, mouth, "av")
    assert found.source == "both" and found.text.endswith("!")
    assert pool._key("2주 동안") == pool._key("이 주 동안.")


@pytest.mark.parametrize("samples", [np.zeros(48000, np.float32), np.random.default_rng(1).normal(0, 0.1, 48000)])
def test_an_ear_is_not_asked_where_no_voice_is(recognizer, mouth, samples):
    listener, ear = with_ear(recognizer, **{"시청해 주셔서 감사합니다": -0.1})
    assert listener.recognise(samples, None, "av").text == "" and not ear.heard
    found = listener.recognise(samples, mouth, "av")
    assert found.source == "lips" and found.text == recognizer.recognise(None, mouth, "lip").text and not ear.heard


def test_a_mouth_that_does_not_speak_has_no_say(recognizer, mouth, monkeypatch):
    monkeypatch.setattr(pool, "_speaks", lambda clip: False)
    listener, _ = with_ear(recognizer, **{"안녕하세요": -2.0})
    found = listener.recognise(SOUND, mouth, "av")
    assert (found.text, found.source, found.audio_weight) == ("안녕하세요", "voice", 1.0)
    silent, _ = with_ear(recognizer)
    assert silent.recognise(SOUND, mouth, "av").text == ""


def test_mode_lip_has_no_use_for_an_ear(recognizer, mouth):
    listener, ear = with_ear(recognizer, **{"안녕하세요": -2.0})
    assert listener.recognise(SOUND, mouth, "lip").source == "lips" and not ear.heard


def test_names_of_ears(monkeypatch):
    assert open_ear("native") is None
    for name in ("whisper", "whisper:", "vosk:small"):
        with pytest.raises(AvsrError, match="it can be native, or whisper:SIZE"):
            open_ear(name)
    monkeypatch.setitem(__import__("sys").modules, "faster_whisper", None)
    with pytest.raises(AvsrError, match="needs faster-whisper"):
        open_ear("whisper:base")


def test_of_pieces_the_source_is_told(recognizer, video, face, monkeypatch):
    listener, _ = with_ear(recognizer, **{"안녕하세요": -2.0})
    monkeypatch.setattr(pool, "_speaks", lambda clip: False)
    result = listener.transcribe(video)
    assert result.text == "안녕하세요" and result.as_dict()["segments"][0]["source"] == "voice"
    assert result.mode == "av"
