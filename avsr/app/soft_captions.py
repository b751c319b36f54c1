"""A video with a track of captions, for who downloads it: made in a process of its own, under limits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

from avsr.app.children import Children
from avsr.app.codecs import allow_usual_codecs
from avsr.app.process import limit_process
from avsr.errors import AvsrError
from avsr.media.captions import Cue

_MEMORY = 1500 << 20  # of addresses, most of which are FFmpeg's libraries
_SECONDS, _PACE = 20, 10 << 20  # seconds, and one more for so many bytes: a tenth of what a slow disk copies
_ROOM = 16 << 20  # bytes beyond a quarter more than the video's own: another container's frame around each packet


async def soft_captions(children: Children, video: Path, cues: Sequence[Cue], target: Path) -> Path:
    """`avsr.media.mux.mux_captions` in a child process.

    Raises:
        AvsrError: the video cannot be read, or takes too much memory, time or disk.
    """
    size = video.stat().st_size
    seconds = _SECONDS + size // _PACE
    task = {
        "task": "mux", "video": str(video), "cues": [astuple(cue) for cue in cues], "target": str(target),
        "limits": [_MEMORY, seconds, size + size // 4 + _ROOM],
    }  # fmt: skip
    answer = await children.ask(task, 2.0 * seconds)
    if "error" in answer:
        raise AvsrError(answer["error"])
    return target.with_name(answer["name"])


def mux_here(video: str, cues: list[list], target: str, limits: list[int]) -> None:
    """The child's part."""
    from avsr.errors import MediaError
    from avsr.media.mux import mux_captions

    allow_usual_codecs()
    limit_process(*limits)
    try:
        answer = {"name": mux_captions(Path(video), [Cue(*cue) for cue in cues], Path(target)).name}
    except MediaError as error:
        answer = {"error": str(error).removeprefix(f"{video}: ")}
    print(json.dumps(answer), flush=True)
