"""Makes sentences of daily life: what somebody does, what something is like, a set phrase, or two clauses together."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

import numpy as np

from avsr.corpora.talking_heads import pairs
from avsr.corpora.talking_heads.clauses import (
    Subject,
    action_phrase,
    actions,
    in_order,
    join,
    other_person,
    subject,
    when,
    with_adverb,
)
from avsr.corpora.talking_heads.endings import finish, inflect
from avsr.corpora.talking_heads.inflection import with_particle
from avsr.corpora.talking_heads.lexicon import noun_classes, opposites, read_lexicon, split_clause
from avsr.corpora.talking_heads.slots import LEVELS, chance, fill, pick

_VERB = re.compile(r"(\S*)\[(\S+) (\w+)\]")  # [가다 past] in a phrase, with the noun that 이다 is put on
_LAST_OBJECT = re.compile(r"[을를] (\S+)$")
_MOST_WORDS = 9
# Times that go with a kind of sentence, and how often one is said.
_TIMES = {"did": ("past", 0.6), "not": ("not", 0.6), "will": ("future", 0.6), "habit": ("habit", 1.0), "going": ("now", 0.6)}
_THEIRS = ("will", "wish", "must", "like")  # said otherwise of others than oneself
_DEGREES = ("정말", "아주", "참", "진짜", "매우", "꽤", "", "")


def daily_sentence(rng: np.random.Generator) -> str:
    """One sentence of two to nine eojeol, NFC Hangul and single spaces."""
    while True:
        level = pick((*LEVELS, LEVELS[0]), rng)  # 해요 is what is heard most
        sentence = pick(_KINDS, rng)(level, rng)
        if 2 <= len(sentence.split()) <= _MOST_WORDS and not any(sentence.count(person) > 1 for person in _people()):
            return sentence


@cache
def _people() -> tuple[str, ...]:
    """Whoever may be in a sentence once: nobody meets himself."""
    return tuple(person for name in ("elder", "companion", "child") for person in noun_classes()[name])


def _action(level: str, rng: np.random.Generator) -> str:
    """Somebody did, does, will do or wants to do something, or asks another to."""
    action = pick(actions(), rng)
    kind = pick(action.kinds, rng)
    short = kind in ("please", "order", "like", "skill", "begin", "not")
    clause = action_phrase(action, level, rng, short=short, adverb=kind not in ("not", "like", "begin"))
    if kind in ("order", "must", "will") and chance(0.08, rng):
        clause = with_adverb(clause, "꼭")
    if kind == "please" and chance(0.15, rng):
        clause = _LAST_OBJECT.sub(r" 좀 \1", clause)  # 문 좀 열어 주세요
    if kind in ("please", "order"):
        return finish(clause, kind, level, rng)
    if kind == "suggest":
        alone = "같이" not in clause and "함께" not in clause
        together = pick(("같이", "우리", "우리 같이", "", "", ""), rng) if alone else ""
        return join(when("future", level, rng, 0.4, action.when), together, finish(clause, kind, level, rng))
    if kind == "ask_past":
        return join(when("past", level, rng, 0.5, action.when), finish(clause, "ask_person_past", level, rng))
    who = other_person(level, rng) if kind == "guess" else subject(level, rng)
    tense, share = _TIMES.get(kind, ("", 0.0))
    mood = f"they_{kind}" if kind in _THEIRS and not who.first_person else kind
    time = when(tense, level, rng, share, action.when)
    return in_order(time, who, finish(clause, mood, level, rng, who.honoured), rng)


def _quality(level: str, rng: np.random.Generator) -> str:
    """What a thing, place or animal is like: one quality, two of a kind, or one set against another."""
    group = pick(read_lexicon("qualities"), rng)
    past = chance(0.35, rng)
    mood, tense = ("past", "past:") if past else ("now", "")
    noun = pick(noun_classes()[pick(group["of"], rng)], rng)
    thing = f"{fill(pick(group['then' if past else 'now'], rng), level, rng)} {noun}"
    good, better = (group["good"][i] for i in rng.permutation(len(group["good"]))[:2])
    bad = pick([bad for bad in group["bad"] if (good.split()[-1], bad.split()[-1]) not in opposites()], rng)
    way = int(rng.integers(4))
    if way == 0:
        quality = _with_degree(pick((good, bad), rng), _DEGREES, rng)
        return join(with_particle(thing, pick(("은", "이"), rng)), finish(quality, mood, level, rng))
    topic = with_particle(thing, "은")
    if way == 1:
        return join(topic, inflect(good, "고"), finish(better, mood, level, rng))
    if way == 2:
        first, second = (good, bad) if chance(0.5, rng) else (bad, good)
        return join(topic, inflect(first, tense + "지만"), finish(second, mood, level, rng))
    good = _with_degree(good, ("정말", "아주", ""), rng)
    return join(topic, inflect(bad, tense + "는데"), pick(("그래도", ""), rng), finish(good, mood, level, rng))


def _comparison(level: str, rng: np.random.Generator) -> str:
    """One thing is more so than another of its class."""
    group = pick([group for group in read_lexicon("qualities") if "than" in group], rng)
    nouns = [noun for noun in noun_classes()[pick(group["of"], rng)] if noun not in noun_classes()["generic"]]
    one, other = (nouns[i] for i in rng.permutation(len(nouns))[:2])
    more = _with_degree(pick(group["than"], rng), ("더", "훨씬 더", "조금 더"), rng)
    return join(with_particle(one, "이"), other + "보다", finish(more, "now", level, rng))


def _with_degree(quality: str, degrees: tuple[str, ...], rng: np.random.Generator) -> str:
    """The quality with an adverb of degree; as it is where it has one of its own, or ends in a verb (금방 시들다)."""
    if set(quality.split()) & {"너무", "조금", "정말", "생각보다"} or split_clause(quality)[1].kind != "adjective":
        return quality
    return with_adverb(quality, pick(degrees, rng))


def _person(level: str, rng: np.random.Generator) -> str:
    """What somebody is like, how somebody is at the moment, or what happened to somebody."""
    people = read_lexicon("people")
    kind = pick(("trait", "state", "event"), rng)
    clause = fill(pick(people[kind], rng), level, rng)
    if kind == "event":
        who = subject(level, rng, silent=0.4)
        mood = "past" if who.first_person else "news"
        return in_order(when("past", level, rng, 0.7), who, finish(clause, mood, level, rng, who.honoured), rng)
    if kind == "trait":
        who = other_person(level, rng, ("은", "은", "도"))
        clause = _with_degree(clause, ("", "", "정말", "아주"), rng)
        return join(who.words, finish(clause, "now", level, rng, who.honoured))
    if chance(0.6, rng):
        who = other_person(level, rng, ("은", "은", "도"))
    else:
        who = Subject(fill(pick(("{I}은", "{I}도", ""), rng), level, rng))
    mood = "fact" if who.first_person else "now"
    return join(pick(("", "요즘", "오늘"), rng), who.words, finish(clause, mood, level, rng, who.honoured))


def _forbidden(level: str, rng: np.random.Generator) -> str:
    clause = fill(pick(read_lexicon("people")["forbidden"], rng), level, rng)
    return join(pick(("", "", "", "제발", "다음부터는", "앞으로는", "절대로"), rng), finish(clause, "forbid", level, rng))


def _weather(level: str, rng: np.random.Generator) -> str:
    weather = read_lexicon("links")["weather"]
    mood = pick(("past", "now", "forecast"), rng)
    clause = pick(weather[f"{mood}_what"], rng)
    return join(fill(pick(weather[mood], rng), level, rng), finish(clause, mood, level, rng))


def _greeting(level: str, rng: np.random.Generator) -> str:
    return fill(pick(_templates("greetings", "plain" if level == "해" else "polite"), rng), level, rng)


def _phrase(kind: str) -> Callable[[str, np.random.Generator], str]:
    """A maker of whole sentences of one kind of phrases.yaml."""

    def make(level: str, rng: np.random.Generator) -> str:
        def ended(match: re.Match[str]) -> str:
            noun, verb, mood = match.groups()
            return finish(f"{noun} {verb}" if verb == "이다" else noun + verb, mood, level, rng)

        return _VERB.sub(ended, fill(pick(_templates(kind), rng), level, rng))

    return make


@cache
def _templates(*path: str) -> tuple[str, ...]:
    """The templates of phrases.yaml under these names; those with slots, which say more, three times as often."""
    templates = read_lexicon("phrases")
    for name in path:
        templates = templates[name]
    return tuple(template for template in templates for _ in range(3 if "{" in template else 1))


# As often as it is named: what the corpus is made of.
_KINDS = (
    *[_action] * 15,
    *[pairs.cause] * 7,
    *[_quality] * 4,
    _comparison,
    *[_person] * 3,
    *[pairs.errand] * 3,
    *[pairs.routine] * 3,
    *[pairs.goal] * 2,
    *[pairs.at_once] * 2,
    *[pairs.mishap] * 2,
    *[pairs.two_people] * 3,
    pairs.contrast,
    _weather,
    _forbidden,
    *[_greeting] * 3,
    *[_phrase("about_me")] * 2,
    *[_phrase("questions")] * 3,
    *[_phrase("numbers")] * 4,
    *[_phrase("shop_and_town")] * 2,
    *[_phrase("where")] * 2,
    *[_phrase("everyday")] * 5,
)
