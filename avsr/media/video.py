"""Reads a video as upright RGB frames at a fixed rate, by presentation timestamp."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avsr.errors import MediaError
from avsr.media.container import open_container, time_zero, video_stream
from avsr.media.probe import MediaInfo, Span, media_info

_EARLY = 1e-3  # seconds: Matroska rounds timestamps to a millisecond, so a frame may seem to start that much late


@dataclass
class Frame:
    """One output picture: `image` (H, W, 3) uint8 RGB, C-contiguous; shared by repeats, so do not write into it."""

    index: int
    time: float
    image: np.ndarray
    damaged: bool


class VideoReader:
    """Iterates the frames a player would show at start, start + 1/fps, ... (media seconds)."""

    def __init__(self, path: str | Path, *, fps: float = 25.0, start: float = 0.0, end: float | None = None) -> None:
        self.path, self.fps, self.start, self.end = Path(path), fps, start, end
        self.damaged: list[Span] = []
        with open_container(path) as container:
            self.info: MediaInfo = media_info(container, self.path)
        if self.info.video is None:
            raise MediaError(f"{path}: holds no video; give a file with a picture, or ask for the sound only.")

    def __iter__(self) -> Iterator[Frame]:
        self.damaged = []
        index, held = 0, None
        for begin, duration, frame in self._decode():
            if held is not None:
                until = begin
                while (time := self.start + index / self.fps) + _EARLY < until and (self.end is None or time < self.end):
                    held = held if isinstance(held, np.ndarray) else _image(held)
                    yield Frame(index, time, held, False)
                    index += 1
            held, finish = frame, begin + duration
        if held is None:
            raise MediaError(f"{self.path}: not one picture could be decoded.")
        while (time := self.start + index / self.fps) + _EARLY < finish and (self.end is None or time < self.end):
            held = held if isinstance(held, np.ndarray) else _image(held)
            yield Frame(index, time, held, False)
            index += 1

    def _decode(self):
        with open_container(self.path) as container:
            stream = video_stream(container)
            stream.thread_type = "AUTO"
            zero = time_zero(container)
            for frame in container.decode(stream):
                begin = frame.pts * float(stream.time_base) - zero
                yield begin, frame.duration * float(stream.time_base) or 0.04, frame


def _image(frame) -> np.ndarray:
    image = frame.to_ndarray(format="rgb24", threads=1)
    return np.ascontiguousarray(np.rot90(image, frame.rotation // 90))
