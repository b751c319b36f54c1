"""Videos as the interface tells of them: dictionaries for JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from avsr.app.jobs import BURN, CAPTIONS, SqliteJobs
from avsr.app.store import StoredCue, Video
from avsr.app.uploads import Uploads

# Why a mode was taken where that was left to the server, as a code, which the page has in its reader's language.
_REASONS = {"no face was found in it": "no_face", "its sound is silent": "silent"}


def video_view(video: Video, uploads: Uploads) -> dict[str, Any]:
    """A video without its captions."""
    jobs: SqliteJobs = uploads.jobs
    reading, burning = jobs.progress(video.id, CAPTIONS), jobs.progress(video.id, BURN)
    offset = uploads.offset(video) if video.state == "uploading" else video.size
    progress = {"step": "queued", "done": 0.0, "total": video.duration, "left": None, "position": None}
    if reading is not None:
        progress = {name: value for name, value in asdict(reading).items() if name != "state"}
    burn = {"state": "none", "done": 0.0, "total": video.duration}
    if burning is not None:
        burn = {"state": burning.state, "done": burning.done, "total": burning.total or video.duration}
    error = None if video.error_code is None else {"code": video.error_code, "message": video.error_message}
    return {
        "id": video.id, "name": video.name, "state": video.state, "size": video.size, "offset": offset, "created": video.created,
        "expires": video.expires, "duration": video.duration, "has_picture": video.picture, "has_sound": video.sound, "mode": video.mode,
        "used": video.used, "reason": _REASONS.get(video.reason, ""), "progress": progress, "error": error, "burn": burn,
    }  # fmt: skip


def cue_view(cue: StoredCue) -> dict[str, Any]:
    """A caption."""
    return asdict(cue)
