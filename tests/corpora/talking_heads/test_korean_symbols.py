"""Korean phonemes in Kokoro's symbols: every sound has its own spelling, and every symbol knows whose it is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.corpora.talking_heads.korean_symbols import CODAS, VOWELS, spell
from avsr.text.pronunciation import Phoneme, phonemes


def written(text: str) -> str:
    return "".join(symbol.text for symbol in spell(phonemes(text)))


def said(text: str) -> list[tuple[str, float]]:
    return [(symbol.text, symbol.speed) for symbol in spell(phonemes(text))]


@pytest.mark.parametrize("plain, tense, aspirated", ["불뿔풀", "달딸탈", "굴꿀쿨", "종쫑총", "아바 아빠 아파".split(), "간다 깐다 칸다".split()])
def test_plain_tense_and_aspirated_are_three_spellings(plain, tense, aspirated):
    assert said(plain) != said(tense) != said(aspirated) != said(plain)


def test_s_and_its_tense_sister_differ_everywhere():
    for pair in (("살", "쌀"), ("시", "씨"), ("가사", "가싸")):
        assert written(pair[0]) != written(pair[1])


def test_plain_stops_are_voiced_between_voiced_sounds_only():
    assert "aba" in written("아바") and "nda" in written("간다") and written("바").startswith("p")
    assert "kk" in written("학교")  # the coda's closure and the tense onset make one geminate
    assert "ll" in written("달라") and "ɾ" in written("다리")


def test_a_coda_of_its_own_is_a_tap_but_after_rounded_vowels_and_eu():
    assert "iɾ" in written("필통") and "aɾ" in written("갈색") and "ɯl" in written("쓸모") and "ul" in written("술집")


def test_s_is_palatal_before_i():
    assert "ɕi" in written("시") and "ɕja" in written("샤") and "sʰa" in written("사") and "ssa" in written("싸")


def test_pauses_are_written_where_they_are_asked_for():
    sounds = phonemes("네, 좋아요")
    assert "," in "".join(s.text for s in spell(sounds, breaks=frozenset({0}))) and "," not in "".join(s.text for s in spell(sounds))
    assert spell(sounds, end="?")[-1].text == "?"


@st.composite
def utterances(draw) -> list[Phoneme]:
    sounds = []
    for word in range(draw(st.integers(1, 3))):
        for _ in range(draw(st.integers(1, 4))):
            if onset := draw(st.sampled_from([*"ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅈㅉㅊㅋㅌㅍㅎ", ""])):
                sounds.append(Phoneme("onset", onset, word))
            sounds.append(Phoneme("vowel", draw(st.sampled_from(list(VOWELS))), word))
            if coda := draw(st.sampled_from([*CODAS, ""])):
                sounds.append(Phoneme("coda", coda, word))
    return sounds


@settings(deadline=None, max_examples=60)
@given(utterances())
def test_every_phoneme_has_symbols_in_its_order(sounds):
    symbols = spell(sounds)
    owners = [symbol.phoneme for symbol in symbols if symbol.phoneme is not None]
    assert owners == sorted(owners) and set(owners) == set(range(len(sounds)))
    assert all(symbol.speed > 0 and symbol.pitch > 0 and symbol.text for symbol in symbols)
    assert sum(symbol.phoneme is None for symbol in symbols) == sounds[-1].word + 1
