"""The page in a real browser: from a chosen file to its captions, by mouse, keyboard and touch."""

from __future__ import annotations

import json

import pytest

from tests.app.page.page_driver import (
    MadeAnswers,
    Patches,
    choose,
    finished,
    made_cue,
    made_video,
    save,
    texts,
    wait_done,
    wait_until,
)

expect = pytest.importorskip(
    "playwright.sync_api", reason="Playwright is absent: tools/install.sh --browser brings it"
).expect

CUES = [
    made_cue(1, "창문을 열어 둘까요?"),
    made_cue(2, "밖이 시끄럽습니다.", source="voice", confidence=0.95),
    made_cue(3, "입술을 보고 읽습니다.", source="lips", confidence=0.41),
    made_cue(4, "(민지) 세 시까지 돌아옵니다.", confidence=0.5, speaker="민지"),
]


def test_three_clicks_from_opening_to_the_captioned_video(page, clip, tmp_path):
    page.evaluate("window.clicks = 0; addEventListener('click', (event) => (window.clicks += event.isTrusted), true)")
    finished(page, clip)
    with page.expect_download() as download:
        page.click("#burn")
    saved = save(download.value, tmp_path)
    assert saved.name == "회의 인사.captioned.mp4"
    assert saved.stat().st_size > 1000
    assert page.evaluate("window.clicks") <= 3


def test_a_dropped_file_is_uploaded(page, clip):
    page.evaluate(
        """async (bytes) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "끌어온 영상.mp4", { type: "video/mp4" }));
            for (const kind of ["dragenter", "dragover", "drop"]) {
                const options = { dataTransfer: data, bubbles: true, cancelable: true };
                document.body.dispatchEvent(new DragEvent(kind, options));
            }
        }""",
        list(clip.read_bytes()),
    )
    wait_done(page)
    expect(page.locator("#viewer-heading")).to_have_text("끌어온 영상.mp4")


def test_several_files_wait_for_each_other_in_the_list(page, named):
    page.set_input_files("#file", [str(named("하나.mp4")), str(named("둘.mp4"))])
    expect(page.locator(".video")).to_have_count(2)
    expect(page.locator(".video[data-tone=done]")).to_have_count(2)
    assert page.evaluate("location.hash") == ""


def test_a_reload_keeps_the_video_open(page, clip):
    finished(page, clip)
    before = texts(page)
    page.reload()
    wait_done(page)
    assert texts(page) == before


@pytest.mark.parametrize(
    "changes, label, detail",
    [
        ({"state": "uploading", "offset": 5_000_000}, "올리다 멈춤", "20 MB 중 5 MB · 같은 파일을 다시 고르면"),
        (
            {"state": "queued", "progress": {"step": "queued", "position": 3, "left": 130}},
            "차례를 기다리는 중",
            "3번째 차례 · 약 2분",
        ),
        ({"state": "running", "progress": {"step": "loading"}}, "읽을 준비를 하는 중", ""),
        (
            {"state": "running", "progress": {"step": "reading", "done": 30, "total": 90, "left": 42}},
            "얼굴을 찾고 읽는 중",
            "1:30 중 0:30 · 약 45초 남음",
        ),
        ({"state": "running", "progress": {"step": "writing"}}, "자막을 쓰는 중", ""),
        ({"state": "failed", "error": {"code": "no_face", "message": "none"}}, "실패", "얼굴을 찾지 못했습니다."),
        ({"state": "failed", "error": {"code": "new_one", "message": "말 그대로"}}, "실패", "말 그대로"),
    ],
    ids=["interrupted", "queued", "loading", "reading", "writing", "no_face", "unknown_error"],
)
def test_what_is_going_on_is_said(page, server, changes, label, detail):
    MadeAnswers(page, made_video(**changes))
    page.goto(f"{server}#made-video")
    page.reload()
    expect(page.locator("#status-label")).to_have_text(label)
    expect(page.locator("#status-detail")).to_contain_text(detail)
    page.click("#back")
    expect(page.locator(".video .state-label")).to_have_text(label)


def test_upload_says_bytes_and_can_be_cancelled(page, clip):
    patches = Patches(page, hold=True)
    choose(page, clip)
    expect(page.locator("#status-label")).to_have_text("올리는 중")
    expect(page.locator("#status-detail")).to_contain_text("kB 중 0 B")
    with page.expect_request(lambda request: request.method == "DELETE"):
        page.click("#cancel")
    expect(page.locator("#videos-note")).to_have_text("아직 올린 영상이 없습니다.")
    assert patches.count == 1


