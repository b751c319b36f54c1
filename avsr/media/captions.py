"""Makes Korean caption cues from timed words and writes SRT, WebVTT, ASS, text and JSON files.

The layout follows Netflix's Korean timed text guide: 16 Hangul a line (a Latin letter, digit, space or mark counts a
half), two lines, breaks between eojeol only, 5/6 s to 7 s a cue, two frames between cues, and so long that what is in it can
be read: PROFILES has how many characters a second.

The writers are our own: pysubs2 takes `{...}` in a text for an ASS tag and drops it, and leaves `&` and `<` bare in WebVTT.
"""

from __future__ import annotations

import dataclasses
import html
import json
import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from avsr.errors import MediaError
from avsr.files import replace_file

LINE = 32
"""Half units a line: a Hangul syllable is two, everything narrow one."""

PROFILES = {"sdh": 14.0, "standard": 12.0}
"""Characters a second (Hangul 1, what is narrow a half) of captions for the deaf and hard of hearing, which have all that is
said, and of others."""

SHORTEST_MS, LONGEST_MS = 833, 7000
GAP_MS = 80
"""Two frames at 25 a second, so that the eye sees one cue end and the next begin."""

_FLASH_MS = 120  # a cue is on for three frames at least, even if the next one has to come late for it
_PAUSE_MS = 600  # a pause of this length is a good place to break


ASS_HEAD = """[Script Info]
ScriptType: v4.00+
WrapStyle: 2
ScaledBorderAndShadow: yes
PlayResX: 1920
PlayResY: 1080

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Noto Sans KR,64,&H00FFFFFF,&H00FFFFFF,&H00000000,&H80000000,0,0,0,0,100,100,0,0,1,4,0,2,60,60,48,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text"""


@dataclass(frozen=True)
class Word:
    """An eojeol and when it is spoken, in media seconds; confidence in 0..1."""

    start: float
    end: float
    text: str
    confidence: float | None = None


@dataclass(frozen=True)
class Cue:
    """One caption, media seconds; `text` has one or two lines, separated by a newline. `speaker` is for programs that show or sort captions
    by who speaks; readers see it where the text says it."""

    start: float
    end: float
    text: str
    speaker: str | None = None


@dataclass(frozen=True)
class _Piece:
    """A word, or a part of one that is longer than a line (`glued` to the part before), with whole milliseconds; `mark` is to stand
    before its cue."""

    start: int
    end: int
    text: str
    glued: bool = False
    mark: str = ""


def width(text: str) -> int:
    """Half units: 2 for Hangul and other wide characters, 0 for marks that sit on the character before, else 1."""
    total = 0
    for character in text:
        if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
            continue
        total += 2 if unicodedata.east_asian_width(character) in "WF" else 1
    return total


def cues_from_words(words: list[Word], profile: str = "sdh", until: float = math.inf, marks: Sequence[str] = ()) -> list[Cue]:
    """Lay words out as cues, in the order given; no text is lost.

    Cues do not overlap and are GAP_MS apart or more, start with their first word (later only where the cue before
    needs the time), last 833 ms to 7 s, and as long as the profile's reading speed wants, where the next cue's start permits,
    and break at pauses and sentence ends rather than elsewhere. From second `until` on others have the word: the last cue is off by then.
    `marks`, one a word where there are any, say what stands first in each cue, as a part of its text: words of different marks are never
    in one cue. MediaError where a time is not a number, or for a profile that is not one of PROFILES.
    """
    if profile not in PROFILES:
        raise MediaError(f"caption profile {profile!r} is unknown; give {' or '.join(PROFILES)}.")
    pieces = _pieces(words, marks or [""] * len(words))
    cues: list[Cue] = []
    free = 0  # ms from which the next cue may start
    groups = _group(pieces)
    for index, group in enumerate(groups):
        start = max(group[0].start, free)
        lines = _lines(group) or []
        following = groups[index + 1][0].start if index + 1 < len(groups) else 1000 * until
        end = _end(start, group[-1].end, lines, profile, following)
        free = end + GAP_MS
        cues.append(Cue(start / 1000, end / 1000, "\n".join(lines)))
    return cues


