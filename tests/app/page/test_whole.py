"""The page on the real server, with a real video: what the other tests here take a made server for."""

from __future__ import annotations

import base64
import re
import time

import av
import httpx
import pytest

from tests.app.conftest import start_server
from tests.app.page.page_driver import finished, save, texts
from tests.app.page.stub import create_stub
from tests.decoding.conftest import packed, run, speech  # noqa: F401 - fixtures
from tests.media_maker import make_video

expect = pytest.importorskip("playwright.sync_api", reason="Playwright is absent: tools/install.sh --browser brings it").expect


@pytest.fixture(scope="module")
def real(tmp_path_factory, packed):  # noqa: F811
    """The address of `avsr serve`."""
    server = start_server(tmp_path_factory.mktemp("real"), packed)
    yield server
    server.kill()


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """8 s in which something is said."""
    return make_video(tmp_path_factory.mktemp("said") / "회의 인사.mp4", seconds=8.0, sound=speech)


def test_a_video_comes_back_with_captions_in_three_clicks(open_page, real, said, tmp_path):
    page = open_page(real.url)
    page.evaluate("window.clicks = 0; addEventListener('click', (event) => (window.clicks += event.isTrusted), true)")
    finished(page, said)
    assert texts(page) and all(texts(page))
    with page.expect_download(timeout=90_000) as download:
        page.click("#burn")
    saved = save(download.value, tmp_path)
    assert page.evaluate("window.clicks") <= 3
    with av.open(str(saved)) as file:
        assert [stream.type for stream in file.streams] == ["video", "audio"]


def test_a_changed_caption_is_in_the_file_that_is_taken_away_and_still_there_after_a_reload(open_page, real, said):
    page = open_page(real.url)
    finished(page, said)
    page.locator(".cue-edit").first.click()
    page.keyboard.press("Control+A")
    page.keyboard.type("고친 자막")
    page.keyboard.press("Enter")
    expect(page.locator(".cue-text").first).to_have_text("고친 자막")
    page.reload()
    expect(page.locator(".cue-text").first).to_have_text("고친 자막")
    id = re.search(r"#([0-9a-f]{32})", page.url).group(1)
    assert "고친 자막" in page.request.get(f"{real.url}/api/videos/{id}/captions.srt").text()


def test_what_is_no_video_is_refused_in_words(open_page, real, tmp_path):
    (tmp_path / "메모.mp4").write_text("이것은 영상이 아닙니다")
    page = open_page(real.url)
    with page.expect_file_chooser() as chooser:
        page.click("#choose")
    chooser.value.set_files(str(tmp_path / "메모.mp4"))
    expect(page.get_by_text("실패").first).to_be_visible()


def test_the_made_server_of_the_other_tests_says_what_the_real_one_says(real, said, serve):
    """Their videos and captions have the same fields."""
    made = serve(tick=0.0)
    shapes = []
    for url in (real.url, made.rstrip("/")):
        with httpx.Client(base_url=url, timeout=60) as client:
            client.get("/")
            client.headers["X-Requested-With"] = "avsr"
            about = f"filename {base64.b64encode('회의.mp4'.encode()).decode()},mode {base64.b64encode(b'auto').decode()}"
            data = said.read_bytes()
            place = client.post("/api/uploads", headers={"Upload-Length": str(len(data)), "Upload-Metadata": about, "Tus-Resumable": "1.0.0"}).headers["location"]
            kind = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0", "Tus-Resumable": "1.0.0"}
            assert client.patch(place, content=data, headers=kind).status_code == 204
            for _ in range(600):
                video = client.get(f"/api/videos/{place.rpartition('/')[2]}").json()
                if video["state"] == "done":
                    break
                time.sleep(0.1)
            shapes.append((sorted(video), sorted(video["cues"][0]), sorted(video["burn"]), sorted(client.get("/api/config").json())))
    assert shapes[0] == shapes[1]
