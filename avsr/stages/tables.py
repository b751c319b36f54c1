"""Reading the Kaldi-style tables of a dump directory, whose values may be empty; written with avsr.corpora.datadir."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from avsr.corpora.datadir import write_lines
from avsr.errors import LabelError

SPLITS = ("train", "dev", "test")


def read_table(path: Path) -> dict[str, str]:
    """`utt value` on each line, the value perhaps empty; LabelError names the file, and the line of a repeated id."""
    try:
        lines = Path(path).read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        raise LabelError(f"{path} is missing: run the stages before this one first.") from None
    except UnicodeDecodeError as error:
        raise LabelError(f"{path} is not UTF-8 (byte {error.start}): run the stage that writes it again.") from None
    rows: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        key, _, value = line.strip().partition(" ")
        if key in rows:
            raise LabelError(f"{path}, line {number}: {key} is there twice; run the stage that writes it again.")
        rows[key] = value.strip()
    return rows


def write_table(path: Path, rows: Mapping[str, str]) -> None:
    """Write `utt value` lines sorted by id in code point order, whole or not at all."""
    write_lines(Path(path), (f"{key} {rows[key]}".rstrip() for key in sorted(rows)))


def spk2utt(utt2spk: Mapping[str, str]) -> dict[str, str]:
    """Each speaker's utterances, in order, from each utterance's speaker."""
    speakers: dict[str, list[str]] = {}
    for utterance in sorted(utt2spk):
        speakers.setdefault(utt2spk[utterance], []).append(utterance)
    return {speaker: " ".join(utterances) for speaker, utterances in speakers.items()}
