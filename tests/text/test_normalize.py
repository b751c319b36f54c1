"""Normalising: what changes, what stays, and that doing it twice changes nothing more."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.text.normalize import normalize_scoring, normalize_training

TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("가나3.,%' Aé\u1100\u1161"))


@pytest.mark.parametrize(
    ("text", "training", "scoring"),
    [
        ("  안녕,  하세요?! ", "안녕 하세요", "안녕 하세요"),
        (unicodedata.normalize("NFD", "한글 TV"), "한글 tv", "한글 tv"),
        ("\ufeffＡＢ\u200b１２～３", "ab12 3", "ab십이 삼"),
        ("1,000원 3.5배", "1000원 3.5배", "천원 삼점오배"),
        ("30%", "30 퍼센트", "삼십 퍼센트"),
        ("３０％", "30 퍼센트", "삼십 퍼센트"),
        ("100%의 3%, 5%", "100 퍼센트의 3 퍼센트 5 퍼센트", "백 퍼센트의 삼 퍼센트 오 퍼센트"),
        ("‘그래…’ ♥️ 네·네", "그래 네 네", "그래 네 네"),
        ("Don’t 'stop'", "don't stop", "don't stop"),
        ("ㅋㅋ ㅠㅠ", "ㅋㅋ ㅠㅠ", "ㅋㅋ ㅠㅠ"),
        ("3.", "3", "삼"),
        ("010-1234", "010 1234", "공일공 천이백삼십사"),
    ],
)
def test_examples(text, training, scoring):
    assert normalize_training(text) == training
    assert normalize_scoring(text) == scoring


@pytest.mark.parametrize(
    ("figures", "reading"),
    [("0", "영"), ("10", "십"), ("11", "십일"), ("101", "백일"), ("1000", "천"), ("10000", "만"), ("11000", "만 천"),
     ("120300", "십이만 삼백"), ("100000000", "일억"), ("210000", "이십일만"), ("2026", "이천이십육")],
)  # fmt: skip
def test_figures_are_read_as_in_korean(figures, reading):
    assert normalize_scoring(figures) == reading


@settings(deadline=None)
@given(TEXT)
def test_twice_is_once(text):
    assert normalize_training(normalize_training(text)) == normalize_training(text)
    assert normalize_scoring(normalize_scoring(text)) == normalize_scoring(text)


@settings(deadline=None)
@given(TEXT)
def test_what_training_drops_scoring_does_not_read(text):
    """A reference that has gone through training's form scores as the transcript itself does."""
    assert normalize_scoring(normalize_training(text)) == normalize_scoring(text)


@settings(deadline=None)
@given(TEXT)
def test_the_result_is_nfc_in_single_spaces_and_without_figures_when_scored(text):
    for result in (normalize_training(text), normalize_scoring(text)):
        assert unicodedata.is_normalized("NFC", result)
        assert result == " ".join(result.split())
    assert not any(digit in normalize_scoring(text) for digit in "0123456789")
