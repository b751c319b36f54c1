"""Says what a media file holds (streams, sizes, rates, length) without decoding it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from avsr.errors import MediaError
from avsr.media.container import MAX_PIXELS, Inside, audio_stream, codec_name, located, open_container, time_zero, video_stream

if TYPE_CHECKING:
    from av.container import InputContainer


LATE = 0.1
"""Seconds by which a stream may start after the other without being damaged: reordering and encoder delay."""

SLACK = 0.25
"""Seconds by which a stream may end before its header says so without being cut short."""


@dataclass(frozen=True)
class Span:
    """A piece of media time, in seconds, `start` included and `end` not."""

    start: float
    end: float


@dataclass(frozen=True)
class VideoInfo:
    """The video stream as stored: pixels before rotation, mean frames a second (0 if unknown), start in media time."""

    codec: str
    width: int
    height: int
    fps: float
    start: float


@dataclass(frozen=True)
class AudioInfo:
    """The audio stream as stored: samples a second, channels, start in media time (s)."""

    codec: str
    rate: int
    channels: int
    start: float


@dataclass
class MediaInfo:
    """What a file holds; `duration` is in seconds from media time zero, as its header says (0 if it does not)."""

    path: Path | Inside
    duration: float
    video: VideoInfo | None
    audio: AudioInfo | None


def probe(path: str | Path | Inside) -> MediaInfo:
    """Read a file's header. MediaError if it is not media, holds neither stream, or is over the limits."""
    with open_container(path) as container:
        return media_info(container, located(path))


def media_info(container: InputContainer, path: Path | Inside) -> MediaInfo:
    """The same of a container that is open already."""
    zero = time_zero(container)
    video, audio = video_stream(container), audio_stream(container)
    if video is None and audio is None:
        raise MediaError(f"{path}: holds neither video nor sound; give a recording of a speaker.")
    if video is not None and video.codec_context.width * video.codec_context.height > MAX_PIXELS:
        size = f"{video.codec_context.width}x{video.codec_context.height}"
        raise MediaError(f"{path}: a picture of {size} is over the limit of {MAX_PIXELS} pixels; scale it down first.")
    return MediaInfo(path, _duration(container, zero), _video_info(video, zero), _audio_info(audio, zero))


def _duration(container: InputContainer, zero: float) -> float:
    ends = []
    for stream in (video_stream(container), audio_stream(container)):
        if stream is not None and stream.duration is not None:
            ends.append(float(((stream.start_time or 0) + stream.duration) * stream.time_base) - zero)
    if not ends and container.duration is not None:
        ends.append(container.duration / 1e6 - zero)  # Matroska and FLV count from 0, not from the first picture
    return max(0.0, max(ends, default=0.0))


def _video_info(stream, zero: float) -> VideoInfo | None:
    if stream is None:
        return None
    context = stream.codec_context
    start = max(0.0, float((stream.start_time or 0) * stream.time_base) - zero)
    return VideoInfo(codec_name(stream), context.width, context.height, float(stream.average_rate or 0), start)


def _audio_info(stream, zero: float) -> AudioInfo | None:
    if stream is None:
        return None
    context = stream.codec_context
    start = max(0.0, float((stream.start_time or 0) * stream.time_base) - zero)
    return AudioInfo(codec_name(stream), context.sample_rate, context.channels, start)


def check_range(path: str | Path | Inside, start: float, end: float | None) -> None:
    """MediaError unless 0 <= start < end."""
    if not 0 <= start < float("inf") or (end is not None and not start < end):
        raise MediaError(f"{path}: cannot be read from {start} to {end} s; give 0 <= start < end in seconds.")


def add_span(spans: list[Span], start: float, end: float, low: float, high: float | None) -> None:
    """Append the part of [start, end) that lies in [low, high) to time-ordered spans, joined if it touches."""
    start, end = max(start, low), end if high is None else min(end, high)
    if end - start <= 1e-6:
        return
    if spans and start <= spans[-1].end + 1e-3:
        spans[-1] = Span(spans[-1].start, max(end, spans[-1].end))
    else:
        spans.append(Span(start, end))
