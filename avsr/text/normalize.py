"""Brings transcripts into one written form: for training, what the model shall write; for scoring, what counts as equal.

Both expect one plain transcript. Where a corpus writes a word twice, as it is spelt and as it was said, ``(A)/(B)``, its
reader has to choose first: KsponSpeech puts the spelling in front, AI-Hub 538 the pronunciation.
"""

from __future__ import annotations

import re
import unicodedata

_APOSTROPHES = "'\u2019\uff07"  # typewriter, typographic, full width
_LATIN_APOSTROPHE = re.compile(rf"(?<=[a-z])[{_APOSTROPHES}](?=[a-z])")
_THOUSANDS = re.compile(r"(?<!\d)\d{1,3}(?:,\d{3})+(?!\d)")
_DECIMAL = re.compile(r"(?<=\d)\.(?=\d)")
_PERCENT = re.compile(r"%(?![가-힣])")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_KEPT = {"'": "\ue000", ".": "\ue001"}  # stand-ins of the private area while punctuation is removed

_DIGITS = "영일이삼사오육칠팔구"
_DIGITS_ALONE = "공일이삼사오육칠팔구"  # in a telephone number, 0 is 공
_PLACES = ("", "십", "백", "천")
_MYRIADS = ("", "만", "억", "조")


def normalize_training(text: str) -> str:
    """Text as the model learns to write it.

    NFC; full-width and half-width forms become the ordinary ones; Latin letters become lower case; ``%``, which is said,
    becomes 퍼센트, and other punctuation and symbols (Unicode classes P and S: ``.,?!·~♥``) a space; invisible marks
    (zero-width space, byte order mark, variation selectors) vanish; white space is squeezed to single spaces, none at the
    ends. Digits are **kept as they are written**, since their reading depends on what is counted (3층 is 삼 층, 3개 세 개):
    ``1,000`` becomes ``1000`` and ``3.5`` stays.
    An apostrophe inside a Latin word stays (``don't``). Idempotent.
    """
    text = unicodedata.normalize("NFC", _fold_width(text)).lower()
    # Lower-casing can leave a letter and a mark apart (İ becomes i and a dot): compose again.
    text = unicodedata.normalize("NFC", "".join(map(_visible, text)))
    # A particle stays with what it follows: 30%의 is 30 퍼센트의.
    text = _PERCENT.sub(" 퍼센트 ", text).replace("%", " 퍼센트")
    text = _THOUSANDS.sub(lambda match: match.group().replace(",", ""), text)
    text = _LATIN_APOSTROPHE.sub(_KEPT["'"], text)
    text = _DECIMAL.sub(_KEPT["."], text)
    text = "".join(" " if unicodedata.category(character)[0] in "PS" else character for character in text)
    for character, stand_in in _KEPT.items():
        text = text.replace(stand_in, character)
    return unicodedata.normalize("NFC", " ".join(text.split()))


def normalize_scoring(text: str) -> str:
    """Text as it is compared: ``normalize_training``, and figures read out, so that 30% and 삼십 퍼센트 are the same.

    Published Korean error rates (OLKAVS among them) are taken over Hangul only, with figures in their Sino-Korean reading
    and ``%`` as 퍼센트. The reading is the same on both sides, so a native reading (3개, 세 개) still counts as an error.
    Idempotent.
    """
    return normalize_training(_NUMBER.sub(_read_number, normalize_training(text)))


def _fold_width(text: str) -> str:
    """Full-width Latin and half-width Hangul to their ordinary forms; the rest of NFKC would change meanings (½, ①)."""
    folded = []
    for character in text:
        decomposition = unicodedata.decomposition(character)
        if decomposition.startswith(("<wide>", "<narrow>")):
            character = chr(int(decomposition.split()[1], 16))
        folded.append(character)
    return "".join(folded)


def _visible(character: str) -> str:
    """'' for what is not seen, a space for control characters, else the character."""
    category = unicodedata.category(character)
    if category in ("Cf", "Me", "Co", "Cs") or "\ufe00" <= character <= "\ufe0f":
        return ""
    return " " if category == "Cc" else character


def _read_number(match: re.Match[str]) -> str:
    whole, *parts = match.group().split(".")
    return "점".join([_read_whole(whole), *(_read_digits(part) for part in parts)])


def _read_whole(digits: str) -> str:
    """Sino-Korean reading, a space after each power of 10,000: 120300 -> 십이만 삼백. Digit by digit for 010."""
    if (digits[0] == "0" and len(digits) > 1) or len(digits) > 4 * len(_MYRIADS):
        return _read_digits(digits)
    if digits == "0":
        return _DIGITS[0]
    groups = []
    for power, myriad in enumerate(_MYRIADS):
        group = digits[max(0, len(digits) - 4 * power - 4) : len(digits) - 4 * power]
        if not group.strip("0"):
            continue
        reading = ""
        for place, digit in zip(reversed(_PLACES[: len(group)]), group, strict=True):
            if digit != "0":
                reading += ("" if digit == "1" and place else _DIGITS[int(digit)]) + place
        groups.append(("" if reading == "일" and myriad == "만" else reading) + myriad)
        if len(digits) <= 4 * power + 4:
            break
    return " ".join(reversed(groups))


def _read_digits(digits: str) -> str:
    return "".join(_DIGITS_ALONE[int(digit)] for digit in digits)
