"""How ESPnet's data set reads mouth clips, their shapes and word times: two data types, and lines of `align`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from avsr.errors import LabelError
from avsr.large_tables import LargeTable
from avsr.lips.mouth_clip import load_mouth_clip
from avsr.lips.mouth_shape import load_mouth_shape


class _Scp(Mapping):
    """A table of utterances and paths, whose lines and files are read when they are asked for."""

    def __init__(self, path: str, keys_to_load: set | None = None) -> None:
        self.table, self.wanted = LargeTable(Path(path)), keys_to_load

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[str]:
        return (utterance for utterance in self.table if self.wanted is None or utterance in self.wanted)

    def path(self, utterance: str) -> str:
        """Of the utterance's file; LabelError where its line has none."""
        file = self.table[utterance]
        if not file:
            raise LabelError(f"{self.table.path}: {utterance} has no value; run the stage that writes it again.")
        return file


class MouthClipScp(_Scp):
    """`video.scp`: utterance -> (frames (T, 96, 96) uint8, confidence (T,) float32)."""

    def __getitem__(self, utterance: str) -> tuple[np.ndarray, np.ndarray]:
        clip = load_mouth_clip(self.path(utterance))
        return clip.frames, clip.confidence


class MouthShapeScp(_Scp):
    """`shape.scp`: utterance -> (T, 7) float32, see avsr.lips.mouth_shape."""

    def __getitem__(self, utterance: str) -> np.ndarray:
        return load_mouth_shape(self.path(utterance))


def add_data_types() -> None:
    """Make the types `mouth_clip` and `mouth_shape` known to ESPnet's data sets; their table is open to additions."""
    from espnet2.train.dataset import DATA_TYPES

    for name, kind, file in (("mouth_clip", MouthClipScp, "a.mp4"), ("mouth_shape", MouthShapeScp, "a.npy")):
        text = f"A {name.replace('_', ' ')} of avsr.lips\n\n   utterance_id_a {file}\n"
        DATA_TYPES[name] = {"func": kind, "kwargs": ["keys_to_load"], "help": text}


def read_align(line: str) -> list[tuple[float, float, str]]:
    """Word times of an utterance in seconds, from `start end word start end word ...`; ValueError if it is not that."""
    fields = line.split()
    if len(fields) % 3:
        raise ValueError(f"word times come in threes (start end word), not {len(fields)} fields: {line[:60]!r}")
    return [(float(a), float(b), word) for a, b, word in zip(fields[::3], fields[1::3], fields[2::3])]


def frame_targets(words: list[tuple[float, float, list[int]]], frames: int, *, rate: float = 25.0) -> np.ndarray:
    """Which token is spoken in each frame, a word's tokens spread evenly over its time; 0 where nothing is.

    Args:
        words: start and end in seconds, and the word's token ids.
        frames: T.
        rate: frames a second.

    Returns:
        (T,) int64.
    """
    target = np.zeros(frames, np.int64)
    for start, end, ids in words:
        edges = np.linspace(start * rate, end * rate, len(ids) + 1).round().astype(int)
        for token, first, stop in zip(ids, edges, np.maximum(edges[1:], edges[:-1] + 1)):
            target[first:stop] = token
    return target
