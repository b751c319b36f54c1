"""Korean as it is pronounced: the hard words of each article, and what must hold for any Hangul."""

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.errors import AvsrError
from avsr.text import pronunciation_words
from avsr.text.hangul import is_syllable
from avsr.text.pronunciation import Phoneme, phonemes, pronounce
from avsr.text.pronunciation_rules import apply_rules
from avsr.text.syllable import CODAS, ONSETS, VOWELS, Syllable, tensed
from tests.text.pronounced_words import PRONOUNCED

LEGAL = {
    "onset": set("ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅈㅉㅊㅋㅌㅍㅎ"),
    "vowel": set("ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"),
    "coda": set("ㄱㄴㄷㄹㅁㅂㅇ"),
}

# Uniform syllables mostly have rare codas and vowels; the listed words bring the rules that know words.
SYLLABLE = st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3)
EOJEOL = st.text(SYLLABLE, min_size=1, max_size=5) | st.sampled_from(
    [eojeol for words in PRONOUNCED.values() for spelt, _ in words for eojeol in spelt.split()]
)
TEXT = st.lists(EOJEOL, max_size=6).map(" ".join)
MARKED = st.lists(st.tuples(EOJEOL, st.sampled_from(["", "", ".", ",", "?!"])), max_size=6).map(
    lambda pairs: " ".join(eojeol + mark for eojeol, mark in pairs)
)


@pytest.mark.parametrize("article", PRONOUNCED)
def test_hard_words(article):
    expected = dict(PRONOUNCED[article])
    assert {spelt: pronounce(spelt) for spelt in expected} == expected
    assert {sound: pronounce(sound) for sound in expected.values()} == {sound: sound for sound in expected.values()}


def test_sentences():
    assert pronounce("안녕하세요 저는 김민수입니다 잘 부탁드립니다") == "안녕하세요 저는 김민수임니다 잘 부탁뜨림니다"
    assert pronounce("제가 도와드릴 수 있을까요") == "제가 도와드릴 쑤 이쓸까요"
    assert pronounce("옷을 갈아입고 신발을 신고 밖으로 나갔다") == "오슬 가라입꼬 신바를 신꼬 바끄로 나갇따"
    assert pronounce("동생이 문을 열고 들어왔다") == "동생이 무늘 열고 드러왇따"


def test_phonemes_of_the_pronunciation():
    assert phonemes("옷 안") == [
        Phoneme("vowel", "ㅗ", 0),
        Phoneme("onset", "ㄷ", 1),
        Phoneme("vowel", "ㅏ", 1),
        Phoneme("coda", "ㄴ", 1),
    ]
    assert "".join(phoneme.symbol for phoneme in phonemes("국물이")) == "ㄱㅜㅇㅁㅜㄹㅣ"


def test_marks_stay_and_end_the_phrase():
    assert pronounce("옷, 안") == "옫, 안"
    assert pronounce("할, 수") == "할, 수"
    assert pronounce("책 ... 넣는다!") == "책 ... 넌는다!"
    assert phonemes("책 ... 나")[-1] == Phoneme("vowel", "ㅏ", 2)
    assert pronounce("") == pronounce(" \n") == "" and phonemes("") == []


@pytest.mark.parametrize(
    ("text", "named"), [("3층", "'3' in '3층'"), ("이 TV", "'T'"), ("ㅋㅋ", "'ㅋ'"), ("가.나", "'.'"), ("漢字", "'漢'")]
)
def test_what_is_not_a_syllable_is_named(text, named):
    for function in (pronounce, phonemes):
        with pytest.raises(AvsrError, match=re.escape(named)):
            function(text)


@settings(deadline=None)
@given(MARKED)
def test_any_hangul_keeps_its_eojeol_and_syllables(text):
    sound = pronounce(text)
    assert [len(eojeol) for eojeol in sound.split()] == [len(eojeol) for eojeol in text.split()]
    assert pronounce(unicodedata.normalize("NFD", text)) == sound


@settings(deadline=None)
@given(TEXT)
def test_phonemes_are_legal_and_those_of_the_pronunciation(text):
    found = phonemes(text)
    assert all(phoneme.symbol in LEGAL[phoneme.kind] for phoneme in found)
    written = [
        Phoneme(kind, symbol, word)
        for word, eojeol in enumerate(pronounce(text).split())
        for syllable in map(Syllable.of, eojeol)
        for kind, symbol in (("onset", syllable.onset), ("vowel", syllable.vowel), ("coda", syllable.coda))
        if symbol and (kind, symbol) != ("onset", "ㅇ")
    ]
    assert found == written


@settings(deadline=None)
@given(TEXT)
def test_the_sound_rules_leave_what_is_heard_alone(text):
    # ㅢ and ㅖ aside: 문의 is heard with the vowel of 의 after ㄴ, but spelt 무늬 it would be 무니 (article 5).
    syllables = [Syllable.of(character, word) for word, eojeol in enumerate(text.split()) for character in eojeol]
    for syllable in syllables:
        syllable.vowel = {"ㅢ": "ㅣ", "ㅖ": "ㅔ"}.get(syllable.vowel, syllable.vowel)
    apply_rules(syllables)
    heard = list(map(str, syllables))
    apply_rules(syllables)
    assert list(map(str, syllables)) == heard


@settings(deadline=None)
@given(SYLLABLE)
def test_a_syllable_is_its_parts(character):
    syllable = Syllable.of(character)
    assert syllable.onset in ONSETS and syllable.vowel in VOWELS and syllable.coda in CODAS
    assert str(syllable) == character
    assert tensed(tensed(character)) == tensed(character) and Syllable.of(tensed(character)).vowel == syllable.vowel


def test_every_listed_word_changes_and_is_listed_once():
    unchanged_on_purpose = {"대관령"}
    entries = [entry for words in pronunciation_words._LEXICON.values() for entry in words]
    keys = [(entry.spelt, entry.guard.pattern) for entry in entries]
    assert sorted({key[0] for key in keys if keys.count(key) > 1}) == []
    for entry in entries:
        assert all(map(is_syllable, entry.spelt + entry.respelt)) and len(entry.spelt) == len(entry.respelt)
        assert entry.spelt != entry.respelt or entry.spelt in unchanged_on_purpose, entry.spelt
