"""What a media file holds, piece by piece in the order in which a camera and a microphone would have given it."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avsr.media.audio import SAMPLE_RATE, AudioReader
from avsr.media.probe import MediaInfo
from avsr.media.video import VideoReader

BLOCK = 0.1
"""Seconds of sound given at a time."""


@dataclass(frozen=True)
class Given:
    """A picture (H, W, 3) uint8 RGB, or samples (N,) float32 at 16 kHz, from media second `time` on; there is just one of them.
    A camera has it by media second `due`: sound when it is over."""

    time: float
    due: float
    picture: np.ndarray | None = None
    samples: np.ndarray | None = None


def given_by(path: Path, info: MediaInfo) -> Iterator[Given]:
    """Everything of a file by when it is due. Damaged pictures are left out, as a camera would leave them out."""
    sources = [sound_of(path)] if info.audio is not None else []
    sources += [pictures_of(path)] if info.video is not None else []
    return heapq.merge(*sources, key=lambda one: one.due)


def sound_of(path: Path) -> Iterator[Given]:
    """The sound in blocks of 0.1 s."""
    size, position, rest = round(BLOCK * SAMPLE_RATE), 0, np.zeros(0, np.float32)
    for block in AudioReader(path):
        rest = np.concatenate([rest, block])
        while len(rest) >= size:
            yield Given(position / SAMPLE_RATE, (position + size) / SAMPLE_RATE, samples=rest[:size])
            position, rest = position + size, rest[size:]
    if len(rest):
        yield Given(position / SAMPLE_RATE, (position + len(rest)) / SAMPLE_RATE, samples=rest)


def pictures_of(path: Path) -> Iterator[Given]:
    """The pictures, 25 a second."""
    for frame in VideoReader(path):
        if not frame.damaged:
            yield Given(frame.time, frame.time, picture=frame.image)
