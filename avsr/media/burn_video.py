"""A video with its captions drawn into the pictures, its own sound copied: for players and sites that show no captions."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from avsr.errors import MediaError
from avsr.files import written_beside
from avsr.media.burn import burn_captions
from avsr.media.captions import Cue
from avsr.media.container import audio_stream, codec_name, open_container, packets, time_zero
from avsr.media.video import Frame, VideoReader
from avsr.media.x264 import steady_options

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.packet import Packet

# Sound that players of MP4 know; the rest goes into Matroska, which holds anything.
_IN_MP4 = {"aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"}
_CLOCK = 90_000  # ticks a second
# Pictures a second: at the least, for captions come with a picture, else the usual; and at the most.
_SLOWEST, _USUAL, _FASTEST = 12.0, 25.0, 60.0


def burn_video(video: Path, cues: Sequence[Cue], target: Path, progress: Callable[[float], None] | None = None) -> Path:
    """Write `target`.mp4, or .mkv where the sound is of a kind that MP4 does not hold, whole or not at all.

    The pictures are upright, at the video's own mean rate, as H.264; the sound's packets are those of the video. Damaged pictures are
    what a player shows there. Memory does not grow with the length.

    Args:
        video: anything with pictures that avsr.media opens.
        cues: in media seconds; those that are on at once stand above one another.
        progress: told the media second that is written.

    Returns:
        The file.

    Raises:
        MediaError: there is no picture, the font is missing, or the file cannot be written.
    """
    import av

    reader = VideoReader(video)
    fps = min(reader.info.video.fps, _FASTEST)
    fps = fps if fps >= _SLOWEST else _USUAL
    reader.fps = fps
    with open_container(video) as source:
        sound = audio_stream(source)
        kind = "mp4" if sound is None or codec_name(sound) in _IN_MP4 else "matroska"
        path = target.with_name(f"{target.name}.{'mp4' if kind == 'mp4' else 'mkv'}")
        try:
            with written_beside(path) as temporary:
                _write(temporary, kind, reader, sound, _packets(source, sound), cues, progress)
        except av.FFmpegError as error:
            raise MediaError(f"{video}: its captions cannot be drawn into it ({error.strerror}); use the files beside it.") from error
        except OSError as error:
            raise MediaError(f"{path}: cannot be written ({error.strerror}); check the folder.") from error
    return path


def _write(
    name: str, kind: str, reader: VideoReader, sound: AudioStream | None, copied: Iterator[tuple[float, Packet]], cues: Sequence[Cue],
    progress: Callable[[float], None] | None,
) -> None:
    import av

    with av.open(name, "w", format=kind) as out:
        pictures = out.add_stream("libx264", rate=Fraction(reader.fps).limit_denominator(1001))
        pictures.pix_fmt, pictures.codec_context.time_base = "yuv420p", Fraction(1, _CLOCK)
        pictures.options = {"crf": "20", "preset": "veryfast"} | steady_options()
        copy = None if sound is None else out.add_stream_from_template(sound)
        waiting = next(copied, None)
        for frame in reader:
            image = _captioned(frame, cues)
            if not frame.index:
                pictures.height, pictures.width = image.shape[:2]
            picture = av.VideoFrame.from_ndarray(image, format="rgb24")
            picture.pts, picture.time_base = round(frame.time * _CLOCK), Fraction(1, _CLOCK)
            out.mux(pictures.encode(picture))
            while waiting is not None and waiting[0] <= frame.time:  # in step, so that nothing piles up
                waiting = _copy(out, copy, waiting[1], copied)
            if progress is not None and frame.index % 25 == 0:
                progress(frame.time)
        out.mux(pictures.encode(None))
        while waiting is not None:
            waiting = _copy(out, copy, waiting[1], copied)


def _captioned(frame: Frame, cues: Sequence[Cue]) -> np.ndarray:
    """The picture with what is on at its time, both sides even (4:2:0 wants that)."""
    height, width = frame.image.shape[:2]
    image = frame.image[: height - height % 2, : width - width % 2]
    on = [cue.text for cue in cues[: bisect.bisect_right(cues, frame.time, key=lambda cue: cue.start)] if frame.time < cue.end]
    if on:
        image = image.copy()  # a repeated picture is the same array
        burn_captions(image[None], 1.0, [Cue(0.0, 1.0, "\n".join(on))])
    return np.ascontiguousarray(image)


def _packets(source, sound: AudioStream | None) -> Iterator[tuple[float, Packet]]:
    """(media second, packet) of the sound, in the times by which it is read for recognising."""
    if sound is None:
        return
    zero = time_zero(source)
    for packet, _ in packets(source, sound):
        if packet.dts is None or packet.pts is None:
            continue
        shift = round(zero / float(packet.time_base))
        packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
        yield float(packet.pts * packet.time_base), packet


def _copy(out: OutputContainer, stream: AudioStream, packet: Packet, copied: Iterator[tuple[float, Packet]]) -> tuple[float, Packet] | None:
    packet.stream = stream
    out.mux(packet)
    return next(copied, None)
