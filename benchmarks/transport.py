"""Live captions by WebRTC beside those by WebSocket: how late pictures are before they are recognised, how many come, and what memory it takes.

    python -m benchmarks.transport --work DIR [--seconds 40] [--model ZIP]

A server of its own; Chromium, with its own fake camera (640x480, 20 pictures a second) and microphone, sends by one and then by the other, and then
the reference client a made clip (320x240). The delay is what /metrics says: 95 % of the last pictures, counted from when the recording's clock says that they were
taken. That clock begins with the first data, so that what these took on their way (some tens of milliseconds) is not in it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from avsr.app.live.client import Guest
from avsr.app.live.client import Server as Door
from avsr.app.live.recording import Recording
from avsr.decoding.default_model import find_model
from avsr.stages.command import run_main
from avsr.stages.machine import describe_commit, describe_machine
from benchmarks.rooms import Visitor, Watch
from tests.app.conftest import BROWSER, Server, start_server
from tests.media_maker import make_video

_TRANSPORTS = ("webrtc", "websocket")
_LOADED = 30.0  # seconds in which the model is loaded


def browse(server: Server, room: str, transport: str, seconds: float) -> None:
    """Chromium takes part for so long."""
    from playwright.sync_api import sync_playwright

    fake = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=fake)
        page = browser.new_context(permissions=["camera", "microphone"]).new_page()
        page.goto(f"{server.url}/live?transport={transport}#{room}")
        page.fill("#name", "browser")
        page.press("#name", "Enter")
        page.wait_for_selector("#start")
        page.click("#start")
        page.wait_for_selector(f'#recording-note[data-transport="{transport}"]')
        page.wait_for_timeout(1000 * seconds)
        page.click("#leave")
        page.wait_for_selector("#door:not([hidden])")
        browser.close()


def watched(server: Server, what: str, work: Callable[[], None]) -> None:
    """Do it, and print what was seen meanwhile."""
    watch = Watch(server)
    watching = threading.Thread(target=watch.run)
    watching.start()
    work()
    watch.over.set()
    watching.join()
    memory = {kind: max(megabytes for _, megabytes in found) for kind, found in watch.memory.items() if kind in ("peer", "decoding")}
    rates = f"{statistics.median(watch.pictures):.1f}" if watch.pictures else "none"
    delays = f"{statistics.median(watch.delays):.3f}, at most {max(watch.delays):.3f}" if watch.delays else "none"
    print(f"| {what} | {delays} | {rates} | {', '.join(f'{kind} {most:.0f}' for kind, most in memory.items())} |", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--work", type=Path, required=True, help="folder for the server's files")
    parser.add_argument("--seconds", type=float, default=40.0, help="for which each takes part (default: %(default)s)")
    parser.add_argument("--model", type=Path, help="packed model (default: as for transcribe)")
    args = parser.parse_args(arguments)
    args.work.mkdir(parents=True, exist_ok=True)
    clip = make_video(args.work / "clip.mp4", seconds=args.seconds)
    server = start_server(args.work / "server", args.model or find_model())
    try:
        door = Door(server.url, "benchmark")
        room = door.post("/api/live/rooms")["room"]
        Visitor(door, room, "listener")
        time.sleep(_LOADED)
        print("| | delay p95, s: median of the run | pictures a second | MB (proportional set size) |\n| --- | --- | --- | --- |")
        for transport in _TRANSPORTS:
            watched(server, f"Chromium, {transport}", lambda: browse(server, room, transport, args.seconds))
        for transport in _TRANSPORTS:
            guest = Guest(door, room, transport, by_webrtc=transport == "webrtc")
            watched(server, f"live-client, {transport}", lambda: guest.play(Recording(clip)))
            time.sleep(1.0)
    finally:
        server.kill()
    print(f"\nload {os.getloadavg()[0]:.1f}; commit {describe_commit()}; {describe_machine()}")
    return 0


if __name__ == "__main__":
    run_main(main)
