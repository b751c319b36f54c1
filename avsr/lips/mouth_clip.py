"""A mouth clip, 96x96 grey at 25 frames a second with a confidence for each frame, and its compressed file."""

import io
import json
import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from avsr.errors import MediaError
from avsr.files import replace_file
from avsr.media.x264 import steady_options
from avsr.lips.crop import SIDE

FPS = 25
BYTES_A_SECOND = 10_000  # 30 KB for 3 seconds: 1,150 hours of mouths in 41 GB
_MIN_BYTES = 4_000  # the container itself; a clip of a few frames cannot be smaller
_QUALITIES = (18, 21, 24, 27, 30, 34, 38, 44, 51)  # x264's constant rate factors, best first, 51 is its last


@dataclass
class MouthClip:
    """frames (T, 96, 96) uint8, confidence (T,) float32 in 0..1, start in media seconds of the first frame."""

    frames: np.ndarray
    confidence: np.ndarray
    start: float = 0.0

    def __post_init__(self) -> None:
        if self.frames.ndim != 3 or self.frames.shape[1:] != (SIDE, SIDE) or self.frames.dtype != np.uint8:
            raise ValueError(f"mouth clip frames must be (T, {SIDE}, {SIDE}) uint8, not {self.frames.shape}")
        if self.confidence.shape != (len(self.frames),):
            raise ValueError(f"{len(self.frames)} frames but confidence of shape {self.confidence.shape}")


def save_mouth_clip(
    clip: MouthClip, path: str | os.PathLike, *, source: dict | None = None, no_sound: str | None = None
) -> None:
    """Write the clip to `path` (X.mp4) and what goes with it to X.json, together at most 30 KB for 3 seconds.

    The best of x264's qualities that keeps within the size is taken. The .json is moved into place last: where it
    exists, the clip is whole. `source` says what the clip was made from, `no_sound` why there is no sound to it; both are kept in the .json.
    """
    path = Path(path)
    if not len(clip.frames):
        raise MediaError(f"{path}: a mouth clip without frames cannot be stored; crop a video that holds pictures.")
    limit = max(_MIN_BYTES, BYTES_A_SECOND * len(clip.frames) // FPS)
    beside = {
        "start": round(clip.start, 6),
        "fps": FPS,
        "confidence": [round(float(value), 3) for value in clip.confidence],
    }
    if source is not None:
        beside["source"] = source
    if no_sound is not None:
        beside["no_sound"] = no_sound
    text = json.dumps(beside, ensure_ascii=False).encode()
    for quality in _QUALITIES:
        video = _encode(clip.frames, quality)
        if len(video) + len(text) <= limit:
            break
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, video)
    replace_file(path.with_suffix(".json"), text)


def load_mouth_clip(path: str | os.PathLike) -> MouthClip:
    """Read back what `save_mouth_clip` wrote; MediaError when either file is missing, broken or does not match."""
    path = Path(path)
    try:
        beside = json.loads(path.with_suffix(".json").read_bytes())
    except (OSError, ValueError) as error:
        raise MediaError(f"{path.with_suffix('.json')}: not the confidence of a mouth clip ({error!r}); crop it again.") from error
    return decode_mouth_clip(str(path), beside, path)


def decode_mouth_clip(video: str | io.BytesIO, beside: dict, path: str | os.PathLike) -> MouthClip:
    """A clip of its video, a file's name or contents, and what the .json beside it holds; `path` is what errors name."""
    import av

    path = Path(path)
    try:
        confidence = np.asarray(beside["confidence"], np.float32)
        start = float(beside["start"])
    except (ValueError, KeyError, TypeError) as error:
        beside_path = path.with_suffix(".json")
        raise MediaError(f"{beside_path}: not the confidence of a mouth clip ({error!r}); crop it again.") from error
    frames = np.empty((len(confidence), SIDE, SIDE), np.uint8)
    try:
        with av.open(video, format="mp4") as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1  # starting threads costs more than 96x96 pixels
            count = 0
            for frame in container.decode(stream):
                plane = frame.planes[0]
                if count < len(frames):
                    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
                    frames[count] = rows[:SIDE, :SIDE]
                count += 1
    except (OSError, IndexError, ValueError) as error:  # av's own errors are OSErrors or ValueErrors
        raise MediaError(f"{path}: not a mouth clip ({error}); crop it again.") from error
    if count != len(frames):
        raise MediaError(f"{path}: holds {count} frames where its .json has {len(frames)}; crop it again.")
    return MouthClip(frames, confidence, start)


def _encode(frames: np.ndarray, quality: int) -> bytes:
    """(T, 96, 96) uint8 -> an MP4 file with grey H.264, at one constant rate factor."""
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width = stream.height = SIDE
        stream.pix_fmt = "gray"
        stream.codec_context.time_base = Fraction(1, FPS)
        stream.codec_context.thread_count = 1
        stream.options = {"crf": str(quality), "preset": "medium", "g": "250"} | steady_options()
        for index, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="gray")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()
