"""One corpus out of several: what the others hold is added to the first one's train.

    python -m avsr.stages.combine --out DIR FIRST MORE...

The first gives dev and the tests, so that figures stay comparable whatever is added. Clips stay where they are.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from avsr.corpora.datadir import Utterance, read_data_dir, write_data_dir
from avsr.corpora.talking_heads.manifest import MANIFEST
from avsr.errors import LabelError
from avsr.stages.command import run_main
from avsr.tables import read_table, write_table
from avsr.text.normalize import normalize_scoring

# Of corpora that come with mouth clips, beside what write_data_dir writes.
_CLIPS = ("video.scp", "utt2dur", "utt2face")
_SOUND, _SHAPE = "wav.scp", "shape.scp"


@dataclass(frozen=True)
class CombineReport:
    """Utterances of train, those left out because dev or a test says the same, and tables that not all corpora have."""

    utterances: int
    known: int
    dropped: tuple[str, ...]

    def __str__(self) -> str:
        parts = [f"{self.utterances} utterances to train on"]
        if self.known:
            parts.append(f"{self.known} of the added ones left out, whose sentence is in dev or a test")
        if self.dropped:
            parts.append(f"without {' and '.join(self.dropped)}, which not all of them have")
        return ", ".join(parts) + "."


def combine(first: Path, more: Sequence[Path], out: Path) -> CombineReport:
    """Write data directories `out/train`, `out/dev`, ...: `first`'s, with the train of each of `more` added to its train.

    The utterances and speakers of the n-th corpus get the prefix ``c{n}``, n from 2: made corpora all call theirs v01f1. A sentence
    that the first one's dev or tests say is left out of what is added. `wav.scp` holds those that have sound; `shape.scp` is written
    only where every corpus has it.

    Raises:
        LabelError: a corpus has no train or no clips where the first has, or a table is broken; nothing is written then.
    """
    splits = sorted(path.parent.name for path in Path(first).glob("*/media.scp"))
    if "train" not in splits:
        raise LabelError(f"{first}: has no train/media.scp; give a corpus that stage 1 of a recipe or avsr synth has made.")
    held_out = {_key(row) for split in splits if split != "train" for row in read_data_dir(first / split)}
    utterances = read_data_dir(first / "train")
    tables = _clip_tables(first / "train", {row.utt_id: row.utt_id for row in utterances})
    wanted = set(tables)
    known = 0
    for number, corpus in enumerate(more, 2):
        rows = read_data_dir(Path(corpus) / "train")
        kept = [row for row in rows if _key(row) not in held_out]
        known += len(rows) - len(kept)
        names = {row.utt_id: f"c{number}{row.utt_id}" for row in kept}
        utterances += [replace(row, utt_id=names[row.utt_id], speaker=f"c{number}{row.speaker}") for row in kept]
        added = _clip_tables(Path(corpus) / "train", names)
        lacking = sorted((wanted ^ set(added)) - {_SOUND, _SHAPE})
        if lacking:
            raise LabelError(f"{corpus}/train and {first}/train: only one of them has {lacking[0]}; crop the other's clips first.")
        wanted = (wanted & set(added)) | ((wanted | set(added)) & {_SOUND})
        for name, lines in added.items():
            tables.setdefault(name, {}).update(lines)
    rows = {split: utterances if split == "train" else read_data_dir(first / split) for split in splits}
    others = {split: tables if split == "train" else _clip_tables(first / split, {row.utt_id: row.utt_id for row in own})
              for split, own in rows.items()}
    (out / MANIFEST).unlink(missing_ok=True)  # of a corpus that was here; each part has its own
    for split, own in rows.items():
        other = others[split]
        for name in (*_CLIPS, _SOUND, _SHAPE):
            if name in wanted and name in other:
                write_table(out / split / name, other[name])
            else:
                (out / split / name).unlink(missing_ok=True)  # a former run's
        write_data_dir(out / split, own)  # last: it says finished
    return CombineReport(len(utterances), known, tuple(sorted(set(tables) - wanted)))


def _key(utterance: Utterance) -> str:
    """A sentence as it is compared: without spaces and punctuation, which the lips and the voice do not show."""
    return normalize_scoring(utterance.text).replace(" ", "")


def _clip_tables(directory: Path, names: dict[str, str]) -> dict[str, dict[str, str]]:
    """Those of the clips' tables that are there, of these utterances, under their new names."""
    tables = {}
    for name in (*_CLIPS, _SOUND, _SHAPE):
        if (directory / name).exists():
            rows = read_table(directory / name, filled=True)
            tables[name] = {new: rows[old] for old, new in names.items() if old in rows}
    return tables


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m avsr.stages.combine", description=__doc__.splitlines()[0], allow_abbrev=False
    )
    parser.add_argument("first", type=Path, metavar="FIRST", help="has train, dev and what is tested on")
    parser.add_argument("more", type=Path, metavar="MORE", nargs="+", help="added to train; its other splits are not used")
    parser.add_argument("--out", type=Path, required=True, help="gets a folder a split")
    args = parser.parse_args(arguments)
    print(combine(args.first, args.more, args.out))
    return 0


if __name__ == "__main__":
    run_main(main)
