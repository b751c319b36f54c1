"""Captions of a result: laid out turn by turn, and where several people speak, with who it is before what they say."""

from __future__ import annotations

from collections.abc import Mapping

from avsr.decoding.people import UNSEEN
from avsr.decoding.result import Result
from avsr.errors import AvsrError
from avsr.media.captions import Cue, Word, cues_from_words

_OFF_SCREEN = "화면 밖"


def name_of(speaker: int, names: Mapping[int, str]) -> str:
    """What a speaker is called: as was given, or by number."""
    return names.get(speaker, _OFF_SCREEN if speaker == UNSEEN else f"화자 {speaker}")


def parse_names(given: list[str]) -> dict[int, str]:
    """``["1=민지", "2=서준"]`` -> ``{1: "민지", 2: "서준"}``; AvsrError for anything else."""
    names: dict[int, str] = {}
    for one in given:
        number, equals, name = one.partition("=")
        if not equals or not number.strip().isdigit() or not name.strip() or any(mark in name for mark in "()\n"):
            raise AvsrError(f"name {one}: give NUMBER=NAME, such as 1=민지; 1 is who is seen first, 0 who speaks out of the picture.")
        names[int(number)] = " ".join(name.split())
    return names


def cues_of(result: Result, profile: str, names: Mapping[int, str]) -> list[Cue]:
    """The cues of all turns by when they begin; they overlap where people do. Of several speakers, or of those who have a name, the name
    stands in brackets before each turn, as a part of its text."""
    turns = result.turns
    named = len(result.speakers) > 1 or bool(set(result.speakers) & set(names))
    cues: list[Cue] = []
    for place, turn in enumerate(turns):
        words = [word for segment in turn for word in segment.words]
        speaker = turn[0].speaker
        if not words:
            continue
        if named and speaker is not None:
            words = [Word(words[0].start, words[0].start, f"({name_of(speaker, names)})"), *words]
        until = turns[place + 1][0].start if place + 1 < len(turns) else float("inf")
        cues += cues_from_words(words, profile, max(until, words[-1].end))
    return sorted(cues, key=lambda cue: (cue.start, cue.end))
