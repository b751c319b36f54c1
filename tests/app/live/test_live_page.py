"""The page /live in Chromium, whose camera and microphone are made files, on the real server."""

from __future__ import annotations

import os
import re
import signal

import pytest

from tests.app.conftest import PATIENCE
from tests.app.live.page_visit import enter, no_violation
from tests.app.live.test_live_whole import processes
from tests.app.page.page_driver import wait_until

expect = pytest.importorskip("playwright.sync_api", reason="Playwright is absent: tools/install.sh --browser brings it").expect


def test_two_people_meet_one_speaks_and_both_read_it(visit, tmp_path):
    speaker = visit()
    no_violation(speaker)
    enter(speaker, "민지")
    assert re.search(r"#[0-9a-f]{32}$", speaker.url)
    speaker.click("#start")
    wait_until(speaker, "document.querySelector('#preview').videoWidth > 0")
    expect(speaker.locator("#recording-note")).to_have_attribute("data-transport", "webrtc")
    expect(speaker.locator("#self-mode")).to_contain_text("소리만 듣는 중", timeout=1000 * PATIENCE)  # no face is drawn
    lines = speaker.locator("#log .line.mine")
    expect(lines.first).to_be_visible()
    assert "민지 (나)" in lines.first.inner_text()
    no_violation(speaker)

    reader = visit(speaker.url[speaker.url.index("#") :], viewport={"width": 360, "height": 740}, color_scheme="dark")
    enter(reader, "서준")
    text = lines.first.locator(".words").inner_text()
    expect(reader.locator("#log .line .words").first).to_have_text(text)  # what was said before
    expect(reader.locator("#people")).to_contain_text("민지")
    assert reader.evaluate("document.documentElement.scrollWidth <= innerWidth")
    no_violation(reader)

    reader.fill("#search", text)
    expect(reader.locator("#found")).to_contain_text("줄 찾음")
    reader.fill("#search", "")
    reader.select_option("#format", "srt")
    with reader.expect_download() as download:
        reader.click("#export")
    download.value.save_as(tmp_path / "a.srt")
    assert re.match(r"1\n00:00:\d\d,\d{3} --> 00:00:\d\d,\d{3}\n민지: ", (tmp_path / "a.srt").read_text("utf-8"))
    reader.select_option("#size", "200")
    assert reader.evaluate("parseFloat(getComputedStyle(document.querySelector('#log')).fontSize)") >= 2 * 16
    reader.click("#hold")
    expect(reader.locator("#held")).to_contain_text("멈춰")
    reader.click("#leave")
    expect(reader.locator("#door-heading")).to_be_visible()
    expect(speaker.locator("#log")).to_contain_text("서준 님이 나갔습니다.")


def test_lines_say_which_of_several_people_they_are(visit, tmp_path):
    page = visit()
    enter(page, "민지")
    page.evaluate("""async () => {
        const { Panel } = await import("/static/live_panel.js");
        const panel = new Panel();
        panel.me = 1;
        const line = { participant: 1, name: "민지", start: 1, end: 2, source: "both", mode: "av" };
        panel.add({ ...line, segment: "1.1", text: "혼자", speaker: null });
        panel.add({ ...line, segment: "1.2", text: "둘째", speaker: 2 });
        panel.add({ ...line, segment: "1.3", text: "밖", speaker: 0, participant: 2, name: "서준" });
        window.panelOfTest = panel;
        panel.partial({ ...line, segment: "1.4", committed: "아직", tail: "말", speaker: 1 });
    }""")
    names = page.locator("#log .who strong")
    assert names.all_inner_texts() == ["민지 (나)", "민지 (나) · 2", "서준 · 화면 밖"]
    expect(page.locator("#partials .who strong")).to_have_text("민지 (나) · 1")
    for format, wanted in (("txt", "[0:01] 민지 · 2: 둘째"), ("srt", "\n민지 · 2: 둘째"), ("vtt", "<v 서준 · 화면 밖>밖")):
        with page.expect_download() as download:
            page.evaluate("format => window.panelOfTest.save(format)", format)
        download.value.save_as(tmp_path / format)
        assert wanted in (tmp_path / format).read_text("utf-8")
    no_violation(page)


def test_what_the_computer_skips_is_said_once_until_somebody_has_said_something(visit):
    page = visit()
    enter(page, "민지")
    page.evaluate("""async () => {
        const { Panel } = await import("/static/live_panel.js");
        const panel = new Panel();
        const [one, other] = [{ participant: 1, name: "민지", sound: 0 }, { participant: 2, name: "서준", sound: 0.5 }];
        for (const pictures of [1.2, 0.9]) for (const person of [one, other]) panel.skipped({ ...person, pictures });
        panel.add({ participant: 1, name: "민지", segment: "1.1", text: "네", start: 1, end: 2, source: "both", mode: "av", speaker: null });
        panel.skipped({ ...one, pictures: 3 });
    }""")
    told = [text for text in page.locator("#log .event").all_inner_texts() if "건너뛰" in text]
    assert [re.findall(r"(민지|서준|소리|화면|[\d.]+초)", text) for text in told] == [
        ["민지", "화면", "2.1초"], ["서준", "소리", "1.0초", "화면", "2.1초"], ["민지", "화면", "3.0초"],
    ]  # fmt: skip


def test_only_final_lines_are_read_out(visit):
    page = visit()
    enter(page, "민지")
    log = page.locator("#log")
    assert (log.get_attribute("role"), log.get_attribute("aria-relevant")) == ("log", "additions")
    assert page.locator("#partials").get_attribute("aria-hidden") == "true"
    assert not page.evaluate("document.querySelector('#log').contains(document.querySelector('#partials'))")


def test_a_room_that_is_none_is_said_in_words(visit):
    page = visit("#" + "0" * 32)
    page.fill("#name", "민지")
    page.click("#enter")
    expect(page.locator("#problem-text")).to_contain_text("그런 방이 없거나 끝났습니다.")


def test_where_webrtc_cannot_pass_pieces_go_by_the_websocket_and_the_page_says_so(visit):
    page = visit()
    page.route("**/whip", lambda route: route.fulfill(status=503, body="{}"))
    enter(page, "민지")
    page.click("#start")
    expect(page.locator("#connection")).to_contain_text("WebSocket으로 보냅니다")
    expect(page.locator("#recording-note")).to_have_attribute("data-transport", "websocket")
    expect(page.locator("#log .line.mine").first).to_be_visible(timeout=1000 * PATIENCE)


def test_a_connection_by_webrtc_that_is_lost_goes_on_by_the_websocket(visit, live_server):
    page = visit()
    enter(page, "민지")
    page.click("#start")
    expect(page.locator("#recording-note")).to_have_attribute("data-transport", "webrtc")
    for process in processes(live_server, "peer"):
        os.kill(process, signal.SIGKILL)
    expect(page.locator("#recording-note")).to_have_attribute("data-transport", "websocket")
    expect(page.locator("#log .line.mine").first).to_be_visible(timeout=1000 * PATIENCE)
