"""Makes sentences of two clauses that belong together, from the lists of links.yaml: causes, errands, routines ..."""

from __future__ import annotations

import numpy as np

from avsr.corpora.talking_heads.clauses import Subject, action_phrase, actions, in_order, join, other_person, subject, when
from avsr.corpora.talking_heads.endings import finish, inflect
from avsr.corpora.talking_heads.inflection import with_particle
from avsr.corpora.talking_heads.lexicon import read_lexicon
from avsr.corpora.talking_heads.slots import chance, fill, pick

# A clause with one of these has a time of its own.
_DATES = ("아침", "점심", "저녁", "밤", "어제", "오늘", "내일", "다음", "주말", "하루", "늦잠", "늦게", "일찍", "방학")
# How a goal is joined to what is done for it, and what may be said of that.
_GOALS = (
    ("(으)려고", ("past", "habit", "going")),
    ("기 위해서", ("past", "habit", "they_must")),
    ("(으)려면", ("they_must", "order")),
    ("고 싶으면", ("order", "they_must")),
    ("고 싶어서", ("past", "habit")),
)
# How one tells another what to do about how things are.
_ADVICE = (("(으)니까", "order"), ("(으)니까", "suggest"), ("(으)니까", "must"), ("는데", "suggest"), ("(으)면", "order"))
# After coming and going it is 어서 that joins the next step: 집에 와서 손을 씻다.
_MOTION = ("돌아오다", "일어나다", "도착하다", "만나다", "나서다", "앉다")
_TENSES = {"past": "past", "will": "future", "habit": "habit", "going": "now"}  # of the times that go with a mood


def cause(level: str, rng: np.random.Generator) -> str:
    """Because, when or if one thing is so, another is done, or one tells another to do it."""
    topic = pick(read_lexicon("links")["causes"], rng)
    states, events = topic.get("if", []), topic.get("after", [])
    index = int(rng.integers(len(states) + len(events)))
    first, is_event = fill((states + events)[index], level, rng), index >= len(states)
    told = chance(0.55, rng)
    second = fill(pick(topic["did" if told else "should"], rng), level, rng)
    if told:
        return _consequence(first, second, is_event, level, rng)
    if topic.get("even_so"):
        return join(inflect(first, pick(("past:지만", "어도"), rng)), finish(second, "order", level, rng))
    form, mood = pick(_ADVICE, rng)
    if is_event and form != "(으)면":
        form = "past:" + form
    return join(inflect(first, form), finish(second, mood, level, rng))


def _consequence(first: str, second: str, is_event: bool, level: str, rng: np.random.Generator) -> str:
    forms = [("어서", "past")] * 3
    is_copula = first.endswith(" 이다")
    if not is_event and not is_copula:
        forms.append(("(으)면", "habit"))
        if " 못 " not in second:
            forms += [("(으)ㄹ 때", "habit"), ("(으)ㄹ 때는", "habit")]
    form, mood = pick(forms, rng)
    dated = is_copula or mood != "past" or any(word in first + second for word in _DATES)
    time = "" if dated else when("past", level, rng, 0.25)
    return join(time, inflect(first, form), finish(second, mood, level, rng))


def errand(level: str, rng: np.random.Generator) -> str:
    """Going somewhere for something."""
    group = pick(read_lexicon("links")["errands"], rng)
    place, what = pick(group["to"], rng), fill(pick(group["for"], rng), level, rng)
    mood = pick(("past", "past", "will", "wish", "suggest", "must", "habit"), rng)
    who = Subject("") if mood == "suggest" else subject(level, rng)
    clause = pick(
        (
            f"{place}에 {inflect(what, '(으)러')} 가다",
            f"{inflect(what, '(으)러')} {place}에 가다" if " " in what else f"{place}에 {inflect(what, '(으)러')} 가다",
            f"{inflect(f'{place}에 가다', '어서', who.honoured)} {what}",
            f"{place}에서 {what}",
        ),
        rng,
    )
    if not who.first_person and mood in ("will", "wish", "must"):
        mood = "they_" + mood
    time = when(_TENSES.get(mood, "future"), level, rng, 0.4)
    return in_order(time, who, finish(clause, mood, level, rng, who.honoured), rng)


