"""The voice itself, where its wheels are installed: Hangul in, sound with true times out, the same for the same seed."""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, distribution

import numpy as np
import pytest

from avsr.corpora.talking_heads import kokoro
from avsr.corpora.talking_heads.speakers import make_speakers
from avsr.corpora.talking_heads.voice import RATE, Voice
from avsr.errors import AvsrError, ModelError

try:
    distribution(kokoro.PACKAGE), distribution("onnxruntime")
except PackageNotFoundError as error:
    pytest.skip(f"the voice's wheels are absent ({error}): run tools/install.sh", allow_module_level=True)

VOWELS = set("ㅏㅐㅑㅓㅔㅕㅗㅛㅜㅠㅡㅣ")


@pytest.fixture(scope="module")
def voice() -> Voice:
    return Voice.load()


@pytest.fixture(scope="module")
def speech(voice):
    return voice.say("학생 아빠 칠 국밥", make_speakers(1, 1)[0], np.random.default_rng(4))


def level(speech, start: float, end: float) -> float:
    return float(np.sqrt(np.mean(np.square(speech.samples[int(start * RATE) : int(end * RATE)]))))


def test_times_cover_the_sound_without_a_gap(speech):
    assert speech.samples.dtype == np.float32 and np.abs(speech.samples).max() < 1
    assert speech.phones[0].start == 0 and speech.phones[-1].end == pytest.approx(speech.duration)
    assert all(a.end == b.start and a.end > a.start for a, b in zip(speech.phones[:-1], speech.phones[1:], strict=True))
    assert [p.phoneme.symbol for p in speech.phones if p.phoneme] == list("ㅎㅏㄱㅆㅐㅇㅏㅃㅏㅊㅣㄹㄱㅜㄱㅃㅏㅂ")
    assert [word for *_, word in speech.words] == "학생 아빠 칠 국밥".split()
    assert all(a < b for a, b, _ in speech.words)


def test_times_are_those_of_the_sound(speech):
    """Vowels are loud, the closure of ㅃ in 아빠 and the pauses at both ends are quiet."""
    vowels = [level(speech, p.start, p.end) for p in speech.phones if p.phoneme and p.phoneme.symbol in VOWELS]
    assert min(vowels) > 0.02
    first, last = speech.phones[0], speech.phones[-1]
    assert first.phoneme is None and 0.19 < first.end < 0.51 and level(speech, 0, first.end - 0.04) < 0.02 * np.mean(vowels)
    assert last.phoneme is None and 0.19 < last.end - last.start < 0.51
    assert level(speech, last.start + 0.06, last.end) < 0.02 * np.mean(vowels)  # the last ㅂ is not released
    closure = next(p for p in speech.phones if p.phoneme and p.phoneme.symbol == "ㅃ")
    middle = (closure.start + closure.end) / 2
    assert level(speech, middle - 0.01, middle + 0.01) < 0.1 * np.mean(vowels)


def test_the_same_state_says_the_same_and_another_does_not(voice, speech):
    again = voice.say("학생 아빠 칠 국밥", make_speakers(1, 1)[0], np.random.default_rng(4))
    assert np.array_equal(again.samples, speech.samples) and again.phones == speech.phones
    other = voice.say("칠", make_speakers(2, 1)[1], np.random.default_rng(5))
    assert other.duration != speech.duration


@pytest.mark.parametrize("text", ["학생 아빠 칠 국밥", "안녕하세요, 저는 김민수입니다!", "어디에 가", "칠"])
def test_times_alone_are_those_of_the_sound(voice, text):
    for speaker in make_speakers(2, 3):
        said, timed = (say(text, speaker, np.random.default_rng(7)) for say in (voice.say, voice.times))
        assert timed.phones == said.phones and timed.words == said.words and timed.duration == said.duration


def test_nothing_is_cut_off_at_the_end(voice):
    """The time of the last vowel is a guess: sound that goes on after it is kept."""
    said = voice.say("어디에 가", make_speakers(1, 1)[0], np.random.default_rng(2))
    last = said.phones[-1]
    assert level(said, last.end - 0.05, last.end) < 0.02 * level(said, said.phones[1].start, last.start)


@pytest.mark.parametrize("text", ["", "  ", "TV", "3"])
def test_what_cannot_be_said_is_a_sentence(voice, text):
    for say in (voice.say, voice.times):
        with pytest.raises(AvsrError):
            say(text, make_speakers(1, 1)[0], np.random.default_rng(0))


def test_too_much_for_one_breath_is_a_sentence(voice):
    with pytest.raises(ModelError, match="cut the sentence"):
        voice.say("꽃" * 300, make_speakers(1, 1)[0], np.random.default_rng(0))


def test_the_mended_model_is_checked_and_made_again(tmp_path, monkeypatch):
    monkeypatch.setenv("AVSR_CACHE", str(tmp_path))
    (tmp_path / kokoro.NAME).write_bytes(b"half of it")
    path = kokoro.model_path()
    assert path.parent == tmp_path and hashlib.sha256(path.read_bytes()).hexdigest() == kokoro.SHA256


def test_absent_wheels_are_named(monkeypatch):
    monkeypatch.setattr(kokoro, "PACKAGE", "no-such-voice")
    with pytest.raises(ModelError, match="no-such-voice"):
        kokoro.read_styles()
