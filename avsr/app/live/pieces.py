"""What the processes that decode say on their output: pieces, each a header and its data, so that whoever reads them gets numbers and nothing else."""

from __future__ import annotations

import struct
from threading import Lock
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from avsr.media.audio import SAMPLE_RATE

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

HEADER = struct.Struct("<cdIII")
"""What follows: P, a picture (height, width, 3) uint8 RGB; S, so many float32 samples at 16 kHz; E, a sentence of so many bytes in UTF-8. The
second of the recording at which it begins; its shape."""

MOST_SIDE = 960
"""Pixels; larger pictures are made smaller, which no 96-pixel mouth misses."""

MOST_SAMPLES = SAMPLE_RATE
"""Of one block."""

MOST_PIXELS = 1920 * 1088
"""Of a picture that is decoded."""


class Pieces:
    """Written by any thread."""

    def __init__(self, taken: BinaryIO) -> None:
        self._taken, self._lock = taken, Lock()

    def picture(self, time: float, frame: VideoFrame) -> None:
        """Of a recording's second `time`."""
        scale = min(1.0, MOST_SIDE / max(frame.width, frame.height))
        image = frame.reformat(max(2, round(frame.width * scale)), max(2, round(frame.height * scale)), "rgb24", threads=1).to_ndarray()
        self._say(b"P", time, image.shape, np.ascontiguousarray(image).data)

    def sound(self, time: float, samples: np.ndarray) -> None:
        """(N,) float at 16 kHz from second `time` on."""
        samples = samples.astype(np.float32, copy=False)
        for first in range(0, len(samples), MOST_SAMPLES):
            block = np.clip(np.nan_to_num(samples[first : first + MOST_SAMPLES]), -1, 1)
            self._say(b"S", time + first / SAMPLE_RATE, (len(block), 0, 0), block.tobytes())

    def error(self, sentence: str) -> None:
        """Why it cannot be decoded."""
        data = sentence.encode()
        self._say(b"E", 0.0, (len(data), 0, 0), data)

    def _say(self, kind: bytes, time: float, shape: tuple[int, ...], data: bytes | memoryview) -> None:
        with self._lock:
            self._taken.write(HEADER.pack(kind, time, *shape))
            self._taken.write(data)
            self._taken.flush()
