"""Reads the word lists of the made corpus, the YAML files in `lexicon/`, and knows which verb is which."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

from avsr.corpora.talking_heads.inflection import Predicate

# Stems that honour their subject by themselves.
_HONORIFIC = frozenset({"계시", "주무시", "드시", "오시", "주시", "보내시"})


@cache
def read_lexicon(name: str) -> dict[str, Any]:
    """The content of ``lexicon/<name>.yaml``, as it is there; read once, not to be changed by the caller."""
    import yaml

    file = resources.files("avsr.corpora.talking_heads") / "lexicon" / f"{name}.yaml"
    return yaml.safe_load(file.read_text(encoding="utf-8"))


@cache
def noun_classes() -> dict[str, tuple[str, ...]]:
    """Class -> its nouns, those of the classes that it is put together from among them, each once."""
    written = read_lexicon("nouns")

    def nouns(name: str) -> list[str]:
        content = written[name]
        return [noun for part in content["of"] for noun in nouns(part)] if isinstance(content, dict) else content

    return {name: tuple(dict.fromkeys(nouns(name))) for name in written}


@cache
def attributes() -> dict[str, tuple[str, ...]]:
    """Class of nouns -> attributes that may stand before one of them: 맛있는, 새로 산."""
    return {name: tuple(group["before"]) for group in read_lexicon("qualities") for name in group["of"]}


@cache
def opposites() -> frozenset[tuple[str, str]]:
    """Pairs of qualities, in either order, that are not said of one thing: (넓다, 좁다)."""
    pairs = read_lexicon("predicates")["opposites"]
    return frozenset(pair for one, two in pairs for pair in ((one, two), (two, one)))


@cache
def _adjectives() -> frozenset[str]:
    return frozenset(read_lexicon("predicates")["adjectives"])


@cache
def _irregular() -> dict[str, str]:
    return {stem: name for name, stems in read_lexicon("predicates")["irregular"].items() for stem in stems}


def split_clause(clause: str) -> tuple[str, Predicate]:
    """A clause that ends in a dictionary form -> what stands before the verb, and the verb: 값이, 싸다.

    Of words that are verb and adjective (싸다, 쓰다, 달다) the one after an object or a place in 에 is the verb. 이다 is
    written with a space here (생일 이다), since 쌓이다 and 보이다 look like nouns with it.
    """
    before, _, word = clause.rpartition(" ")
    if word == "이다":
        before, _, noun = before.rpartition(" ")
        return before, Predicate(noun + "이", "copula")
    stem = word.removesuffix("다")
    words = before.split()
    verb = any(part.endswith(("을", "를")) for part in words) or before.endswith("에")
    adjective = word in _adjectives() and not verb
    return before, Predicate(stem, "adjective" if adjective else "verb", _irregular().get(stem, ""), stem in _HONORIFIC)
