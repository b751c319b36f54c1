"""Opens a media file under limits, so that a hostile one can neither read other files nor exhaust memory."""

from __future__ import annotations

import itertools
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

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

_BETWEEN = 128
"""Bytes between two packets of a sound Matroska file: block and cluster headers take less (RFC 9559)."""

_DECODING = {"max_pixels": str(MAX_PIXELS)}
_OPTIONS = {"format_whitelist": CONTAINERS, "protocol_whitelist": "file"}
_READ_AHEAD = 1 << 18
"""Bytes fetched at a time from what is no file: each fetch is a call into Python."""


@dataclass(frozen=True)
class Inside:
    """Media inside something larger, as a member of an archive: `name` is for messages, `open` gives its bytes from their start, seekable."""

    name: str
    open: Callable[[], BinaryIO]

    def __str__(self) -> str:
        return self.name


def allow_decoders(names: Iterable[str]) -> None:
    """Let FFmpeg open only these decoders in this process, by its own names for them, whatever a file asks for: not for reading, and not
    for seeing what it holds either. For processes that open what strangers send; without it, all that FFmpeg has."""
    _DECODING["codec_whitelist"] = ",".join(sorted(names))


def decoder_options() -> dict[str, str]:
    """What every decoder is to be opened with."""
    return dict(_DECODING)


def codec_name(stream: VideoStream | AudioStream) -> str:
    """FFmpeg's name of what a stream is coded in: "mp3", where the decoder that was chosen for it is "mp3float"."""
    return stream.codec_context.codec.canonical_name


def located(path: str | Path | Inside) -> Path | Inside:
    """A path given as text as a Path."""
    return path if isinstance(path, Inside) else Path(path)


def open_container(path: str | Path | Inside) -> InputContainer:
    """Open local media with FFmpeg; MediaError, one sentence, when it is none."""
    import av

    if isinstance(path, Inside):
        try:
            return av.open(path.open(), mode="r", options=_OPTIONS | _DECODING, metadata_errors="replace", buffer_size=_READ_AHEAD)
        except av.FFmpegError as error:
            raise MediaError(f"{path}: {_told(error)}") from error
    path = Path(path)
    _check_file(path)
    try:
        # "file:" keeps a name such as "concat:a" or "http:b" from being taken for a protocol.
        return av.open(f"file:{path}", mode="r", options=_OPTIONS | _DECODING, metadata_errors="replace")
    except av.FFmpegError as error:
        raise MediaError(f"{path}: {_reason(path, error)}") from error


def _check_file(path: Path) -> None:
    try:
        state = path.stat()
        if stat.S_ISREG(state.st_mode):
            path.open("rb").close()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # a zero byte in the name is a ValueError
        raise MediaError(f"{path}: no such file; check the path.") from None
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror}); check its name and permissions.") from None
    if stat.S_ISDIR(state.st_mode):
        raise MediaError(f"{path}: is a folder, not a media file; give a file in it.")
    if not stat.S_ISREG(state.st_mode):
        raise MediaError(f"{path}: is not a plain file; save the media as a file first.")
    if state.st_size == 0:
        raise MediaError(f"{path}: is empty; record or copy it again.")


def _reason(path: Path, error: Exception) -> str:
    with path.open("rb") as file:
        mp4 = file.read(8)[4:] == b"ftyp"
    if mp4 and isinstance(error, ValueError):  # FFmpeg's "invalid data" is a ValueError, a full disk is not
        return "is an MP4 without its index, as a recording that was cut short leaves it; copy or record it again."
    return _told(error)


def _told(error: Exception) -> str:
    told = getattr(error, "strerror", None) or error
    return f"cannot be read as media ({told}); give a video or sound file such as MP4, MOV, MKV, WebM, AVI or WAV."


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


class Read(NamedTuple):
    """A packet as read; `skipped`: bytes before it belong to no packet (None where the container cannot tell)."""

    packet: Packet
    skipped: bool | None


def packets(container: InputContainer, stream: VideoStream | AudioStream) -> Iterator[Read]:
    """The stream's packets with timestamps that do not go back, empty ones left out.

    Where a decoding time leaves the run of those before it by over a second, the next packet decides: if that one
    is back in the run, the timestamp was damaged and the run's own is put in its place; if not, and the times went
    back, a second recording follows (joined MPEG-TS), which is moved to where the first one ends.
    """
    second = 1 / stream.time_base
    shift, due, held = 0, None, None  # `due`: decoding time at which the next packet is expected

    def fits(read: Read) -> bool:
        dts = read.packet.dts
        return due is None or dts is None or abs(dts + shift - due) <= second

    for read in itertools.chain(_read(container, stream), [None]):
        ready = []
        if held is not None:
            packet = held.packet
            if read is not None and fits(read):
                packet.pts = packet.dts = due
            else:
                shift = due - packet.dts if packet.dts + shift < due else shift
                _move(packet, shift)
            due = packet.dts + (packet.duration or 0)
            ready.append(held)
            held = None
        if read is not None and fits(read):
            if read.packet.dts is not None:
                _move(read.packet, shift)
                due = read.packet.dts + (read.packet.duration or 0)
            ready.append(read)
        elif read is not None:
            held = read
        yield from ready


def _move(packet: Packet, by: int) -> None:
    if by:
        packet.dts += by
        if packet.pts is not None:
            packet.pts += by


def _read(container: InputContainer, stream: VideoStream | AudioStream) -> Iterator[Read]:
    """The stream's packets as they lie in the file; a place that cannot be read is stepped over.

    A demuxer that meets a bad place says so once and goes on behind it at the next call, so it is asked again; one
    that cannot go on (the rest of a file cut short) says so each time, and _MAX_BAD_READS in a row end the stream.
    Matroska's says nothing at all, but there the packets of all streams follow on each other, so bytes between two
    of them show what it stepped over.
    """
    import av

    trail = "matroska" in container.format.name
    streams = container.streams if trail else [stream]
    bad_reads, reached, skipped = 0, None, False
    while bad_reads < _MAX_BAD_READS:
        try:
            for packet in container.demux(*streams):
                if not packet.size:
                    continue
                bad_reads = 0
                if trail and packet.pos is not None:
                    skipped = skipped or (reached is not None and packet.pos - reached > _BETWEEN)
                    reached = packet.pos + packet.size
                if packet.stream_index == stream.index:
                    yield Read(packet, skipped if trail else None)
                    skipped = False
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
        for packet, _ in _read(container, stream):
            if packet.pts is None or packet.pts > target:
                break
            if packet.is_keyframe:
                container.seek(round((zero + max(0.0, time - back)) / stream.time_base), stream=stream)
                return
    container.seek(0)

