"""A made server that speaks the page's contract without reading anything, so that the page can be tried alone.

A video's fate is in its file's name: `noface` fails, `slow` stays in the reading, `queued` stays in the queue, `long` gets
many cues. Everything is held in memory; the files lie in the folder it is given.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from fastapi.staticfiles import StaticFiles

import avsr

PAGES = Path(avsr.__file__).parent / "app/pages"

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

CUES = [
    ("안녕하세요, 오늘은 날씨가\n정말 좋네요.", "both", 0.97),
    ("창문을 조금 열어 둘까요?", "voice", 0.91),
    ("지금은 밖이 시끄러워서\n잘 들리지 않습니다.", "lips", 0.48),
    ("그래도 입술을 보고 읽습니다.", "lips", 0.83),
    ("점심에는 국수를 먹으러 가요.", "both", 0.94),
    ("세 시까지 돌아오면 됩니다.", "both", 0.55),
]
CUE_SECONDS = 2.0


class Server:
    """The videos, and who listens to them."""

    def __init__(self, folder: Path, tick: float):
        self.folder = folder
        self.tick = tick  # seconds between two steps of a made reading
        self.videos: dict[str, dict] = {}
        self.cues: dict[str, list[dict]] = {}
        self.listeners: set[tuple[str | None, asyncio.Queue]] = set()
        self.tasks: set[asyncio.Task] = set()

    def tell(self, event: str, video_id: str, value: dict) -> None:
        for wanted, queue in self.listeners:
            if wanted == video_id or (wanted is None and event == "state"):
                queue.put_nowait(f"event: {event}\ndata: {json.dumps(value, ensure_ascii=False)}\n\n")

    def change(self, video_id: str, **values) -> None:
        if video_id in self.videos:
            self.videos[video_id].update(values)
            self.tell("state", video_id, self.videos[video_id])

    def start(self, work) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def path(self, video_id: str, suffix: str = ".bin") -> Path:
        return self.folder / f"{video_id}{suffix}"

    def captions(self, video_id: str) -> str:
        return "\n\n".join(cue["text"] for cue in self.cues[video_id] if cue["text"])

    async def read(self, video_id: str) -> None:
        """A made reading: some time in the queue, then cue after cue."""
        name = self.videos[video_id]["name"]
        self.change(video_id, state="queued", progress=progress("queued", position=1))
        await asyncio.sleep(self.tick)
        if "queued" in name:
            return self.change(video_id, progress=progress("queued", position=3, left=95.0))
        count = 120 if "long" in name else len(CUES)
        length = count * CUE_SECONDS
        self.change(video_id, state="running", duration=length, progress=progress("loading"))
        await asyncio.sleep(self.tick)
        if "noface" in name:
            error = {"code": "no_face", "message": "no face was found"}
            return self.change(video_id, state="failed", error=error, progress=None)
        for n in range(1, count + 1):
            text, source, confidence = CUES[(n - 1) % len(CUES)]
            start = (n - 1) * CUE_SECONDS
            speaker = {1: "민지", 2: "서준"}.get(n) if "talk" in name else None
            cue = {"n": n, "start": start, "end": start + CUE_SECONDS - 0.08, "text": text, "source": source}
            if speaker:
                cue["text"] = f"({speaker}) {text}"
            cue |= {"confidence": confidence, "speaker": speaker, "edited": False}
            self.cues[video_id].append(cue)
            self.tell("cue", video_id, cue)
            left = self.tick * (count - n)
            self.change(video_id, progress=progress("reading", start + CUE_SECONDS, length, left))
            if "slow" in name and n == 4:
                return self.change(video_id, progress=progress("reading", 8.0, length, 23.0))
            await asyncio.sleep(self.tick if count < 100 else 0)
        self.change(video_id, progress=progress("writing"))
        await asyncio.sleep(self.tick)
        self.change(video_id, state="done", used="av", progress=None)

    async def burn(self, video_id: str) -> None:
        length = self.videos[video_id]["duration"]
        for done in (0.0, length / 3, 2 * length / 3):
            self.change(video_id, burn={"state": "running", "done": done, "total": length})
            await asyncio.sleep(self.tick)
        self.change(video_id, burn={"state": "done", "done": length, "total": length})


def progress(step: str, done: float = 0.0, total: float | None = None, left: float | None = None, position=None) -> dict:
    return {"step": step, "done": done, "total": total, "left": left, "position": position}


def refuse(status: int, code: str, message: str = "", **headers: str) -> JSONResponse:
    return JSONResponse({"error": {"code": code, "message": message}}, status, headers=headers)


def looks_like_media(head: bytes) -> bool:
    return head[4:8] == b"ftyp" or head[:4] in (b"\x1aE\xdf\xa3", b"RIFF")


def create_stub(folder: Path, tick: float = 0.15, token: str = "") -> FastAPI:
    app = FastAPI()
    server = Server(folder, tick)
    app.state.server = server

    @app.middleware("http")
    async def guard(request: Request, call_next):
        path = request.url.path
        if request.method not in ("GET", "HEAD") and request.headers.get("x-requested-with") != "avsr":
            return refuse(403, "forbidden", "the header X-Requested-With is missing")
        if token and path.startswith("/api/") and request.cookies.get("token") != token:
            return refuse(401, "token", "a token is needed")
        response = await call_next(request)
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        response.headers["Cache-Control"] = "no-store"
        if token and request.query_params.get("token") == token:
            response.set_cookie("token", token, httponly=True, samesite="strict")
        return response

    @app.get("/")
    def index():
        return FileResponse(PAGES / "index.html")

    @app.get("/api/config")
    def config():
        limits = {"max_bytes": 2_000_000_000, "max_seconds": 7200, "keep_hours": 24}
        return {**limits, "model": "daily_ko", "version": avsr.__version__}

    @app.post("/api/uploads")
    def begin(request: Request):
        pairs = [pair.strip().split(" ") for pair in request.headers["upload-metadata"].split(",")]
        told = {key: base64.b64decode(value).decode() for key, value in pairs}
        video_id = secrets.token_urlsafe(16)
        server.path(video_id).write_bytes(b"")
        server.cues[video_id] = []
        server.videos[video_id] = {
            "id": video_id,
            "name": told["filename"],
            "state": "uploading",
            "size": int(request.headers["upload-length"]),
            "offset": 0,
            "created": time.time(),
            "expires": time.time() + 86400,
            "duration": None,
            "has_picture": not told["filename"].endswith(".wav"),
            "has_sound": True,
            "mode": told["mode"],
            "used": None,
            "reason": "",
            "progress": None,
            "error": None,
            "burn": {"state": "none", "done": 0, "total": None},
        }
        return Response(status_code=201, headers={"Location": f"/api/uploads/{video_id}", "Tus-Resumable": "1.0.0"})

    @app.head("/api/uploads/{video_id}")
    def offset(video_id: str):
        video = server.videos.get(video_id)
        if not video:
            return refuse(404, "not_found")
        return Response(headers={"Upload-Offset": str(video["offset"]), "Upload-Length": str(video["size"])})

    @app.patch("/api/uploads/{video_id}")
    async def piece(video_id: str, request: Request):
        video = server.videos.get(video_id)
        if not video:
            return refuse(404, "not_found")
        if int(request.headers["upload-offset"]) != video["offset"]:
            return refuse(409, "bad_request", "the offset is another one")
        with server.path(video_id).open("ab") as file:
            async for part in request.stream():
                file.write(part)
                video["offset"] += len(part)
        if video["offset"] == video["size"]:
            with server.path(video_id).open("rb") as file:
                head = file.read(12)
            if not looks_like_media(head):
                error = {"code": "not_media", "message": "no media file"}
                server.change(video_id, state="failed", error=error)
                return refuse(422, **error)
            server.start(server.read(video_id))
        return Response(status_code=204, headers={"Upload-Offset": str(video["offset"])})

    @app.get("/api/videos")
    def videos():
        return {"videos": sorted(server.videos.values(), key=lambda video: -video["created"])}

    @app.get("/api/videos/{video_id}")
    def video(video_id: str):
        if video_id not in server.videos:
            return refuse(404, "not_found")
        return {**server.videos[video_id], "cues": server.cues[video_id]}

    @app.delete("/api/videos/{video_id}")
    @app.delete("/api/uploads/{video_id}")
    def remove(video_id: str):
        if server.videos.pop(video_id, None) is None:
            return refuse(404, "not_found")
        server.path(video_id).unlink(missing_ok=True)
        return Response(status_code=204)

    async def stream(wanted: str | None) -> AsyncIterator[str]:
        queue: asyncio.Queue = asyncio.Queue()
        server.listeners.add((wanted, queue))
        try:
            yield ": hello\n\n"
            while True:
                yield await queue.get()
        finally:
            server.listeners.discard((wanted, queue))

    @app.get("/api/events")
    def all_events():
        return StreamingResponse(stream(None), media_type="text/event-stream")

    @app.get("/api/videos/{video_id}/events")
    def events(video_id: str):
        if video_id not in server.videos:
            return refuse(404, "not_found")
        return StreamingResponse(stream(video_id), media_type="text/event-stream")

    @app.patch("/api/videos/{video_id}/cues/{n}")
    async def edit(video_id: str, n: int, request: Request):
        cue = server.cues[video_id][n - 1]
        cue |= {"text": (await request.json())["text"], "edited": True}
        server.change(video_id, burn={"state": "none", "done": 0, "total": None})
        return cue

    @app.get("/api/videos/{video_id}/media")
    def media(video_id: str):
        return FileResponse(server.path(video_id), media_type="video/mp4")

    @app.get("/api/videos/{video_id}/thumbnail.jpg")
    def thumbnail(video_id: str):
        picture = server.folder / "thumbnail.jpg"
        return FileResponse(picture) if picture.exists() else refuse(404, "not_found")

    @app.get("/api/videos/{video_id}/captions.{kind}")
    def captions(video_id: str, kind: str):
        return PlainTextResponse(server.captions(video_id), headers={"Content-Disposition": "attachment"})

    @app.post("/api/videos/{video_id}/burn")
    async def burn(video_id: str):
        server.change(video_id, burn={"state": "queued", "done": 0, "total": None})
        server.start(server.burn(video_id))
        return Response(status_code=202)

    @app.get("/api/videos/{video_id}/burned.mp4")
    @app.get("/api/videos/{video_id}/soft.mp4")
    def made(video_id: str):
        return FileResponse(server.path(video_id), media_type="video/mp4", headers={"Content-Disposition": "attachment"})

    app.mount("/static", StaticFiles(directory=PAGES))
    return app
