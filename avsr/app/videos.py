"""The interface to one's videos: /api/videos, their captions, media and events."""

from __future__ import annotations

import asyncio
import json
import time
import unicodedata
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Body, Depends, Request, Response
from fastapi import Path as PathParameter
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse

from avsr.app.captions import as_cues
from avsr.app.jobs import BURN
from avsr.app.lines import Lines
from avsr.app.security import refusal
from avsr.app.settings import MEDIA, RESULT, THUMBNAIL
from avsr.app.soft_captions import soft_captions
from avsr.app.store import StoredCue, Video
from avsr.app.uploads import Uploads
from avsr.app.views import cue_view, video_view
from avsr.media.captions import LINE, ass_text, srt_text, vtt_text, width

_LOOK, _IDLE = 0.25, 2.0  # seconds between two looks for news, and once nothing moves
_MOVING = ("uploading", "queued", "running")
_ALIVE = 15.0  # seconds after which a comment is sent where there is no news, so that proxies keep the line open
_MAX_LINES = 2
_TYPES = {"srt": "application/x-subrip", "vtt": "text/vtt", "ass": "text/x-ssa", "txt": "text/plain", "json": "application/json"}


class Missing(Exception):
    """There is no such video of this owner, or not this of it."""


def video_routes(uploads: Uploads) -> APIRouter:
    """All of /api/videos and /api/events."""
    router, store, settings = APIRouter(prefix="/api"), uploads.store, uploads.settings
    muxing, lines = asyncio.Semaphore(1), Lines()

    def own(owner: str, id: str) -> Video:
        video = store.video(id)
        if video is None or video.owner != owner:
            raise Missing
        return video

    def mine(request: Request, id: str) -> Video:
        return own(request.scope["owner"], id)

    @router.get("/videos")
    def all_videos(request: Request) -> dict:
        return {"videos": [video_view(video, uploads) for video in store.videos(request.scope["owner"])]}

    @router.get("/videos/{id}")
    def one_video(request: Request, id: str) -> dict:
        video = mine(request, id)
        return video_view(video, uploads) | {"cues": [cue_view(cue) for cue in store.cues(id)]}

    @router.delete("/videos/{id}", status_code=204)
    def delete(request: Request, id: str) -> None:
        uploads.remove(mine(request, id))

    @router.patch("/videos/{id}/cues/{n}")
    def edit(request: Request, id: str, n: Annotated[int, PathParameter(ge=1, le=1_000_000)], text: str = Body(embed=True)) -> dict:
        """Change a caption's text; an empty one is left out of what is taken away."""
        video = mine(request, id)
        lines = [" ".join(line.split()) for line in _plain(text).splitlines() if line.strip()]
        if len(lines) > _MAX_LINES or max(map(width, lines), default=0) > 2 * LINE:
            return refusal(400, "bad_request", f"a caption is one or two lines of at most {LINE} Hangul each.")
        if video.state != "done":
            return refusal(409, "bad_request", "captions can be changed once all are there.")
        cue = store.edit_cue(id, n, "\n".join(lines))
        if cue is None:
            raise Missing
        return cue_view(cue)

    @router.get("/videos/{id}/media")
    def media(request: Request, id: str) -> FileResponse:
        return _file(settings.folder(mine(request, id).id) / MEDIA, _media_type(settings.folder(id) / MEDIA))

    @router.get("/videos/{id}/thumbnail.jpg")
    def thumbnail(request: Request, id: str) -> FileResponse:
        return _file(settings.folder(mine(request, id).id) / THUMBNAIL, "image/jpeg", {"cache-control": "private, max-age=86400"})

    @router.get("/videos/{id}/captions.{kind}")
    def captions(request: Request, id: str, kind: str, download: bool = False) -> Response:
        video = mine(request, id)
        if kind not in _TYPES:
            raise Missing
        body = caption_file(uploads, video, kind)
        headers = _attachment(video, kind) if download else {}
        return Response(body, media_type=_TYPES[kind], headers=headers)

    @router.post("/videos/{id}/burn", status_code=202)
    def burn(request: Request, id: str) -> dict:
        video = mine(request, id)
        if video.state != "done" or not video.picture:
            return refusal(409, "bad_request", "there are no captions yet, or no picture to draw them into.")
        if video.burned is None:
            uploads.jobs.add(id, BURN)
        return video_view(store.video(id), uploads)

    @router.get("/videos/{id}/burned.mp4")
    def burned(request: Request, id: str) -> FileResponse:
        video = mine(request, id)
        if video.burned is None:
            raise Missing
        kind = Path(video.burned).suffix[1:]
        return _file(settings.folder(id) / video.burned, f"video/{kind}", _attachment(video, kind, "captioned"))

    @router.get("/videos/{id}/soft.mp4")
    async def soft(request: Request, id: str) -> Response:
        video = await run_in_threadpool(mine, request, id)
        if video.state != "done":
            raise Missing
        async with muxing:  # one at a time: each writes the whole video once more
            return await _soft(uploads, video)

    def look(owner: str, id: str | None) -> list[tuple[Video, dict, list[StoredCue]]]:
        videos = store.videos(owner) if id is None else [own(owner, id)]
        return [(video, video_view(video, uploads), [] if id is None else store.cues(id)) for video in videos]

    async def news(owner: str, id: str | None) -> AsyncIterator[ServerSentEvent]:
        """States as they change, of one video or of all; and of one its captions as they come."""
        told: dict[str, str] = {}
        last, spoke, pause = 0, time.monotonic(), _LOOK
        while True:
            found = await run_in_threadpool(look, owner, id)
            pause = _LOOK if any(video.state in _MOVING or view["burn"]["state"] in _MOVING for video, view, _ in found) else min(pause * 1.5, _IDLE)
            for gone in set(told) - {video.id for video, _, _ in found}:
                del told[gone]
                yield ServerSentEvent(event="state", data={"id": gone, "state": "deleted"})
            for video, view, cues in found:
                if len(cues) < last:  # read once more, from the start
                    last = 0
                for cue in cues[last:]:
                    yield ServerSentEvent(event="cue", data=cue_view(cue))
                last = len(cues)
                text = json.dumps(view | {"progress": view["progress"] | {"left": None}})
                if told.get(video.id) != text:
                    told[video.id], spoke, pause = text, time.monotonic(), _LOOK
                    yield ServerSentEvent(event="state", data=view)
            if time.monotonic() - spoke > _ALIVE:
                spoke = time.monotonic()
                yield ServerSentEvent(comment="still here")
            await asyncio.sleep(pause)

    @router.get("/events", response_class=EventSourceResponse, dependencies=[Depends(lines.take)])
    async def all_events(request: Request) -> AsyncIterator[ServerSentEvent]:
        async for event in news(request.scope["owner"], None):
            yield event

    @router.get("/videos/{id}/events", response_class=EventSourceResponse, dependencies=[Depends(lines.take)])
    async def events(request: Request, id: str) -> AsyncIterator[ServerSentEvent]:
        try:
            async for event in news(request.scope["owner"], id):
                yield event
        except Missing:  # deleted meanwhile
            yield ServerSentEvent(event="state", data={"id": id, "state": "deleted"})

    return router


