"""Looks at an uploaded file in a process of its own, under limits, before anything else opens it: what it holds, or why it is refused."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from avsr.app.children import Children
from avsr.app.codecs import AUDIO_CODECS, VIDEO_CODECS, allow_usual_codecs
from avsr.app.process import limit_process
from avsr.app.settings import Settings
from avsr.errors import AvsrError

_MAX_STREAMS = 16
_MEMORY = 1500 << 20  # of addresses, most of which are FFmpeg's libraries
_SECONDS = 5.0
_THUMBNAIL = 320  # pixels of the longer side


@dataclass(frozen=True)
class Finding:
    """What an uploaded file holds: media seconds (0 where the header does not say), a picture, sound. Or why it is refused: a code of
    the interface, and a sentence without the file's name."""

    duration: float = 0.0
    picture: bool = False
    sound: bool = False
    code: str | None = None
    message: str = ""


async def inspect(children: Children, file: Path, thumbnail: Path, settings: Settings) -> Finding:
    """Have a child process look at `file`, in `_SECONDS` at the most; it goes on to draw `thumbnail` (JPEG) after this has returned."""
    limits = {"max_seconds": settings.max_seconds, "max_pixels": settings.max_pixels}
    try:
        answer = await children.ask({"task": "inspect", "file": str(file), "thumbnail": str(thumbnail)} | limits, _SECONDS, more=_SECONDS)
    except AvsrError as error:
        return Finding(code="damaged", message=str(error))
    return Finding(**answer)


def look(file: Path, max_seconds: float, max_pixels: int) -> Finding:
    """What `file` holds, from its header; see `Finding`."""
    from avsr.errors import MediaError
    from avsr.media.container import open_container
    from avsr.media.probe import media_info

    try:
        container = open_container(file)
    except MediaError as error:
        return Finding(code="not_media", message=_without_name(error, file))
    with container:
        if len(container.streams) > _MAX_STREAMS:
            return Finding(code="damaged", message=f"it holds {len(container.streams)} streams where {_MAX_STREAMS} are taken.")
        try:
            info = media_info(container, file)
        except MediaError as error:
            return Finding(code="too_many_pixels" if "pixels" in str(error) else "no_stream", message=_without_name(error, file))
        if info.video is not None and info.video.codec not in VIDEO_CODECS:
            return Finding(code="unsupported_codec", message=f"its pictures are {info.video.codec}; convert it to H.264.")
        if info.audio is not None and info.audio.codec not in AUDIO_CODECS:
            return Finding(code="unsupported_codec", message=f"its sound is {info.audio.codec}; convert it to AAC.")
    if info.video is not None and info.video.width * info.video.height > max_pixels:
        size = f"{info.video.width}x{info.video.height}"
        return Finding(code="too_many_pixels", message=f"its pictures are {size}; scale them down to {max_pixels} pixels or fewer.")
    if info.duration > max_seconds:
        return Finding(code="too_long", message=f"it is {info.duration:.0f} s long; {max_seconds:.0f} s are taken.")
    return Finding(round(info.duration, 3), info.video is not None, info.audio is not None)


def draw_thumbnail(file: Path, thumbnail: Path, duration: float) -> None:
    """A picture from the first third of the video, at most `_THUMBNAIL` pixels wide or high; none where there is none to be had."""
    import io

    from PIL import Image

    from avsr.errors import MediaError
    from avsr.files import replace_file
    from avsr.media.video import VideoReader

    try:
        frame = next(iter(VideoReader(file, start=min(1.0, duration / 3))), None)
    except MediaError:
        return
    if frame is None:
        return
    image = Image.fromarray(frame.image)
    image.thumbnail((_THUMBNAIL, _THUMBNAIL))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    replace_file(thumbnail, buffer.getvalue())


def _without_name(error: Exception, file: Path) -> str:
    return str(error).removeprefix(f"{file}: ")


def inspect_here(file: str, thumbnail: str, max_seconds: float, max_pixels: int) -> None:
    """The child's part."""
    allow_usual_codecs()
    limit_process(_MEMORY, int(_SECONDS), 1 << 20)
    finding = look(Path(file), max_seconds, max_pixels)
    print(json.dumps(asdict(finding)), flush=True)
    if finding.picture:
        draw_thumbnail(Path(file), Path(thumbnail), finding.duration)
