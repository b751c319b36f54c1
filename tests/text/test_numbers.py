"""Figures as they are said."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.text.numbers import native, readings, sino


@pytest.mark.parametrize(("number", "said"), [(1, "한"), (20, "스무"), (23, "스물세"), (99, "아흔아홉")])
def test_native(number, said):
    assert native(number) == said


def test_there_is_no_native_hundred():
    with pytest.raises(ValueError, match="use sino"):
        native(100)
    assert sino(12000) == "만 이천"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2시 3분에 만나.", "두시 삼분에 만나"), ("2주", "이주"), ("3개", "세개"), ("30층", "삼십층"), ("1,200원", "천이백원"),
        ("3.5킬로", "삼점오킬로"), ("20 살", "스무 살"), ("둘이서", "둘이서"), ("5번 만났다", "다섯번 만났다"), ("5번 버스", "오번 버스"),
    ],
)
def test_one_of_the_readings_is_what_was_said(text, said):
    assert said in readings(text)


@settings(max_examples=60, deadline=None)
@given(st.text("가나 0123456789,.시개층", max_size=20))
def test_readings_hold_no_figures_and_are_stable(text):
    found = readings(text)
    assert 1 <= len(found) <= 3 and len(set(found)) == len(found)
    for said in found:
        assert not any(character.isdigit() for character in said) and readings(said) == [said]
