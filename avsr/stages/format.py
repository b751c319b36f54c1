"""Stage 3: one table set a split for training: normalised text, word times, mouth clips, sound: `-m avsr.stages.format`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from avsr.corpora.datadir import Utterance, read_data_dir
from avsr.errors import AvsrError, LabelError
from avsr.stages.command import run_main
from avsr.tables import SPLITS, copy_columns, read_table, spk2utt, write_table
from avsr.text.normalize import normalize_training


@dataclass(frozen=True)
class FormatReport:
    """Utterances written; those left out because their crop failed or their sound is wanted and missing; those without sound that
    were kept to look at; and those whose word times do not spell the text any more and were left out."""

    written: int
    failed: int
    silent: int
    seen_alone: int
    untimed: int

    def __str__(self) -> str:
        left_out = [
            f"{count} {reason}"
            for count, reason in (
                (self.failed, "left out as their crop failed"),
                (self.silent, "left out as they have no sound"),
                (self.seen_alone, "without sound, for the lips alone"),
                (self.untimed, "without word times, which do not spell their text"),
            )
            if count
        ]
        return ", ".join([f"{self.written} utterances", *left_out])


def format_split(data: Path, crops: Path, out: Path, *, speech: bool, keep_silent: bool = False) -> FormatReport:
    """Bring a split's data directory and what was cropped from it together in `out`.

    Writes text, utt2spk, spk2utt, utt2dur (seconds), utt2face (mean face confidence, 0..1), video.scp, wav.scp where
    `speech` is asked for (of those that have sound; the others are left out, or kept for a training of the lips alone where
    `keep_silent`), shape.scp where the corpus knows the mouth's shape, the corpus's columns (utt2angle, ...), and align where it has word times (a line
    without any where an utterance has none).
    """
    utterances = read_data_dir(data)
    tables = {name: read_table(crops / name) for name in ("video.scp", "utt2dur", "utt2face")}
    if speech:
        tables["wav.scp"] = read_table(crops / "wav.scp")
    if (crops / "shape.scp").exists():
        tables["shape.scp"] = read_table(crops / "shape.scp")
    cropped = [utterance for utterance in utterances if utterance.utt_id in tables["video.scp"]]
    heard = [utterance for utterance in cropped if not speech or utterance.utt_id in tables["wav.scp"]]
    kept = cropped if keep_silent else heard
    if not heard:
        raise AvsrError(f"{data} leaves no utterance with {'sound and ' if speech else ''}a mouth clip: see {crops}.")
    speakers = {utterance.utt_id: utterance.speaker for utterance in kept}
    texts = {utterance.utt_id: normalize_training(utterance.text) for utterance in kept}
    words = {utterance.utt_id: _normalised_words(utterance, texts[utterance.utt_id]) for utterance in kept}
    for name, rows in tables.items():
        lacking = min(speakers.keys() - rows.keys(), default=None) if name != "wav.scp" else None
        if lacking is not None:
            raise LabelError(f"{crops / name}: has no line for {lacking}; make or crop the corpus again.")
        write_table(out / name, {utterance: rows[utterance] for utterance in speakers if utterance in rows})
    for name in {"wav.scp", "shape.scp"} - tables.keys():
        (out / name).unlink(missing_ok=True)  # a former run's
    if any(words.values()):
        write_table(out / "align", {utterance: _align_line(timed) for utterance, timed in words.items()})
    else:
        (out / "align").unlink(missing_ok=True)
    copy_columns(data, out, speakers)
    write_table(out / "utt2spk", speakers)
    write_table(out / "spk2utt", spk2utt(speakers))
    write_table(out / "text", texts)
    untimed = sum(utterance.words is not None and not words[utterance.utt_id] for utterance in kept)
    left, silent = len(cropped) - len(kept), len(kept) - len(heard)
    return FormatReport(len(kept), len(utterances) - len(cropped), left, silent, untimed)


def _normalised_words(utterance: Utterance, text: str) -> list[tuple[float, float, str]]:
    """The utterance's words as its text now spells them; none where they do not (the text tells what is learnt)."""
    timed = []
    for start, end, word in utterance.words or []:
        timed += share_time(start, end, normalize_training(word).split())
    return timed if " ".join(word for *_, word in timed) == text else []


def share_time(start: float, end: float, parts: Sequence[str]) -> list[tuple[float, float, str]]:
    """A word's time shared among the words that normalising made of it (none, one or more), by their letters."""
    letters = sum(map(len, parts))
    timed, done = [], 0
    for part in parts:
        begin = start + (end - start) * done / letters
        done += len(part)
        timed.append((begin, start + (end - start) * done / letters, part))
    return timed


def _align_line(words: Sequence[tuple[float, float, str]]) -> str:
    return " ".join(f"{start:.3f} {end:.3f} {word}" for start, end, word in words)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--data", type=Path, required=True, help="data directories of stage 1")
    parser.add_argument("--crops", type=Path, required=True, help="what stage 2 made of them")
    parser.add_argument("--out", type=Path, required=True, help="gets a folder a split")
    parser.add_argument("--no_speech", action="store_true", help="the corpus is silent, or its sound is not wanted")
    parser.add_argument("--splits", nargs="+", default=SPLITS, help="default: %(default)s")
    args = parser.parse_args(arguments)
    for split in args.splits:
        where = (args.data / split, args.crops / split, args.out / split)
        report = format_split(*where, speech=not args.no_speech, keep_silent=split == "train")
        print(f"{split}: {report}")
    return 0


if __name__ == "__main__":
    run_main(main)
