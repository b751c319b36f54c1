"""The Kaldi-style tables that the stages hand on to each other (`utt value` on a line): the one way to read and write them."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from avsr.errors import LabelError
from avsr.files import replace_file

SPLITS = ("train", "dev", "test")  # what a corpus has; some have more sets to test on, which come after these


_OWN = ("utt2spk", "utt2dur", "utt2face")  # tables of an utterance that are no columns


def test_sets(splits: Sequence[str]) -> list[str]:
    """Those of the splits that are measured on: all but train and dev."""
    return [split for split in splits if split not in ("train", "dev")]


@dataclass(frozen=True)
class MediaEntry:
    """One line of ``media.scp``: where an utterance lies; times in seconds, None for the whole file."""

    utt_id: str
    media: Path
    start: float | None = None
    end: float | None = None


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write text lines (UTF-8, ``\\n``) so that ``path`` holds all of them or is left as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, "".join(line + "\n" for line in lines).encode("utf-8"))


def read_table(path: Path, *, filled: bool = False) -> dict[str, str]:
    """`utt value` on each line, the value perhaps empty, or not where `filled` is asked for.

    LabelError names the file, and the line of an id that is there twice or lacks its value.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        raise LabelError(f"{path} is missing: run the stages before this one first.") from None
    except OSError as error:
        raise LabelError(f"{path} cannot be read ({error.strerror}): check the path and its permissions.") from None
    except UnicodeDecodeError as error:
        raise LabelError(f"{path} is not UTF-8 (byte {error.start}): run the stage that writes it again.") from None
    rows: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        key, _, value = line.strip().partition(" ")
        if key in rows:
            raise LabelError(f"{path}, line {number}: {key} is there twice; run the stage that writes it again.")
        if filled and not value.strip():
            raise LabelError(f"{path}, line {number}: {key} has no value; run the stage that writes it again.")
        rows[key] = value.strip()
    if filled and not rows:
        raise LabelError(f"{path} is empty: run the stage that writes it again.")
    return rows


def write_table(path: Path, rows: Mapping[str, str]) -> None:
    """Write `utt value` lines sorted by id in code point order (Kaldi's LC_ALL=C), whole or not at all."""
    write_lines(Path(path), (f"{key} {rows[key]}".rstrip() for key in sorted(rows)))


def read_media_scp(path: Path) -> list[MediaEntry]:
    """The lines of a ``media.scp``: ``utt path`` or ``utt path start end`` (seconds).

    A path may hold spaces: the two last fields are times exactly when both are numbers.
    Raises LabelError naming the file and the line or utterance.
    """
    entries = []
    for utt_id, rest in read_table(path, filled=True).items():
        fields = rest.rsplit(" ", 2)
        start, end = (as_number(fields[1]), as_number(fields[2])) if len(fields) == 3 else (None, None)
        if start is None or end is None:
            entries.append(MediaEntry(utt_id, Path(rest)))
        elif not 0 <= start < end:
            raise LabelError(f"{path}: {utt_id} ends ({end} s) before it starts ({start} s); prepare the data again.")
        else:
            entries.append(MediaEntry(utt_id, Path(fields[0]), start, end))
    return entries


def columns(directory: Path) -> list[str]:
    """The tables that say something more of each utterance of a data directory (``utt2angle``, ``utt2sex``, ...): results are told by them."""
    return sorted(path.name for path in Path(directory).glob("utt2*") if path.name not in _OWN)


def copy_columns(source: Path, out: Path, utterances: Collection[str]) -> None:
    """Give `out` the columns of `source` for these utterances, and no others; LabelError where one says nothing of an utterance."""
    for stale in set(columns(out)) - set(columns(source)):
        (Path(out) / stale).unlink()
    for name in columns(source):
        rows = read_table(Path(source) / name)
        lacking = min(set(utterances) - rows.keys(), default=None)
        if lacking is not None:
            raise LabelError(f"{Path(source) / name}: has no line for {lacking}; prepare the data again.")
        write_table(Path(out) / name, {utterance: rows[utterance] for utterance in utterances})


def spk2utt(utt2spk: Mapping[str, str]) -> dict[str, str]:
    """Each speaker's utterances, in order, from each utterance's speaker."""
    speakers: dict[str, list[str]] = {}
    for utterance in sorted(utt2spk):
        speakers.setdefault(utt2spk[utterance], []).append(utterance)
    return {speaker: " ".join(utterances) for speaker, utterances in speakers.items()}


def as_number(field: str) -> float | None:
    """The finite number that a field spells, None where it spells none."""
    try:
        value = float(field)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
