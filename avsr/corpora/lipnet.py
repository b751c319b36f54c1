"""Corpora in LipNet's layout: clips, a speaker a folder, and an ``.align`` file for each clip (GRID, lipnet_ko).

Sources: M. Cooke et al., "An audio-visual corpus for speech perception and automatic speech recognition"
(GRID, JASA 2006), whose align files count 1/25000 s; Y. Assael et al., "LipNet" (2016), whose tools hold
frame numbers at 25 fps; and the Korean LipNet corpora, which list syllables without times.
"""

from __future__ import annotations

import re
import statistics
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from avsr.corpora.datadir import Utterance
from avsr.corpora.labels import (
    Failure,
    clean_speaker,
    media_duration,
    nothing_usable,
    read_label_text,
    report,
    utterance_id,
    watched,
)
from avsr.errors import LabelError
from avsr.files import VIDEO_SUFFIXES, files_under

SILENCES = frozenset({"sil", "sp"})
TICKS_PER_SECOND = 25_000  # GRID: 1000 a frame
FRAMES_PER_SECOND = 25
# A word in running speech lasts between 20 ms (half a frame) and 4 s. In GRID's ticks that is 500 and
# more, in frames 100 and fewer, so the median word of a label lies in one range or the other; in between
# or beyond lie other units (milliseconds, say), which are refused rather than guessed at.
MOST_FRAMES, FEWEST_TICKS = 100, 500
# Labels may run a little past the clip: GRID's own end at 74500 or 75000 ticks whatever the clip's length.
PAST_THE_END = 0.5

# Folders that say what lies in them, not who speaks.
_KIND_FOLDERS = frozenset({"video", "videos", "align", "aligns", "alignment", "alignments", "clips", "mp4", "mpg"})


@dataclass(frozen=True)
class Label:
    """An ``.align`` file: ``words`` without silences, ``times`` (start, end) in seconds or None, and the ``text``."""

    words: list[str]
    times: list[tuple[float, float]] | None
    text: str


@dataclass(frozen=True)
class _Entry:
    line: int
    word: str
    start: int | None = None
    end: int | None = None


def read_label(path: Path, *, duration: float | None = None) -> Label:
    """Read an ``.align`` file, with times (``START END WORD`` a line) or without (one word or syllable a line).

    Times are GRID's 25,000ths of a second or frame numbers at 25 fps, told apart by the median length of
    the label's words (see MOST_FRAMES). With the clip's ``duration`` (seconds) given, the label must also
    end within it. ``sil`` and ``sp`` are left out. Where every word is one Hangul syllable (or a number),
    the text is the syllables run together, else the words with spaces.

    A recording numbered ``phrase2`` beside ``phrase`` repeats it, and lipnet_ko lists the number among the
    syllables although nobody says it; it is left out where ``phrase.align`` lies beside ``phrase2.align``.

    Raises LabelError naming the file and line.
    """
    path = Path(path)
    entries = _parse(path, read_label_text(path))
    unit = None
    if entries[0].start is not None:
        _check_order(path, entries)
        unit = _unit(path, entries)
        last = entries[-1]
        if duration is not None and last.end / unit > duration + PAST_THE_END:
            raise LabelError(
                f"{path}, line {last.line}: ends at {last.end / unit:.2f} s, but the clip lasts {duration:.2f} s;"
                " the label belongs to another clip or has another time unit."
            )
    spoken = [entry for entry in entries if entry.word not in SILENCES]
    if unit is None:
        spoken = _without_repeat_number(path, spoken)
    if not spoken:
        raise LabelError(f"{path}: holds silence only, no word; complete the label or remove the file.")
    words = [entry.word for entry in spoken]
    times = None if unit is None else [(entry.start / unit, entry.end / unit) for entry in spoken]
    return Label(words, times, _join(words))


def read_corpus(root: Path, *, failures: list[Failure] | None = None) -> list[Utterance]:
    """The utterances under ``root``, sorted by id.

    Clips and labels are paired by speaker and file name, wherever they lie: in one folder a speaker, in its
    ``video`` and ``align`` subfolders, or in ``video/s1`` and ``align/s1``. The speaker is the folder ``s{i}``
    above a file, else the other folders above it, else ``root`` itself (``grid_s1`` is ``s1``). Where a
    corpus does not say who speaks, as lipnet_ko, all of it is thus *one pseudo-speaker* named after the
    folder: it cannot be split by speaker, and splits of it count as overlapping.

    A clip or label that cannot be used is appended to ``failures``, or raised where that is None.
    Raises LabelError when nothing is usable, naming ``root``.
    """
    root = Path(root)
    clips = _collect(root, VIDEO_SUFFIXES, "clips", failures)
    labels = _collect(root, frozenset({".align"}), "labels", failures)
    utterances = []
    keys = sorted(clips.keys() | labels.keys())
    for key in watched(keys, "reading labels"):
        speaker, name = key
        path = labels.get(key) or clips[key]
        try:
            utterances.append(_read_utterance(speaker, name, clips.get(key), labels.get(key)))
        except LabelError as error:
            report(failures, Failure(name, path, str(error)), error)
    if not utterances:
        hint = (
            "no clip with an .align label was found here; a LipNet corpus has clips and .align files of the same"
            " names, in one folder or in video and align folders."
        )
        raise nothing_usable(root, hint, failures)
    return utterances


