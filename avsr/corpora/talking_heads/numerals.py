"""Numbers written out in Hangul as they are said: native ones for hours, ages and things, Sino-Korean ones for the rest."""

from __future__ import annotations

import numpy as np

from avsr.text.numbers import native, sino

_DIGITS = "공일이삼사오육칠팔구"
# Months have lost a consonant in two places.
_MONTHS = ("일월", "이월", "삼월", "사월", "오월", "유월", "칠월", "팔월", "구월", "시월", "십일월", "십이월")
_DAYS_IN_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_SPANS = ("하루", "이틀", "사흘", "나흘", "닷새", "열흘", "일주일", "이 주일", "한 달", "두 달")


def digits(count: int, rng: np.random.Generator) -> str:
    """A row of digits as in telephone numbers, where 0 is 공: 공삼이칠."""
    return "".join(_DIGITS[digit] for digit in rng.integers(10, size=count))


def drawn_number(what: str, rng: np.random.Generator) -> str | None:
    """A number of the kind asked for (``date``, ``price``, ``phone`` ...) with its counter; None for no such kind."""

    def draw(low: int, high: int) -> int:
        return int(rng.integers(low, high + 1))

    if what == "date":
        month = draw(0, 11)
        return f"{_MONTHS[month]} {sino(draw(1, _DAYS_IN_MONTH[month]))}일"
    if what == "month":
        return _MONTHS[draw(0, 11)]
    if what == "price":
        return sino(draw(5, 99) * 10 ** draw(2, 4)) + " 원"
    if what == "high_price":
        return sino(draw(2, 40) * 5000) + " 원"
    if what in ("book_price", "box_price"):
        return sino(draw(12, 38) * 500 + draw(0, 1) * 10000) + " 원"
    if what == "phone":
        return f"공일공 {digits(4, rng)} {digits(4, rng)}"
    if what == "height":
        return sino(draw(150, 190))
    if what == "degrees":
        return f"영하 {sino(draw(1, 15))} 도" if rng.random() < 0.3 else f"{sino(draw(1, 36))} 도"
    if what == "floor":
        return f"지하 {sino(draw(1, 4))} 층" if rng.random() < 0.2 else f"{sino(draw(1, 25))} 층"
    if what == "low_floor":
        return sino(draw(1, 9)) + " 층"
    if what == "hours":
        return native(draw(1, 9)) + (" 시간 반" if rng.random() < 0.3 else " 시간")
    if what == "span":
        return _SPANS[draw(0, len(_SPANS) - 1)]
    if what == "score":
        lost = draw(0, 4)
        return f"{sino(lost + draw(1, 4))} 대 {sino(lost)}"
    if what == "score_lost":
        won = draw(0, 4)
        return f"{sino(won)} 대 {sino(won + draw(1, 4))}"
    if what == "pin":
        return digits(4, rng)
    if what == "bus":
        return sino(draw(1, 799)) + " 번"
    ranges = {
        "minutes": (2, 55, " 분"),
        "line": (1, 9, "호선"),
        "room_number": (101, 930, "호"),
        "page": (3, 299, " 쪽"),
        "number": (11, 999, ""),
    }
    if what in ranges:
        low, high, counter = ranges[what]
        return sino(draw(low, high)) + counter
    ranges = {
        "age": (5, 69, " 살"),
        "people": (2, 40, " 명"),
        "times": (1, 4, " 번"),
        "animals": (1, 9, " 마리"),
        "family_size": (3, 8, " 명"),
    }
    if what in ranges:
        low, high, counter = ranges[what]
        return native(draw(low, high)) + counter
    return None
