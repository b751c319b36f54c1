"""Makes sentences of daily life: an action or a quality, a set phrase, or two clauses that belong together."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from avsr.corpora.talking_heads.clauses import Subject, actions, chance, other_person, subject
from avsr.corpora.talking_heads.endings import finish, inflect
from avsr.corpora.talking_heads.inflection import with_particle
from avsr.corpora.talking_heads.lexicon import noun_classes, read_lexicon
from avsr.corpora.talking_heads.slots import LEVELS, fill, pick

_VERB = re.compile(r"(\S*)\[(\S+) (\w+)\]")
_MOST_WORDS = 9


def daily_sentence(rng: np.random.Generator) -> str:
    """One sentence of two to nine eojeol, NFC Hangul and single spaces."""
    while True:
        level = pick((*LEVELS, LEVELS[0]), rng)
        sentence = pick(_KINDS, rng)(level, rng)
        if 2 <= len(sentence.split()) <= _MOST_WORDS:
            return sentence


def _when(kind: str, level: str, rng: np.random.Generator, share: float) -> str:
    return fill(pick(read_lexicon("times")[kind], rng), level, rng) if chance(share, rng) else ""


def _join(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _action(level: str, rng: np.random.Generator) -> str:
    """Somebody did, does, will do or wants to do something, or asks another to."""
    action = pick(actions(), rng)
    kind = pick(action.kinds, rng)
    phrase = action.phrase(level, rng, short=kind in ("please", "order", "like", "skill", "begin"))
    if kind in ("please", "order"):
        return _join("좀" if kind == "please" and chance(0.1, rng) else "", finish(phrase, kind, level, rng))
    if kind == "suggest":
        together = "" if "같이" in phrase or "함께" in phrase or not chance(0.5, rng) else pick(["같이", "우리", "우리 같이"], rng)
        return _join(_when("future", level, rng, 0.4), together, finish(phrase, kind, level, rng))
    if kind == "ask_past":
        return _join(_when("past", level, rng, 0.5), finish(phrase, "ask_person_past", level, rng))
    who = subject(level, rng)
    times = {"did": ("past", 0.6), "not": ("past", 0.6), "will": ("future", 0.6), "habit": ("habit", 1.0), "going": ("now", 0.6)}
    time = ""
    if kind in times:
        name, share = times[kind]
        time = _when(name, level, rng, share)
    if kind == "guess":
        who = other_person(level, rng)
    mood = {"did": "past"}.get(kind, kind)
    if not who.first_person and mood in ("will", "wish", "must"):
        mood = "they_" + mood
    return _in_order(time, who, finish(phrase, mood, level, rng, who.honoured), rng)


def _in_order(time: str, who: Subject, rest: str, rng: np.random.Generator) -> str:
    return _join(time, who.words, rest) if chance(0.6, rng) else _join(who.words, time, rest)


def _quality(level: str, rng: np.random.Generator) -> str:
    """What a thing, place or animal is like, alone or set against another quality or another thing."""
    group = pick(read_lexicon("qualities"), rng)
    nouns = noun_classes()[pick(group["of"], rng)]
    noun = pick(nouns, rng)
    past = chance(0.35, rng)
    mood = "past" if past else "now"
    thing = f"{pick(group['then' if past else 'now'], rng)} {noun}"
    first, second = (group["good"][i] for i in rng.permutation(len(group["good"]))[:2])
    way = int(rng.integers(5))
    if way == 0:
        quality = pick([first, pick(group["bad"], rng)], rng)
        degree = "" if "너무" in quality or "조금" in quality or "생각보다" in quality else pick(["정말", "아주", "참", "진짜", "매우", "", ""], rng)
        return _join(with_particle(thing, pick(["은", "이"], rng)), finish(_degree(quality, degree), mood, level, rng))
    if way == 1:
        return _join(with_particle(thing, "은"), inflect(first, "고"), finish(second, mood, level, rng))
    if way == 2:
        bad = pick(group["bad"], rng)
        one, two = (first, bad) if chance(0.5, rng) else (bad, first)
        return _join(with_particle(thing, "은"), inflect(one, "past:지만" if past else "지만"), finish(two, mood, level, rng))
    if way == 3:
        other = pick([n for n in nouns if n != noun], rng)
        return _join(with_particle(noun, "이"), other + "보다", finish(_degree(first, pick(["더", "훨씬 더"], rng)), "now", level, rng))
    bad = pick(group["bad"], rng)
    return _join(with_particle(thing, "은"), inflect(bad, "past:는데" if past else "는데"), pick(["그래도", "아주", "정말"], rng), finish(first, mood, level, rng))


def _degree(quality: str, degree: str) -> str:
    """The degree before the predicate, or before the whole where it is one idiom: 정말 값이 싸다."""
    return _join(degree, quality)


def _person(level: str, rng: np.random.Generator) -> str:
    """What somebody is like, how somebody is at the moment, or what happened to somebody."""
    people = read_lexicon("people")
    kind = pick(["trait", "state", "event"], rng)
    clause = fill(pick(people[kind], rng), level, rng)
    if kind == "event":
        who = subject(level, rng, silent=0.4)
        return _in_order(_when("past", level, rng, 0.7), who, finish(clause, "past" if who.first_person else "news", level, rng, who.honoured), rng)
    who = other_person(level, rng) if kind == "trait" or chance(0.6, rng) else subject(level, rng, silent=0.3)
    if kind == "trait":
        return _join(who.words, pick(["", "", "정말", "아주"], rng) if len(clause.split()) < 3 else "", finish(clause, "now", level, rng, who.honoured))
    return _join(pick(["", "요즘", "오늘"], rng), who.words, finish(clause, "now", level, rng, who.honoured))


def _forbidden(level: str, rng: np.random.Generator) -> str:
    place = pick(["", "", "여기에서", "제발", "다음부터", "앞으로는", "절대로"], rng)
    return _join(place, finish(fill(pick(read_lexicon("people")["forbidden"], rng), level, rng), "forbid", level, rng))


def _cause(level: str, rng: np.random.Generator) -> str:
    """Because, when or if one thing is so, another is done, or one tells another to do it."""
    topic = pick(read_lexicon("links")["causes"], rng)
    states, events = topic.get("if", []), topic.get("after", [])
    index = int(rng.integers(len(states) + len(events)))
    is_event = index >= len(states)
    cause = fill((states + events)[index], level, rng)
    is_copula = cause.endswith(" 이다")
    if chance(0.55, rng):
        result = fill(pick(topic["did"], rng), level, rng)
        endings = ["어서 past", "어서 past", "어서 past"]
        if not is_event and not is_copula:
            endings += ["(으)면 habit", "(으)ㄹ_때 habit", "(으)ㄹ_때는 habit"]
        if is_event:
            endings += ["past:(으)ㄹ_때 past"]
        form, mood = pick(endings, rng).split()
        time = _when("past", level, rng, 0.25) if mood == "past" and "내일" not in cause and "어제" not in cause else ""
        return _join(time, inflect(cause, form.replace("_", " ")), finish(result, mood, level, rng))
    result = fill(pick(topic["should"], rng), level, rng)
    form = pick(["(으)니까", "(으)니까", "는데", "(으)면"], rng)
    if is_event and form != "(으)면":
        form = "past:" + form
    mood = "order" if result.endswith("지 말다") else pick(["order", "order", "suggest", "must"], rng)
    return _join(inflect(cause, form), finish(result, mood, level, rng))


def _errand(level: str, rng: np.random.Generator) -> str:
    """Going somewhere for something."""
    errand = pick(read_lexicon("links")["errands"], rng)
    place, what = pick(errand["to"], rng), fill(pick(errand["for"], rng), level, rng)
    mood = pick(["past", "past", "will", "wish", "suggest", "must", "habit"], rng)
    who = Subject("", True) if mood == "suggest" else subject(level, rng)
    time = _when({"past": "past", "will": "future", "habit": "habit", "suggest": "future"}.get(mood, "future"), level, rng, 0.4)
    clause = pick([f"{inflect(what, '(으)러')} {place}에 가다", f"{place}에 가서 {what}", f"{place}에서 {what}"], rng)
    if not who.first_person and mood in ("will", "wish", "must"):
        mood = "they_" + mood
    return _in_order(time, who, finish(clause, mood, level, rng, who.honoured), rng)


def _goal(level: str, rng: np.random.Generator) -> str:
    """Doing one thing in order that another comes about."""
    goal = pick(read_lexicon("links")["goals"], rng)
    end, means = (fill(pick(goal[name], rng), level, rng) for name in ("to", "do"))
    form, moods = pick(
        [("(으)려고", "past habit going"), ("기 위해서", "past habit must"), ("(으)려면", "must order"), ("고 싶으면", "order must"), ("고 싶어서", "past habit")], rng
    )
    return _join(inflect(end, form), finish(means, pick(moods.split(), rng), level, rng))


def _together(level: str, rng: np.random.Generator) -> str:
    group = pick(read_lexicon("links")["together"], rng)
    one, two = (fill(pick(group[name], rng), level, rng) for name in ("while", "do"))
    who, mood = subject(level, rng), pick(["past", "past", "habit", "going"], rng)
    time = _when({"past": "past", "habit": "habit", "going": "now"}[mood], level, rng, 0.4)
    return _join(time, who.words, inflect(one, "(으)면서"), finish(two, mood, level, rng, who.honoured))


def _routine(level: str, rng: np.random.Generator) -> str:
    """Two or three steps of something that is done in that order."""
    steps = pick(read_lexicon("links")["routines"], rng)
    at = int(rng.integers(len(steps) - 1))
    after = min(len(steps) - 1, at + int(rng.integers(1, 4)))
    one, two = (fill(steps[i], level, rng) for i in (at, after))
    mood = pick(["past", "past", "will", "habit", "order"], rng)
    time = _when({"past": "past", "will": "future"}.get(mood, "past"), level, rng, 0.3 if mood in ("past", "will") else 0.0)
    who = Subject("", True) if mood == "order" else subject(level, rng, silent=0.7)
    if not who.first_person and mood == "will":
        mood = "they_will"
    form = pick(["고", "고", "고 나서", "(으)ㄴ 다음에", "(으)ㄴ 후에", "기 전에"], rng)
    if form == "기 전에":
        one, two = two, one
    return _join(time, who.words, inflect(one, form), finish(two, mood, level, rng, who.honoured))


def _mishap(level: str, rng: np.random.Generator) -> str:
    group = pick(read_lexicon("links")["mishaps"], rng)
    one, two = (fill(pick(group[name], rng), level, rng) for name in ("in", "out"))
    who = subject(level, rng)
    return _join(_when("past", level, rng, 0.5), who.words, inflect(one, "다가"), finish(two, "past" if who.first_person else "news", level, rng, who.honoured))


def _but(level: str, rng: np.random.Generator) -> str:
    group = pick(read_lexicon("links")["but"], rng)
    one, two = (fill(pick(group[name], rng), level, rng) for name in ("one", "two"))
    return _join(inflect(one, pick(["past:는데", "past:지만"], rng)), finish(two, group.get("mood", "now"), level, rng))


def _weather(level: str, rng: np.random.Generator) -> str:
    weather = read_lexicon("links")["weather"]
    mood = pick(["past", "now", "forecast"], rng)
    return _join(fill(pick(weather[mood], rng), level, rng), finish(pick(weather["what"], rng), mood, level, rng))


def _greeting(level: str, rng: np.random.Generator) -> str:
    return fill(pick(read_lexicon("phrases")["greetings"]["plain" if level == "해" else "polite"], rng), level, rng)


def _phrase(kind: str) -> Callable[[str, np.random.Generator], str]:
    """A maker of whole sentences of one kind of phrases.yaml."""

    def make(level: str, rng: np.random.Generator) -> str:
        def ended(match: re.Match[str]) -> str:
            noun, verb, mood = match.groups()
            before, last = (noun + " ", verb) if verb == "이다" else (noun, verb)
            return finish(before + last, mood, level, rng)

        return _VERB.sub(ended, fill(pick(read_lexicon("phrases")[kind], rng), level, rng))

    return make


# As often as it is named: what the corpus is made of.
_KINDS = (
    *[_action] * 14,
    *[_cause] * 7,
    *[_quality] * 5,
    *[_person] * 3,
    *[_errand] * 3,
    *[_routine] * 3,
    *[_goal] * 2,
    *[_together] * 2,
    *[_mishap] * 2,
    _but,
    _weather,
    _forbidden,
    *[_greeting] * 3,
    *[_phrase("about_me")] * 2,
    *[_phrase("questions")] * 3,
    *[_phrase("numbers")] * 4,
    *[_phrase("shop_and_town")] * 2,
    *[_phrase("where")] * 2,
)
