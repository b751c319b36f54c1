"""Reads a video as upright RGB frames at a fixed rate, by presentation timestamp, and says which are damaged."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from avsr.errors import MediaError
from avsr.media.container import (
    MAX_PIXELS,
    Inside,
    decoder_options,
    located,
    open_container,
    packets,
    seek_before,
    time_zero,
    video_stream,
)
from avsr.media.damage import Ledger, Picture
from avsr.media.probe import LATE, SLACK, MediaInfo, Span, add_span, check_range, media_info

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_EARLY = 1e-3
"""Seconds by which a picture may be early: Matroska rounds timestamps to a millisecond."""

_MAX_THREADS = 4
_LARGE, _LARGE_THREADS = 2560 * 1440, 2
"""Pixels over which a decoder's threads are fewer: each holds pictures, of 25 MB at 3840x2160 in 10 bits."""


@dataclass
class Frame:
    """One output picture, `time` in media seconds.

    `image` is (H, W, 3) uint8 RGB, or (H, W) where grey was asked for, C-contiguous and upright; a repeated picture is the
    same array, so copy it before writing into it. Where `damaged`, it is the last good picture (before the first one, the first).
    """

    index: int
    time: float
    image: np.ndarray
    damaged: bool


class VideoReader:
    """Iterates what a player shows at `start`, `start + 1/fps`, ... until `end` or the stream's end (media seconds).

    `damaged` holds the damaged spans of the requested range once the iteration is over. Frames end with the stream's
    data; where the file goes on for longer (its sound does, or its header says so), the rest is the last span.
    With `grey` pictures are their brightness alone, which is faster to have. Memory does not grow with length.
    MediaError: not media, no video, over the limits, or not one good picture.
    """

    def __init__(
        self, path: str | Path | Inside, *, fps: float = 25.0, start: float = 0.0, end: float | None = None, grey: bool = False
    ) -> None:
        check_range(path, start, end)
        if not 0 < fps <= 1000:
            raise MediaError(f"{path}: {fps} frames a second cannot be made; ask for more than 0 and at most 1000.")
        self.path, self.fps, self.start, self.end = located(path), float(fps), start, end
        self._format = "gray" if grey else "rgb24"
        self.damaged: list[Span] = []
        self._aspect: Fraction | None = None  # width of a pixel over its height
        with open_container(path) as container:
            self.info: MediaInfo = media_info(container, self.path)
        if self.info.video is None:
            raise MediaError(f"{path}: holds no video; give a file with a picture, or ask for the sound only.")

    def __iter__(self) -> Iterator[Frame]:
        self.damaged = []
        upright: _Upright | None = None
        index, waiting = 0, 0  # `waiting`: frames due before the first good picture
        good: VideoFrame | np.ndarray | None = None
        finish = 0.0
        for shot in self._shots():
            finish = shot.end
            if shot.damaged:
                add_span(self.damaged, shot.start, shot.end, self.start, self.end)
            if shot.frame is not None:
                good = shot.frame
            while (time := self.start + index / self.fps) + _EARLY < shot.end and self._wanted(time):
                index += 1
                if good is None:
                    waiting += 1
                    continue
                if not isinstance(good, np.ndarray):
                    upright = upright or _Upright(good, self._aspect, self._format)
                    good = upright.image(good)
                for early in range(index - 1 - waiting, index - 1):
                    yield Frame(early, self.start + early / self.fps, good, True)
                waiting = 0
                yield Frame(index - 1, time, good, shot.damaged)
        if good is None:
            raise MediaError(f"{self.path}: holds not one good picture from {self.start:g} s on; "
                             "use only its sound, or copy the file again.")
        if self.info.duration > finish + SLACK and self._wanted(finish):
            add_span(self.damaged, finish, self.info.duration, self.start, self.end)

    def _wanted(self, time: float) -> bool:
        return self.end is None or time + _EARLY < self.end

    def _shots(self) -> Iterator[_Shot]:
        """What is on the screen from when to when, without holes, up to `end`; a bad or lost picture has no `frame`."""
        last: _Shot | None = None
        step = 0.0
        for picture in self._pictures():
            shot = _Shot(picture.start, picture.end, picture.frame, picture.frame is None)
            if last is None:
                if shot.start > self.start + _EARLY:  # the first picture stands for what comes before it
                    yield _Shot(0.0, shot.start, shot.frame, shot.damaged or shot.start > LATE)
            else:
                yield last._replace(end=shot.start if picture.hole is None else picture.hole)
                if picture.hole is not None:
                    yield _Shot(picture.hole, shot.start, None, True)
                step = shot.start - last.start
            last = shot
            if not self._wanted(shot.start):
                return
        if last is not None:
            # Matroska with a varying rate gives the last picture a nominal duration of a millisecond or none.
            lasting = last.end - last.start
            yield last if lasting > step / 2 else last._replace(end=last.start + min(step, 0.2))

    def _pictures(self) -> Iterator[Picture]:
        """Each picture of the file once, in media seconds and presentation order, from a little before `start`."""
        after, position = -np.inf, self.start
        large = self.info.video.width * self.info.video.height > _LARGE
        for threads in (min(_LARGE_THREADS if large else _MAX_THREADS, os.cpu_count() or 1), 1):
            try:
                for picture in self._decode(threads, position):
                    if picture.start > after:
                        after = picture.start
                        yield picture
                return
            except _TailLost:
                position = max(self.start, after)

    def _decode(self, threads: int, position: float) -> Iterator[Picture]:
        import av

        with open_container(self.path) as container:
            stream = video_stream(container)
            decoder = stream.codec_context
            decoder.options = decoder_options()
            decoder.thread_type, decoder.thread_count = "AUTO", threads
            self._aspect = decoder.sample_aspect_ratio
            zero = time_zero(container)
            nominal = min(1.0, 1 / float(stream.average_rate or 25))
            ledger = Ledger(decoder.name, float(stream.time_base), nominal, zero)
            if position > 0:
                seek_before(container, stream, position, zero)
            for packet, skipped in packets(container, stream):
                ledger.packet(packet, skipped)
                try:
                    frames = decoder.decode(packet)
                except av.FFmpegError:
                    ledger.error()
                    continue
                for frame in frames:
                    yield from ledger.frame(frame)
            try:
                frames = decoder.decode(None)
            except av.FFmpegError as error:
                if threads > 1:
                    raise _TailLost from error
                frames = []
            for frame in frames:
                yield from ledger.frame(frame)
            yield from ledger.finish()


