"""Visemes: every Korean sound has one, and they are ordered as the phonetics says."""

from __future__ import annotations

import pytest

from avsr.corpora.talking_heads.timing import PhoneTime
from avsr.corpora.talking_heads.visemes import CHANNELS, VISEMES, gestures, viseme_names
from avsr.errors import AvsrError
from avsr.text.pronunciation import Phoneme

ONSETS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅈㅉㅊㅋㅌㅍㅎ"
CODAS = "ㄱㄴㄷㄹㅁㅂㅇ"
VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"


def millimetres(name: str, channel: str) -> float:
    return VISEMES[name].target[CHANNELS.index(channel)]


@pytest.mark.parametrize(("kind", "symbols"), [("onset", ONSETS), ("coda", CODAS), ("vowel", VOWELS)])
def test_every_sound_has_its_visemes(kind, symbols):
    for symbol in symbols:
        names = viseme_names(kind, symbol)
        assert names and all(name in VISEMES for name in names)


def test_every_viseme_is_some_sounds():
    used = {name for kind, symbols in (("onset", ONSETS), ("coda", CODAS), ("vowel", VOWELS)) for s in symbols
            for name in viseme_names(kind, s)}
    assert used == set(VISEMES)


def test_only_bilabials_shut_the_lips():
    shut = {(kind, s) for kind, symbols in (("onset", ONSETS), ("coda", CODAS)) for s in symbols
            if any(VISEMES[viseme_names(kind, s)[0]].closed)}
    assert shut == {("onset", s) for s in "ㅁㅂㅃㅍ"} | {("coda", s) for s in "ㅁㅂ"}


def test_openness_follows_vowel_height():
    for channel in ("jaw", "gap"):
        heights = [millimetres(vowel, channel) for vowel in "ㅏㅓㅐㅔㅗㅡ"]
        assert heights == sorted(heights, reverse=True)
    assert max(millimetres(v, "jaw") for v in "ㅡㅣㅜ") < millimetres("ㅔ", "jaw")


def test_rounding_and_spreading():
    protruded = {v for v in "ㅏㅓㅗㅜㅡㅣㅔㅐ" if millimetres(v, "protrude") > 2}
    assert protruded == {"ㅗ", "ㅜ"}
    assert millimetres("ㅜ", "width") < millimetres("ㅗ", "width") < millimetres("ㅓ", "width") < 0
    assert millimetres("ㅣ", "width") == max(millimetres(v, "width") for v in "ㅏㅓㅗㅜㅡㅣㅔㅐ")


def test_the_tongue_tip_is_raised_for_coronals_only():
    assert {s for s in ONSETS if VISEMES[s].tip > 0.8} == set("ㄴㄷㄸㄹㅌ")


def test_the_teeth_nearly_meet_for_sibilants_only():
    assert {s for s in ONSETS if millimetres(s, "jaw") <= 1.0} == set("ㅅㅆㅈㅉㅊ")


def test_a_diphthong_is_a_glide_and_a_vowel_without_a_gap():
    glide, vowel = gestures([PhoneTime(1.0, 1.1, Phoneme("vowel", "ㅘ", 3))])
    assert (glide.name, vowel.name) == ("w", "ㅏ")
    assert (glide.start, vowel.end) == (1.0, 1.1) and glide.end == vowel.start
    assert glide.word == vowel.word == 3


def test_a_long_diphthong_does_not_linger_on_its_glide():
    glide, _ = gestures([PhoneTime(0.0, 1.0, Phoneme("vowel", "ㅛ", 0))])
    assert glide.end <= 0.1


def test_pauses_have_no_gesture():
    assert gestures([PhoneTime(0.0, 1.0, None)]) == []


@pytest.mark.parametrize(
    ("kind", "symbol"), [("coda", "ㅅ"), ("onset", "ㅇ"), ("vowel", "ㄱ"), ("tone", "ㅏ"), ("vowel", "a"), ("vowel", "")]
)
def test_what_is_no_korean_sound_is_a_sentence(kind, symbol):
    with pytest.raises(AvsrError, match="cannot be a Korean"):
        viseme_names(kind, symbol)
