"""Clips of 3 s that the data loader gives a second, from shards and from files, and where the time of one goes.

    python -m benchmarks.loader --work DIR [--config recipes/mini_ko/avsr1/conf/train.yaml] [--workers 2]
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from espnet2.iterators.sequence_iter_factory import SequenceIterFactory
from espnet2.train.dataset import ESPnetDataset

from avsr.files import read_yaml
from avsr.lips.mouth_clip import MouthClip, save_mouth_clip
from avsr.media.audio import write_audio
from avsr.shards.order import Dealing
from avsr.shards.pack import pack_split
from avsr.shards.store import ShardStore
from avsr.tables import write_table
from avsr.text.tokens import Tokenizer, build_token_list
from avsr.training import preprocessor as steps
from avsr.training import shard_data
from avsr.training.preprocessor import AVSRPreprocessor
from avsr.training.shard_data import ShardDataset, ShardIterFactory
from avsr.training.task import PictureBytes, make_augmentation
from avsr.training.train import data_arguments
from benchmarks.measure import print_machine

FRAMES = 75
WORDS = "가나 다라마 바사 아자 차카타 파하".split()
_CONFIG = Path(__file__).parents[1] / "recipes/mini_ko/avsr1/conf/train.yaml"
SHARDS = {"shards": False, "raw_shards": True}
BAR = 400  # clips a second on two cores


def make_clips(folder: Path, different: int, utterances: int) -> Path:
    """A data directory of clips of 3 s, `different` of them: an ellipse that opens and closes in a grainy picture, a voice of tones."""
    rows, columns = np.mgrid[:96, :96] - 48.0
    for number in range(different):
        path, rng = folder / "clips" / f"{number:04d}.mp4", np.random.default_rng(number)
        if path.with_suffix(".flac").exists():
            continue
        pictures = np.empty((FRAMES, 96, 96), np.uint8)
        for frame in range(FRAMES):
            height = 6 + 12 * abs(np.sin(frame * rng.uniform(0.28, 0.32) + number))
            inside = (rows / height) ** 2 + (columns / 30) ** 2 < 1
            pictures[frame] = (140 + rows / 2 - 90 * inside + rng.normal(0, 2, (96, 96))).clip(0, 255)
        save_mouth_clip(MouthClip(pictures, np.ones(FRAMES, np.float32)), path)
        times = np.arange(FRAMES * 640) / 16000
        voice = sum(np.sin(2 * np.pi * pitch * times) / pitch for pitch in rng.uniform(100, 3000, 8)) * 30
        write_audio(path.with_suffix(".flac"), (voice * (0.5 + 0.5 * np.sin(15 * times)) + rng.normal(0, 0.003, len(times))).astype(np.float32))
    names = [f"u{number:06d}" for number in range(utterances)]
    files = {name: folder / "clips" / f"{number % different:04d}.mp4" for number, name in enumerate(names)}
    timed = " ".join(f"{0.4 * place + 0.3:.3f} {0.4 * place + 0.7:.3f} {word}" for place, word in enumerate(WORDS))
    for table, value in (("utt2spk", "s"), ("align", timed), ("text", " ".join(WORDS))):
        write_table(folder / "train" / table, dict.fromkeys(names, value))
    write_table(folder / "train" / "video.scp", {name: str(file) for name, file in files.items()})
    write_table(folder / "train" / "wav.scp", {name: str(file.with_suffix(".flac")) for name, file in files.items()})
    return folder / "train"


def loaders(data: Path, work: Path, tokenizer: Tokenizer, config: dict, batch: int, workers: int) -> dict[str, Callable[[int], Iterator]]:
    """What training builds for an epoch, of files, of shards, and of shards with decoded pictures and sound."""
    augmentation, collate = make_augmentation(config.get("augment_conf") or {}), PictureBytes(float_pad_value=0.0, int_pad_value=-1)
    given = [tuple(word.split(",")) for word in data_arguments(data, data)[1::2][:4]]
    files = ESPnetDataset(given, AVSRPreprocessor(True, tokenizer, augmentation, data / "wav.scp"))
    names = [line.split()[0] for line in (data / "text").read_text("utf-8").splitlines()]
    batches = [names[first : first + batch] for first in range(0, len(names), batch)]
    of_files = SequenceIterFactory(files, batches, shuffle=True, num_workers=workers, collate_fn=collate)
    made = {"files": of_files.build_iter}
    for name in SHARDS:
        preprocess = AVSRPreprocessor(True, tokenizer, augmentation, pictures=np.uint8)
        packed = ShardDataset(ShardStore(str(work / name), "train"), ("speech", "video", "align"), preprocess)
        factory = ShardIterFactory(packed, Dealing(batch), train=True, steps=None, collate_fn=collate, num_workers=workers)
        made[name] = factory.build_iter
    return made


def measure(build: Callable[[int], Iterator], epoch: int) -> tuple[float, float]:
    """Clips a second of wall time once the first batch is there, and clips a second of processor time."""
    before, count, begun = resource.getrusage(resource.RUSAGE_CHILDREN), 0, 0.0
    clips, cpu = 0, time.process_time()
    for names, _ in build(epoch):
        clips += len(names)
        if begun:
            count += len(names)
        else:
            begun = time.perf_counter()
    wall = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = time.process_time() - cpu + after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return count / wall, clips / spent


class Profile:
    """Seconds of this process in functions that are watched, what they call among themselves counted once."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._inner = [0.0]

    @contextmanager
    def watch(self, watched: Sequence[tuple[object, str, str]]) -> Iterator[None]:
        """Each (where, name, what it is)."""
        real = [(place, name, getattr(place, name)) for place, name, _ in watched]
        for place, name, what in watched:
            setattr(place, name, self._timed(getattr(place, name), what))
        try:
            yield
        finally:
            for place, name, function in real:
                setattr(place, name, function)

    def _timed(self, function: Callable, what: str) -> Callable:
        def run(*given, **options):
            self._inner.append(0.0)
            begun = time.process_time()
            try:
                return function(*given, **options)
            finally:
                whole = time.process_time() - begun
                self.seconds[what] += whole - self._inner.pop()
                self._inner[-1] += whole

        return run


