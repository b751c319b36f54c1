"""Takes Hangul syllables apart into conjoining jamo (NFD) and puts them together again (NFC).

Unicode's conjoining jamo are positional (an initial giyeok and a final giyeok are different characters), so the
canonical composition of the standard (The Unicode Standard, section 3.12) restores the syllables without a rule of ours.
"""

from __future__ import annotations

import unicodedata

_SYLLABLES = range(0xAC00, 0xD7A4)  # 가 .. 힣
_CONJOINING = (range(0x1100, 0x1200), range(0xA960, 0xA980), range(0xD7B0, 0xD800))
_COMPATIBILITY = range(0x3130, 0x3190)  # ㄱ ㅏ ㅋ: letters that stand alone, as in ㅋㅋ


def _standalone_letters() -> dict[int, str]:
    """Conjoining jamo -> the letter that stands alone, found by name: HANGUL CHOSEONG X -> HANGUL LETTER X."""
    letters = {}
    for code in range(0x1100, 0x1200):
        _, position, letter = unicodedata.name(chr(code)).split(" ", 2)
        if position in ("CHOSEONG", "JUNGSEONG", "JONGSEONG"):
            try:
                letters[code] = unicodedata.lookup(f"HANGUL LETTER {letter}")
            except KeyError:
                continue  # an obsolete cluster: it has no letter that stands alone, and stays what it is
    return letters


_STANDALONE = _standalone_letters()


def to_jamo(text: str) -> str:
    """NFC or NFD text -> its NFD form: 각 becomes three characters, Latin letters with accents two."""
    return unicodedata.normalize("NFD", text)


def from_jamo(jamo: str) -> str:
    """NFD text, perhaps with incomplete syllables, as a decoder may write it -> NFC text.

    A jamo that finds no syllable to join (an initial without a vowel, a second final) is written as the letter that
    stands alone (ㄱ, ㅏ), since a lone conjoining jamo is drawn as a broken syllable or not at all. Text without
    conjoining jamo of its own comes back as its NFC form: ``from_jamo(to_jamo(text)) == NFC(text)``.
    """
    return unicodedata.normalize("NFC", jamo).translate(_STANDALONE)


def is_syllable(character: str) -> bool:
    """True for one whole modern syllable (가 .. 힣)."""
    return ord(character) in _SYLLABLES


def is_jamo(character: str) -> bool:
    """True for one conjoining jamo, the pieces that NFD gives."""
    return any(ord(character) in block for block in _CONJOINING)


def is_hangul(character: str) -> bool:
    """True for a syllable, a conjoining jamo or a letter that stands alone."""
    return is_syllable(character) or is_jamo(character) or ord(character) in _COMPATIBILITY
