"""A server with the page, and a browser to look at it with."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.page.page_driver import WAIT_MS
from tests.media_maker import make_video


@pytest.fixture(scope="session")
def clip(tmp_path_factory) -> Path:
    """A real video of 12 s that a browser plays."""
    return make_video(tmp_path_factory.mktemp("clip") / "회의 인사.mp4", seconds=12.0, size=(320, 240))


@pytest.fixture
def named(clip, tmp_path):
    """`named("other.mp4")`: the clip under another name."""

    def copy(name: str) -> Path:
        return Path(shutil.copy(clip, tmp_path / name))

    return copy


@pytest.fixture
def serve(tmp_path_factory) -> Iterator:
    """`serve(**options)` starts a server and gives its base URL; all of them stop after the test."""
    pytest.importorskip("fastapi", reason="the page's tests need fastapi")
    uvicorn = pytest.importorskip("uvicorn", reason="the page's tests need uvicorn")
    from tests.app.page.stub import create_stub

    running = []

    def start(**options) -> str:
        app = create_stub(tmp_path_factory.mktemp("served"), **options)
        listener = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        running.append((server, thread))
        deadline = time.monotonic() + 20
        while not server.started:
            assert time.monotonic() < deadline and thread.is_alive(), "the server did not start"
            time.sleep(0.02)
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"

    yield start
    for server, _ in running:
        server.should_exit = True
    for _, thread in running:
        thread.join(timeout=10)


@pytest.fixture
def server(serve) -> str:
    """The base URL of a server."""
    return serve()


@pytest.fixture(scope="session")
def browser(launch) -> Iterator:
    """Chromium, driven by Playwright; skips where either is absent."""
    browser = launch()
    yield browser
    browser.close()


@pytest.fixture
def open_page(browser, server) -> Iterator:
    """`open_page(**options)`: a fresh visitor's page; whatever the page's own code gets wrong fails the test."""
    contexts, wrongs = [], []

    def start(url: str = server, **options):
        context = browser.new_context(**{"locale": "ko-KR", "viewport": {"width": 1280, "height": 800}, **options})
        contexts.append(context)
        context.set_default_timeout(WAIT_MS)
        page = context.new_page()
        page.on("pageerror", lambda error: wrongs.append(str(error)))
        page.on("console", lambda line: "Content Security Policy" in line.text and wrongs.append(line.text))
        page.goto(url)
        return page

    yield start
    for context in contexts:
        context.close()
    assert not wrongs, wrongs


@pytest.fixture
def page(open_page):
    return open_page()
