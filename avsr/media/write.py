"""Writes pictures, with or without sound, as an MP4 file that any player shows."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import numpy as np

from avsr.errors import MediaError
from avsr.files import replace_file
from avsr.media.audio import SAMPLE_RATE
from avsr.media.x264 import steady_options

_CLOCK = 90_000  # ticks a second, in which 25 and 30 pictures a second are whole numbers


def write_video(path: Path, frames: np.ndarray, fps: float, samples: np.ndarray | None = None) -> None:
    """Write (T, H, W, 3) RGB or (T, H, W) grey uint8 pictures as H.264, and (N,) float samples at 16 kHz as AAC.

    Whole or not at all. Picture t is shown at t / fps seconds; sound is cut or padded to the pictures' length. The same
    input gives the same bytes. MediaError where there is no picture, or its sides are not even (4:2:0 wants that).
    """
    import av

    path, frames = Path(path), np.asarray(frames)
    if not len(frames) or frames.dtype != np.uint8 or frames.ndim not in (3, 4):
        raise MediaError(f"{path}: pictures must be (T, H, W[, 3]) uint8, one or more, not {frames.dtype} {frames.shape}.")
    height, width = frames.shape[1:3]
    if height % 2 or width % 2:
        raise MediaError(f"{path}: pictures of {width}x{height} cannot be stored; make both sides even.")
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.codec_context.time_base = Fraction(1, _CLOCK)
        video.codec_context.thread_count = 1  # with more, the bytes would depend on the machine's cores
        video.options = {"crf": "20", "preset": "veryfast"} | steady_options()
        sound = None
        if samples is not None:
            sound = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
            sound.bit_rate = 64_000
            pending = _sound_packets(sound, samples, round(len(frames) / fps * SAMPLE_RATE))
        for index, picture in enumerate(frames):
            form = "rgb24" if picture.ndim == 3 else "gray"
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=form)
            frame.pts, frame.time_base = round(index / fps * _CLOCK), Fraction(1, _CLOCK)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if sound is not None:
            for packet in pending:
                container.mux(packet)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, buffer.getvalue())


def _sound_packets(stream, samples: np.ndarray, length: int):
    """The samples, made `length` long, as the stream's packets."""
    import av

    fitted = np.zeros(length, np.float32)
    fitted[: min(length, len(samples))] = samples[:length]
    frame = av.AudioFrame.from_ndarray(np.clip(fitted, -1, 1)[None], format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, 0, Fraction(1, SAMPLE_RATE)
    yield from stream.encode(frame)
    yield from stream.encode(None)
