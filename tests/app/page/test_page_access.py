"""Whether everyone can use the page: axe-core, target sizes, narrow screens, what a screen reader hears, and the files' form."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.app.page.page_driver import MadeAnswers, made_cue, made_video, wait_until

expect = pytest.importorskip(
    "playwright.sync_api", reason="Playwright is absent: tools/install.sh --browser brings it"
).expect

INSTALL = "tools/install.sh --browser brings it"
PAGES = Path(__file__).parents[3] / "avsr/app/pages"

CUES = [
    made_cue(1, "창문을 열어 둘까요?"),
    made_cue(2, "밖이 시끄러워서\n잘 들리지 않습니다.", source="voice", edited=True),
    made_cue(3, "입술을 보고 읽습니다.", source="lips", confidence=0.41),
]
READING = {"step": "reading", "done": 30.0, "total": 90.0, "left": 42.0}
STATES = {
    "empty": None,
    "list": made_video(),
    "interrupted": made_video(state="uploading", offset=5_000_000),
    "queued": made_video(state="queued", progress={"step": "queued", "position": 2, "left": None}),
    "reading": made_video(state="running", progress=READING),
    "done": made_video(),
    "editing": made_video(),
    "menu": made_video(),
    "burning": made_video(burn={"state": "running", "done": 3, "total": 90}),
    "delete": made_video(),
    "failed": made_video(state="failed", error={"code": "damaged", "message": ""}),
}


def bring_to(page, server: str, state: str) -> None:
    video = STATES[state]
    if video is None:
        expect(page.locator("#videos-note")).to_have_text("아직 올린 영상이 없습니다.")
        return
    MadeAnswers(page, dict(video), CUES if video["state"] in ("running", "done") else [])
    page.goto(server if state == "list" else f"{server}#made-video")
    page.reload()
    sign = ".video" if state == "list" else ".cue" if video["state"] == "done" else "#status-label:not(:empty)"
    page.wait_for_selector(sign)
    if state == "editing":
        page.locator(".cue-edit").nth(1).click()
    elif state == "menu":
        page.click("#formats-button")
    elif state == "delete":
        page.click("#remove")


SCREENS = {
    "wide": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"},
    "phone_dark": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "has_touch": True},
}


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_no_violation(open_page, server, state, screen):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason=f"axe-core is absent: {INSTALL}")
    page = open_page(**SCREENS[screen])
    bring_to(page, server, state)
    found = axe.Axe().run(page).response["violations"]
    assert not found, [(one["id"], [node["target"] for node in one["nodes"]]) for one in found]


@pytest.mark.parametrize("state", STATES)
def test_targets_are_large_and_nothing_runs_over_the_edge(open_page, server, state):
    page = open_page(viewport={"width": 320, "height": 640}, has_touch=True)
    bring_to(page, server, state)
    small = page.evaluate(
        """() => [...document.querySelectorAll("a[href]:not(.skip), button, select, textarea, label:has(input)")]
            .map((one) => [one.id || one.className, one.matches(".video a") ? one.closest(".video") : one])
            .map(([name, one]) => [name, one.getBoundingClientRect()])
            .filter(([name, box]) => box.width > 0 && (box.width < 43.5 || box.height < 43.5))
            .map(([name, box]) => `${name} ${box.width}x${box.height}`)"""
    )
    assert not small
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_a_screen_reader_hears_of_the_reading_now_and_then(page, server):
    news = "".join(
        f"event: state\ndata: {json.dumps(made_video(state='running', progress=READING | {'done': second}))}\n\n"
        for second in range(1, 90)
    )
    MadeAnswers(page, made_video(state="running", progress=READING | {"done": 0}), [], news)
    page.goto(f"{server}#made-video")
    page.add_init_script(
        """window.heard = [];
        addEventListener("DOMContentLoaded", () => new MutationObserver(() =>
            window.heard.push(document.getElementById("announcer").textContent))
            .observe(document.getElementById("announcer"), { childList: true, characterData: true, subtree: true }));"""
    )
    page.reload()
    wait_until(page, "window.heard.some((text) => text.includes('75'))")
    heard = page.evaluate("window.heard.slice(0, window.heard.findIndex((text) => text.includes('75')) + 1)")
    assert heard[0] == "얼굴을 찾고 읽는 중"
    assert len(heard) <= 4, heard


def test_reduced_motion_is_respected(open_page, server):
    page = open_page(reduced_motion="reduce")
    MadeAnswers(page, made_video(state="running", progress={"step": "loading"}))
    page.goto(f"{server}#made-video")
    page.reload()
    expect(page.locator("#status-bar")).to_be_visible()
    assert page.evaluate("document.getAnimations().length") == 0


def test_by_keyboard_alone_the_first_stops_are_the_skip_link_and_the_choice_of_a_video(page):
    page.keyboard.press("Tab")
    expect(page.locator("#skip")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("#choose")).to_be_focused()
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_opening_a_video_takes_the_focus_to_its_name(page, server):
    MadeAnswers(page, made_video(), CUES)
    page.reload()
    page.locator(".video-name").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#viewer-heading")).to_be_focused()
    page.go_back()
    expect(page.locator("#home-heading")).to_be_focused()


def test_both_languages_say_everything():
    text = (PAGES / "strings.js").read_text(encoding="utf-8")
    tables = re.findall(r"const (?:KOREAN|ENGLISH) = \{(.*?)\n\};", text, re.S)
    korean, english = (re.findall(r"^ +(\w+):", table, re.M) for table in tables)
    assert korean == english
    said = "".join(path.read_text(encoding="utf-8") for path in PAGES.iterdir() if path.name != "strings.js")
    words = [key for key in korean if key not in ("errors", *ERROR_CODES)]
    assert not [key for key in words if f'"{key}"' not in said], "said nowhere"


ERROR_CODES = (
    "not_media no_stream too_large too_long too_many_pixels too_busy no_face no_speech unsupported_codec damaged not_found "
    "forbidden bad_request failed token"
).split()


def test_every_error_code_has_a_sentence():
    text = (PAGES / "strings.js").read_text(encoding="utf-8")
    assert [code for code in ERROR_CODES if text.count(f"    {code}: ") != 2] == []


def test_the_files_need_nothing_from_elsewhere_and_no_inline_code():
    for path in PAGES.iterdir():
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"https?://(?!www\.w3\.org)", text), path.name
        assert not re.search(r"\beval\(|new Function|innerHTML|insertAdjacentHTML|document\.write", text), path.name
        assert len(text.splitlines()) <= 400, path.name
    pages = [(PAGES / name).read_text(encoding="utf-8") for name in ("index.html", "live.html")]
    assert not any(re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*src=)", page) for page in pages)
    named = {name for page in pages for name in re.findall(r'"/static/([\w.]+)"', page)}
    named |= {name for path in PAGES.glob("*.js") for name in re.findall(r'from "\./([\w.]+)"', path.read_text())}
    assert named == {path.name for path in PAGES.iterdir()} - {"index.html", "live.html"}