def goal(level: str, rng: np.random.Generator) -> str:
    """Doing one thing in order that another comes about."""
    group = pick(read_lexicon("links")["goals"], rng)
    end, means = (fill(pick(group[name], rng), level, rng) for name in ("to", "do"))
    form, moods = pick(_GOALS, rng)
    return join(inflect(end, form), finish(means, pick(moods, rng), level, rng))


def at_once(level: str, rng: np.random.Generator) -> str:
    """Doing one thing while doing another."""
    group = pick(read_lexicon("links")["together"], rng)
    one, two = (fill(pick(group[name], rng), level, rng) for name in ("while", "do"))
    who, mood = subject(level, rng), pick(("past", "past", "habit", "going"), rng)
    both = join(inflect(one, "(으)면서", who.honoured), finish(two, mood, level, rng, who.honoured))
    return in_order(when(_TENSES[mood], level, rng, 0.4), who, both, rng)


def routine(level: str, rng: np.random.Generator) -> str:
    """Two steps of something that is done in that order."""
    steps = pick(read_lexicon("links")["routines"], rng)
    at = int(rng.integers(len(steps) - 1))
    moved = steps[at].endswith(_MOTION)
    after = at + 1 if moved else min(len(steps) - 1, at + int(rng.integers(1, 3)))
    first, second = (fill(steps[i], level, rng) for i in (at, after))
    mood = pick(("past", "past", "will", "habit", "instruct"), rng)
    who = Subject("") if mood == "instruct" else subject(level, rng, silent=0.7)
    time = when(_TENSES[mood], level, rng, 0.3) if mood in ("past", "will") else ""
    form = "어서" if moved else pick(("고", "고", "고 나서", "(으)ㄴ 다음에", "(으)ㄴ 후에", "기 전에"), rng)
    if form == "기 전에":
        first, second = second, first
    if mood == "will" and not who.first_person:
        mood = "they_will"
    both = join(inflect(first, form), finish(second, mood, level, rng, who.honoured))
    return in_order(time, who, both, rng)


def mishap(level: str, rng: np.random.Generator) -> str:
    """Something went wrong, or otherwise, in the middle of something."""
    group = pick(read_lexicon("links")["mishaps"], rng)
    one, two = (fill(pick(group[name], rng), level, rng) for name in ("in", "out"))
    who = subject(level, rng)
    mood = "past" if who.first_person else "news"
    both = join(inflect(one, "다가", who.honoured), finish(two, mood, level, rng, who.honoured))
    return in_order(when("past", level, rng, 0.5, group.get("when", "near")), who, both, rng)


def two_people(level: str, rng: np.random.Generator) -> str:
    """One does this and the other that, of whatever people do at such a time."""
    able = [action for action in actions() if {"did", "going"} <= set(action.kinds) and action.when != "far"]
    one, two = (action_phrase(pick(able, rng), level, rng, short=True, adverb=False) for _ in range(2))
    first = other_person(level, rng, ("은",))
    second = Subject(fill("{I}은", level, rng)) if chance(0.5, rng) else other_person(level, rng, ("은",))
    form = pick(("고", "고", "past:고", "는 동안"), rng)
    if form == "는 동안":  # who it is about comes with the second clause
        first = Subject(_as_subject(first.words), first.first_person, first.honoured)
    both = join(inflect(one, form, first.honoured), second.words, finish(two, "past", level, rng, second.honoured))
    return in_order(when("past", level, rng, 0.3), first, both, rng)


def _as_subject(words: str) -> str:
    """은, 는 and 께서는 to 이, 가 and 께서."""
    if words.endswith("께서는"):
        return words.removesuffix("는")
    return with_particle(words[:-1], "이")


def contrast(level: str, rng: np.random.Generator) -> str:
    """One thing was done, and yet."""
    group = pick(read_lexicon("links")["but"], rng)
    one, two = (fill(pick(group[name], rng), level, rng) for name in ("one", "two"))
    return join(inflect(one, pick(("past:는데", "past:지만"), rng)), finish(two, group.get("mood", "now"), level, rng))
