"""What the caption server is told when it starts."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from avsr.ears.ear import NATIVE
from avsr.errors import AvsrError
from avsr.ray_cluster import check_address

# A video's files in its folder: names of our own, whatever the person's file is called.
MEDIA, RESULT, THUMBNAIL, PART, BURNED = "media", "result.json", "thumbnail.jpg", "part.jsonl", "burned"

TOKEN_VARIABLE = "AVSR_TOKEN"

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def data_folder() -> Path:
    """Where the server keeps its files if it is not told (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share", "avsr")


def remove_media(folder: Path) -> None:
    """Of a video that has failed nothing but its thumbnail is kept."""
    for name in (MEDIA, PART):
        (folder / name).unlink(missing_ok=True)


@dataclass(frozen=True)
class Settings:
    """Where the server listens and keeps its files, and what it will take.

    host, port: where to listen. token: wanted of everybody where it is not None; a host that is not loopback needs one.
    tls_cert, tls_key: files in PEM, where HTTPS is spoken, without which browsers give other machines no camera.
    data: folder of the database and of the videos; one server has it at a time.
    model: packed model, None for the usual one. ear: see `avsr.ears.ear.open_ear`.
    workers: processes that recognise. backend: where those are: on this machine (local), or on the nodes of a Ray cluster (ray), of which
        ray_address is one's address, "auto" for what runs here, None for one of the server's own.
    max_bytes, max_seconds, max_pixels: of a video. max_waiting: videos that wait or are worked on, of all people together; one more is
        refused for now. max_store: bytes of all videos together.
    keep_hours: after which a video and all that was made of it is deleted.
    worker_bytes: resident memory at which a worker is ended. job_factor, job_least: a job may take so many times the video's
        length, or so many seconds if that is more.
    """

    data: Path
    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    model: Path | None = None
    ear: str = NATIVE
    workers: int = 1
    max_bytes: int = 2 << 30
    max_seconds: float = 4 * 3600.0
    max_pixels: int = 4096 * 2304
    max_waiting: int = 32
    max_store: int = 50 << 30
    keep_hours: float = 24.0
    worker_bytes: int = 4 << 30
    job_factor: float = 20.0
    job_least: float = 600.0
    backend: str = "local"
    ray_address: str | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None

    def __post_init__(self) -> None:
        if self.host not in LOOPBACK and not self.token:
            raise AvsrError(f"--host {self.host}: others can reach that address; give --token, which each of them will need.")
        if self.token is not None and (len(self.token) < 16 or not self.token.isascii() or any(c in " ;,\"" for c in self.token)):
            raise AvsrError("--token: give 16 or more letters and digits, such as `openssl rand -hex 16` prints.")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise AvsrError("--tls-cert and --tls-key: give both, or neither.")
        check_address(self.backend, self.ray_address)

    @property
    def database(self) -> Path:
        return self.data / "jobs.sqlite"

    def folder(self, video: str) -> Path:
        """A video's own folder, in which alone its files are."""
        return self.data / "videos" / video
