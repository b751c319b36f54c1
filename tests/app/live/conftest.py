"""A server with the tiny model, clips in which somebody speaks and falls silent, and a browser whose camera and microphone are files."""

from __future__ import annotations

import signal
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.app.conftest import Server, start_server
from tests.app.live.page_visit import SILENT_FACES
from tests.app.page.page_driver import WAIT_MS
from tests.decoding.conftest import packed, run, speech  # noqa: F401 - fixtures
from tests.media_maker import clock_picture, make_video


def said_twice(times: np.ndarray) -> np.ndarray:
    """Two sentences with 1.6 s of silence behind each."""
    return np.where(times % 4.0 < 2.4, speech(times), 0.0).astype(np.float32)


@pytest.fixture(scope="session")
def live_clip(tmp_path_factory) -> Path:
    """8 s of a picture without a face, and of two sentences."""
    return make_video(tmp_path_factory.mktemp("live") / "said.mp4", seconds=8.0, sound=said_twice)


@pytest.fixture(scope="session")
def live_server(tmp_path_factory, packed) -> Iterator[Server]:  # noqa: F811
    """`avsr serve`."""
    server = start_server(tmp_path_factory.mktemp("live-server"), packed)
    yield server
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(20)


@pytest.fixture(scope="session")
def studio(launch, tmp_path_factory) -> Iterator:
    """Chromium with a camera and a microphone that are files."""
    folder = tmp_path_factory.mktemp("studio")
    camera, microphone = _write_y4m(folder / "camera.y4m"), _write_wav(folder / "said.wav")
    files = [f"--use-file-for-fake-video-capture={camera}", f"--use-file-for-fake-audio-capture={microphone}"]
    # Chromium's WebRTC leaves the loop out, which is all that a machine without a network has.
    loop = "--allow-loopback-in-peer-connection"
    browser = launch("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", loop, *files)
    yield browser
    browser.close()


@pytest.fixture
def visit(studio, live_server) -> Iterator:
    """`visit(fragment)`: a fresh visitor at /live, who sees others with `faces`; what the page's own code gets wrong fails the test."""
    contexts, wrongs = [], []
    usual = {"locale": "ko-KR", "viewport": {"width": 1280, "height": 900}, "permissions": ["camera", "microphone"]}

    def start(fragment: str = "", *, faces: bool = False, script: str = ";", **options):
        context = studio.new_context(**{**usual, **options})
        contexts.append(context)
        context.set_default_timeout(WAIT_MS)
        page = context.new_page()
        page.on("pageerror", lambda error: wrongs.append(str(error)))
        page.on("console", lambda line: "Content Security Policy" in line.text and wrongs.append(line.text))
        page.add_init_script(script if faces else SILENT_FACES)
        page.goto(f"{live_server.url}/live{fragment}")
        return page

    yield start
    for context in contexts:
        context.close()
    assert not wrongs, wrongs


def _write_y4m(path: Path, size: tuple[int, int] = (320, 240), count: int = 25) -> Path:
    """YUV4MPEG2 with 4:2:0, which Chromium plays over and over."""
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{size[0]} H{size[1]} F25:1 Ip A1:1 C420\n".encode())
        for index in range(count):
            luma = clock_picture(index / 25, size)[..., 0]
            file.write(b"FRAME\n" + luma.tobytes() + bytes([128]) * (luma.size // 2))
    return path


def _write_wav(path: Path, rate: int = 48_000) -> Path:
    samples = said_twice(np.arange(8 * rate) / rate)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path