WATCHED = (
    (ShardDataset, "__getitem__", "the rest"),
    (ShardDataset, "members", "read"),
    (shard_data, "decode_mouth_clip", "decode pictures"),
    (ShardDataset, "sound", "decode sound"),
    (steps, "move_and_light", "move and light"),
    (steps, "hide", "hide"),
    (steps, "corrupt_picture", "picture faults"),
    (steps, "corrupt_sound", "sound faults"),
    (steps, "change_tempo", "tempo of the sound"),
    (PictureBytes, "__call__", "collate"),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="where clips and shards are made, and kept")
    parser.add_argument("--config", type=Path, default=_CONFIG, help="training YAML, for its augment_conf (default: mini_ko's)")
    parser.add_argument("--utterances", type=int, default=2048, help="(default: %(default)s)")
    parser.add_argument("--batch", type=int, default=32, help="utterances (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="loader processes (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="turns that count (default: %(default)s)")
    options = parser.parse_args(arguments)
    data = make_clips(options.work, 96, options.utterances)
    packed = {name: pack_split(data, options.work / name / "train", size=256, nj=2, raw=raw) for name, raw in SHARDS.items()}
    tokenizer = build_token_list([" ".join(WORDS)], "jamo", out_dir=options.work / "tokens")
    config = read_yaml(options.config)
    given = data, options.work, tokenizer, config, options.batch
    print_machine(options.runs)
    made = loaders(*given, options.workers)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in made}
    for turn in range(options.runs + 1):
        for name, build in made.items():
            figures = measure(build, turn + 1)
            if turn:
                found[name].append(figures)
    sizes = {name: sum(shard.bytes for shard in one.shards) / one.utterances / 1000 for name, one in packed.items()}
    told = " and ".join(f"{size:.0f} KB in {name}" for name, size in sizes.items())
    print(f"{options.workers} loader processes, batches of {options.batch}, clips of 3 s, {told}:")
    for name, figures in found.items():
        wall, cpu = (statistics.median(values) for values in zip(*figures, strict=True))
        print(f"{name}: {wall:.0f} clips a second; {cpu:.0f} a second of processor time, {2 * cpu:.0f} on two cores (bar {BAR})")
    for name in SHARDS:
        profile = Profile()
        with profile.watch(WATCHED):
            clips = sum(len(names) for names, _ in loaders(*given, 0)[name](1))
        print(f"of a clip from {name}, ms of processor time in one process ({1000 * sum(profile.seconds.values()) / clips:.2f} in all):")
        told = sorted(profile.seconds.items(), key=lambda item: -item[1])
        print("  " + ", ".join(f"{what} {1000 * seconds / clips:.2f}" for what, seconds in told))


if __name__ == "__main__":
    main()
