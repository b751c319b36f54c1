"""Captions of a result: laid out turn by turn, and where several people speak, with who it is before what they say.

If asked, what the lips alone or the sound alone has given is marked at the beginning of each of its captions, for readers who
cannot hear have no other way to know how far to trust it. Both together, the usual case, have no mark. It says 만 (only), because
[소리] alone announces a sound in captions for the deaf.
"""

from __future__ import annotations

from collections.abc import Mapping

from avsr.decoding.people import UNSEEN
from avsr.decoding.result import Result
from avsr.errors import AvsrError
from avsr.media.captions import Cue, Word, cues_from_words

MARKS = {"lips": "[입술만]", "voice": "[소리만]"}
"""By a segment's source."""

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


def cues_of(result: Result, profile: str, names: Mapping[int, str], mark_streams: bool = False) -> list[Cue]:
    """The cues of all turns by when they begin; they overlap where people do. Of several speakers, or of those who have a name, the name
    stands in brackets before each turn, as a part of its text; `mark_streams` is what is asked above."""
    turns = result.turns
    named = len(result.speakers) > 1 or bool(set(result.speakers) & set(names))
    cues: list[Cue] = []
    for place, turn in enumerate(turns):
        words = [word for segment in turn for word in segment.words]
        marks = [MARKS.get(segment.source, "") if mark_streams else "" for segment in turn for _ in segment.words]
        speaker = turn[0].speaker
        if not words:
            continue
        if named and speaker is not None:
            words = [Word(words[0].start, words[0].start, f"({name_of(speaker, names)})"), *words]
            marks = [marks[0], *marks]
        until = turns[place + 1][0].start if place + 1 < len(turns) else float("inf")
        cues += cues_from_words(words, profile, max(until, words[-1].end), marks)
    return sorted(cues, key=lambda cue: (cue.start, cue.end))


def lines_of(result: Result, names: Mapping[int, str], mark_streams: bool = False) -> list[str]:
    """A line a segment, after its mark, and its speaker's name where there are several."""
    lines = []
    for segment in result.segments:
        mark = MARKS.get(segment.source, "") if mark_streams else ""
        name = f"{name_of(segment.speaker, names)}:" if len(result.speakers) > 1 and segment.speaker is not None else ""
        lines.append(" ".join(part for part in (mark, name, segment.text) if part))
    return lines
