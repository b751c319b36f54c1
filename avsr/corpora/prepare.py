"""From a corpus as it was published to train, dev and test data directories: stage 1 of every recipe.

    python -m avsr.corpora.prepare --corpus lipnet --source DIR --out DIR --test-list F --dev-list F
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from avsr.corpora import aihub538, lipnet, plain
from avsr.corpora.datadir import check_disjoint, write_data_dir
from avsr.corpora.labels import Failure, clean_name
from avsr.corpora.splits import Splits, by_lists, by_sentence, by_speaker, check_unseen
from avsr.errors import AvsrError, LabelError
from avsr.tables import write_lines

READERS = {"lipnet": lipnet.read_corpus, "aihub538": aihub538.read_corpus, "plain": plain.read_corpus}


@dataclass(frozen=True)
class PrepareReport:
    """How many utterances each split got, and what could not be used."""

    counts: dict[str, int]
    failures: list[Failure]


def prepare(
    corpus: str,
    source: Path,
    out: Path,
    *,
    test_list: Path | None = None,
    dev_list: Path | None = None,
    split_by: str = "speaker",
    dev_fraction: float = 0.1,
    test_fraction: float = 0.1,
    disjoint_speakers: bool = True,
) -> PrepareReport:
    """Read a corpus and write ``out/train``, ``out/dev``, ``out/test`` and ``out/failed.tsv``.

    With ``test_list`` and ``dev_list`` the splits are those lists and the rest; else whole speakers or
    whole sentences (``split_by`` "speaker" or "utterance") by a hash of their name. Labels that are
    broken are listed in ``failed.tsv`` (name, path, reason) and left out.

    Raises LabelError when nothing is usable; when a speaker is in two splits and ``disjoint_speakers``
    is asked for; or, where speakers may overlap, when a sentence is in two splits, as a test of neither
    unseen speakers nor unseen sentences measures nothing.
    """
    if corpus not in READERS:
        raise LabelError(f"unknown corpus {corpus!r}; it is one of {', '.join(READERS)}.")
    if (test_list is None) != (dev_list is None):
        raise LabelError("a test list and a dev list go together; give both, or neither.")
    failures: list[Failure] = []
    utterances = READERS[corpus](Path(source), failures=failures)
    out = Path(out)
    write_lines(out / "failed.tsv", map(_failure_line, failures))
    if test_list is not None and dev_list is not None:
        broken = {clean_name(failure.name) for failure in failures}
        splits = by_lists(utterances, test_list=test_list, dev_list=dev_list, known_missing=broken)
    elif split_by == "speaker":
        splits = by_speaker(utterances, dev_fraction=dev_fraction, test_fraction=test_fraction)
    elif split_by == "utterance":
        splits = by_sentence(utterances, dev_fraction=dev_fraction, test_fraction=test_fraction)
    else:
        raise LabelError(f"cannot split by {split_by!r}; split by speaker or by utterance.")
    _check(splits, disjoint_speakers)
    for split, chosen in splits.items():
        write_data_dir(out / split, chosen)
    return PrepareReport({split: len(chosen) for split, chosen in splits.items()}, failures)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m avsr.corpora.prepare", description=__doc__.splitlines()[0], allow_abbrev=False
    )
    parser.add_argument("--corpus", required=True, choices=list(READERS), help="the layout of the source")
    parser.add_argument("--source", required=True, type=Path, help="folder of the corpus; for plain, its table")
    parser.add_argument("--out", required=True, type=Path, help="gets train, dev and test")
    parser.add_argument("--test-list", type=Path, help="file of utterance names, one a line")
    parser.add_argument("--dev-list", type=Path, help="likewise; every other utterance is for training")
    parser.add_argument(
        "--split-by", default="speaker", choices=["speaker", "utterance"], help="without lists (default: %(default)s)"
    )
    parser.add_argument("--dev-fraction", type=float, default=0.1, help="default: %(default)s")
    parser.add_argument("--test-fraction", type=float, default=0.1, help="default: %(default)s")
    parser.add_argument(
        "--overlapping-speakers", action="store_true", help="a speaker may be in several splits; no sentence may, then"
    )
    options = parser.parse_args(arguments)
    try:
        done = prepare(
            options.corpus,
            options.source,
            options.out,
            test_list=options.test_list,
            dev_list=options.dev_list,
            split_by=options.split_by,
            dev_fraction=options.dev_fraction,
            test_fraction=options.test_fraction,
            disjoint_speakers=not options.overlapping_speakers,
        )
    except AvsrError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{options.out}: " + ", ".join(f"{split} {count}" for split, count in done.counts.items()))
    if done.failures:
        print(f"{len(done.failures)} not usable, see {options.out / 'failed.tsv'}", file=sys.stderr)
    return 0


def _check(splits: Splits, disjoint_speakers: bool) -> None:
    empty = [split for split, utterances in splits.items() if not utterances]
    if empty:
        raise LabelError(f"the split leaves no utterance for {' and '.join(empty)}; change the lists or the fractions.")
    if disjoint_speakers:
        check_disjoint(splits)
    else:
        check_unseen(splits)


def _failure_line(failure: Failure) -> str:
    line = "\t".join(" ".join(str(field).split()) for field in (failure.name, failure.path, failure.reason))
    return line.encode("utf-8", "backslashreplace").decode("utf-8")  # a broken file name may be why it failed


if __name__ == "__main__":
    sys.exit(main())
