"""A process that decodes what one participant records, as it comes: `python -m avsr.app.live.decoding MEDIA`, started by `.stream`.

The bytes of a container come on its input; pictures and sound go to its output, each behind a header, so that whoever reads that gets numbers
from it and nothing else.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from avsr.app.codecs import allow_usual_codecs
from avsr.app.live.pieces import MOST_PIXELS, Pieces
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

_MEMORY = 320 << 20  # bytes beyond what is mapped; 1920x1080 takes 120 MB
_BAD = 50  # packets in a row that cannot be decoded
_OPENING = {"probesize": str(256 << 10), "analyzeduration": "500000"}  # bytes and microseconds that are looked at before anything is given


class _Input:
    """What comes, for FFmpeg, which cannot seek in it."""

    def read(self, size: int) -> bytes:
        return os.read(0, size)


class _Decoder:
    """Gives what a container holds."""

    def __init__(self, container: InputContainer, pieces: Pieces) -> None:
        import av

        self._container, self._pieces = container, pieces
        self._resampler = av.AudioResampler("flt", "mono", SAMPLE_RATE)
        self._zero: float | None = None
        self._shown = -1
        for stream in (*container.streams.video[:1], *container.streams.audio[:1]):
            stream.codec_context.options = decoder_options() | {"max_pixels": str(MOST_PIXELS)}
            stream.codec_context.thread_count = 1
        for stream in container.streams.video[:1]:
            if stream.width * stream.height > MOST_PIXELS:
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
                self._pieces.picture(time, frame)
            return
        for piece in self._resampler.resample(frame):
            self._pieces.sound(float(piece.pts * piece.time_base) - self._zero, piece.to_ndarray()[0])


def main() -> None:
    follow_parent()
    small_stacks()
    import av

    pieces = Pieces(os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)  # whatever a library prints is no message
    allow_usual_codecs()
    limit_data(_MEMORY, 0)
    try:
        options = decoder_options() | _OPENING
        with av.open(_Input(), "r", format=MEDIA[sys.argv[1]], container_options=options, buffer_size=8 << 10, metadata_errors="replace") as container:
            _Decoder(container, pieces).run()
    except (av.FFmpegError, MemoryError):
        pieces.error("what you send cannot be read as a recording; begin with a new one, in WebM or in fragments of MP4.")
    except ValueError as error:
        pieces.error(str(error))


if __name__ == "__main__":
    main()
