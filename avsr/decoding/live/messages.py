"""What a live recogniser says, as small frozen dataclasses that go to JSON and back."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from avsr.errors import AvsrError
from avsr.media.captions import Word

REASONS = {
    "started": "this is what there is",
    "microphone_silent": "the microphone is silent",
    "microphone_missing": "no sound comes from the microphone",
    "microphone_back": "the microphone is back",
    "camera_covered": "the camera is covered",
    "camera_frozen": "the picture is frozen",
    "camera_missing": "no pictures come from the camera",
    "machine_behind": "this machine cannot follow the pictures",
    "no_face": "no face is seen",
    "face_back": "a face is seen",
}
"""Why a mode has switched, for people who read English."""


@dataclass(frozen=True)
class Partial:
    """What a segment that still goes on seems to say: `committed`, which never changes again, and `tail`, which may.

    `mode` (av, audio or lip) is what it was recognised from, `source` (both, voice or lips) whose words these are, as in
    `avsr.decoding.result.Segment`. `start` in media seconds. `speaker` is which of several people in the picture, from 1 on, 0 for a voice from
    out of it, and None where that is not known, and as long as no two were seen at once; who was alone until then is 1 afterwards, from
    partial to partial too.
    """

    seq: int
    segment: int
    committed: str
    tail: str
    start: float
    speaker: int | None
    mode: str
    source: str

    @property
    def text(self) -> str:
        """All that is shown."""
        return " ".join(part for part in (self.committed, self.tail) if part)


@dataclass(frozen=True)
class Final:
    """What a segment says; `text` begins with all that was committed, and is empty where what was shown came to nothing."""

    seq: int
    segment: int
    text: str
    words: tuple[Word, ...]
    start: float
    end: float
    speaker: int | None
    mode: str
    source: str


@dataclass(frozen=True)
class ModeSwitch:
    """From media second `time` on there is sound and mouth (av), one of them (audio, lip) or neither (none); `reason` is one of
    REASONS, and has held since media second `since`."""

    seq: int
    time: float
    mode: str
    reason: str
    since: float


@dataclass(frozen=True)
class Dropped:
    """Seconds of `sound` and `pictures` that were given up since the last such message, the oldest first, because the machine could
    not follow; said at media second `time`."""

    seq: int
    time: float
    sound: float
    pictures: float


Message = Partial | Final | ModeSwitch | Dropped
_TYPES: dict[str, type] = {"partial": Partial, "final": Final, "mode": ModeSwitch, "dropped": Dropped}


def message_to_dict(message: Message) -> dict[str, Any]:
    """For JSON: `type` (partial, final, mode or dropped) and every field."""
    kind = next(name for name, of in _TYPES.items() if isinstance(message, of))
    return {"type": kind, **asdict(message)}


def message_from_dict(fields: dict[str, Any]) -> Message:
    """What `message_to_dict` made, read back from JSON; AvsrError where it is something else."""
    given = dict(fields)
    kind = _TYPES.get(given.pop("type", ""))
    if kind is None:
        raise AvsrError(f"a message of type {fields.get('type')!r} is unknown; it can be {', '.join(_TYPES)}.")
    try:
        if kind is Final:
            given["words"] = tuple(Word(**word) for word in given["words"])
        return kind(**given)
    except (TypeError, KeyError) as error:
        raise AvsrError(f"a message of type {fields['type']} has other fields than it should ({error}).") from error
