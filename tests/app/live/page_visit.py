"""What the tests of /live do again and again, in the words of someone who uses it."""

from __future__ import annotations

import pytest

SILENT_FACES = "localStorage.setItem('avsr.live.faces', 'off')"
"""For pages that need not see each other: a machine of two cores has better things to do."""


def enter(page, name: str) -> None:
    """By the door into the room."""
    from playwright.sync_api import expect

    page.fill("#name", name)
    page.press("#name", "Enter")
    expect(page.locator("#connection")).to_have_text("연결되었습니다.")


def no_violation(page) -> None:
    """axe-core finds nothing."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is absent: tools/install.sh --browser brings it")
    found = axe.Axe().run(page).response["violations"]
    assert not [(one["id"], [node["target"] for node in one["nodes"]]) for one in found]
