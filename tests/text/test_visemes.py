"""What looks alike is the same, and only that."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avsr.text.visemes import CONSONANTS, VOWELS, is_korean, ver, visemes

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
