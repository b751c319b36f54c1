"""What the page's tests do again and again, in the words of someone who uses the page."""

from __future__ import annotations

import time
from pathlib import Path

WAIT_MS = 90_000
"""Long, for machines that are busy with something else."""


def choose(page, path: str | Path) -> None:
    """Press the button and choose a file, as a person does."""
    with page.expect_file_chooser() as chooser:
        page.click("#choose")
    chooser.value.set_files(str(path))


def wait_done(page) -> None:
    """Wait until the open video has its final captions."""
    page.wait_for_selector("#take:not([hidden])")
    page.wait_for_selector(".cue-edit:not([hidden])")


def finished(page, path: str | Path) -> None:
    choose(page, path)
    wait_done(page)


def wait_until(page, expression: str) -> None:
    """Wait for a JavaScript expression to be true (Playwright's own wait calls eval in the page, which its policy forbids)."""
    deadline = time.monotonic() + WAIT_MS / 1000
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, f"never true: {expression}"
        page.wait_for_timeout(50)


def texts(page) -> list[str]:
    return page.locator(".cue-text").all_inner_texts()


def save(download, folder: Path) -> Path:
    target = folder / download.suggested_filename
    download.save_as(target)
    return target


class Patches:
    """Every PATCH to /api/uploads, counted; `break_next` of them are cut off, or answered with `answer` instead."""

    def __init__(self, page, break_next: int = 0, answer: dict | None = None, hold: bool = False):
        self.count = 0
        self.left = break_next
        self.answer = answer
        self.hold = hold
        self.held: list = []
        page.route("**/api/uploads/*", self._meet)

    def _meet(self, route) -> None:
        if route.request.method != "PATCH":
            route.continue_()
            return
        self.count += 1
        if self.hold:
            self.held.append(route)
        elif self.left > 0:
            self.left -= 1
            if self.answer:
                route.fulfill(**self.answer)
            else:
                route.abort("connectionreset")
        else:
            route.continue_()

    def release(self) -> None:
        self.hold = False
        for route in self.held:
            route.continue_()
        self.held.clear()


class MadeAnswers:
    """Answers for one video in the place of the server's, for states that a server cannot be put into at will."""

    def __init__(self, page, video: dict, cues: list[dict] = (), events: str = ""):
        self.video = video
        self.cues = list(cues)
        base = f"**/api/videos/{video['id']}"
        page.route("**/api/videos", lambda route: route.fulfill(json={"videos": [self.video]}))
        page.route(base, lambda route: route.fulfill(json={**self.video, "cues": self.cues}))
        page.route(f"{base}/events", lambda route: route.fulfill(body=events, content_type="text/event-stream"))
        page.route(f"{base}/thumbnail.jpg", lambda route: route.fulfill(status=404))
        page.route(f"{base}/media", lambda route: route.fulfill(status=200, body="no media", content_type="video/mp4"))


def made_video(**changes) -> dict:
    """A Video of the contract that is done, or what `changes` make of it."""
    video = {
        "id": "made-video",
        "name": "강연.mp4",
        "state": "done",
        "size": 20_000_000,
        "offset": 20_000_000,
        "created": 1_760_000_000,
        "expires": 4_000_000_000,
        "duration": 90.0,
        "has_picture": True,
        "has_sound": True,
        "mode": "auto",
        "used": "av",
        "reason": "",
        "progress": None,
        "error": None,
        "burn": {"state": "none", "done": 0, "total": None},
    }
    return video | changes


def made_cue(n: int, text: str, **changes) -> dict:
    cue = {"n": n, "start": 2.0 * n, "end": 2.0 * n + 1.9, "text": text, "source": "both", "confidence": 0.9}
    return cue | {"speaker": None, "edited": False} | changes
