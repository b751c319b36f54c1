"""The caption server as an ASGI application, and how it is run."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse

from avsr import __version__
from avsr.app.jobs import SqliteJobs
from avsr.app.live.routes import Live, live_routes
from avsr.app.live.whip import whip_routes
from avsr.app.lines import TooMany
from avsr.app.openai_api import openai_routes
from avsr.app.security import Gate, refusal
from avsr.app.settings import TOKEN_VARIABLE, Settings
from avsr.app.store import STATES, Store
from avsr.app.supervisor import Supervisor
from avsr.app.uploads import Uploads, upload_routes
from avsr.app.videos import Missing, video_routes
from avsr.app.workers import Processes, Workers, resident
from avsr.ears.ear import NATIVE
from avsr.errors import AvsrError

PAGES = Path(__file__).parent / "pages"
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".webmanifest": "application/manifest+json"}


def create_app(settings: Settings, *, supervise: bool = True) -> FastAPI:
    """The application. `supervise` False: nothing works the jobs off (tests do it themselves).

    Raises:
        AvsrError: the folder cannot be used, or another server has it.
    """
    try:
        settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = open(settings.data / "lock", "w")
    except OSError as error:
        raise AvsrError(f"{settings.data}: cannot be used ({error.strerror}); give --data another folder.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise AvsrError(f"{settings.data}: another avsr serve is using it; end that, or give --data another folder.") from None
    store = Store(settings.database)
    jobs = SqliteJobs(store)
    supervisor = Supervisor(settings, store, _open_workers(settings)) if supervise else None
    uploads = Uploads(settings, store, jobs)
    live = Live(settings)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        if supervisor is not None:
            supervisor.start()
            app.state.supervisor = supervisor
        running = [asyncio.create_task(uploads.take_up()), asyncio.create_task(live.look_after())]
        yield
        for task in running:
            task.cancel()
        await live.close()
        await uploads.children.close()
        if supervisor is not None:
            supervisor.stop()
        lock.close()

    app = FastAPI(title="avsr", version=__version__, lifespan=life, docs_url=None, redoc_url=None)
    app.include_router(upload_routes(uploads))
    app.include_router(video_routes(uploads))
    app.include_router(openai_routes(uploads))
    app.include_router(live_routes(live, PAGES))
    app.include_router(whip_routes(live))
    app.state.live = live
    _add_pages(app, settings)
    _add_health(app, store, jobs)
    _add_errors(app, settings)
    app.add_middleware(Gate, settings=settings)
    return app


def _open_workers(settings: Settings) -> Workers:
    if settings.backend == "local":
        return Processes(settings)
    from avsr.ray_cluster import connect

    os.environ.pop(TOKEN_VARIABLE, None)  # what is started from here opens what people send
    connect(settings.ray_address, settings.workers, settings.data)
    # Not before it: Ray reads at import what `connect` sets.
    from avsr.app.ray_workers import RayWorkers

    return RayWorkers(settings)


def _add_pages(app: FastAPI, settings: Settings) -> None:
    files = {path.name: path for path in PAGES.iterdir() if path.suffix in _TYPES} if PAGES.is_dir() else {}

    @app.get("/")
    def page() -> FileResponse:
        return FileResponse(PAGES / "index.html", media_type="text/html")

    @app.get("/static/{name}")
    def static(name: str) -> FileResponse:
        if name not in files:
            raise Missing
        return FileResponse(files[name], media_type=_TYPES[files[name].suffix], headers={"cache-control": "no-cache"})

    @app.get("/api/config")
    def config() -> dict:
        return {
            "max_bytes": settings.max_bytes, "max_seconds": settings.max_seconds, "keep_hours": settings.keep_hours,
            "model": settings.ear if settings.ear != NATIVE else (settings.model.name if settings.model else "default"), "version": __version__,
        }  # fmt: skip


def _add_health(app: FastAPI, store: Store, jobs: SqliteJobs) -> None:
    @app.get("/healthz")
    def health() -> dict:
        jobs.waiting()
        if hasattr(app.state, "supervisor") and not app.state.supervisor.alive:
            return refusal(503, "failed", "nobody looks after the workers; start the server again.")
        return {"status": "ok", "version": __version__}

    @app.get("/metrics")
    def metrics() -> PlainTextResponse:
        """In Prometheus's text format."""
        videos = store.videos()
        lines = ["# TYPE avsr_videos gauge"]
        lines += [f'avsr_videos{{state="{state}"}} {sum(video.state == state for video in videos)}' for state in STATES]
        lines += ["# TYPE avsr_stored_bytes gauge", f"avsr_stored_bytes {sum(video.size for video in videos)}"]
        lines += ["# TYPE avsr_jobs_waiting gauge", f"avsr_jobs_waiting {jobs.waiting()}"]
        lines += app.state.live.metrics()
        lines += ["# TYPE avsr_server_resident_bytes gauge", f"avsr_server_resident_bytes {resident('self')}"]
        return PlainTextResponse("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4")


