"""Makes clauses out of the lexicon: who, when, with whom and where, and what is done, fitting each other by class."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from avsr.corpora.talking_heads.inflection import with_particle
from avsr.corpora.talking_heads.lexicon import attributes, noun_classes, read_lexicon
from avsr.corpora.talking_heads.slots import chance, fill, pick

# Kinds of sentence that any action may have; a group of actions.yaml has others by `also`, fewer by `never`.
USUAL = (
    *("did", "did", "did", "will", "will", "habit", "going", "wish", "must", "can"),
    *("not", "ask_past", "suggest", "order", "like", "guess"),
)


@dataclass(frozen=True)
class Subject:
    """Who does it: the words with their particle ("" where it goes without saying), whether that is the speaker, and
    whether the predicate honours it."""

    words: str
    first_person: bool = True
    honoured: bool = False


@dataclass(frozen=True)
class Action:
    """Something that people do, of actions.yaml, with what its group says of it; `when` is near, far or both."""

    clause: str
    kinds: tuple[str, ...]
    places: tuple[str, ...]
    vehicles: tuple[str, ...]
    adverbs: tuple[str, ...]
    together: bool
    attributes: bool
    when: str


def join(*parts: str) -> str:
    """The parts that are not empty, with spaces between them."""
    return " ".join(part for part in parts if part)


def with_adverb(clause: str, adverb: str) -> str:
    """The clause with an adverb before its last word: 값이 아주 싸다."""
    before, _, last = clause.rpartition(" ")
    return join(before, adverb, last)


def subject(level: str, rng: np.random.Generator, silent: float = 0.5) -> Subject:
    """Somebody to do something; the speaker unsaid in a share of ``silent``."""
    if chance(silent, rng):
        return Subject("")
    if chance(0.35, rng):
        return Subject(fill(pick(("{I}은", "{I}은", "{I}도", "우리는"), rng), level, rng))
    return other_person(level, rng)


def other_person(level: str, rng: np.random.Generator, particles: tuple[str, ...] = ("은", "은", "이", "도")) -> Subject:
    """Somebody else than the speaker and the listener; elders are honoured by all but those who speak to friends."""
    particle = pick(particles, rng)
    kind = pick(("elder", "family", "family", "friend", "colleague", "name", "name"), rng)
    if kind == "elder" and level != "해":
        honorific = {"은": "께서는", "이": "께서", "도": "께서도"}[particle]
        return Subject(fill("{elder}", level, rng) + honorific, first_person=False, honoured=True)
    if kind == "name" and level != "해":
        return Subject(with_particle(fill("{name} 씨", level, rng), particle), first_person=False)
    return Subject(fill(f"{{{kind}}}{particle}", level, rng), first_person=False)


def when(tense: str, level: str, rng: np.random.Generator, share: float, distance: str = "near") -> str:
    """A time of times.yaml in a ``share`` of cases, else ""; past and future ones at a distance: near, far or both."""
    if not tense or not chance(share, rng):
        return ""
    if tense in ("past", "future"):
        tense += "_" + (pick(("near", "far"), rng) if distance == "both" else distance)
    elif tense == "habit" and distance != "near":
        tense = "habit_far"
    return fill(pick(read_lexicon("times")[tense], rng), level, rng)


def in_order(time: str, who: Subject, rest: str, rng: np.random.Generator) -> str:
    """The sentence with its time before or after its subject."""
    return join(time, who.words, rest) if chance(0.6, rng) else join(who.words, time, rest)


@cache
def actions() -> tuple[Action, ...]:
    """All the actions of actions.yaml."""
    return tuple(action for group in read_lexicon("actions") for action in _of_group(group))


def action_phrase(action: Action, level: str, rng: np.random.Generator, *, short: bool, adverb: bool) -> str:
    """The action in the dictionary form: 친구랑 식당에서 냉면을 맛있게 먹다.

    ``short`` leaves out with whom, where and by what; ``adverb`` allows one of the action's adverbs.
    """
    before = (lambda name, particle: _attribute(name, particle, rng)) if action.attributes else None
    clause = fill(action.clause, level, rng, before)
    if adverb and action.adverbs and chance(0.2 if short else 0.3, rng):
        clause = with_adverb(clause, pick(action.adverbs, rng))
    if short:
        return clause
    companion = pick(("{companion}이랑", "{companion}과", "{companion}하고 같이", "{companion}과 함께"), rng)
    return join(
        fill(companion, level, rng) if action.together and chance(0.25, rng) else "",
        _noun_of(action.places, rng) + "에서" if action.places and chance(0.3, rng) else "",
        _by_vehicle(_noun_of(action.vehicles, rng), rng) if action.vehicles and chance(0.25, rng) else "",
        clause,
    )


def _noun_of(classes: tuple[str, ...], rng: np.random.Generator) -> str:
    return pick(noun_classes()[pick(classes, rng)], rng)


def _by_vehicle(vehicle: str, rng: np.random.Generator) -> str:
    return with_particle(vehicle, "으로") if chance(0.5, rng) else with_particle(vehicle, "을") + " 타고"


def _attribute(name: str, particle: str, rng: np.random.Generator) -> str:
    """Now and then an attribute for an object of this class, with a space after it; else ""."""
    if particle != "을" or name not in attributes() or not chance(0.3, rng):
        return ""
    return pick(attributes()[name], rng) + " "


def _of_group(group: dict[str, Any]) -> list[Action]:
    usual = [kind for kind in (*USUAL, *group.get("also", ())) if kind not in group.get("never", ())]
    return [
        Action(
            clause=clause,
            kinds=tuple(group.get("only", usual)),
            places=tuple(group.get("at", ())),
            vehicles=tuple(group.get("by", ())),
            adverbs=tuple(group.get("how", ())),
            together=group.get("with", False),
            attributes=group.get("attributes", False),
            when=group.get("when", "near"),
        )
        for clause in group["do"]
    ]
