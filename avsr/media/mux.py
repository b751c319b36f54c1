"""A video with its captions as a track of its own, which players show and hide; pictures and sound are copied as they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from avsr.errors import MediaError
from avsr.files import written_beside
from avsr.media.captions import ASS_HEAD, Cue
from avsr.media.container import audio_stream, codec_name, open_container, time_zero, video_stream

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet

# What players of MP4 know; with anything else the file becomes Matroska, which holds all.
_IN_MP4 = {"h264", "hevc", "av1", "vp9", "mpeg4", "mjpeg", "aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"}
_LANGUAGE = "kor"  # ISO 639-2


def mux_captions(video: Path, cues: Sequence[Cue], target: Path) -> Path:
    """Write `target`.mp4, or .mkv where MP4 does not hold the video's own streams, whole or not at all.

    Args:
        video: anything that avsr.media opens.
        cues: in media seconds, by when they begin.

    Returns:
        The file.

    Raises:
        MediaError: the video cannot be read, or the file not be written.
    """
    import av

    with open_container(video) as source:
        streams = [stream for stream in (video_stream(source), audio_stream(source)) if stream is not None]
        mp4 = all(codec_name(stream) in _IN_MP4 for stream in streams)
        path = target.with_name(f"{target.name}.{'mp4' if mp4 else 'mkv'}")
        try:
            with written_beside(path) as temporary, av.open(temporary, "w", format="mp4" if mp4 else "matroska") as out:
                _copy(source, streams, out, "mov_text" if mp4 else "subrip", cues)
        except av.FFmpegError as error:
            raise MediaError(f"{video}: captions cannot be put beside it ({error.strerror}); use the files of captions.") from error
        except OSError as error:
            raise MediaError(f"{path}: cannot be written ({error.strerror}); check the folder.") from error
    return path


def _copy(source: InputContainer, streams: list, out: OutputContainer, codec: str, cues: Sequence[Cue]) -> None:
    zero = time_zero(source)
    copies = {stream.index: out.add_stream_from_template(stream) for stream in streams}
    captions = out.add_stream(codec)
    captions.time_base = captions.codec_context.time_base = Fraction(1, 1000)
    captions.codec_context.subtitle_header = ASS_HEAD.encode()
    captions.metadata["language"] = _LANGUAGE
    waiting = _packets(captions, cues)
    packet = next(waiting, None)
    for copied in _with_times(source.demux(*streams)):
        shift = round(zero / float(copied.time_base))
        copied.dts, copied.pts = copied.dts - shift, None if copied.pts is None else copied.pts - shift
        now = float(copied.dts * copied.time_base)
        while packet is not None and packet[0] <= now:  # in step, so that nothing piles up
            out.mux(packet[1])
            packet = next(waiting, None)
        copied.stream = copies[copied.stream_index]
        out.mux(copied)
    while packet is not None:
        out.mux(packet[1])
        packet = next(waiting, None)


def _with_times(packets: Iterable[Packet]) -> Iterator[Packet]:
    """The packets that hold something, each with a decoding time. A Matroska file does not say those of the first pictures where pictures
    are shown in another order than they are stored: they lie before the first that is known, a picture's time apart."""
    waiting: dict[int, list[Packet]] = {}
    for packet in packets:
        early = waiting.setdefault(packet.stream_index, [])
        if not packet.size:  # what ends a stream
            continue
        if packet.dts is None:
            early.append(packet)
            continue
        for back, before in enumerate(reversed(early), 1):
            before.dts = packet.dts - back * (packet.duration or 1)
        yield from early
        early.clear()
        yield packet
    for packet in (packet for early in waiting.values() for packet in early if packet.pts is not None):
        packet.dts = packet.pts
        yield packet


def _packets(stream, cues: Sequence[Cue]) -> Iterator[tuple[float, Packet]]:
    """(media second, packet). A track holds one caption at a time: those that overlap are cut up, and stand above one another."""
    from av.subtitles.subtitle import SubtitleSet

    for number, (start, end, text) in enumerate(_one_at_a_time(cues)):
        # FFmpeg's encoders take ASS, in which braces and backslashes are commands and have no escape that they would take out again.
        text = text.replace("\\", "＼").replace("{", "｛").replace("}", "｝").replace("\n", "\\N")
        line = f"{number},0,Default,,0,0,0,,{text}"
        packet = stream.codec_context.encode_subtitle(SubtitleSet.create(line.encode(), 0, round((end - start) * 1000), 0))
        packet.pts = packet.dts = round(start * 1000)
        packet.duration = round((end - start) * 1000)
        packet.time_base = Fraction(1, 1000)
        packet.stream = stream
        yield start, packet


def _one_at_a_time(cues: Sequence[Cue]) -> list[tuple[float, float, str]]:
    edges = sorted({round(time, 3) for cue in cues for time in (cue.start, cue.end)})
    found = []
    for start, end in zip(edges, edges[1:]):
        on = [cue.text for cue in cues if cue.start < end - 1e-6 and start < cue.end - 1e-6]
        if not on:
            continue
        text = "\n".join(on)
        if found and found[-1][1] == start and found[-1][2] == text:
            found[-1] = (found[-1][0], end, text)
        else:
            found.append((start, end, text))
    return found
