"""A million utterances, made: how long and in how much memory their lists open, are measured and are sorted.

    python -m benchmarks.manifest --work DIR [--utterances 1000000]

Each part runs in a process of its own, whose memory at its fullest is told beside that of Python with the same imports.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from avsr.large_tables import LargeTable
from avsr.shards.index import INDEX, MANIFEST, Index, Manifest, Shard
from avsr.shards.order import Dealing, deal
from avsr.shards.store import ShardStore
from avsr.tables import read_table, write_table
from avsr.training.train import write_shapes
from benchmarks.measure import print_machine

TABLES = ("text", "utt2dur", "video.scp", "wav.scp")
OPENS, KEEPS, REST = 2.0, 500, 60.0  # seconds, MB, seconds


def make_tables(folder: Path, count: int) -> None:
    """text, utt2dur, video.scp and wav.scp as OLKAVS's would be; utt2dur in an order of its own beside them, `unsorted`."""
    if (folder / "unsorted").exists():
        return
    rng = np.random.default_rng(1)
    seconds = rng.gamma(6, 0.6, count).clip(0.4, 20)
    names = [f"lip_J_1_F_{number % 1107:04d}_C{number % 7:03d}_A_{number:07d}" for number in range(count)]
    clip = "/data/olkavs/dump/crops/train/clips/{}/{}"
    write_table(folder / "text", {name: "오늘은 날씨가 매우 맑고 따뜻하네요 그래서 밖에 나갔어요" for name in names})
    write_table(folder / "utt2dur", {name: f"{value:.3f}" for name, value in zip(names, seconds, strict=True)})
    write_table(folder / "video.scp", {name: clip.format(name[:14], name) + ".mp4" for name in names})
    write_table(folder / "wav.scp", {name: clip.format(name[:14], name) + ".flac" for name in names})
    with open(folder / "unsorted", "w", encoding="utf-8") as file:
        file.writelines(f"{names[place]} {seconds[place]:.3f}\n" for place in rng.permutation(count))


def make_index(folder: Path, count: int) -> None:
    """The lists of shards of 500 utterances of that; the shards themselves are not there."""
    rng = np.random.default_rng(1)
    names = [f"lip_J_1_F_{number % 1107:04d}_C{number % 7:03d}_A_{number:07d}".encode() for number in rng.permutation(count)]
    frames = (rng.gamma(6, 15, count).clip(10, 500)).astype(np.int32)
    shard, size = (np.arange(count) // 500).astype(np.int32), frames * 1200
    offset = np.concatenate([np.cumsum(part) - part for part in np.split(size.astype(np.int64), np.flatnonzero(np.diff(shard)) + 1)])
    ends = np.cumsum([len(name) for name in names], dtype=np.int64)
    index = Index(shard, offset, size, frames, frames * 640, np.frombuffer(b"".join(names), np.uint8), ends)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / INDEX).write_bytes(index.to_bytes())
    shards = [Shard(f"shard-{number:06d}.tar", "0" * 64, 1, int((shard == number).sum())) for number in range(int(shard[-1]) + 1)]
    digest = hashlib.sha256((folder / INDEX).read_bytes()).hexdigest()
    (folder / MANIFEST).write_bytes(Manifest(count, frames.sum() / 25, ["speech", "video"], digest, "made", shards).to_bytes())


def open_dictionaries(work: Path) -> object:
    """As every stage did: all lines in dictionaries."""
    return [read_table(work / "train" / name) for name in TABLES]


def open_tables(work: Path) -> object:
    """The same tables, left on disk; and a thousand of their lines."""
    tables = [LargeTable(work / "train" / name) for name in TABLES]
    wanted = [tables[0].key(row) for row in range(0, len(tables[0]), max(1, len(tables[0]) // 1000))]
    return tables, [table[key] for table in tables for key in wanted]


def open_shards(work: Path) -> object:
    """What a training from shards opens: manifest and index."""
    store = ShardStore(str(work / "shards"), "train")
    return store, store.index, store.index.lengths(), store.index.complete(("speech", "video"))


def statistics(work: Path) -> object:
    """The stage statistics: each utterance's length, written for the trainer."""
    return write_shapes(work / "train", work / "stats")


def sort_table(work: Path) -> object:
    """A table whose lines come in any order, opened by its ids and written in theirs."""
    table = LargeTable(work / "train" / "unsorted")
    with open(work / "sorted", "w", encoding="utf-8") as file:
        file.writelines(f"{key} {value}\n" for key, value in table.items())
    return table


def sort_batches(work: Path) -> object:
    """An epoch's batches: every utterance dealt out, by length within a window of shards."""
    store, index, lengths, rows = open_shards(work)
    return deal(index.shard, lengths, rows, Dealing(128), 1, 1)


PARTS: dict[str, Callable[[Path], object]] = {
    "nothing": lambda _: None,
    "open tables as dictionaries": open_dictionaries,
    "open tables": open_tables,
    "open shards": open_shards,
    "statistics": statistics,
    "sort a table": sort_table,
    "sort into batches": sort_batches,
}


def run_part(name: str, work: Path) -> tuple[float, float, float]:
    """Seconds, seconds of processor time and MB, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.manifest", "--work", str(work), "--part", name]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    return told["seconds"], told["cpu"], told["mb"]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="where the lists are made, and kept")
    parser.add_argument("--utterances", type=int, default=1_000_000, help="(default: %(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="turns that count (default: %(default)s)")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.part:
        begun, before = time.perf_counter(), time.process_time()
        kept = PARTS[options.part](options.work)
        seconds = time.perf_counter() - begun
        (fullest,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text("ascii"))  # ru_maxrss knows the parent's too
        print(json.dumps({"seconds": seconds, "cpu": time.process_time() - before, "mb": int(fullest) / 1024}))
        del kept
        return
    make_tables(options.work / "train", options.utterances)
    make_index(options.work / "shards" / "train", options.utterances)
    print_machine(options.runs)
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in PARTS}
    for turn in range(options.runs + 1):
        for name, figures in found.items():
            figures += [run_part(name, options.work)] * bool(turn)
    print(f"{options.utterances:,} utterances (bars: opened in {OPENS:g} s and {KEEPS} MB, each of the others in {REST:g} s):")
    for name, figures in found.items():
        seconds, cpu, memory = (float(np.median(values)) for values in zip(*figures, strict=True))
        print(f"  {name}: {seconds:.2f} s ({cpu:.2f} of processor time), {memory:.0f} MB")


if __name__ == "__main__":
    main()
