"""How a written text may be said, where it has figures: 3시 is 세 시, 3층 is 삼 층, and both readings are Korean."""

from __future__ import annotations

import re

from avsr.text.normalize import normalize_scoring

_ONES = ("", "한", "두", "세", "네", "다섯", "여섯", "일곱", "여덟", "아홉")
_TENS = ("", "열", "스물", "서른", "마흔", "쉰", "예순", "일흔", "여든", "아흔")
_SMALL_NUMBER = re.compile(r"(?<![\d,.])[1-9]\d?(?![\d,.])")


def native(number: int) -> str:
    """A native Korean number of 1 to 99 as it stands before a counter: 1 한, 20 스무, 23 스물세."""
    if not 1 <= number <= 99:
        raise ValueError(f"there is no native number for {number}: use sino()")
    return "스무" if number == 20 else _TENS[number // 10] + _ONES[number % 10]


def sino(number: int) -> str:
    """A Sino-Korean number with spaces between powers of 10,000: 15 십오, 12000 만 이천."""
    return normalize_scoring(str(number))


def readings(text: str) -> list[str]:
    """The text as it may be said, normalised for scoring, no two alike: its figures all the Sino-Korean way; those from 1 to 99
    the native way where their counter wants it, 2시 3분 as 두 시 삼 분; and all of those the native way.
    """
    by_counter = _SMALL_NUMBER.sub(_by_counter, text)
    all_native = _SMALL_NUMBER.sub(lambda match: native(int(match.group())), text)
    return list(dict.fromkeys(map(normalize_scoring, (text, by_counter, all_native))))


# What is counted with native numbers; hours are, minutes are not (국립국어원, 표준국어대사전, of each counter).
_NATIVE_COUNTERS = "시간?|살|명|개|번|마리|사람|군데|가지|달|잔|병|권|장|벌|켤레|송이|그루|채|대|척|자루|쌍|판|곳|갑|해"
_COUNTER = re.compile(rf"\s*(?:{_NATIVE_COUNTERS})")


def _by_counter(match: re.Match[str]) -> str:
    number = int(match.group())
    return native(number) if _COUNTER.match(match.string, match.end()) else match.group()
