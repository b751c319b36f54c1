"""Makes clauses out of the lexicon: who, when, with whom and where, and what is done, fitting each other by class."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from avsr.corpora.talking_heads.inflection import with_particle
from avsr.corpora.talking_heads.lexicon import attributes, noun_classes, read_lexicon
from avsr.corpora.talking_heads.slots import fill, pick

# Kinds of sentence that any action may have; a group of actions.yaml has others by `also`, fewer by `never`.
USUAL = ("did", "did", "did", "will", "will", "habit", "going", "wish", "must", "can", "not", "ask_past", "suggest", "order", "like", "begin", "guess")


@dataclass(frozen=True)
class Subject:
    """Who does it: the words with their particle ("" where it goes without saying), whether the speaker is it, and whether
    the predicate honours it."""

    words: str
    first_person: bool
    honoured: bool = False


def chance(probability: float, rng: np.random.Generator) -> bool:
    """True that often."""
    return bool(rng.random() < probability)


def subject(level: str, rng: np.random.Generator, silent: float = 0.5) -> Subject:
    """Somebody to do something; the speaker unsaid in a share of ``silent``."""
    if chance(silent, rng):
        return Subject("", first_person=True)
    if chance(0.35, rng):
        return Subject(fill(pick(["{I}은", "{I}은", "{I}도", "우리는"], rng), level, rng), first_person=True)
    return other_person(level, rng)


def other_person(level: str, rng: np.random.Generator) -> Subject:
    """Somebody else than the speaker and the listener."""
    particle = pick(["은", "은", "이", "도"], rng)
    kind = pick(["elder", "family", "family", "friend", "colleague", "name", "name", "child"], rng)
    if kind == "elder" and level != "해":
        words = fill("{elder}", level, rng)
        return Subject(words + {"은": "께서는", "이": "께서", "도": "께서도"}[particle], first_person=False, honoured=True)
    if kind == "name" and level != "해":
        return Subject(fill("{name} 씨", level, rng) + {"은": "는", "이": "가", "도": "도"}[particle], first_person=False)
    return Subject(fill(f"{{{kind}}}{particle}", level, rng), first_person=False)


def attribute(name: str, particle: str, rng: np.random.Generator) -> str:
    """Now and then an attribute for an object of this class, with a space after it; else ""."""
    if particle != "을" or name not in attributes() or not chance(0.2, rng):
        return ""
    return pick(attributes()[name], rng) + " "


@dataclass(frozen=True)
class Action:
    """Something that people do, of actions.yaml, with its group's places, adverbs and kinds of sentence."""

    clause: str
    kinds: tuple[str, ...]
    places: tuple[str, ...]
    vehicles: tuple[str, ...]
    adverbs: tuple[str, ...]
    together: bool

    def phrase(self, level: str, rng: np.random.Generator, short: bool = False) -> str:
        """The action with what belongs to it, in the dictionary form: 친구랑 식당에서 냉면을 맛있게 먹다."""
        clause = fill(self.clause, level, rng, lambda name, particle: attribute(name, particle, rng))
        parts = []
        if not short:
            if self.together and chance(0.25, rng):
                parts.append(fill(pick(["{companion}이랑", "{companion}과", "{companion}하고 같이", "{companion}과 함께"], rng), level, rng))
            if self.places and chance(0.3, rng):
                parts.append(pick(noun_classes()[pick(self.places, rng)], rng) + "에서")
            elif self.vehicles and chance(0.25, rng):
                vehicle = pick(noun_classes()[pick(self.vehicles, rng)], rng)
                parts.append(with_particle(vehicle, pick(["으로", "을"], rng)))
                if parts[-1].endswith(("을", "를")):
                    parts[-1] += " 타고"
        if self.adverbs and chance(0.2 if short else 0.3, rng):
            before, _, verb = clause.rpartition(" ")
            clause = " ".join([*before.split(), pick(self.adverbs, rng), verb])
        return " ".join([*parts, clause])


@cache
def actions() -> tuple[Action, ...]:
    """All the actions of actions.yaml, each group as often as it has kinds of things to say."""
    return tuple(action for group in read_lexicon("actions") for action in _of_group(group))


def _of_group(group: dict[str, Any]) -> list[Action]:
    never = set(group.get("never", ()))
    kinds = tuple(group["only"]) if "only" in group else tuple(k for k in (*USUAL, *group.get("also", ())) if k not in never)
    return [
        Action(
            clause,
            kinds,
            tuple(group.get("at", ())),
            tuple(group.get("by", ())),
            tuple(group.get("how", ())),
            bool(group.get("with", False)),
        )
        for clause in group["do"]
    ]
