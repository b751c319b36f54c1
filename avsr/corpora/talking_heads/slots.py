"""Fills the slots of a template with words: nouns of a class with the right particle, names, and numbers written out."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from avsr.corpora.talking_heads.inflection import coda_of, with_particle
from avsr.corpora.talking_heads.lexicon import noun_classes, read_lexicon
from avsr.corpora.talking_heads.numerals import drawn_number
from avsr.text.numbers import native

T = TypeVar("T")

LEVELS = ("해요", "합니다", "해")  # polite, formal, and to friends
_SLOT = re.compile(r"\{(\w+)(?::(\w+))?\}(\w*)")


def pick(options: Sequence[T], rng: np.random.Generator) -> T:
    """One of the options, each as likely."""
    return options[int(rng.integers(len(options)))]


def chance(probability: float, rng: np.random.Generator) -> bool:
    """True that often."""
    return bool(rng.random() < probability)


def fill(template: str, level: str, rng: np.random.Generator, before: Callable[[str, str], str] | None = None) -> str:
    """The template with words in place of its ``{slots}``; a particle that follows takes the form that the word wants.

    A slot is a class of nouns, a kind of number, a list of times.yaml, a person ({name}, {full_name}) or {I} and {my},
    which depend on the ``level`` of speech. No word is there twice: two ``{fruit}`` are two kinds.
    ``{name:아}`` calls somebody. ``before(class, particle)`` may give an attribute to put before a noun.
    """
    used: set[str] = set()

    def replaced(match: re.Match[str]) -> str:
        name, form, particle = match.groups()
        word = _word(name, level, rng)
        while word in used and name not in ("I", "my"):
            word = _word(name, level, rng)
        used.add(word)
        attribute = before(name, particle) if before and not form else ""
        if name == "name" and not form and level == "해" and coda_of(word):
            word += "이"  # 지훈이가, 지훈이를: how friends speak of a friend
        return attribute + with_particle(word, form or particle)

    return _SLOT.sub(replaced, template)


def _word(name: str, level: str, rng: np.random.Generator) -> str:
    if name == "I":
        return "나" if level == "해" else "저"
    if name == "my":
        return "내" if level == "해" else "제"
    if name == "name":
        return pick(read_lexicon("names")["given"], rng)
    if name == "full_name":
        return pick(read_lexicon("names")["surname"], rng) + pick(read_lexicon("names")["given"], rng)
    if name == "clock":
        return _clock(rng)
    if name in noun_classes():
        return pick(noun_classes()[name], rng)
    if name in read_lexicon("counters"):
        group = pick(read_lexicon("counters")[name], rng)
        thing = pick(noun_classes()[pick(group["of"], rng)], rng)
        return f"{thing} {native(int(rng.integers(1, group['up_to'] + 1)))} {group['by']}"
    if name in read_lexicon("times"):
        return pick(read_lexicon("times")[name], rng)
    number = drawn_number(name, rng)
    if number is None:
        raise ValueError(f"a template asks for {{{name}}}, which no list of words and no number is called")
    return number


def _clock(rng: np.random.Generator) -> str:
    """오후 세 시, 아침 여덟 시 반, 오전 열 시 사십오 분."""
    part = pick(list(read_lexicon("times")["part_of_day"]), rng)
    hour = pick(read_lexicon("times")["part_of_day"][part], rng)
    minutes = pick(["", "", "", " 반", " 십 분", " 이십 분", " 십오 분", " 사십오 분", " 오십 분", " 오 분"], rng)
    return f"{part} {hour} 시{minutes}"
