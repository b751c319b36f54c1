"""Long recordings: whether memory grows with their length, and whether the times of captions drift.

    python -m benchmarks.long --work DIR [--minutes 10 60] [--model ZIP]

A made person's half minute of sentences is laid end to end, its packets copied, to so many minutes; each length is transcribed in a
process of its own. Every turn should be read at the same place: what is compared are the words' starts in the second turn with those in
the last but one, and the processes' peak memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from avsr.decoding.default_model import find_model
from avsr.files import replace_file
from avsr.media.probe import probe
from avsr.stages.command import run_main
from avsr.stages.machine import describe_commit, describe_machine
from benchmarks.measure import talking_video

_TURN = 30.0  # seconds


def join(sources: Sequence[Path], path: Path) -> list[float]:
    """Write the files' packets one after the other, as often as each is named; at which second each of them begins. They must be of
    one size and encoded in one way, as those of `avsr.media.write` are."""
    import av

    begins, time, made = [], 0.0, {source: _packets_of(source) for source in dict.fromkeys(sources)}
    with av.open(str(sources[0])) as once, av.open(str(path), "w", format="matroska") as out:
        streams = (once.streams.video[0], once.streams.audio[0])
        copies = {stream.type: out.add_stream_from_template(stream) for stream in streams}
        for source in sources:
            period, packets = made[source]
            begins.append(time)
            for kind, packet in packets:
                copy = av.Packet(bytes(packet))
                shift = round(time / float(packet.time_base))
                copy.time_base, copy.is_keyframe = packet.time_base, packet.is_keyframe
                copy.pts, copy.dts, copy.duration = packet.pts + shift, packet.dts + shift, packet.duration
                copy.stream = copies[kind]
                out.mux(copy)
            time += period
    return begins


def _packets_of(source: Path) -> tuple[float, list]:
    """How long the file is, in whole packets of sound and whole pictures, and (kind, packet) of it in the order of decoding."""
    import av

    with av.open(str(source)) as once:
        streams = (once.streams.video[0], once.streams.audio[0])
        packets = [(packet.stream.type, packet) for packet in once.demux(*streams) if packet.dts is not None]
    end = max(float((packet.pts + packet.duration) * packet.time_base) for _, packet in packets)
    # 16 pictures, and 10 frames of sound at 16 kHz, which are 1,024 samples each.
    return float(np.ceil(end / 0.64) * 0.64), sorted(packets, key=lambda one: float(one[1].dts * one[1].time_base))


def lengthen(source: Path, path: Path, seconds: float) -> float:
    """Write the file's packets over and over for so long; the period in seconds."""
    period, _ = _packets_of(source)
    join([source] * int(np.ceil(seconds / period)), path)
    return period


def transcribed(video: Path, model: Path) -> dict:
    """Word starts, seconds and peak memory of a process that transcribes the video."""
    command = [sys.executable, "-m", "benchmarks.long", "--inside", str(video), "--model", str(model)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def inside(video: Path, model: Path) -> None:
    """What `transcribed` runs."""
    from avsr.decoding.recognizer import Recognizer
    from avsr.runtime import limit_threads

    limit_threads()
    recognizer = Recognizer.load(model)
    began = time.perf_counter()
    result = recognizer.transcribe(video, faces=4)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    words = [[word.start, word.text] for word in result.words]
    print(json.dumps({"words": words, "seconds": time.perf_counter() - began, "media": result.duration, "peak": peak}))


def drift(words: Sequence[Sequence], period: float, media: float) -> tuple[float, int, int]:
    """The most by which a word starts elsewhere in the last turn but one than in the second, in seconds; how many are in both (the same
    word within a second: where a minute's window ends changes what is read around it), and how many in the second."""

    def turn(number: int) -> list:
        return [(start - number * period, text) for start, text in words if number * period <= start < (number + 1) * period]

    first, last = turn(1), turn(int(media // period) - 2)
    moved = []
    for start, text in first:
        near = [abs(start - other) for other, said in last if said == text and abs(start - other) < 1.0]
        moved += [min(near)] if near else []
    return max(moved, default=float("nan")), len(moved), len(first)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--work", type=Path, help="folder for the videos")
    parser.add_argument("--minutes", type=float, nargs="+", default=[10, 60])
    parser.add_argument("--model", type=Path, help="packed model (default: as for transcribe)")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    model = args.model or find_model()
    if args.inside:
        inside(args.inside, model)
        return 0
    if args.work is None:
        parser.error("the following arguments are required: --work")
    args.work.mkdir(parents=True, exist_ok=True)
    source = talking_video(args.work, _TURN)
    print("| minutes | seconds a second | peak memory, MiB | words | most a word has moved, ms |\n| --- | --- | --- | --- | --- |")
    for minutes in args.minutes:
        path = args.work / f"{minutes:g}.mkv"
        period = lengthen(source, path, 60 * minutes)
        found = transcribed(path, model)
        replace_file(path.with_suffix(".json"), json.dumps(found, ensure_ascii=False).encode())
        most, same, there = drift(found["words"], period, found["media"])
        speed = found["seconds"] / found["media"]
        print(f"| {found['media'] / 60:.1f} | {speed:.3f} | {found['peak']:.0f} | {len(found['words'])} | "
              f"{1000 * most:.0f} ({same} of {there} words the same) |", flush=True)
    print(f"\n{model.name}; {probe(source).duration:.1f} s over and over; commit {describe_commit()}; {describe_machine()}")
    return 0


if __name__ == "__main__":
    run_main(main)
