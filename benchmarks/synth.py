"""Seconds of speech that `avsr synth` makes in a second: spoken and drawn from text, and drawn alone as mouths (ours)
against whole faces drawn, filmed and cropped by the road.

    python -m benchmarks.synth [--utterances 48] [--nj 2]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

from avsr.corpora.talking_heads.corpus import Order
from avsr.corpora.talking_heads.make import make_corpus
from avsr.errors import AvsrError
from avsr.lips.folder import crop_folder
from benchmarks.measure import medians, print_machine

ALTERNATIVES = {
    "spoken": "daily, from text: voice and mouth clips",
    "drawn": "shipped voices: mouth clips drawn (ours)",
    "cropped": "shipped voices: whole faces drawn, filmed, found and cropped",
}


def makers(command: Order, daily: Order, work: Path, nj: int, seconds: dict[str, float]) -> dict[str, Callable[[], None]]:
    """A function for each alternative: makes its corpus in a new folder and notes in `seconds` how much speech it is."""
    turns = count()

    def make(name: str, order: Order, crop: bool = False) -> None:
        folder = work / f"{name}{next(turns)}"
        seconds[name] = make_corpus(order, folder, nj=nj).seconds
        if crop:
            report = crop_folder(folder / "face", folder / "crops", nj=nj)
            if report.failed:
                raise AvsrError(f"{len(report.failed)} whole faces were not cropped: {report.failed[0][2]}")

    return {
        "spoken": lambda: make("spoken", daily),
        "drawn": lambda: make("drawn", command),
        "cropped": lambda: make("cropped", replace(command, full_face=True), crop=True),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Seconds of speech that avsr synth makes in a second.")
    parser.add_argument("--utterances", type=int, default=48, help="of each corpus (default: %(default)s)")
    parser.add_argument("--speakers", type=int, default=12, help="voices (default: %(default)s)")
    parser.add_argument("--nj", type=int, default=2, help="processes (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args(arguments)
    seconds: dict[str, float] = {}
    try:
        command = Order(options.utterances, "command", options.speakers, options.seed)
        daily = replace(command, domain="daily")
        with tempfile.TemporaryDirectory() as work:
            times = medians(makers(command, daily, Path(work), options.nj, seconds), options.runs)
    except AvsrError as error:
        sys.exit(str(error))
    print_machine(options.runs)
    print(f"{options.utterances} utterances by {options.nj} processes, their start included:")
    for name, what in ALTERNATIVES.items():
        print(f"{what}: {seconds[name] / times[name]:.2f} s of speech a second ({seconds[name]:.0f} s in {times[name]:.1f} s)")
    print(f"mouths drawn straight are made {times['cropped'] / times['drawn']:.2f} times as fast as cropped ones")


if __name__ == "__main__":
    main()