def shared_cue(lines: tuple[str, str], start: float, end: float, profile: str = "sdh", until: float = math.inf) -> Cue | None:
    """One cue for two who speak in turn, a line and a dash each, from where the first begins to where the second ends, or for as long as
    it takes to read both before second `until`; None where a line would be too long, or the cue."""
    dashed = [f"- {line}" for line in map(_clean, lines)]
    if max(map(width, dashed)) > LINE or 1000 * (end - start) > LONGEST_MS:
        return None
    begins = max(0, round(1000 * start))
    return Cue(begins / 1000, _end(begins, round(1000 * end), dashed, profile, 1000 * until) / 1000, "\n".join(dashed))


def _end(start: int, said: int, lines: Sequence[str], profile: str, following: float) -> int:
    """Until when (ms) a cue of these lines is on that starts at `start`, whose words end at `said`, where the next one is to come at
    `following`."""
    reading = math.ceil(1000 * sum(map(width, lines)) / 2 / PROFILES[profile])
    end = min(max(said, start + max(SHORTEST_MS, reading)), start + LONGEST_MS)
    return end if following == math.inf else max(min(end, round(following) - GAP_MS), start + _FLASH_MS)


def _pieces(words: list[Word], marks: Sequence[str]) -> list[_Piece]:
    """Words in milliseconds with starts that never go back, split at white space and where longer than a line."""
    pieces: list[_Piece] = []
    clock = 0
    for word, mark in zip(words, marks, strict=True):
        if not (math.isfinite(word.start) and math.isfinite(word.end)):
            raise MediaError(f"word {word.text!r}: its time {word.start}-{word.end} s is no number; check the decoder.")
        start = max(clock, round(word.start * 1000))
        end = max(start, round(word.end * 1000))
        clock = start
        parts = [(part, count > 0) for token in _clean(word.text).split() for count, part in enumerate(_chop(token))]
        total, done = sum(width(part) for part, _ in parts) or 1, 0
        for part, glued in parts:
            begin = start + (end - start) * done // total
            done += width(part)
            pieces.append(_Piece(begin, start + (end - start) * done // total, part, glued, mark))
            clock = begin
    return pieces


def _clean(text: str) -> str:
    """NFC without control characters (which no caption format can hold)."""
    text = unicodedata.normalize("NFC", text)
    return "".join(c if unicodedata.category(c) not in ("Cc", "Cs") else " " for c in text)


def _chop(token: str) -> list[str]:
    parts, current = [], ""
    for character in token:
        if current and width(current + character) > LINE:
            parts.append(current)
            current = ""
        current += character
    return [*parts, current]


def _group(pieces: list[_Piece]) -> list[list[_Piece]]:
    groups: list[list[_Piece]] = []
    for piece in pieces:
        if groups and not _break_before(groups[-1], piece):
            groups[-1].append(piece)
        else:
            groups.append([piece])
    return groups


def _break_before(group: list[_Piece], piece: _Piece) -> bool:
    if piece.mark != group[0].mark or _lines([*group, piece]) is None or piece.end - group[0].start > LONGEST_MS:
        return True
    if piece.glued or piece.start - GAP_MS - group[0].start < SHORTEST_MS:
        return False  # the cue before would flash by
    return piece.start - group[-1].end >= _PAUSE_MS or group[-1].text.endswith((".", "?", "!", "…", "。"))


def _join(group: list[_Piece]) -> str:
    return "".join(("" if piece.glued or not count else " ") + piece.text for count, piece in enumerate(group))


def _lines(group: list[_Piece]) -> list[str] | None:
    """One line, else the most even two, else None; the mark is the first word."""
    if group[0].mark:
        group = [_Piece(0, 0, group[0].mark), dataclasses.replace(group[0], glued=False), *group[1:]]
    if width(_join(group)) <= LINE:
        return [_join(group)]
    splits = [(_join(group[:cut]), _join(group[cut:])) for cut in range(1, len(group))]
    fitting = [split for split in splits if max(map(width, split)) <= LINE]
    return list(min(fitting, key=lambda split: abs(width(split[0]) - width(split[1])))) if fitting else None


def write_srt(path: str | Path, cues: list[Cue]) -> None:
    """Write SubRip, UTF-8, whole or not at all."""
    write_text(path, srt_text(cues))


def srt_text(cues: list[Cue]) -> str:
    """SubRip. It knows no speakers: whoever is to be named stands in the text."""
    blocks = []
    for number, cue in enumerate(cues, start=1):
        text = _body(cue.text).replace("-->", "-- >")
        blocks.append(f"{number}\n{_stamp(cue.start, ',')} --> {_stamp(cue.end, ',')}\n{text}\n")
    return "\n".join(blocks)


def write_vtt(path: str | Path, cues: list[Cue]) -> None:
    """Write WebVTT, UTF-8, whole or not at all."""
    write_text(path, vtt_text(cues))


def vtt_text(cues: list[Cue]) -> str:
    """WebVTT (W3C); a speaker becomes a voice tag."""
    blocks = ["WEBVTT\n"]
    for cue in cues:
        text = html.escape(_body(cue.text), quote=False)
        if cue.speaker:
            text = f"<v {html.escape(_body(cue.speaker), quote=False)}>{text}"
        blocks.append(f"{_stamp(cue.start, '.')} --> {_stamp(cue.end, '.')}\n{text}\n")
    return "\n".join(blocks)


def write_ass(path: str | Path, cues: list[Cue]) -> None:
    """Write Advanced SubStation Alpha 4+, UTF-8, whole or not at all."""
    write_text(path, ass_text(cues))


def ass_text(cues: list[Cue]) -> str:
    """Advanced SubStation Alpha 4+: white on a black edge at the bottom of a picture of 1920x1080, whatever the video's. A speaker is the
    line's name."""
    lines = [ASS_HEAD]
    for cue in cues:
        # An opening brace would begin an override, and a backslash an escape.
        text = _body(cue.text).replace("\\", "\\\u2060").replace("{", "\\{").replace("}", "\\}").replace("\n", "\\N")
        name = _body(cue.speaker or "").replace(",", " ")
        lines.append(f"Dialogue: 0,{_centiseconds(cue.start)},{_centiseconds(cue.end)},Default,{name},0,0,0,,{text}")
    return "\n".join(lines) + "\n"


def write_txt(path: str | Path, text: str) -> None:
    """Write plain text, UTF-8 with a newline at its end, whole or not at all."""
    write_text(path, text.rstrip("\n") + "\n")


def write_json(path: str | Path, result: dict) -> None:
    """Write a result, dataclasses in it included, as JSON (UTF-8, Hangul readable), whole or not at all.

    MediaError where it holds what JSON cannot (NaN, an object).
    """

    def plain(value: object) -> object:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return dataclasses.asdict(value)
        if isinstance(value, Path):
            return str(value)
        if hasattr(value, "tolist"):  # numpy numbers and arrays
            return value.tolist()
        raise TypeError(f"{type(value).__name__} is no JSON value")

    try:
        text = json.dumps(result, ensure_ascii=False, indent=2, allow_nan=False, default=plain)
    except (TypeError, ValueError) as error:
        raise MediaError(f"{path}: the result cannot be written as JSON ({error}); leave that value out.") from error
    write_text(path, text + "\n")


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 under a temporary name in the same folder, then give it its final name."""
    path = Path(path)
    try:
        replace_file(path, text.encode("utf-8", "replace"))
    except OSError as error:
        raise MediaError(f"{path}: cannot be written ({error.strerror}); check the folder.") from error


def _body(text: str) -> str:
    """No empty lines, which end a cue in both formats."""
    return "\n".join(line for line in (re.sub(r"\s+", " ", line).strip() for line in text.splitlines()) if line)


def _centiseconds(seconds: float) -> str:
    total = max(0, round(seconds * 100))
    return f"{total // 360_000}:{total // 6_000 % 60:02}:{total // 100 % 60:02}.{total % 100:02}"


def _stamp(seconds: float, mark: str) -> str:
    total = max(0, round(seconds * 1000))
    return f"{total // 3_600_000:02}:{total // 60_000 % 60:02}:{total // 1000 % 60:02}{mark}{total % 1000:03}"
