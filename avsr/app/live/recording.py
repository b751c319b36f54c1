"""A file as a browser's camera and microphone would have it, in real time, and as its MediaRecorder would record that: WebM, piece by piece."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from avsr.media.audio import SAMPLE_RATE
from avsr.media.play import Given, given_by
from avsr.media.probe import probe

if TYPE_CHECKING:
    from av.container import OutputContainer

LARGEST = 640
"""Pixels of a side; larger pictures are made smaller."""

_CLOCK = 90_000
_RATE = 48_000  # Opus's own
_PICTURE = {"deadline": "realtime", "cpu-used": "-16", "lag-in-frames": "0", "b": "1000000"}
_LIVE = {"live": "1", "cluster_time_limit": "100", "flush_packets": "1"}


class Recording:
    """Of one file; MediaError where it is none. `over` once it has been played to its end."""

    def __init__(self, path: Path) -> None:
        self._info = probe(path)
        self._given = given_by(path, self._info)
        self._next: Given | None = next(self._given, None)

    @property
    def over(self) -> bool:
        return self._next is None

    @property
    def kinds(self) -> list[str]:
        """What it holds: audio, video."""
        return [kind for kind, held in (("audio", self._info.audio), ("video", self._info.video)) if held is not None]

    def given(self, began: float) -> Iterator[Given]:
        """What a camera and a microphone that are turned on now have, when they have it; the file was begun at `began` of `time.monotonic`."""
        self._skip(began)
        while self._next is not None:
            time.sleep(max(0.0, began + self._next.due - time.monotonic()))
            one, self._next = self._next, next(self._given, None)
            yield one

    def chunks(self, began: float, seconds: float) -> Iterator[bytes]:
        """What a recording that begins now says, so many seconds at a time; the file was begun at `began` of `time.monotonic`."""
        zero = self._skip(began)
        if self._next is None:
            return
        encoder, due = _Encoder(self._info.video is not None, self._info.audio is not None), zero + seconds
        while self._next is not None:
            if self._next.due >= due:
                time.sleep(max(0.0, began + due - time.monotonic()))
                due += seconds
                if data := encoder.take():
                    yield data
                continue
            encoder.add(self._next, self._next.time - zero)
            self._next = next(self._given, None)
        encoder.close()
        yield encoder.take()

    def _skip(self, began: float) -> float:
        """What was shown before now; returns the file's second that it is."""
        zero = time.monotonic() - began
        while self._next is not None and self._next.due < zero:
            self._next = next(self._given, None)
        return zero


class _Encoder:
    """VP8 and Opus in WebM, kept until it is taken."""

    def __init__(self, picture: bool, sound: bool) -> None:
        import av

        self._data = bytearray()
        self._container: OutputContainer = av.open(self, "w", format="webm", container_options=_LIVE)
        self._picture: Any = self._container.add_stream("libvpx", rate=25, options=_PICTURE) if picture else None
        self._sound: Any = self._container.add_stream("libopus", rate=_RATE, layout="mono") if sound else None
        if picture:
            self._picture.pix_fmt, self._picture.codec_context.time_base = "yuv420p", Fraction(1, _CLOCK)
            self._picture.codec_context.thread_count = 1
            self._picture.codec_context.gop_size = 50
        self._sized = False
        self._waiting: list[tuple[Given, float]] = []

    def write(self, data: bytes) -> int:
        """For FFmpeg."""
        self._data += data
        return len(data)

    def take(self) -> bytes:
        """What has come since the last time."""
        data = bytes(self._data)
        self._data.clear()
        return data

    def add(self, one: Given, second: float) -> None:
        """A picture or sound, at that second of the recording."""
        if self._picture is not None and not self._sized:
            self._waiting.append((one, second))
            if one.picture is None:
                return
            self._size(one.picture)
            for given, when in self._waiting:
                self._encode(given, when)
            self._waiting.clear()
            return
        self._encode(one, second)

    def close(self) -> None:
        """Nothing comes any more."""
        for stream in (self._picture, self._sound):
            if stream is not None and (stream is self._sound or self._sized):
                self._container.mux(stream.encode(None))
        self._container.close()

    def _size(self, image: np.ndarray) -> None:
        scale = min(1.0, LARGEST / max(image.shape[:2]))
        self._picture.height, self._picture.width = (max(2, round(side * scale) // 2 * 2) for side in image.shape[:2])
        self._sized = True

    def _encode(self, one: Given, second: float) -> None:
        import av

        if one.picture is not None:
            frame, clock, stream = av.VideoFrame.from_ndarray(one.picture, format="rgb24"), _CLOCK, self._picture
            frame = frame.reformat(stream.width, stream.height, "yuv420p")
        else:
            frame, clock, stream = av.AudioFrame.from_ndarray(one.samples[None], format="flt", layout="mono"), SAMPLE_RATE, self._sound
            frame.sample_rate = SAMPLE_RATE
        frame.pts, frame.time_base = round(second * clock), Fraction(1, clock)
        self._container.mux(stream.encode(frame))