class _Shot(NamedTuple):
    start: float
    end: float
    frame: VideoFrame | None
    damaged: bool


class _TailLost(Exception):
    """A decoder with several threads met a bad packet while it was being emptied, and PyAV cannot get at the rest."""


class _Upright:
    """Turns decoded pictures into upright RGB, or grey, of one size with square pixels, that of the first picture."""

    def __init__(self, first: VideoFrame, aspect: Fraction | None, format: str) -> None:
        from av.video.reformatter import VideoReformatter

        self._scaler = VideoReformatter()  # kept, because a new one costs more than a conversion
        self._turn, self._format = _turn(first), format
        self._width, self._height = first.width, first.height
        if aspect and 0.25 <= aspect <= 4:  # what lies outside is a broken header
            wide = round(first.width * aspect)
            self._width = wide if wide * first.height <= MAX_PIXELS else first.width

    def image(self, frame: VideoFrame) -> np.ndarray:
        """(H, W, 3) uint8, or (H, W) of grey, C-contiguous."""
        image = self._scaler.reformat(frame, self._width, self._height, self._format, threads=1).to_ndarray()
        transposed, flip_x, flip_y = self._turn
        if transposed or flip_x or flip_y:
            import cv2  # numpy needs 10 ms to turn a 640x480 picture, OpenCV 0.3

            image = cv2.transpose(image) if transposed else image
            if flip_x or flip_y:
                image = cv2.flip(image, -1 if flip_x and flip_y else 1 if flip_x else 0)
        return np.ascontiguousarray(image)


def _turn(frame: VideoFrame) -> tuple[bool, bool, bool]:
    """(transpose, then flip left-right, then flip top-bottom) from the display matrix (ISO/IEC 14496-12, 8.3.2).

    The matrix is a b u, c d v, x y w, and a stored point (p, q) is shown at (a p + c q, b p + d q).
    """
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return False, False, False
    a, b, _, c, d = np.frombuffer(bytes(data), dtype=np.int32)[:5].tolist()
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return False, a < 0, d < 0
    return True, c < 0, b < 0
