"""Uploads that can be gone on with: the tus protocol 1.0.0, with its extensions creation and termination (tus.io)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import errno
import os
import secrets
import shutil
import sqlite3
import time
import unicodedata
from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from avsr.app.children import Children
from avsr.app.inspection import Finding, inspect
from avsr.app.jobs import CAPTIONS, SqliteJobs
from avsr.app.security import refusal
from avsr.app.settings import MEDIA, THUMBNAIL, Settings
from avsr.app.store import Store, Video, insert_video

TUS = {"Tus-Resumable": "1.0.0"}
MODES = ("auto", "av", "audio", "lip")
_BLOCK = 1 << 20  # bytes that are held before they are written
_DIGITS = 15  # of a number of bytes
_NAME = 200  # characters of a name that are kept
_SILENCE = 30.0  # seconds without a byte after which an upload counts as broken off
_LATELY = 60.0  # seconds
_RETRY = "30"  # seconds after which to ask again


class Uploads:
    """Takes the bytes of videos, and what is whole and good into the queue.

    Args:
        settings, store, jobs: the server's.
    """

    def __init__(self, settings: Settings, store: Store, jobs: SqliteJobs) -> None:
        self.settings, self.store, self.jobs = settings, store, jobs
        self._busy: set[str] = set()  # videos to which a request is writing
        self._admitting = asyncio.Lock()
        self._removing: set[asyncio.Task] = set()
        self.children = Children()

    def room_for(self, size: int) -> Response | None:
        """None where a video of so many bytes can be taken now, else the refusal."""
        if size > self.settings.max_bytes:
            return refusal(413, "too_large", f"it is {size} bytes long; {self.settings.max_bytes} are taken.", **TUS)
        videos = self.store.videos()
        if self.jobs.waiting() + sum(map(self._is_coming, videos)) >= self.settings.max_waiting:
            return refusal(429, "too_busy", "too many videos wait already; try again in a while.", **TUS, **{"Retry-After": _RETRY})
        if sum(video.size if self._is_coming(video) else self.offset(video) for video in videos) + size > self.settings.max_store:
            return refusal(429, "too_busy", "the disk is full of videos; try again later.", **TUS, **{"Retry-After": "3600"})
        return None

    def _is_coming(self, video: Video) -> bool:
        """Whether bytes of it came lately: one that somebody has left half-way keeps nobody out."""
        if video.state != "uploading":
            return False
        try:
            return time.time() - os.stat(self.settings.folder(video.id) / MEDIA).st_mtime < _LATELY
        except FileNotFoundError:
            return False

    def begin(self, owner: str, name: str, mode: str, size: int) -> Video | Response:
        """A row and a folder for a video that is to come, or the refusal; of many who ask at once, each counts those before."""
        with self.store.change() as database:
            refused = self.room_for(size)
            if refused is not None:
                return refused
            return self._begin(database, owner, name, mode, size)

    def _begin(self, database: sqlite3.Connection, owner: str, name: str, mode: str, size: int) -> Video:
        now = time.time()
        id = secrets.token_hex(16)
        video = Video(id, owner, clean_name(name), mode, size, now, now + 3600 * self.settings.keep_hours, "uploading",
                      None, None, None, None, "", None, None, None)  # fmt: skip
        folder = self.settings.folder(id)
        folder.mkdir(parents=True)
        (folder / MEDIA).touch()
        insert_video(database, video)
        return video

    def offset(self, video: Video) -> int:
        """Bytes that are there."""
        try:
            return os.stat(self.settings.folder(video.id) / MEDIA).st_size
        except FileNotFoundError:
            return 0

    async def append(self, video: Video, offset: int, request: Request) -> Response | None:
        """Write the body behind what is there; None, or the refusal. What was written before a break stays."""
        if video.state != "uploading":
            return refusal(409, "bad_request", "it is whole already.", **TUS)
        if video.id in self._busy:
            return refusal(423, "too_busy", "another request is writing to it.", **TUS)
        self._busy.add(video.id)
        try:
            if offset != self.offset(video):
                return refusal(409, "bad_request", f"{self.offset(video)} bytes are there; go on from those.", **TUS)
            path = self.settings.folder(video.id) / MEDIA
            try:
                await _write(path, request, video.size - offset)
            except ValueError:
                return refusal(413, "too_large", "there is more than was announced.", **TUS)
            except (ClientDisconnect, asyncio.TimeoutError):
                return None
            except FileNotFoundError:
                pass  # deleted meanwhile
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                return refusal(507, "too_busy", "the disk is full; try again later.", **TUS)
            if await run_in_threadpool(self.store.video, video.id) is None:
                return refusal(404, "not_found", "it was deleted meanwhile.", **TUS)
            return None if self.offset(video) < video.size else await self.admit(video)
        finally:
            self._busy.discard(video.id)

    async def admit(self, video: Video) -> Response | None:
        """Look at a video that is whole, and let it wait for a worker; None, or why it is refused."""
        folder = self.settings.folder(video.id)
        async with self._admitting:  # one child at a time: each may take a core for a second
            now = await run_in_threadpool(self.store.video, video.id)
            if now is None or now.state != "uploading":  # deleted, or admitted by another request
                return None
            finding = await inspect(self.children, folder / MEDIA, folder / THUMBNAIL, self.settings)
        if finding.code is None and video.mode == "lip" and not finding.picture:
            finding = type(finding)(code="no_stream", message="it holds no picture to read lips in.")
        return await run_in_threadpool(self._decide, video, finding)

    def _decide(self, video: Video, finding: Finding) -> Response | None:
        if finding.code is not None:
            self.store.update_video(video.id, state="failed", error_code=finding.code, error_message=finding.message)
            (self.settings.folder(video.id) / MEDIA).unlink(missing_ok=True)
            return refusal(422, finding.code, finding.message, **TUS)
        self.store.update_video(
            video.id, duration=finding.duration or None, picture=int(finding.picture), sound=int(finding.sound)
        )
        self.jobs.add(video.id, CAPTIONS)
        return None

    async def take_up(self) -> None:
        """Admit what was whole when an earlier server was ended."""
        await self.children.prepare()
        for video in await run_in_threadpool(self.store.videos):
            if video.state == "uploading" and self.offset(video) >= video.size:
                await self.admit(video)

    def remove(self, video: Video) -> None:
        """The row first: a folder without one is deleted at the next start."""
        self.store.remove_video(video.id)
        shutil.rmtree(self.settings.folder(video.id), ignore_errors=True)

    async def remove_anyway(self, video: Video) -> None:
        """The same from the event loop, and also where this is cancelled, as what a request awaits is by who hangs up."""
        removing = asyncio.create_task(run_in_threadpool(self.remove, video))
        self._removing.add(removing)  # asyncio keeps no task alive by itself
        removing.add_done_callback(self._removing.discard)
        await asyncio.shield(removing)


async def _write(path: Path, request: Request, most: int) -> None:
    """Append the body in blocks; ValueError, with nothing of the block written, where it is longer than `most`; asyncio.TimeoutError
    where nothing more comes: a phone that changes its network leaves the line open behind it."""
    with open(path, "r+b") as file:
        file.seek(0, os.SEEK_END)
        block, written = bytearray(), 0
        stream = request.stream().__aiter__()
        try:
            while True:
                try:
                    chunk = await asyncio.wait_for(stream.__anext__(), _SILENCE)
                except StopAsyncIteration:
                    break
                written += len(chunk)
                if written > most:
                    raise ValueError("more than was announced")
                block += chunk
                if len(block) >= _BLOCK:
                    # Another block first: one that was cancelled while it was written must not be written again below.
                    full, block = block, bytearray()
                    await run_in_threadpool(file.write, full)
        finally:
            file.write(block)


def clean_name(name: str) -> str:
    """A name to show: the last part of a path, without what cannot be seen, and never empty. It names no file of ours."""
    name = unicodedata.normalize("NFC", name.replace("\\", "/").rsplit("/", 1)[-1])
    name = "".join(c for c in name if unicodedata.category(c)[0] != "C").strip()
    return name[:_NAME] or "video"


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS


def read_metadata(header: str) -> dict[str, str]:
    """tus's `Upload-Metadata`: names and values in base64; ValueError for what is none."""
    found = {}
    for pair in filter(None, (part.strip() for part in header.split(","))):
        name, _, value = pair.partition(" ")
        try:
            found[name] = base64.b64decode(value, validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{name}: {error}") from error
    return found


def upload_routes(uploads: Uploads) -> APIRouter:
    """/api/uploads and /api/uploads/ID."""
    router = APIRouter(prefix="/api/uploads")
    bad = lambda message: refusal(400, "bad_request", message, **TUS)  # noqa: E731

    def mine(request: Request, id: str) -> Video | None:
        video = uploads.store.video(id)
        return video if video is not None and video.owner == request.scope["owner"] else None

    @router.options("")
    def abilities() -> Response:
        extra = {"Tus-Version": "1.0.0", "Tus-Extension": "creation,termination", "Tus-Max-Size": str(uploads.settings.max_bytes)}
        return Response(status_code=204, headers=TUS | extra)

    @router.post("")
    def begin(request: Request) -> Response:
        length = request.headers.get("upload-length", "")
        if not _is_number(length) or int(length) == 0:
            return bad("Upload-Length must be the file's bytes, one or more.")
        try:
            about = read_metadata(request.headers.get("upload-metadata", ""))
        except ValueError as error:
            return bad(f"Upload-Metadata is not base64 ({error}).")
        mode = about.get("mode", "auto")
        if mode not in MODES:
            return bad(f"mode can be {', '.join(MODES)}.")
        video = uploads.begin(request.scope["owner"], about.get("filename", ""), mode, int(length))
        if isinstance(video, Response):
            return video
        return Response(status_code=201, headers=TUS | {"Location": f"/api/uploads/{video.id}"})

    @router.head("/{id}")
    def state(request: Request, id: str) -> Response:
        video = mine(request, id)
        if video is None:
            return refusal(404, "not_found", "there is no such upload.", **TUS)
        offset = uploads.offset(video) if video.state == "uploading" else video.size
        return Response(headers=TUS | {"Upload-Offset": str(offset), "Upload-Length": str(video.size)})

    @router.patch("/{id}")
    async def append(request: Request, id: str) -> Response:
        video = await run_in_threadpool(mine, request, id)
        offset = request.headers.get("upload-offset", "")
        if video is None:
            return refusal(404, "not_found", "there is no such upload.", **TUS)
        if request.headers.get("content-type") != "application/offset+octet-stream":
            return refusal(415, "bad_request", "send application/offset+octet-stream.", **TUS)
        if not _is_number(offset):
            return bad("Upload-Offset must be a number of bytes.")
        refused = await uploads.append(video, int(offset), request)
        return refused or Response(status_code=204, headers=TUS | {"Upload-Offset": str(uploads.offset(video))})

    @router.delete("/{id}")
    def end(request: Request, id: str) -> Response:
        video = mine(request, id)
        if video is None:
            return refusal(404, "not_found", "there is no such upload.", **TUS)
        uploads.remove(video)
        return Response(status_code=204, headers=TUS)

    return router
