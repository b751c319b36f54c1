"""Training from shards: ESPnet's trainer is given batches that are read out of them, in the order of avsr.shards.order."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from espnet2.iterators.abs_iter_factory import AbsIterFactory
from espnet2.train.dataset import AbsDataset
from torch.utils.data import DataLoader

from avsr.errors import AvsrError, MediaError
from avsr.lips.crop import SIDE
from avsr.lips.mouth_clip import MouthClip, decode_mouth_clip
from avsr.lips.mouth_shape import load_mouth_shape
from avsr.shards.order import Dealing, epoch_batches, in_order, share
from avsr.shards.store import ShardStore
from avsr.training.preprocessor import AVSRPreprocessor

_OPEN = 64  # shards that a process has open at once
_BLOCK = tarfile.BLOCKSIZE


class ShardDataset(AbsDataset):
    """The utterances of a split's shards: (row, draw) -> name and arrays, `draw` being what chance depends on beside the row.

    Args:
        store: the shards.
        names: of speech, video, align and shape what is read.
        preprocess: avsr.training.preprocessor's, called with the name and what was read; where it has no recordings to mix in, they
            are the other utterances of the shard.
        seed: of what chance there is in that, which is the same whichever process reads the utterance.
    """

    def __init__(self, store: ShardStore, names: Sequence[str], preprocess: AVSRPreprocessor, *, seed: int = 0) -> None:
        self.store, self.kept, self.preprocess, self.seed = store, (*names, "text"), preprocess, seed
        self._mixed = not preprocess.noises
        self.index = store.index
        self._files: OrderedDict[int, int] = OrderedDict()
        self._process = os.getpid()

    def has_name(self, name: str) -> bool:
        """Whether it gives such an array."""
        return name in self.kept

    def names(self) -> tuple[str, ...]:
        """Of the arrays that it gives."""
        return self.kept

    def rows(self) -> np.ndarray:
        """(M,) int64: the rows that have all streams that are read. AvsrError where none has."""
        rows = self.index.complete(self.kept)
        if not len(rows):
            raise AvsrError(f"{self.store.name('')}: no utterance has all of {', '.join(self.kept)}; pack other data, or name other streams.")
        return rows

    def __getitem__(self, key: tuple[int, int]) -> tuple[str, dict[str, np.ndarray]]:
        row, draw = key
        name = self.index.name(row)
        members = self.members(row)
        about = json.loads(members[".json"])
        data: dict = {"text": about["text"]}
        if "align" in self.kept:
            data["align"] = about.get("align", "")
        if "speech" in self.kept:
            data["speech"] = self.sound(row, members)
        if "video" in self.kept:
            data["video"] = self._pictures(row, members, about)
        if "shape" in self.kept and ".npy" in members:
            data["shape"] = load_mouth_shape(io.BytesIO(members[".npy"]))
        # The preprocessor draws from numpy's global generator, as ESPnet's do.
        np.random.seed([self.seed, draw, row])
        if self._mixed:
            self.preprocess.noises = Neighbours(self, row)
        made = self.preprocess(name, data)
        return name, {kind: value.astype(np.int64) if value.dtype.kind == "i" else value for kind, value in made.items()}

    def members(self, row: int) -> dict[str, bytes]:
        """What the shard holds of an utterance, by suffix; MediaError where that cannot be read."""
        size = int(self.index.size[row])
        data = os.pread(self._file(int(self.index.shard[row])), size, int(self.index.offset[row]))
        found, place = {}, 0
        try:
            while place < size:
                info = tarfile.TarInfo.frombuf(data[place : place + _BLOCK], "utf-8", "strict")
                place += _BLOCK
                found["." + info.name.partition(".")[2]] = data[place : place + info.size]
                place += -(-info.size // _BLOCK) * _BLOCK
        except tarfile.HeaderError as error:
            raise MediaError(f"{self._where(row)}: is damaged ({error}); fetch or pack the shards again.") from error
        return found

    def _pictures(self, row: int, members: dict[str, bytes], about: dict) -> tuple[np.ndarray, np.ndarray]:
        if ".gray" not in members:
            clip = decode_mouth_clip(io.BytesIO(members[".mp4"]), about, self._where(row))
            return clip.frames, clip.confidence
        try:
            frames = np.frombuffer(members[".gray"], np.uint8).reshape(-1, SIDE, SIDE).copy()
            clip = MouthClip(frames, np.asarray(about["confidence"], np.float32))
        except (ValueError, KeyError) as error:
            raise MediaError(f"{self._where(row)}: not the pictures of a mouth clip ({error}); pack the shards again.") from error
        return clip.frames, clip.confidence

    def sound(self, row: int, members: dict[str, bytes] | None = None) -> np.ndarray:
        """(n,) float32 samples at 16 kHz."""
        import soundfile

        members = self.members(row) if members is None else members
        data = members.get(".flac") or members.get(".wav") or b""
        try:
            return soundfile.read(io.BytesIO(data), dtype="float32")[0]
        except (OSError, RuntimeError) as error:
            raise MediaError(f"{self._where(row)}: no sound can be read from it ({error}); pack the shards again.") from error

    def _where(self, row: int) -> str:
        return f"{self.store.name(self.store.manifest.shards[int(self.index.shard[row])].name)}, {self.index.name(row)}"

    def _file(self, shard: int) -> int:
        """A descriptor of this process's own."""
        if self._process != os.getpid():
            self._files, self._process = OrderedDict(), os.getpid()
        if shard in self._files:
            self._files.move_to_end(shard)
            return self._files[shard]
        file = self.store.open(shard)
        self._files[shard] = file
        if len(self._files) > _OPEN:
            os.close(self._files.popitem(last=False)[1])
        return file