def _add_errors(app: FastAPI, settings: Settings) -> None:
    @app.exception_handler(Missing)
    def missing(_: Request, __: Exception) -> JSONResponse:
        return refusal(404, "not_found", "there is no such thing here.")

    @app.exception_handler(TooMany)
    def too_many(_: Request, error: TooMany) -> JSONResponse:
        return refusal(429, "too_busy", "too many pages listen already; close some.", **{"Retry-After": error.retry})

    @app.exception_handler(HTTPException)
    def other(_: Request, error: HTTPException) -> JSONResponse:
        return refusal(error.status_code, "not_found" if error.status_code == 404 else "bad_request", str(error.detail))

    @app.exception_handler(RequestValidationError)
    def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        return refusal(400, "bad_request", f"{'.'.join(map(str, first['loc']))}: {first['msg']}.")

    @app.exception_handler(AvsrError)
    def failed(_: Request, error: AvsrError) -> JSONResponse:
        return refusal(422, "failed", str(error).replace(f"{settings.data}{os.sep}", ""))


def check_certificate(settings: Settings) -> None:
    """AvsrError where HTTPS is wanted and its files cannot be used."""
    import ssl

    if settings.tls_cert is None:
        return
    files = f"--tls-cert {settings.tls_cert}, --tls-key {settings.tls_key}"
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(settings.tls_cert, settings.tls_key)
    except FileNotFoundError:
        raise AvsrError(f"{files}: no such file; check the paths.") from None
    except (OSError, ssl.SSLError) as error:
        raise AvsrError(f"{files}: cannot be used ({error}); give PEM files that belong together.") from None


def serve(settings: Settings) -> None:
    """Run until interrupted. Nothing of the media is logged: no requests, no names."""
    import uvicorn

    from avsr.decoding.default_model import find_model, found_words
    from avsr.decoding.packed import read_tokenizer

    model = settings.model or find_model()
    read_tokenizer(model)  # a sentence now, not in each worker
    check_certificate(settings)
    os.umask(0o077)  # what people upload is nobody else's on this machine
    app = create_app(settings)
    spool = settings.data / "spool"
    shutil.rmtree(spool, ignore_errors=True)
    spool.mkdir()
    tempfile.tempdir = str(spool)  # where forms are kept while they come: the usual place may be memory
    place = f"http{'s' if settings.tls_cert else ''}://{f'[{settings.host}]' if ':' in settings.host else settings.host}:{settings.port}"
    words = None if settings.model else found_words(model)
    if words is not None:
        print(f"avsr: {words}", flush=True)
    print(f"avsr: {place}{'/?token=...' if settings.token else ''} - Ctrl-C ends it; videos are kept for {settings.keep_hours:g} hours.", flush=True)
    # Of a WebSocket no message is taken that is larger than it may be, nor unpacked, and few wait for us.
    sockets = {"ws_max_size": app.state.live.rooms.limits.message_bytes, "ws_max_queue": 8, "ws_per_message_deflate": False}
    quiet = {"log_level": "warning", "access_log": False, "server_header": False}
    if settings.tls_cert is not None:
        sockets |= {"ssl_certfile": str(settings.tls_cert), "ssl_keyfile": str(settings.tls_key)}
    uvicorn.run(app, host=settings.host, port=settings.port, timeout_graceful_shutdown=2, **quiet, **sockets)
