"""A process that decodes what one participant records, as it comes: `python -m avsr.app.live.decoding MEDIA`, started by `.stream`.

The bytes of a container come on its input; pictures and sound go to its output, each behind a header, so that whoever reads that gets numbers
from it and nothing else.
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from avsr.app.codecs import allow_usual_codecs
from avsr.app.live.protocol import MEDIA
from avsr.app.process import follow_parent, limit_data, small_stacks
from avsr.lips.mouth_clip import FPS
from avsr.media.audio import SAMPLE_RATE
from avsr.media.container import decoder_options

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame

HEADER = struct.Struct("<cdIII")
"""What follows: P, a picture (height, width, 3) uint8 RGB; S, so many float32 samples at 16 kHz; E, a sentence of so many bytes in UTF-8. The
second of the recording at which it begins; its shape."""

MOST_SIDE = 960
"""Pixels; larger pictures are made smaller, which no 96-pixel mouth misses."""

MOST_SAMPLES = SAMPLE_RATE
"""Of one block."""

_MEMORY = 320 << 20  # bytes beyond what is mapped; 1920x1080 takes 120 MB
_PIXELS = 1920 * 1088
_BAD = 50  # packets in a row that cannot be decoded
_OPENING = {"probesize": str(256 << 10), "analyzeduration": "500000"}  # bytes and microseconds that are looked at before anything is given


class _Input:
    """What comes, for FFmpeg, which cannot seek in it."""

    def read(self, size: int) -> bytes:
        return os.read(0, size)


class _Decoder:
    """Gives what a container holds."""

    def __init__(self, container: InputContainer, taken: BinaryIO) -> None:
        import av

        self._container, self._taken = container, taken
        self._resampler = av.AudioResampler("flt", "mono", SAMPLE_RATE)
        self._zero: float | None = None
        self._shown = -1
        for stream in (*container.streams.video[:1], *container.streams.audio[:1]):
            stream.codec_context.options = decoder_options() | {"max_pixels": str(_PIXELS)}
            stream.codec_context.thread_count = 1
        for stream in container.streams.video[:1]:
            if stream.width * stream.height > _PIXELS:
                raise ValueError("what you send has too large a picture; send one of at most 1920x1080.")

    def run(self) -> None:
        """Until it ends. ValueError where it cannot be decoded."""
        import av

        bad, good = 0, 0
        for packet in self._packets():
            try:
                for frame in packet.decode():
                    self._give(frame, packet)
                bad, good = 0, good + 1
            except (av.FFmpegError, MemoryError):
                bad += 1
                if bad > _BAD:
                    break
        if bad > _BAD or not good:
            raise ValueError("what you send cannot be decoded; begin with a new recording.")

    def _packets(self) -> Iterator[Packet]:
        wanted = [stream.index for stream in (*self._container.streams.video[:1], *self._container.streams.audio[:1])]
        if not wanted:
            raise ValueError("what you send holds neither a picture nor sound.")
        for packet in self._container.demux(wanted):
            if packet.pts is None:
                continue
            if self._zero is None:
                self._zero = float(packet.pts * packet.time_base)
            yield packet

    def _give(self, frame: VideoFrame | AudioFrame, packet: Packet) -> None:
        import av

        if frame.pts is None or frame.time_base is None:
            return
        if isinstance(frame, av.VideoFrame):
            time = float(frame.pts * frame.time_base) - self._zero
            index = round(time * FPS)
            if index != self._shown:  # of two pictures in one frame of ours, the first
                self._shown = index
                self._picture(frame, time)
            return
        for piece in self._resampler.resample(frame):
            samples = piece.to_ndarray()[0].astype(np.float32, copy=False)
            time = float(piece.pts * piece.time_base) - self._zero
            for first in range(0, len(samples), MOST_SAMPLES):
                block = np.nan_to_num(samples[first : first + MOST_SAMPLES])
                self.say(b"S", time + first / SAMPLE_RATE, (len(block), 0, 0), np.clip(block, -1, 1).tobytes())

    def _picture(self, frame: VideoFrame, time: float) -> None:
        scale = min(1.0, MOST_SIDE / max(frame.width, frame.height))
        image = frame.reformat(max(2, round(frame.width * scale)), max(2, round(frame.height * scale)), "rgb24", threads=1).to_ndarray()
        self.say(b"P", time, image.shape, np.ascontiguousarray(image).data)

    def say(self, kind: bytes, time: float, shape: tuple[int, int, int], data: bytes | memoryview) -> None:
        """One piece."""
        self._taken.write(HEADER.pack(kind, time, *shape))
        self._taken.write(data)
        self._taken.flush()


def main() -> None:
    follow_parent()
    small_stacks()
    import av

    taken = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no message
    allow_usual_codecs()
    limit_data(_MEMORY, 0)
    try:
        options = decoder_options() | _OPENING
        with av.open(_Input(), "r", format=MEDIA[sys.argv[1]], container_options=options, buffer_size=8 << 10, metadata_errors="replace") as container:
            _Decoder(container, taken).run()
    except (av.FFmpegError, MemoryError):
        _error(taken, "what you send cannot be read as a recording; begin with a new one, in WebM or in fragments of MP4.")
    except ValueError as error:
        _error(taken, str(error))


def _error(taken: BinaryIO, sentence: str) -> None:
    data = sentence.encode()
    taken.write(HEADER.pack(b"E", 0.0, len(data), 0, 0) + data)
    taken.flush()


if __name__ == "__main__":
    main()
