"""What a split's shards hold: shards.json, small and for people too, and index.npz, a few bytes for each utterance.

A shard is a tar as WebDataset reads it: the members of an utterance lie behind one another and share their name up to the first dot,
NNNNNNNNN.json (utt, speaker, text, word times, the mouth clip's confidence), .mp4 (mouth clip) or .gray (its pictures, a byte a pixel),
.flac or .wav (sound), .npy (the mouth's shape), those that it has.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from avsr.errors import LabelError

MANIFEST, INDEX = "shards.json", "index.npz"
FORMAT = 1
_NAME = re.compile(r"shard-\d{6}\.tar")  # and nothing else: names go into addresses and commands
_STREAMS = {"speech", "video", "align", "shape"}


@dataclass(frozen=True)
class Shard:
    """A tar file: its name, the hash and number of its bytes, and of how many utterances it is."""

    name: str
    sha256: str
    bytes: int
    utterances: int


@dataclass(frozen=True)
class Manifest:
    """shards.json. streams: of speech, video, align and shape what the split has; index: sha256 of index.npz; source: a hash of what
    was packed and how; seconds: of all utterances."""

    utterances: int
    seconds: float
    streams: list[str]
    index: str
    source: str
    shards: list[Shard] = field(default_factory=list)
    format: int = FORMAT

    def to_bytes(self) -> bytes:
        """As it is written."""
        return (json.dumps(asdict(self), indent=1) + "\n").encode()


def parse_manifest(data: bytes, where: object) -> Manifest:
    """LabelError names `where`, if it is no manifest that this program reads."""
    try:
        told: Any = json.loads(data)
        if told["format"] != FORMAT:
            raise LabelError(f"{where}: its format is {told['format']}, this program reads {FORMAT}; pack the shards again.")
        shards = [Shard(**shard) for shard in told["shards"]]
        manifest = Manifest(**(told | {"shards": shards}))
    except LabelError:
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise LabelError(f"{where}: is no list of shards ({error!r}); give a folder that avsr.stages.shards wrote.") from error
    wrong = next((shard.name for shard in shards if not _NAME.fullmatch(str(shard.name))), None)
    if wrong is not None or not set(manifest.streams) <= _STREAMS:
        raise LabelError(f"{where}: {wrong or manifest.streams!r} is no name of what this program packs; pack the shards again.")
    if sum(shard.utterances for shard in shards) != manifest.utterances or not shards:
        raise LabelError(f"{where}: its shards do not hold the {manifest.utterances} utterances that it names; pack them again.")
    return manifest


@dataclass(frozen=True)
class Index:
    """Columns, a row an utterance, in the order in which they were packed.

    shard (N,) int32: number; offset (N,) int64, size (N,) int32: bytes of its members in the shard, headers and all;
    frames (N,) int32 at 25 a second, 0 without a mouth clip; samples (N,) int32 at 16 kHz, 0 without sound;
    names (B,) uint8 and ends (N,) int64: the utterances' names in UTF-8 behind one another, and where each ends.
    """

    shard: np.ndarray
    offset: np.ndarray
    size: np.ndarray
    frames: np.ndarray
    samples: np.ndarray
    names: np.ndarray
    ends: np.ndarray

    def __len__(self) -> int:
        return len(self.shard)

    def name(self, row: int) -> str:
        """The utterance of a row."""
        first = int(self.ends[row - 1]) if row else 0
        return self.names[first : int(self.ends[row])].tobytes().decode("utf-8")

    def complete(self, streams: Collection[str]) -> np.ndarray:
        """(M,) int64: the rows that have all of speech and video that are among `streams`."""
        there = np.ones(len(self), bool)
        for name, values in (("speech", self.samples), ("video", self.frames)):
            if name in streams:
                there &= values > 0
        return np.flatnonzero(there)

    def lengths(self) -> np.ndarray:
        """(N,) int32: each utterance in 40 ms frames, of the picture, or of the sound where there is none."""
        return np.where(self.frames > 0, self.frames, -(-self.samples // 640)).astype(np.int32)

    def to_bytes(self) -> bytes:
        """As it is written; not compressed, so that it opens at once."""
        buffer = io.BytesIO()
        np.savez(buffer, **{name: getattr(self, name) for name in _COLUMNS})
        return buffer.getvalue()


_COLUMNS = {
    "shard": np.int32, "offset": np.int64, "size": np.int32, "frames": np.int32, "samples": np.int32, "names": np.uint8, "ends": np.int64
}  # fmt: skip


def make_index(rows: list[tuple[int, int, int, int, int, str]]) -> Index:
    """Of (shard, offset, size, frames, samples, utterance)."""
    names = [row[5].encode() for row in rows]
    numbers = np.array([row[:5] for row in rows], np.int64).reshape(-1, 5)
    columns = {name: numbers[:, place].astype(kind) for place, (name, kind) in enumerate(list(_COLUMNS.items())[:5])}
    return Index(**columns, names=np.frombuffer(b"".join(names), np.uint8), ends=np.cumsum([len(name) for name in names], dtype=np.int64))


def join_indices(parts: list[Index]) -> Index:
    """One index of several shards'."""
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS}
    before = np.cumsum([0, *(len(part.names) for part in parts[:-1])])
    columns["ends"] = np.concatenate([part.ends + start for part, start in zip(parts, before, strict=True)])
    return Index(**columns)


def parse_index(data: bytes, where: object, manifest: Manifest | None = None) -> Index:
    """LabelError names `where`, if it is none, or not that of the manifest."""
    if manifest is not None and hashlib.sha256(data).hexdigest() != manifest.index:
        raise LabelError(f"{where}: is not the index that {MANIFEST} names; copy or pack the shards again.")
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            index = Index(**{name: file[name].astype(kind, copy=False) for name, kind in _COLUMNS.items()})
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise LabelError(f"{where}: is no index of shards ({error}); pack the shards again.") from error
    if {len(getattr(index, name)) for name in _COLUMNS if name != "names"} != {len(index)}:
        raise LabelError(f"{where}: its columns differ in length; pack the shards again.")
    return index
