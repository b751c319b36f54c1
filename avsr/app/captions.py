"""A result's captions as the server keeps them, and back as the writers of caption files take them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from avsr.app.store import StoredCue
from avsr.media.captions import Cue, cues_from_words

if TYPE_CHECKING:
    from avsr.decoding.result import Result, Segment

_PROFILE = "sdh"


def stored_cues(result: Result) -> list[StoredCue]:
    """The captions of a whole result, numbered from 1."""
    from avsr.decoding.cues import cues_of, name_of

    called = {segment.speaker: None if segment.speaker is None else name_of(segment.speaker, {}) for segment in result.segments}
    found = []
    for number, cue in enumerate(cues_of(result, _PROFILE, {}), 1):
        on = [segment for segment in result.segments if segment.start < cue.end and cue.start < segment.end]
        own = [segment for segment in on if cue.speaker is None or called[segment.speaker] == cue.speaker]
        found.append(_stored(number, cue, own or on or result.segments))
    return found


def draft_cues(segment: Segment, count: int) -> list[StoredCue]:
    """Captions of a segment alone, before what comes next is known, numbered from `count` + 1."""
    return [_stored(number, cue, [segment]) for number, cue in enumerate(cues_from_words(segment.words, _PROFILE), count + 1)]


def as_cues(stored: Sequence[StoredCue]) -> list[Cue]:
    """What the writers of captions take, without those that a person has emptied. Who speaks stands in the text already."""
    return [Cue(cue.start, cue.end, cue.text, cue.speaker) for cue in stored if cue.text]


def _stored(number: int, cue: Cue, segments: Sequence[Segment]) -> StoredCue:
    sources = {segment.source for segment in segments}
    words = [word for segment in segments for word in segment.words if word.start < cue.end and cue.start < word.end]
    sure = [word.confidence for word in words if word.confidence is not None]
    confidence = round(sum(sure) / len(sure), 3) if sure else None
    return StoredCue(number, cue.start, cue.end, cue.text, sources.pop() if len(sources) == 1 else "both", confidence, cue.speaker)