def test_drafts_appear_as_they_are_read(page, server):
    running = made_video(state="running", progress={"step": "reading", "done": 4, "total": 90, "left": 60})
    news = "".join(f"event: cue\ndata: {json.dumps(cue)}\n\n" for cue in CUES[1:])
    MadeAnswers(page, running, CUES[:1], news)
    page.goto(f"{server}#made-video")
    page.reload()
    expect(page.locator(".cue")).to_have_count(4)
    expect(page.locator("#cues-note")).to_contain_text("아직 읽는 중입니다")
    assert page.locator(".cue-edit:visible").count() == 0, "a draft cannot be edited"
    expect(page.locator("#take")).to_be_hidden()


def test_a_cue_is_gone_to_by_click_and_by_key_and_shows_over_the_picture(page, clip):
    finished(page, clip)
    cue = page.locator(".cue").nth(1)
    cue.locator(".cue-jump").click()
    expect(cue).to_have_class("cue on")
    expect(cue.locator(".cue-jump")).to_have_attribute("aria-current", "true")
    wait_until(page, "document.querySelector('video').textTracks[0].activeCues.length > 0")
    shown = page.evaluate("document.querySelector('video').textTracks[0].activeCues[0].text")
    assert shown == cue.locator(".cue-text").inner_text()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.locator(".cue").nth(0)).to_have_class("cue on")
    assert page.evaluate("document.querySelector('video').currentTime") < 1


def test_the_tab_key_passes_the_list_in_two_steps(page, clip):
    finished(page, clip)
    assert page.locator(".cue-list [tabindex='0']").count() == 2, "one cue's two buttons; the arrows go to the others"
    page.locator(".cue-jump").first.focus()
    page.keyboard.press("End")
    expect(page.locator(".cue-jump").last).to_be_focused()


def test_an_edit_is_saved_by_enter_and_is_there_after_a_reload(page, clip):
    finished(page, clip)
    page.locator(".cue-edit").first.click()
    field = page.locator(".edit-field")
    expect(field).to_be_focused()
    field.fill("첫째 줄")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("둘째 줄")
    page.keyboard.press("Shift+Enter")  # no third line
    page.keyboard.press("Enter")
    expect(page.locator(".edit")).to_have_count(0)
    expect(page.locator(".cue").first.locator(".cue-jump")).to_be_focused()
    expect(page.locator(".cue").first).to_contain_text("고침")
    page.reload()
    wait_done(page)
    assert texts(page)[0] == "첫째 줄\n둘째 줄"


def test_escape_leaves_a_cue_as_it_was(page, clip):
    finished(page, clip)
    before = texts(page)
    page.locator(".cue-jump").first.focus()
    page.keyboard.press("F2")
    page.keyboard.type("다른 말")
    page.keyboard.press("Escape")
    expect(page.locator(".edit")).to_have_count(0)
    assert texts(page) == before


def test_enter_that_ends_a_composed_syllable_saves_nothing(page, clip):
    finished(page, clip)
    page.locator(".cue-edit").first.click()
    event = "new KeyboardEvent('keydown', { key: 'Enter', isComposing: true, bubbles: true, cancelable: true })"
    page.locator(".edit-field").fill("쓰는 중")
    page.locator(".edit-field").evaluate(f"(field) => field.dispatchEvent({event})")
    expect(page.locator(".edit-field")).to_be_visible()


def test_an_edit_that_fails_stays_open_and_says_why(page, clip):
    finished(page, clip)
    page.route("**/cues/*", lambda route: route.abort())
    page.locator(".cue-edit").first.click()
    page.locator(".edit-field").fill("고친 말")
    page.keyboard.press("Enter")
    expect(page.locator(".edit-problem")).to_contain_text("서버에 연결하지 못했습니다")
    expect(page.locator(".edit-field")).to_have_value("고친 말")
    page.unroute("**/cues/*")
    page.keyboard.press("Enter")
    expect(page.locator(".cue-text").first).to_have_text("고친 말")


def test_going_away_saves_an_open_edit(page, clip):
    finished(page, clip)
    page.locator(".cue-edit").first.click()
    page.locator(".edit-field").fill("떠나기 전에 고친 말")
    with page.expect_response(lambda response: "/cues/" in response.url):
        page.click("#back")
    page.locator(".video-name").click()
    wait_done(page)
    assert texts(page)[0] == "떠나기 전에 고친 말"


def test_badges_differ_in_words_and_form_not_in_colour_alone(page, server):
    MadeAnswers(page, made_video(), CUES)
    page.goto(f"{server}#made-video")
    page.reload()
    badges = page.locator(".badge")
    expect(badges).to_have_text(["읽은 것: 소리+입술", "읽은 것: 소리", "읽은 것: 입술", "읽은 것: 소리+입술"])
    form = "getComputedStyle(one).borderStyle + one.querySelectorAll('svg').length"
    forms = badges.evaluate_all(f"(all) => all.map((one) => {form})")
    assert forms[:3] == ["solid2", "solid1", "dashed1"]
    expect(page.locator(".cue").nth(3)).to_contain_text("(민지) 세 시까지")


