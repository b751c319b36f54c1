"""Decoders of what comes by RTP, frame by frame, within limits: VP8 and Opus."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import av

from avsr.app.live.pieces import MOST_PIXELS, Pieces
from avsr.lips.mouth_clip import FPS
from avsr.media.audio import SAMPLE_RATE
from avsr.media.container import decoder_options

_OPUS = 48_000  # samples a second that it is decoded to

When = Callable[[int], float]
"""The second of the recording that a timestamp is."""


class _Decoder:
    """`decode` says whether it could be."""

    def __init__(self, name: str, pieces: Pieces, when: When) -> None:
        self._pieces, self._when = pieces, when
        self._codec = av.CodecContext.create(name, "r")
        self._codec.options = decoder_options() | {"max_pixels": str(MOST_PIXELS)}
        self._codec.thread_count = 1

    def decode(self, data: bytes, timestamp: int) -> bool:
        """One frame of the codec, which was recorded at that timestamp."""
        try:
            for frame in self._codec.decode(av.Packet(data)):
                self._give(frame, timestamp)
        except (av.FFmpegError, MemoryError):
            return False
        return True

    def _give(self, frame: av.AudioFrame | av.VideoFrame, timestamp: int) -> None:
        raise NotImplementedError


class PictureDecoder(_Decoder):
    """VP8."""

    def __init__(self, pieces: Pieces, when: When) -> None:
        super().__init__("vp8", pieces, when)
        self._shown = -1

    def _give(self, frame: av.VideoFrame, timestamp: int) -> None:
        time = self._when(timestamp)
        index = round(time * FPS)
        if index > self._shown:  # of two pictures in one frame of ours, the first
            self._shown = index
            self._pieces.picture(time, frame)


class SoundDecoder(_Decoder):
    """Opus."""

    def __init__(self, pieces: Pieces, when: When) -> None:
        super().__init__("opus", pieces, when)
        self._resampler = av.AudioResampler("flt", "mono", SAMPLE_RATE)
        self._taken = self._given = 0  # samples at 48 kHz that the resampler has had, and that it has said

    def _give(self, frame: av.AudioFrame, timestamp: int) -> None:
        first, self._taken = self._taken, self._taken + frame.samples
        frame.pts, frame.time_base = first, Fraction(1, _OPUS)
        for piece in self._resampler.resample(frame):
            self._pieces.sound(self._when(timestamp) - (first - self._given) / _OPUS, piece.to_ndarray()[0])
            self._given += piece.samples * _OPUS // SAMPLE_RATE
