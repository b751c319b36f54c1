"""Jamo and back, for any text."""

import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.text.hangul import from_jamo, is_hangul, is_jamo, is_syllable, to_jamo

SYLLABLES = st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3)
NO_CONJOINING = st.characters(exclude_categories=["Cs"]).filter(lambda c: not is_jamo(c))
JAMO = st.sampled_from([chr(c) for c in [*range(0x1100, 0x1113), *range(0x1161, 0x1176), *range(0x11A8, 0x11C3)]])


@settings(deadline=None)
@given(st.text(NO_CONJOINING | SYLLABLES))
def test_taking_apart_and_putting_together_gives_nfc(text):
    assert from_jamo(to_jamo(text)) == unicodedata.normalize("NFC", text)


@settings(deadline=None)
@given(st.text(JAMO))
def test_any_sequence_of_jamo_becomes_readable_hangul(jamo):
    written = from_jamo(jamo)
    assert all(is_hangul(character) and not is_jamo(character) for character in written)
    assert from_jamo(to_jamo(written)) == written


def test_incomplete_syllables_are_written_as_letters():
    assert from_jamo("\u1100\u1100\u1161\u11a8\u11a8\u1161") == "ㄱ각ㄱㅏ"
    assert from_jamo("\u1112\u1161\u11ab\u1100\u1173\u11af") == "한글"


def test_positions_are_told_apart():
    assert to_jamo("각") == "\u1100\u1161\u11a8"
    assert is_syllable("각") and not is_syllable("ㄱ") and is_jamo("\u11a8") and is_hangul("ㄱ") and not is_hangul("a")
