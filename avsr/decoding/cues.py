"""Captions of a result: laid out turn by turn, with who speaks and, if asked, which stream the words came from.

Who speaks is said where several people do, and where the one who does has a name: in brackets before each of their turns, as a part of
the text, by the name that was given, else by number (화자 2), or as 화면 밖 for who is out of the picture.

Each has captions of their own. Where two speak at once these overlap, and each of them says whose it is. Two people share a caption, a
line each after a dash (Netflix's Korean timed text guide), only where they speak in turn, the first so shortly that a caption of
their own would flash by, and each fits their line.

Which stream: what the lips alone or the sound alone has given is marked at the beginning of each of its captions, for readers who
cannot hear have no other way to know how far to trust it. Both together, the usual case, have no mark. It says 만 (only), because
[소리] alone announces a sound in captions for the deaf.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from avsr.decoding.people import UNSEEN
from avsr.decoding.result import Result
from avsr.errors import AvsrError
from avsr.media.captions import GAP_MS, SHORTEST_MS, Cue, Word, cues_from_words, shared_cue, width

MARKS = {"lips": "[입술만]", "voice": "[소리만]"}
"""By a segment's source."""

_OFF_SCREEN = "화면 밖"
_LONGEST_NAME = 20  # half units: with its brackets and a mark it is on one line


@dataclass(frozen=True)
class _Turn:
    """What one person says until another begins: words, each with the mark of its stream, from when to when in media seconds."""

    speaker: int | None
    start: float
    end: float
    words: list[Word]
    marks: list[str]


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
        if width(name.strip()) > _LONGEST_NAME:
            most = f"{_LONGEST_NAME // 2} syllables or {_LONGEST_NAME} letters at most"
            raise AvsrError(f"name {one}: leaves no room in a caption's line; give one of {most}.")
        names[int(number)] = " ".join(name.split())
    return names


def cues_of(result: Result, profile: str, names: Mapping[int, str], mark_streams: bool = False) -> list[Cue]:
    """The cues of all turns by when they begin, by the rules above; they overlap where people do."""
    called = _called(result, names)
    turns = sorted(_turns(result, mark_streams), key=lambda turn: turn.start)
    overlapped, untils = _overlapped(turns), _untils(turns)
    cues: list[Cue] = []
    place = 0
    while place < len(turns):
        shared = None
        if place + 1 < len(turns) and not overlapped[place] and not overlapped[place + 1]:
            shared = _shared(turns[place], turns[place + 1], called, profile, untils[place + 1])
        if shared is not None:
            cues.append(shared)
            place += 2
        else:
            cues += _own(turns[place], called.get(turns[place].speaker), profile, untils[place], each=overlapped[place])
            place += 1
    return sorted(cues, key=lambda cue: (cue.start, cue.end))


def lines_of(result: Result, names: Mapping[int, str], mark_streams: bool = False) -> list[str]:
    """A line a segment, after its mark and its speaker's name where captions have them."""
    called = _called(result, names)
    lines = []
    for segment in result.segments:
        name = called.get(segment.speaker)
        parts = [MARKS.get(segment.source, "") if mark_streams else "", f"{name}:" if name else "", segment.text]
        lines.append(" ".join(part for part in parts if part))
    return lines


def _called(result: Result, names: Mapping[int, str]) -> dict[int | None, str]:
    """What those are called who are named at all."""
    speakers = result.speakers
    named = len(speakers) > 1 or bool(set(speakers) & set(names))
    return {speaker: name_of(speaker, names) for speaker in speakers} if named else {}


def _turns(result: Result, mark_streams: bool) -> Iterator[_Turn]:
    for segments in result.turns:
        words = [word for segment in segments for word in segment.words]
        marks = [MARKS.get(segment.source, "") if mark_streams else "" for segment in segments for _ in segment.words]
        if words:
            yield _Turn(segments[0].speaker, words[0].start, max(word.end for word in words), words, marks)


def _overlapped(turns: Sequence[_Turn]) -> list[bool]:
    """Whether somebody else speaks while a turn lasts; turns by when they begin."""
    found = [False] * len(turns)
    for place, turn in enumerate(turns):
        for later in range(place + 1, len(turns)):
            if turns[later].start >= turn.end:
                break
            found[place] = found[later] = True
    return found


def _untils(turns: Sequence[_Turn]) -> list[float]:
    """The second by which each turn's last caption is to be off: where the next turn begins, or, if that is before this one's end, after
    its words; and in any case where the speaker's own next turn begins."""
    untils, own, following = [], {}, math.inf
    for turn in reversed(turns):
        free = following if following >= turn.end else turn.end + GAP_MS / 1000
        untils.append(min(free, own.get(turn.speaker, math.inf)))
        own[turn.speaker] = following = turn.start
    return untils[::-1]


def _own(turn: _Turn, name: str | None, profile: str, until: float, *, each: bool) -> list[Cue]:
    """A turn's captions, its speaker's name before the first, or before each."""
    words, marks = turn.words, turn.marks
    if name and each:
        marks = [f"{mark} ({name})".strip() for mark in marks]
    elif name:
        words, marks = [Word(turn.start, turn.start, f"({name})"), *words], [marks[0], *marks]
    return [replace(cue, speaker=name) for cue in cues_from_words(words, profile, until, marks)]


def _shared(turn: _Turn, other: _Turn, called: Mapping[int | None, str], profile: str, until: float) -> Cue | None:
    """The caption of a turn and the one after it, if they are to share one."""
    short = 1000 * (other.start - turn.start) - GAP_MS < SHORTEST_MS
    if not short or not {turn.speaker, other.speaker} <= set(called) or any(len(set(one.marks)) > 1 for one in (turn, other)):
        return None
    first, second = (
        " ".join(filter(None, [one.marks[0], f"({called[one.speaker]})", *(word.text for word in one.words)])) for one in (turn, other)
    )
    return shared_cue((first, second), turn.start, other.end, profile, until)
