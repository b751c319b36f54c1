"""Stage 4: leaves out what cannot be learnt from, and lists it with the reason: `python -m avsr.stages.filter`."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from avsr.errors import AvsrError
from avsr.stages.command import run_main
from avsr.tables import SPLITS, copy_columns, read_table, spk2utt, test_sets, write_lines, write_table
from avsr.text.hangul import to_jamo

FRAME_RATE = 25  # vectors a second after the encoders, on which CTC works
_LABEL_SLACK = 0.1  # seconds by which a label may be off
# text last: it says finished
TABLES = ("video.scp", "wav.scp", "shape.scp", "align", "utt2spk", "utt2dur", "utt2face", "text")


@dataclass(frozen=True)
class Limits:
    """What is kept: seconds (both ends included), mean face confidence in 0..1, and how tokens are counted.

    With token type bpe characters are counted: its pieces are learnt in the next stage, from what is kept here.
    """

    min_seconds: float = 0.4
    max_seconds: float = 20.0
    min_face: float = 0.5
    token_type: str = "jamo"


def reason_against(text: str, seconds: float, face: float, limits: Limits, *, spoken_until: float = 0.0) -> str | None:
    """Why an utterance is left out, in a few words; None when it is kept. `spoken_until` is where its last word ends."""
    if not text:
        return "empty text"
    if seconds < limits.min_seconds:
        return f"shorter than {limits.min_seconds:g} s"
    if seconds > limits.max_seconds:
        return f"longer than {limits.max_seconds:g} s"
    if face < limits.min_face:
        return f"mean face confidence under {limits.min_face:g}"
    if ctc_frames(text, limits.token_type) > round(seconds * FRAME_RATE):
        return "more tokens than frames"
    if spoken_until > seconds + _LABEL_SLACK:
        return "words after the end of its clip"
    return None


def ctc_frames(text: str, token_type: str) -> int:
    """The fewest frames in which CTC can say a text: one a token, and a blank between two equal ones."""
    tokens = to_jamo(text) if token_type == "jamo" else text
    return len(tokens) + sum(one == other for one, other in zip(tokens, tokens[1:]))


def filter_split(source: Path, out: Path, limits: Limits, *, test: bool = False) -> Counter[str]:
    """Write the tables of what is kept, and `filtered.tsv` (utt, reason, seconds, face, text) of what is not.

    Of a test split only what has no text is left out: a recogniser is measured on the hard utterances too.
    Returns how many were left out for each reason. AvsrError when none is left.
    """
    tables = {name: read_table(source / name) for name in TABLES if (source / name).exists()}
    dropped: dict[str, str] = {}
    for utterance, text in tables["text"].items():
        seconds, face = float(tables["utt2dur"][utterance]), float(tables["utt2face"][utterance])
        words = tables.get("align", {}).get(utterance, "").split()  # start end word start end word ...
        spoken_until = float(words[-2]) if words else 0.0
        reason = reason_against(text, seconds, face, limits, spoken_until=spoken_until)
        if reason and (not test or not text):
            dropped[utterance] = reason
    kept = tables["text"].keys() - dropped.keys()
    counts = Counter(dropped.values())
    rows = ["utt\treason\tseconds\tface\ttext"]
    for utterance, reason in dropped.items():
        fields = (tables[name][utterance] for name in ("utt2dur", "utt2face", "text"))
        rows.append("\t".join([utterance, reason, *fields]))
    write_lines(out / "filtered.tsv", rows)
    if not kept:
        worst, count = counts.most_common(1)[0]
        raise AvsrError(f"{out}: no utterance is left ({count} of {len(dropped)}: {worst}); see {out / 'filtered.tsv'}.")
    copy_columns(source, out, kept)
    for name in TABLES:
        if name in tables:
            rows = tables[name]  # of wav.scp perhaps fewer: clips without sound are there for the lips
            write_table(out / name, {utterance: rows[utterance] for utterance in kept if utterance in rows})
        else:
            (out / name).unlink(missing_ok=True)
    write_table(out / "spk2utt", spk2utt({utterance: tables["utt2spk"][utterance] for utterance in kept}))
    return counts


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    standard = Limits()
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--source", type=Path, required=True, help="what stage 3 wrote")
    parser.add_argument("--out", type=Path, required=True, help="gets a folder a split")
    for name, unit in (("min_seconds", "s"), ("max_seconds", "s"), ("min_face", "mean confidence in 0..1")):
        parser.add_argument(f"--{name}", type=float, default=getattr(standard, name), help=f"{unit} (%(default)s)")
    parser.add_argument("--token_type", choices=("jamo", "char", "bpe"), default=standard.token_type)
    parser.add_argument("--splits", nargs="+", default=SPLITS, help="default: %(default)s")
    args = parser.parse_args(arguments)
    limits = Limits(args.min_seconds, args.max_seconds, args.min_face, args.token_type)
    for split in args.splits:
        counts = filter_split(args.source / split, args.out / split, limits, test=split in test_sets(args.splits))
        kept = len(read_table(args.out / split / "text"))
        left_out = "".join(f", {count} left out: {reason}" for reason, count in sorted(counts.items()))
        print(f"{split}: {kept} utterances kept{left_out}")
    return 0


if __name__ == "__main__":
    run_main(main)
