"""What looks alike is the same, and only that."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avsr.text.visemes import CONSONANTS, VOWELS, count_confusions, is_korean, sounds, ver, visemes

syllables = st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), min_size=1, max_size=6)


def test_look_alikes():
    assert visemes("밥을") == visemes("맘은") == "ㅁㅏㅁㅡㄴ"
    assert visemes("국물") == visemes("궁물") == "ㄱㅜㄱㅁㅜㄴ", "as it is pronounced"
    assert visemes("바") == visemes("빠") != visemes("가") != visemes("다") != visemes("사")
    assert visemes("과") == "ㄱㅜㅏ" and visemes("의자") == "ㅡㅣㅅㅏ" and visemes("야") == visemes("아") == "ㅏ"


def test_no_sound_is_in_two_classes():
    letters = "".join([*CONSONANTS.values(), *VOWELS.values()])
    assert len(letters) == len(set(letters)) and all(name in group for name, group in (CONSONANTS | VOWELS).items())


@given(st.lists(syllables, min_size=1, max_size=4))
def test_any_korean_text_has_visemes(words):
    text = " ".join(words)
    assert is_korean(text) and set(visemes(text)) <= set("".join([*CONSONANTS, *VOWELS])) and len(visemes(text)) >= len("".join(words))
    assert ver(text, text).errors == 0


@pytest.mark.parametrize(("said", "errors"), [("밥", 0), ("맘", 0), ("밥이", 1), ("ㅂㅏ", 1), ("", 3), ("간", 2), ("b", 3)])
def test_errors_are_the_eyes(said, errors):
    found = ver("맙", said)
    assert (found.errors, found.length) == (errors, 3)


def test_what_is_no_hangul_stands_for_itself():
    assert visemes("3층 ㅁㅏ tv") == "3층ㅁㅏtv" and not is_korean("3층") and not is_korean(" ")


def test_confusions_are_of_sounds_that_stand_for_one_another():
    assert sounds("국물이") == "ㄱㅜㅇㅁㅜㄹㅣ"
    assert count_confusions([("밥", "맙")]) == {("ㅂ", "ㅁ"): 1, ("ㅏ", "ㅏ"): 1, ("ㅂ", "ㅂ"): 1}
    assert count_confusions([("가나", "나"), ("", "다")])[("ㄱ", "")] == 1
    assert count_confusions([("", "다")]) == {("", "ㄷ"): 1, ("", "ㅏ"): 1}


@given(st.lists(st.tuples(syllables, st.one_of(syllables, st.just(""))), min_size=1, max_size=4))
def test_every_sound_that_was_said_is_counted_once(pairs):
    counts = count_confusions(pairs)
    assert sum(times for (said, _), times in counts.items() if said) == sum(len(sounds(reference)) for reference, _ in pairs)
    assert sum(times for (_, read), times in counts.items() if read) == sum(len(sounds(read)) for _, read in pairs)
