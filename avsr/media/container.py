"""Opens a media file under limits, so that a hostile one can neither read other files nor exhaust memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from avsr.errors import MediaError

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

MAX_PIXELS = 4096 * 4096
"""Largest picture decoded: a 424 KB MP4 of 12000x12000 takes over 1 GB, so it is refused before decoding."""

# Containers that hold their own media. Playlists (hls, concat, dash) and picture sequences are left out because
# they name other files, which FFmpeg would then read whatever the file's own name says.
CONTAINERS = (
    "mov,matroska,avi,mpegts,mpeg,flv,asf,ogg,wav,w64,flac,mp3,aac,aiff,caf,au,amr,ac3,mxf,nut,dv,ivf,rm"
)

_MAX_BAD_READS = 50

_OPTIONS = {"format_whitelist": CONTAINERS, "protocol_whitelist": "file", "max_pixels": str(MAX_PIXELS)}


def open_container(path: str | Path) -> InputContainer:
    """Open a local media file with FFmpeg; MediaError, one sentence, when it is not one."""
    import av

    path = Path(path)
    _check_file(path)
    try:
        # "file:" keeps a name such as "concat:a" or "http:b" from being taken for a protocol.
        return av.open(f"file:{path}", mode="r", options=_OPTIONS, metadata_errors="replace")
    except av.FFmpegError as error:
        raise MediaError(f"{path}: cannot be read as media ({_reason(error)}); give a video or sound file, "
                         "such as MP4, MOV, MKV, WebM, AVI or WAV.") from error


def _check_file(path: Path) -> None:
    if not path.exists():
        raise MediaError(f"{path}: no such file.")
    if path.is_dir():
        raise MediaError(f"{path}: is a folder, not a media file; give a file in it.")
    if not path.is_file():
        raise MediaError(f"{path}: is not a plain file; save the media as a file first.")
    if path.stat().st_size == 0:
        raise MediaError(f"{path}: is empty; record or copy it again.")


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


def video_stream(container: InputContainer) -> VideoStream | None:
    """The first real video stream; a cover picture in a sound file is none."""
    from av.stream import Disposition

    for stream in container.streams.video:
        if stream.codec_context is not None and not stream.disposition & Disposition.attached_pic:
            return stream
    return None


def audio_stream(container: InputContainer) -> AudioStream | None:
    """The sound stream a player picks: the one marked default, else the first that can be decoded."""
    from av.stream import Disposition

    streams = [s for s in container.streams.audio if s.codec_context is not None]
    marked = [s for s in streams if s.disposition & Disposition.default]
    return (marked or streams or [None])[0]


def time_zero(container: InputContainer) -> float:
    """Media time zero in the file's own clock, seconds: where the earlier of video and sound starts.

    MPEG-TS clocks start anywhere, so players count from the first picture or sound; a negative start is encoder
    delay, which the decoder cuts off itself.
    """
    starts = []
    for stream in (video_stream(container), audio_stream(container)):
        if stream is not None and stream.start_time is not None:
            starts.append(float(stream.start_time * stream.time_base))
    return max(0.0, min(starts, default=0.0))


def packets(container: InputContainer, stream: VideoStream | AudioStream) -> Iterator[Packet]:
    """The stream's packets, empty ones left out; a place that cannot be read is stepped over.

    A demuxer that meets a bad place says so once and goes on behind it at the next call, so it is asked again; one
    that cannot go on (the rest of a file cut short) says so each time, and _MAX_BAD_READS in a row end the stream.
    """
    import av

    bad_reads = 0
    while bad_reads < _MAX_BAD_READS:
        try:
            for packet in container.demux(stream):
                if packet.size:
                    bad_reads = 0
                    yield packet
            return
        except av.FFmpegError:
            bad_reads += 1


def seek_before(container: InputContainer, stream: VideoStream | AudioStream, time: float, zero: float) -> None:
    """Move to a key packet of `stream` at or before media second `time`, or else to the start of the file.

    MPEG-TS has no index and lands between key pictures, so what was reached is looked at before it is trusted.
    """
    import av

    target = round((zero + time) / stream.time_base)
    for back in (0.0, 12.0):  # a key picture every 10 s is x264's default at 25 fps
        try:
            container.seek(round((zero + max(0.0, time - back)) / stream.time_base), stream=stream)
        except av.FFmpegError:
            break
        for packet in packets(container, stream):
            if packet.pts is None or packet.pts > target:
                break
            if packet.is_keyframe:
                container.seek(round((zero + max(0.0, time - back)) / stream.time_base), stream=stream)
                return
    container.seek(0)

