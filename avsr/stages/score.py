"""Stage 12: error rates of each mode on each test set, and RESULTS.md: `python -m avsr.stages.score`."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

from avsr.decoding.confidence import calibration_error, words_right
from avsr.errors import AvsrError
from avsr.stages.command import run_main
from avsr.stages.confusions import write_confusions
from avsr.stages.results import MODE_NAMES, ModeResult, group_tables, results_tables, write_up
from avsr.tables import SPLITS, read_table, test_sets, write_lines
from avsr.text.scores import Scores, score_files


def score_mode(mode: str, decoded: Path, reference: Path) -> ModeResult:
    """Score decoded/text against the reference text and list every utterance, worst first, in decoded/errors.tsv."""
    scores = score_files(reference, decoded / "text")
    write_lines(decoded / "errors.tsv", _error_lines(scores))
    summary = decoded / "decode.json"
    told = json.loads(summary.read_text(encoding="utf-8")) if summary.exists() else {}
    return ModeResult(mode, scores, told, _calibration(decoded, reference))


def _calibration(decoded: Path, reference: Path) -> float | None:
    """Expected calibration error of decoded/confidence in percent; None where decoding left no confidences."""
    if not (decoded / "confidence").exists():
        return None
    sure, right = [], []
    references, texts = read_table(reference), read_table(decoded / "text")
    for utterance, row in read_table(decoded / "confidence").items():
        words, values = texts[utterance].split(), [float(value) for value in row.split()]
        if len(words) != len(values):
            counts = f"{len(values)} numbers for the {len(words)} words of {utterance}"
            raise AvsrError(f"{decoded / 'confidence'}: has {counts}; decode again.")
        for value, is_right in zip(values, words_right(references[utterance], words), strict=True):
            if is_right is not None:
                sure.append(value)
                right.append(is_right)
    return 100 * calibration_error(sure, right)


def _error_lines(scores: Scores) -> list[str]:
    worst = sorted(scores.utterances.items(), key=lambda item: (-item[1].cer.errors, item[0]))
    lines = ["utt\tword errors\tcharacter errors\treference\thypothesis"]
    for utterance, score in worst:
        fields = (utterance, score.wer.errors, score.cer.errors, score.reference, score.hypothesis)
        lines.append("\t".join(map(str, fields)))
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--exp", type=Path, required=True, help="has avsr, and a decode_MODE for each mode")
    parser.add_argument("--data", type=Path, required=True, help="data directories of stage 1")
    parser.add_argument("--dump", type=Path, required=True, help="what was trained on and measured with")
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--modes", required=True, help=f"of {' '.join(MODE_NAMES)}, in the order of the table")
    parser.add_argument("--train_config", type=Path, required=True)
    parser.add_argument("--command", required=True, help="as it was typed")
    parser.add_argument("--publish", type=Path, help="also write the results to this file")
    parser.add_argument("--splits", nargs="+", default=SPLITS, help="what is no train or dev is scored (%(default)s)")
    args = parser.parse_args(arguments)
    unknown = [mode for mode in args.modes.split() if mode not in MODE_NAMES]
    if unknown or not args.modes.split():
        parser.error(f"--modes {args.modes}: give one or more of {' '.join(MODE_NAMES)}")
    results = {
        name: [score_mode(mode, args.exp / f"decode_{mode}" / name, args.dump / name / "text") for mode in args.modes.split()]
        for name in test_sets(args.splits)
    }
    text = write_up(
        results,
        recipe=args.recipe,
        exp=args.exp / "avsr",
        data=args.data,
        dump=args.dump,
        train_config=args.train_config,
        command=args.command,
    )
    for path in filter(None, (args.exp / "RESULTS.md", args.publish)):
        write_lines(path, text.rstrip("\n").split("\n"))
        print(f"written: {os.path.relpath(path)}")
    print("\n\n".join(filter(None, [results_tables(results, args.dump), group_tables(results, args.dump)])))
    for name, modes in results.items():
        for result in modes:
            said = write_confusions(result.scores, args.exp / f"decode_{result.mode}" / name) if result.mode == "lip" else None
            if said is not None:
                print(f"{name}, lips: {said}")
    return 0


if __name__ == "__main__":
    run_main(main)