def caption_file(uploads: Uploads, video: Video, kind: str) -> bytes:
    """The captions as they are now, people's changes included, as a file of `kind`; Missing where there are none yet."""
    if video.state != "done":
        raise Missing
    stored = uploads.store.cues(video.id)
    cues = as_cues(stored)
    if kind == "json":
        result = json.loads((uploads.settings.folder(video.id) / RESULT).read_bytes())
        text = json.dumps(result | {"cues": [cue_view(cue) for cue in stored]}, ensure_ascii=False, indent=2) + "\n"
    elif kind == "txt":
        text = "".join(f"{' '.join(cue.text.split())}\n" for cue in cues)
    else:
        text = {"srt": srt_text, "vtt": vtt_text, "ass": ass_text}[kind](cues)
    return text.encode("utf-8", "replace")


async def _soft(uploads: Uploads, video: Video) -> Response:
    """The video with its captions as a track that players show and hide."""
    from starlette.background import BackgroundTask

    cues = as_cues(await run_in_threadpool(uploads.store.cues, video.id))
    try:
        folder = TemporaryDirectory(dir=uploads.settings.folder(video.id), prefix=".soft-")
        path = await soft_captions(uploads.children, uploads.settings.folder(video.id) / MEDIA, cues, Path(folder.name, "soft"))
    except FileNotFoundError:  # deleted meanwhile
        raise Missing from None
    kind = path.suffix[1:]
    headers = _attachment(video, kind, "captioned")
    return FileResponse(path, media_type="video/mp4" if kind == "mp4" else "video/x-matroska", headers=headers, background=BackgroundTask(folder.cleanup))


def _file(path: Path, kind: str, headers: dict[str, str] | None = None) -> FileResponse:
    if not path.is_file():
        raise Missing
    return FileResponse(path, media_type=kind, headers=headers)


def _media_type(path: Path) -> str:
    """By what the file begins with, for the player; the person's name for it counts for nothing."""
    if not path.is_file():
        raise Missing
    with open(path, "rb") as file:
        head = file.read(16)
    if head[4:8] == b"ftyp":
        return "video/quicktime" if head[8:12] == b"qt  " else "video/mp4"
    for mark, kind in ((b"\x1aE\xdf\xa3", "video/webm"), (b"RIFF", "audio/wav"), (b"OggS", "video/ogg"), (b"fLaC", "audio/flac"), (b"ID3", "audio/mpeg")):
        if head.startswith(mark):
            return kind
    return "application/octet-stream"


def _attachment(video: Video, kind: str, what: str = "") -> dict[str, str]:
    """A header that names the file after the video (RFC 6266, RFC 5987)."""
    stem = video.name.rpartition(".")[0] or video.name
    name = f"{stem}.{what}.{kind}" if what else f"{stem}.{kind}"
    return {"content-disposition": f"attachment; filename=\"captions.{kind}\"; filename*=UTF-8''{quote(name, safe='')}"}


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFC", text)
    return "".join(c if c == "\n" or unicodedata.category(c)[0] != "C" else " " for c in text)
