"""Two made people in one picture, one microphone that hears both: how much of what they say is put to the right one, live and of the file.

    python -m benchmarks.live_people --work DIR [--sentences 6] [--model ZIP] [--ear native] [--seed 21] [--cpu]

Once they speak in turn, and once both at once, all the time. A word that was said is `right` where it is found in its speaker's lines at about
that time, `wrong` in the other's or in nobody's (0), `both` where it is in both, else it is `lost`. It is found where a stretch of the text differs from it in a
third of its jamo at the most.
"""

from __future__ import annotations

import argparse
import os
import time
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avsr.decoding.default_model import find_model
from avsr.decoding.live.agreement import text_of
from avsr.decoding.live.messages import Final, Partial
from avsr.media.captions import Word
from avsr.stages.command import run_main
from avsr.stages.machine import describe_commit, describe_machine
from avsr.text.normalize import normalize_scoring
from avsr.text.scores import cer, total
from benchmarks.live import Said, by_own_work, in_real_time, unchanged
from benchmarks.made_meeting import side_by_side

_NEAR = 1.0  # seconds by which a word may be found earlier or later than it was said
_UNLIKE = 1 / 3  # of its jamo

Line = tuple[int | None, Sequence[Word]]
"""A speaker's number, and the words of a line."""


@dataclass(frozen=True)
class Placed:
    """How many of the words that were said went where, and character errors of each one's lines against their own words, in percent."""

    right: int
    wrong: int
    both: int
    lost: int
    cer: float

    def __str__(self) -> str:
        found, every = self.right + self.wrong + self.both, self.right + self.wrong + self.both + self.lost
        return (f"{100 * self.right / max(found, 1):.1f} % of {found} found, {100 * self.right / every:.1f} % of all {every} "
                f"(wrong {self.wrong}, both {self.both}, lost {self.lost}); CER {self.cer:.1f} %")


def placed(lines: Sequence[Line], said: Sequence[Sequence[Word]]) -> Placed:
    """`said`: the words of person 1, of person 2 ..., who stand from left to right."""
    counts: Counter[str] = Counter()
    for number, words in enumerate(said, 1):
        for word in words:
            own = _found(word, [line for who, line in lines if who == number])
            other = _found(word, [line for who, line in lines if who != number])
            counts["both" if own and other else "right" if own else "wrong" if other else "lost"] += 1
    errors = []
    for number, words in enumerate(said, 1):
        own = sorted((line for who, line in lines if who == number and line), key=lambda line: line[0].start)
        errors.append(cer(normalize_scoring(text_of(words)), normalize_scoring(" ".join(text_of(line) for line in own))))
    return Placed(*(counts[name] for name in ("right", "wrong", "both", "lost")), total(errors).rate)


def _found(word: Word, lines: Sequence[Sequence[Word]]) -> bool:
    wanted = _jamo(word.text)
    for line in lines:
        there = _jamo("".join(one.text for one in line if one.start < word.end + _NEAR and one.end > word.start - _NEAR))
        if least_distance(wanted, there) <= _UNLIKE * len(wanted):
            return True
    return False


def _jamo(text: str) -> str:
    return unicodedata.normalize("NFD", "".join(text.split()))


def least_distance(wanted: str, text: str) -> int:
    """Edits between `wanted` and that stretch of the text that is likest to it (Sellers, 1980)."""
    row = np.zeros(len(text) + 1, int)
    for count, letter in enumerate(wanted, 1):
        before, row = row, np.empty_like(row)
        row[0] = count
        for place, other in enumerate(text, 1):
            row[place] = min(before[place - 1] + (letter != other), before[place] + 1, row[place - 1] + 1)
    return int(row.min())


def delays(said: Said, words: Sequence[Sequence[Word]]) -> list[float]:
    """Seconds from the end of the last of their speaker's words in it until a final came, of each final of a person."""
    found = []
    for at, one in said:
        if isinstance(one, Final) and one.speaker and one.speaker <= len(words):
            inside = [word.end for word in words[one.speaker - 1] if one.start <= (word.start + word.end) / 2 <= one.end]
            found += [at - max(inside)] if inside else []
    return found


def changes(said: Said) -> int:
    """How often committed text, or whose it is, changed afterwards."""
    changed, before = 0, {}
    for _, one in said:
        if isinstance(one, (Partial, Final)):
            text = one.text if isinstance(one, Final) else one.committed
            was, whose = before.get(one.segment, ("", one.speaker))
            changed += not text.startswith(was) or whose != one.speaker
            before[one.segment] = text, one.speaker
    return changed


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--work", type=Path, required=True, help="folder for the videos")
    parser.add_argument("--sentences", type=int, default=6, help="of each person (default: %(default)s)")
    parser.add_argument("--model", type=Path, help="packed model (default: as for transcribe)")
    parser.add_argument("--ear", default="native", help="who listens (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=21)
    parser.add_argument("--cpu", action="store_true", help="count the process's own work on one processor, not the clock")
    parser.add_argument("--each", action="store_true", help="print the lines")
    args = parser.parse_args(arguments)
    from avsr.decoding.transcribe import load_recognizer

    model = args.model or find_model()
    recognizer, play = load_recognizer(model, args.ear), by_own_work if args.cpu else in_real_time
    print("| | live | of the file | a final after its last word, p50 / p95 | changed | work for a second |\n| --- | --- | --- | --- | --- | --- |")
    for at_once in (False, True):
        video, words = side_by_side(args.work, args.sentences, args.seed, at_once=at_once)
        began = time.process_time()
        said = play(video, recognizer, unchanged)
        work = (time.process_time() - began) / max(at for at, _ in said)
        live = [(one.speaker, one.words) for _, one in said if isinstance(one, Final)]
        file = [(one.speaker, one.words) for one in recognizer.transcribe(video, faces=4).segments]
        late = delays(said, words)
        p50, p95 = np.percentile(late, (50, 95)) if late else (np.nan, np.nan)
        print(f"| {'both at once' if at_once else 'in turn'} | {placed(live, words)} | {placed(file, words)} | {p50:.2f} / {p95:.2f} s | "
              f"{changes(said)} | {work:.2f} s |", flush=True)
        if args.each:
            for whose, lines in (("said", list(enumerate(words, 1))), ("live", live), ("file", file)):
                for speaker, line in lines:
                    if line:
                        print(f"{whose} {speaker} {line[0].start:.1f} {text_of(line)}")
    print(f"\n{model.name}, ear {args.ear}; {args.sentences} sentences of each; {'seconds of one processor' if args.cpu else 'seconds of the clock'}; "
          f"load {os.getloadavg()[0]:.1f}; seed {args.seed}; commit {describe_commit()}; {describe_machine()}")
    return 0


if __name__ == "__main__":
    run_main(main)