def test_cues_that_want_a_look_are_marked_and_found(page, server):
    MadeAnswers(page, made_video(), CUES)
    page.goto(f"{server}#made-video")
    page.reload()
    expect(page.locator(".cue.low")).to_have_count(2)
    expect(page.locator(".cue.low").first).to_contain_text("확인 필요 확신도 41%")
    expect(page.locator("#to-check")).to_contain_text("확인할 자막 2개")
    page.click("#to-check")
    expect(page.locator(".cue-jump").nth(2)).to_be_focused()
    page.click("#to-check")
    expect(page.locator(".cue-jump").nth(3)).to_be_focused()


def test_every_format_is_in_the_menu(page, clip, tmp_path):
    finished(page, clip)
    for suffix in ("srt", "vtt", "ass", "txt", "json", "mp4"):
        page.click("#formats-button")
        with page.expect_download() as download:
            page.click(f"#formats a[href*='.{suffix}']")
        assert save(download.value, tmp_path).suffix == f".{suffix}"
        expect(page.locator("#formats")).to_be_hidden()


def test_the_menu_closes_by_escape_and_gives_the_focus_back(page, clip):
    finished(page, clip)
    page.locator("#formats-button").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("#formats a").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#formats-button")).to_be_focused()
    expect(page.locator("#formats-button")).to_have_attribute("aria-expanded", "false")


def test_a_burned_video_is_made_once_and_anew_after_an_edit(page, clip):
    asked = []
    page.on("request", lambda request: request.method == "POST" and "/burn" in request.url and asked.append(request.url))
    finished(page, clip)
    for _ in range(2):
        with page.expect_download():
            page.click("#burn")
    assert len(asked) == 1
    expect(page.locator("#burn-label")).to_contain_text("준비됐습니다")
    page.locator(".cue-edit").first.click()
    page.locator(".edit-field").fill("고친 말")
    with page.expect_download():
        page.click("#burn")  # saves the open edit, too
    assert len(asked) == 2
    expect(page.locator(".cue-text").first).to_have_text("고친 말")


def test_a_failed_burn_says_so_and_can_be_tried_again(page, server):
    failed = {"state": "failed", "done": 0, "total": None}
    made = MadeAnswers(page, made_video(), CUES)
    page.route("**/burn", lambda route: (made.video.update(burn=failed), route.fulfill(status=202)))
    page.goto(f"{server}#made-video")
    page.reload()
    page.click("#burn")
    expect(page.locator("#burn-label")).to_contain_text("넣지 못했습니다")
    expect(page.locator("#burn")).to_have_attribute("aria-disabled", "false")


def test_sound_alone_offers_no_video_to_take_away(page, server):
    MadeAnswers(page, made_video(has_picture=False, used="audio", name="통화.wav"), CUES)
    page.goto(f"{server}#made-video")
    page.reload()
    expect(page.locator("#burn")).to_be_hidden()
    page.click("#formats-button")
    expect(page.locator("#formats a")).to_have_count(5)


def test_what_the_browser_cannot_play_is_said_and_the_cues_go_on_working(page, server):
    MadeAnswers(page, made_video(), CUES)
    page.goto(f"{server}#made-video")
    page.reload()
    expect(page.locator("#cannot-play")).to_contain_text("재생하지 못합니다")
    page.locator(".cue-jump").nth(2).click()
    expect(page.locator(".cue").nth(2)).to_have_class("cue low on")


def test_delete_asks_first(page, clip):
    finished(page, clip)
    page.click("#remove")
    expect(page.locator("#remove-dialog")).to_contain_text("회의 인사.mp4")
    page.keyboard.press("Escape")
    expect(page.locator("#remove")).to_be_focused()
    page.click("#remove")
    page.click("#remove-dialog button[value=remove]")
    expect(page.locator("#videos-note")).to_have_text("아직 올린 영상이 없습니다.")
    expect(page.locator("#announcer")).to_contain_text("지웠습니다")


def test_the_language_is_the_browsers_and_a_choice_is_remembered(open_page):
    headings = {"ko-KR": "영상에 자막을 답니다", "en-US": "Captions for your video", "ja-JP": "영상에 자막을 답니다"}
    for locale, heading in headings.items():
        expect(open_page(locale=locale).locator("#home-heading")).to_have_text(heading)
    page = open_page()
    page.click("#language")
    expect(page.locator("#home-heading")).to_have_text("Captions for your video")
    page.reload()
    expect(page.locator("#home-heading")).to_have_text("Captions for your video")
    assert page.evaluate("document.documentElement.lang") == "en"


def test_a_switch_of_language_reaches_an_open_video(page, clip):
    finished(page, clip)
    page.click("#language")
    expect(page.locator("#burn")).to_have_text("Download captioned video")
    expect(page.locator(".badge").first).to_contain_text("Voice")
    assert page.locator(".cue-text").first.get_attribute("lang") == "ko"
