"""How right the time left is that `avsr transcribe` shows: what it says at each tenth of a run against what the rest then took.

    python -m benchmarks.time_left --work DIR [--minutes 5] [--modes auto audio] [--model ZIP] [--ear whisper:base]
        [--seed 1] [--cpu]

A made person speaks for 12 s or keeps still for 8, before a quiet room, in an order that the seed draws, for so many minutes. Each mode
is a process of its own, which is watched to its last file, loading the model included. The bar: from a fifth of
the run on, no more than a quarter off. With --cpu all seconds, those that the estimate goes by among them, are the process's own work and not the
clock's, for a machine on which other work comes and goes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Event, Thread

import numpy as np

from avsr.decoding.default_model import find_model
from avsr.decoding.time_left import TimeLeft
from avsr.ears.ear import NATIVE
from avsr.stages.command import run_main
from avsr.stages.machine import describe_commit, describe_machine
from benchmarks.long import join
from benchmarks.measure import talking_video

_SPOKEN, _STILL = 12.0, 8.0  # seconds
_STEP = 0.1  # seconds between two looks at the clock


def mixed_video(work: Path, seconds: float, seed: int) -> Path:
    """Speech and silence in `work`, so many seconds or a little more; made once."""
    from avsr.media.video import VideoReader
    from avsr.media.write import write_video

    path = work / f"mixed-{seconds:g}-{seed}.mkv"
    if path.exists():
        return path
    rng = np.random.default_rng(seed)
    spoken, frames, image = talking_video(work, _SPOKEN), round(_STILL * 25), None
    for frame in VideoReader(spoken):
        image = frame.image
    room = 1e-3 * rng.standard_normal(frames * 640).astype(np.float32)
    write_video(work / "still.mp4", np.broadcast_to(image, (frames, *image.shape)), 25.0, room)
    count = int(np.ceil(seconds / _STILL))  # more than enough
    order = [spoken if said else work / "still.mp4" for said in rng.random(count) < 0.5]
    lengths = np.cumsum([_SPOKEN if path is spoken else _STILL for path in order])
    unfinished = work / f".{path.name}"
    join(order[: int(np.searchsorted(lengths, seconds)) + 1], unfinished)
    return unfinished.rename(path)


def inside(video: Path, model: Path, mode: str, ear: str, cpu: bool) -> None:
    """Transcribe the video, and print as JSON how long the process took and (second, time left said, or null) on the way."""
    from avsr.decoding import transcribe

    # What came before this line, Python's start and numpy, is left out where it is the clock that counts.
    clock = time.process_time if cpu else time.monotonic
    began, bars, said, done = 0.0 if cpu else clock(), [], [], Event()
    shown = transcribe.progress_bar

    @contextmanager
    def watched() -> Iterator:
        with shown() as bar:
            bars.append(bar)
            yield bar

    def watch() -> None:
        while not done.wait(_STEP):
            time_left = bars[0].time_left if bars else None
            said.append((clock() - began, time_left.left() if time_left else None))

    transcribe.progress_bar, transcribe.TimeLeft = watched, partial(TimeLeft, clock=clock)
    watcher = Thread(target=watch)
    watcher.start()
    try:
        with tempfile.TemporaryDirectory() as out:
            transcribe.transcribe_files([video], model=model, mode=mode, out=Path(out), ear=ear, faces=4)
            end = clock() - began
    finally:
        done.set()
        watcher.join()
    print(json.dumps({"end": end, "said": said}))


def tenths(end: float, said: Sequence[Sequence[float | None]]) -> list[tuple[float, float | None]]:
    """At 10 %, 20 % ... 90 % of a run of `end` seconds: the seconds that the rest took, and those that were said last by then."""
    found = []
    for tenth in range(1, 10):
        moment, told = max(((second, told) for second, told in said if second <= end * tenth / 10), default=(0.0, None), key=lambda one: one[0])
        found.append((end - moment, told))
    return found


def report(mode: str, end: float, media: float, rows: Sequence[tuple[float, float | None]]) -> str:
    """A table's line: the error at each tenth, and from the second on the median and the worst."""
    errors = [None if told is None else (told - true) / true for true, told in rows]
    late = [abs(error) for error in errors[1:] if error is not None]
    cells = ["none" if error is None else f"{100 * error:+.0f} %" for error in errors]
    median, worst = (f"{100 * value:.0f} %" if late else "-" for value in (statistics.median(late or [0]), max(late, default=0)))
    silent = sum(error is None for error in errors[1:])
    note = f", none at {silent} of {len(errors) - 1}" if silent else ""
    return f"| {mode} | {end:.0f} s for {media / 60:.1f} minutes | {' | '.join(cells)} | {median}, {worst}{note} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--work", type=Path, help="folder for the videos")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--modes", nargs="+", choices=["auto", "av", "audio", "lip"], default=["auto", "audio"])
    parser.add_argument("--model", type=Path, help="packed model (default: as for transcribe)")
    parser.add_argument("--ear", default=NATIVE)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cpu", action="store_true", help="count the process's own work, not the clock")
    parser.add_argument("--inside", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    model = args.model or find_model()
    if args.inside:
        inside(Path(args.inside[0]), model, args.inside[1], args.ear, args.cpu)
        return 0
    if args.work is None:
        parser.error("the following arguments are required: --work")
    from avsr.media.probe import probe

    args.work.mkdir(parents=True, exist_ok=True)
    video = mixed_video(args.work, 60 * args.minutes, args.seed)
    media = probe(video).duration
    print(f"| mode | run | {' | '.join(f'{10 * tenth} %' for tenth in range(1, 10))} | from 20 % on: median, worst |\n|{' --- |' * 12}")
    for mode in args.modes:
        command = [sys.executable, "-m", "benchmarks.time_left", "--model", str(model), "--ear", args.ear, "--inside", str(video), mode]
        done = subprocess.run([*command, *(["--cpu"] if args.cpu else [])], stdout=subprocess.PIPE, text=True, check=True)
        found = json.loads(done.stdout.splitlines()[-1])
        print(report(mode, found["end"], media, tenths(found["end"], found["said"])), flush=True)
    seconds = f"seconds of {'the process' if args.cpu else 'the clock'}"
    print(f"\n{model.name}; ear {args.ear}; seed {args.seed}; {seconds}; commit {describe_commit()}; {describe_machine()}")
    return 0


if __name__ == "__main__":
    run_main(main)