class Neighbours(Sequence):
    """The sound of the utterances that share a shard, which is at hand, read when it is asked for; in the place of a silent one the
    next that sounds."""

    def __init__(self, data: ShardDataset, row: int) -> None:
        self.data = data
        shard = data.index.shard
        self.first, self.stop = np.searchsorted(shard, shard[row]), np.searchsorted(shard, shard[row], side="right")

    def __len__(self) -> int:
        return int(self.stop - self.first) if "speech" in self.data.kept else 0

    def __getitem__(self, place: int) -> np.ndarray:
        for step in range(len(self)):
            row = int(self.first + (place + step) % len(self))
            samples = self.data.sound(row) if self.data.index.samples[row] else np.zeros(0)
            if samples.any():
                return samples
        raise AvsrError(f"{self.data.store.name('')}: all sound of a shard is silent; pack other data, or larger shards.")


class ShardIterFactory(AbsIterFactory):
    """What ESPnet's trainer asks for an epoch's batches.

    Args:
        data: what is read.
        how: how batches are made.
        train: deal them out anew in every epoch, else always the same.
        steps: batches of an epoch; None for all.
        rank, world: which of how many processes that train together.
        collate_fn, num_workers, pin_memory: of torch's DataLoader.
    """

    def __init__(
        self, data: ShardDataset, how: Dealing, *, train: bool, steps: int | None, rank: int = 0, world: int = 1,
        collate_fn: Callable, num_workers: int = 0, pin_memory: bool = False,
    ) -> None:  # fmt: skip
        self.data, self.how, self.train, self.steps = data, how, train, steps
        self.rank, self.world, self.collate_fn, self.num_workers, self.pin_memory = rank, world, collate_fn, num_workers, pin_memory
        self.lengths = data.index.lengths()
        store = data.store
        if store.cache is not None:
            window = sorted((shard.bytes for shard in store.manifest.shards), reverse=True)[: 2 * how.window]
            if sum(window) > store.limit:
                raise AvsrError(
                    f"{store.where}: two windows of {how.window} shards have {sum(window) / 1e9:.1f} GB, {store.limit / 1e9:.1f} are "
                    "allowed; give a larger --shard_cache_gb."
                )

    def batches(self, epoch: int) -> Iterator[np.ndarray]:
        """This process's rows of each batch of an epoch, counted from 1."""
        known = (self.data.index.shard, self.lengths, self.data.rows(), self.how)
        made = epoch_batches(*known, self.data.seed, epoch, self.steps) if self.train else iter(in_order(*known))
        return share(made, self.rank, self.world)

    def build_iter(self, epoch: int, shuffle: bool | None = None) -> DataLoader:
        """The epoch's loader; `shuffle` is ESPnet's, and None."""
        return DataLoader(
            self.data,
            batch_sampler=_Handed(list(self.batches(epoch)), epoch if self.train else 0, self.data, self.how.window),
            collate_fn=self.collate_fn, num_workers=self.num_workers, pin_memory=self.pin_memory, worker_init_fn=_one_thread,
        )  # fmt: skip


def _one_thread(_: int) -> None:
    torch.set_num_threads(1)


class _Handed:
    """Batches as keys of a ShardDataset, each with its epoch; meanwhile the shards that come next are fetched."""

    def __init__(self, batches: list[np.ndarray], epoch: int, data: ShardDataset, window: int) -> None:
        self.batches, self.epoch, self.data, self.window = batches, epoch, data, window

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        if self.data.store.cache is None:
            yield from map(self._keys, self.batches)
            return
        shard = self.data.index.shard
        order = list(dict.fromkeys(int(number) for batch in self.batches for number in shard[batch]))
        begun: set[int] = set()
        seen: set[int] = set()
        with ThreadPoolExecutor(2) as pool:
            try:
                for batch in self.batches:
                    seen.update(shard[batch].tolist())
                    for number in order[: len(seen) + self.window]:
                        if number not in begun:
                            begun.add(number)
                            pool.submit(self.data.store.path, number)  # a worker that needs it waits, and is told what goes wrong
                    yield self._keys(batch)
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _keys(self, batch: np.ndarray) -> list[tuple[int, int]]:
        return [(row, self.epoch) for row in batch.tolist()]
