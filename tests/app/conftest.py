"""A caption server as its users meet it: a process of its own, with the tiny model, on a free port."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.app.page.page_driver import WAIT_MS
from tests.decoding.conftest import packed, run, speech, video  # noqa: F401 - fixtures
from tests.media_maker import make_video

BROWSER = os.environ.get("AVSR_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE = 90.0  # seconds for a video of seconds, on a machine that does other things


@dataclass
class Server:
    """A running server and where it keeps its files."""

    process: subprocess.Popen
    url: str
    data: Path

    def client(self, owner: str = "somebody", **options) -> httpx.Client:
        """Somebody, known by a bearer token."""
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {owner}"}, timeout=30.0, **options)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_server(data: Path, model: Path, *options: str, port: int | None = None, tls: ssl.SSLContext | None = None) -> Server:
    """`avsr serve`, up when this returns; `tls` trusts its certificate, where it has one."""
    port = port or free_port()
    command = [sys.executable, "-m", "avsr.cli", "serve", "--data", str(data), "--port", str(port), "--model", str(model), *options]
    process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL)
    server = Server(process, f"http{'s' if tls else ''}://127.0.0.1:{port}", data)
    wait_for(lambda: process.poll() is not None or _answers(server.url, tls), "the server to answer")
    assert process.poll() is None, "the server ended"
    return server


def _answers(url: str, tls: ssl.SSLContext | None) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=1.0, verify=tls or True).status_code == 200
    except httpx.TransportError:
        return False


def wait_for(what: Callable[[], object], name: str, patience: float = PATIENCE):
    """What `what` returns once that is true; fails after `patience` seconds."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(0.05)
    pytest.fail(f"waited {patience:.0f} s for {name}")


def upload(client: httpx.Client, data: bytes, name: str = "clip.mp4", mode: str = "auto") -> httpx.Response:
    """By tus, in one piece; the last answer, which has `.id`."""
    import base64

    about = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in {"filename": name, "mode": mode}.items())
    begun = client.post("/api/uploads", headers={"Upload-Length": str(len(data)), "Upload-Metadata": about})
    if begun.status_code != 201:
        return begun
    place = begun.headers["location"]
    sent = client.patch(place, content=data, headers={"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"})
    sent.id = place.rpartition("/")[2]
    return sent


def ended(client: httpx.Client, id: str, patience: float = PATIENCE) -> dict:
    """The video once it is done or has failed."""
    return wait_for(
        lambda: (found := client.get(f"/api/videos/{id}").json())["state"] in ("done", "failed") and found, "the video", patience
    )


@pytest.fixture(scope="session")
def launch() -> Iterator[Callable]:
    """`launch(*arguments)`: Chromium; skips where it or Playwright is absent. All browsers are one Playwright's: there can be no second."""
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is absent: tools/install.sh --browser brings it")
    if not BROWSER:
        pytest.skip("Chromium is absent: tools/install.sh --browser brings it (or set AVSR_CHROMIUM)")
    api.expect.set_options(timeout=WAIT_MS)
    # Chromium refuses its sandbox to root, which containers run as.
    usual = ["--no-sandbox"] if os.geteuid() == 0 else []
    with api.sync_playwright() as playwright:
        yield lambda *arguments: playwright.chromium.launch(executable_path=BROWSER, args=[*usual, *arguments])


@pytest.fixture(scope="session")
def spoken(tmp_path_factory) -> Path:
    """3 s of moving picture without a face, and of a voice."""
    return make_video(tmp_path_factory.mktemp("spoken") / "spoken.mp4", seconds=3.0, sound=speech)


@pytest.fixture(scope="session")
def server(tmp_path_factory, packed) -> Iterator[Server]:  # noqa: F811
    """A server for tests that do not end it."""
    running = start_server(tmp_path_factory.mktemp("server"), packed)
    yield running
    running.process.send_signal(signal.SIGTERM)
    running.process.wait(20)


def read_json(path: Path) -> dict:
    return json.loads(path.read_bytes())
