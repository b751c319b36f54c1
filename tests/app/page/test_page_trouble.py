"""The page when things go wrong: broken lines, busy servers, wrong files, hostile names, a missing token."""

from __future__ import annotations

import pytest

from tests.app.page.page_driver import MadeAnswers, Patches, choose, finished, made_cue, made_video, wait_done

expect = pytest.importorskip(
    "playwright.sync_api", reason="Playwright is absent: tools/install.sh --browser brings it"
).expect

PIECE = 8 * 1024 * 1024


@pytest.fixture
def large_clip(clip, tmp_path):
    """The clip with a free box behind it, so that it takes three pieces."""
    free = 2 * PIECE
    path = tmp_path / "긴 영상.mp4"
    path.write_bytes(clip.read_bytes() + free.to_bytes(4, "big") + b"free" + bytes(free - 8))
    return path


def offsets(page) -> list[int]:
    """The Upload-Offset of every piece that is sent from now on."""
    seen: list[int] = []
    page.on("request", lambda request: request.method == "PATCH" and seen.append(int(request.headers["upload-offset"])))
    return seen


def test_an_interrupted_upload_goes_on_after_a_reload(page, large_clip):
    page.on("dialog", lambda dialog: dialog.accept())  # "leave the page?"
    held: list = []

    def second_piece(route):
        request = route.request
        wanted = request.method == "PATCH" and int(request.headers["upload-offset"]) > 0
        held.append(route) if wanted else route.continue_()

    page.route("**/api/uploads/*", second_piece)
    choose(page, large_clip)
    expect(page.locator("#status-detail")).to_contain_text("중 8.4 MB")
    page.reload()
    page.unroute("**/api/uploads/*")
    expect(page.locator("#status-label")).to_have_text("올리다 멈춤")

    sent = offsets(page)
    begun = []
    page.on("request", lambda request: request.method == "POST" and begun.append(request.url))
    with page.expect_file_chooser() as chooser:
        page.click("#resume")
    chooser.value.set_files(str(large_clip))
    wait_done(page)
    assert sent == [PIECE, 2 * PIECE]
    assert begun == []


def test_a_broken_line_is_waited_out(page, clip):
    patches = Patches(page, break_next=2)
    choose(page, clip)
    expect(page.locator("#status-detail")).to_contain_text("연결이 끊겼습니다")
    wait_done(page)
    assert patches.count == 3


def test_a_wait_can_be_cut_short(page, clip):
    Patches(page, break_next=1, answer={"status": 503, "headers": {"Retry-After": "600"}})
    choose(page, clip)
    expect(page.locator("#status-detail")).to_contain_text("서버가 붐빕니다. 10분 뒤에")
    page.click("#retry")
    wait_done(page)


def test_a_wrong_offset_is_asked_for_again(page, clip):
    patches = Patches(page, break_next=1, answer={"status": 409})
    finished(page, clip)
    assert patches.count == 2


def test_a_busy_server_is_waited_for(page, clip):
    answers = iter([{"status": 429, "headers": {"Retry-After": "3"}}])

    def begin(route):
        answer = next(answers, None)
        route.fulfill(**answer) if answer else route.continue_()

    page.route("**/api/uploads", begin)
    choose(page, clip)
    expect(page.locator(".video .state-detail")).to_contain_text("서버가 붐빕니다")
    wait_done(page)


def test_what_is_no_video_is_refused_in_words(page, tmp_path):
    letter = tmp_path / "편지.mp4"
    letter.write_text("영상이 아닙니다. " * 200, encoding="utf-8")
    choose(page, letter)
    expect(page.locator("#status-label")).to_have_text("실패")
    expect(page.locator("#status-detail")).to_contain_text("영상이나 소리 파일이 아닙니다")


def test_an_empty_file_and_one_too_large_are_refused_at_once(page, server, clip, tmp_path):
    begun = []
    page.on("request", lambda request: request.method == "POST" and begun.append(request.url))
    empty = tmp_path / "빈 파일.mp4"
    empty.write_bytes(b"")
    choose(page, empty)
    expect(page.locator("#problem")).to_contain_text("빈 파일입니다")

    limits = {"max_bytes": 1000, "max_seconds": 60, "keep_hours": 24, "model": "", "version": ""}
    page.route("**/api/config", lambda route: route.fulfill(json=limits))
    page.reload()
    expect(page.locator("#limits")).to_contain_text("1 kB, 1분까지")
    choose(page, clip)
    expect(page.locator("#problem")).to_contain_text("1 kB까지 올릴 수 있습니다")
    assert begun == []


def test_a_video_that_is_not_there_leads_back_to_the_list(page, server):
    page.goto(f"{server}#no-such-video")
    expect(page.locator("#problem")).to_contain_text("그 영상이 없습니다")
    expect(page.locator("#home")).to_be_visible()
    page.click("#problem-close")
    expect(page.locator("#problem")).to_be_hidden()


def test_a_refused_stream_of_news_is_tried_again(page, clip):
    refused = []

    def stream(route):
        if len(refused) < 2:
            refused.append(route)
            route.fulfill(status=502)
        else:
            route.continue_()

    page.route("**/events", stream)
    finished(page, clip)
    assert refused


def test_a_token_is_asked_for_and_the_address_kept(serve, open_page, clip):
    guarded = serve(token="a-token-of-the-test")
    page = open_page(f"{guarded}#some-video")
    expect(page.locator("#token-heading")).to_be_visible()
    expect(page.locator("#token-field")).to_be_focused()
    page.keyboard.type("a-token-of-the-test")
    page.keyboard.press("Enter")
    expect(page.locator("#token")).to_be_hidden()
    expect(page.locator("#problem")).to_contain_text("그 영상이 없습니다")  # it went to the video that was asked for
    assert page.url == guarded, "the token does not stay in the address"
    finished(page, clip)


def test_names_and_captions_are_only_text(page, server):
    evil = "<img src=x onerror=\"document.title='bad'\"><b>굵게</b> & {0}.mp4"
    MadeAnswers(page, made_video(name=evil), [made_cue(1, "<i>기울게</i> & <script>x</script>", speaker="<u>가</u>")])
    page.goto(f"{server}#made-video")
    page.reload()
    expect(page.locator("#viewer-heading")).to_have_text(evil)
    expect(page.locator(".cue-text")).to_have_text("<i>기울게</i> & <script>x</script>")
    track = page.evaluate("document.querySelector('video').textTracks[0].cues[0].getCueAsHTML().textContent")
    assert track == "<i>기울게</i> & <script>x</script>"
    page.click("#back")
    expect(page.locator(".video-name")).to_have_text(evil)
    assert page.locator("main b, main i, main u, main script").count() == 0