def _read_utterance(speaker: str, name: str, clip: Path | None, label_path: Path | None) -> Utterance:
    if clip is None:
        raise LabelError(f"{label_path}: no clip of this name was found; add the clip or remove the label.")
    if label_path is None:
        raise LabelError(f"{clip}: no .align label of this name was found; add the label or remove the clip.")
    label = read_label(label_path, duration=media_duration(clip))
    words = None
    if label.times is not None:
        words = [(start, end, word) for (start, end), word in zip(label.times, label.words, strict=True)]
    return Utterance(utterance_id(speaker, name), speaker, clip, label.text, words=words)


def _collect(
    root: Path, suffixes: frozenset[str], what: str, failures: list[Failure] | None
) -> dict[tuple[str, str], Path]:
    """Files by (speaker, NFC stem): names made on a Mac are NFD, and must meet their labels all the same."""
    found: dict[tuple[str, str], Path] = {}
    for path in files_under(root, suffixes):
        key = (_speaker(root, path.relative_to(root)), unicodedata.normalize("NFC", path.stem))
        other = found.setdefault(key, path)
        if other is not path:
            error = LabelError(
                f"{path}: speaker {key[0]} has two {what} named {key[1]}, the other is {other}; remove one."
            )
            report(failures, Failure(key[1], path, str(error)), error)
    return found


def _speaker(root: Path, relative: Path) -> str:
    folders = [folder for folder in relative.parts[:-1] if folder.lower() not in _KIND_FOLDERS]
    numbered = [folder for folder in folders if re.fullmatch(r"s\d+", folder)]
    if numbered:
        return numbered[-1]
    if folders:
        return clean_speaker("_".join(folders))
    name = root.absolute().name
    match = re.search(r"(?:^|[_\W])(s\d+)$", name)
    return match[1] if match else clean_speaker(name)


def _parse(path: Path, text: str) -> list[_Entry]:
    entries: list[_Entry] = []
    for number, line in enumerate(unicodedata.normalize("NFC", text).split("\n"), 1):
        fields = line.split()
        if not fields:
            continue
        if len(fields) not in (1, 3):
            raise LabelError(
                f"{path}, line {number}: {line.strip()!r} has {len(fields)} fields; a line is START END WORD, or one"
                " word; mend the line."
            )
        if entries and (len(fields) == 1) != (entries[0].start is None):
            raise LabelError(
                f"{path}, line {number}: {line.strip()!r} has {len(fields)} fields where line {entries[0].line} has"
                f" {4 - len(fields)}; give all lines times, or none."
            )
        if len(fields) == 1:
            entries.append(_Entry(number, fields[0]))
            continue
        start, end = (_whole(path, number, field, what) for field, what in zip(fields, ("START", "END"), strict=False))
        entries.append(_Entry(number, fields[2], start, end))
    return entries


def _whole(path: Path, line: int, field: str, what: str) -> int:
    if not re.fullmatch(r"[0-9]{1,12}", field):
        raise LabelError(
            f"{path}, line {line}: {what} is {field!r}; times are whole numbers, in 25,000ths of a second or"
            " in frames; convert the times."
        )
    return int(field)


def _check_order(path: Path, entries: list[_Entry]) -> None:
    before = 0
    for entry in entries:
        if entry.end < entry.start:
            raise LabelError(f"{path}, line {entry.line}: END {entry.end} is before START {entry.start};"
                             " mend the label.")
        if entry.end == entry.start and entry.word not in SILENCES:
            raise LabelError(f"{path}, line {entry.line}: {entry.word!r} lasts no time (START = END"
                             f" = {entry.end}); mend the label.")
        if entry.start < before:
            raise LabelError(
                f"{path}, line {entry.line}: {entry.word!r} starts at {entry.start}, before the line above it ends"
                f" ({before}); words must not overlap; mend the label."
            )
        before = entry.end


def _unit(path: Path, entries: list[_Entry]) -> int:
    """Units a second of a label's times."""
    words = [entry for entry in entries if entry.word not in SILENCES] or entries
    median = statistics.median(entry.end - entry.start for entry in words)
    if median <= MOST_FRAMES:
        return FRAMES_PER_SECOND
    if median >= FEWEST_TICKS:
        return TICKS_PER_SECOND
    raise LabelError(
        f"{path}, line {words[0].line}: unknown time unit, as a word of {median:g} units is too long for"
        " frames at 25 fps and too short for 25,000ths of a second; convert the times to one of these."
    )


def _without_repeat_number(path: Path, spoken: list[_Entry]) -> list[_Entry]:
    match = re.fullmatch(r"(.*\D)(\d+)", unicodedata.normalize("NFC", path.stem))
    if match is None:
        return spoken
    first, number = match.groups()
    tail = "".join(entry.word for entry in spoken)
    siblings = (path.with_name(unicodedata.normalize(form, first) + path.suffix) for form in ("NFC", "NFD"))
    if not tail.endswith(number) or not any(sibling.exists() for sibling in siblings):
        return spoken
    kept = spoken[:]
    dropped = ""
    while kept and kept[-1].word.isdecimal() and dropped != number:
        dropped = kept.pop().word + dropped
    return kept if dropped == number else spoken


def _join(words: list[str]) -> str:
    hangul = [word for word in words if any("가" <= character <= "힣" for character in word)]
    numbers = [word for word in words if word.isdecimal()]
    syllables = hangul and len(hangul) + len(numbers) == len(words) and all(len(word) == 1 for word in hangul)
    return ("" if syllables else " ").join(words)
