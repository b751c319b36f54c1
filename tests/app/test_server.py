"""The caption server from outside: uploads, captions, events, owners, OpenAI's endpoint."""

from __future__ import annotations

import io
import json
import shutil

import av
import httpx
import pysubs2
import pytest

from tests.app.conftest import ended, start_server, upload, wait_for
from tests.decoding.conftest import packed, run  # noqa: F401 - fixtures


@pytest.fixture(scope="module")
def done(server, spoken):
    """(client, video) of somebody whose video is captioned."""
    client = server.client("the first")
    sent = upload(client, spoken.read_bytes(), "회의 영상.mp4")
    assert sent.status_code == 204
    found = ended(client, sent.id)
    assert found["state"] == "done", found
    return client, found


def test_a_video_is_captioned(done):
    client, video = done
    assert video["name"] == "회의 영상.mp4" and video["used"] == "audio" and video["cues"]
    assert video["duration"] == pytest.approx(3.0, abs=0.1)
    assert [cue["n"] for cue in video["cues"]] == list(range(1, len(video["cues"]) + 1))
    assert all(cue["source"] == "voice" and 0 <= cue["start"] < cue["end"] for cue in video["cues"])
    assert client.get("/api/videos").json()["videos"][0]["id"] == video["id"]
    assert client.get(f"/api/videos/{video['id']}/thumbnail.jpg").content.startswith(b"\xff\xd8")


def test_captions_are_corrected_and_downloaded(done):
    client, video = done
    place = f"/api/videos/{video['id']}"
    changed = client.patch(f"{place}/cues/1", json={"text": "고친  자막\n\n둘째 줄"}).json()
    assert changed["text"] == "고친 자막\n둘째 줄" and changed["edited"]
    srt = client.get(f"{place}/captions.srt?download=1")
    assert "filename*=UTF-8''%ED%9A%8C%EC%9D%98%20%EC%98%81%EC%83%81.srt" in srt.headers["content-disposition"]
    assert pysubs2.SSAFile.from_string(srt.text)[0].plaintext == "고친 자막\n둘째 줄"
    assert client.get(f"{place}/captions.vtt").text.startswith("WEBVTT")
    assert client.get(f"{place}/captions.txt").text.startswith("고친 자막 둘째 줄")
    assert json.loads(client.get(f"{place}/captions.json").text)["cues"][0]["edited"]
    for wrong in ("가" * 65, "하나\n둘\n셋"):
        assert client.patch(f"{place}/cues/1", json={"text": wrong}).status_code == 400
    assert client.patch(f"{place}/cues/999", json={"text": "가"}).status_code == 404
    assert client.patch(f"{place}/cues/1", json={"text": " "}).json()["text"] == ""
    assert client.get(f"{place}/captions.srt").text.count("-->") == srt.text.count("-->") - 1
    client.patch(f"{place}/cues/1", json={"text": "고친 자막"})


def test_the_video_comes_back_with_captions_soft_and_burned(done):
    client, video = done
    place = f"/api/videos/{video['id']}"
    with av.open(io.BytesIO(client.get(f"{place}/soft.mp4").content)) as soft:
        assert [stream.type for stream in soft.streams] == ["video", "audio", "subtitle"]
    assert client.get(f"{place}/burned.mp4").status_code == 404
    assert client.post(f"{place}/burn").status_code == 202
    wait_for(lambda: client.get(place).json()["burn"]["state"] == "done", "burning")
    burned = client.get(f"{place}/burned.mp4")
    with av.open(io.BytesIO(burned.content)) as file:
        assert float(file.duration / 1e6) == pytest.approx(3.0, abs=0.2)
    client.patch(f"{place}/cues/1", json={"text": "다시"})
    assert client.get(place).json()["burn"]["state"] == "none"
    assert client.get(f"{place}/burned.mp4").status_code == 404


def test_media_are_served_in_ranges(done):
    client, video = done
    part = client.get(f"/api/videos/{video['id']}/media", headers={"Range": "bytes=4-7"})
    assert part.status_code == 206 and part.content == b"ftyp" and part.headers["content-type"] == "video/mp4"


def test_events_tell_states_and_drafts_and_survive_a_new_line(server, spoken):
    client = server.client("the second")
    sent = upload(client, spoken.read_bytes())
    seen = []
    with client.stream("GET", f"/api/videos/{sent.id}/events") as events:
        for line in events.iter_lines():
            if line.startswith("event:"):
                seen.append(line.partition(" ")[2])
            if line.startswith("data:") and '"state": "done"' in line.replace('":"', '": "'):
                break
    assert seen[0] == "state" and "cue" in seen
    with client.stream("GET", f"/api/videos/{sent.id}/events") as events:  # as after a reload: all that there is, at once
        lines = events.iter_lines()
        assert next(lines).startswith("event:")


def test_streams_of_events_are_counted_and_those_too_many_told_when_to_come_again(server):
    from contextlib import ExitStack

    with ExitStack() as stack, server.client("one with many tabs") as client, server.client("one with one tab") as other:
        for _ in range(16):
            assert stack.enter_context(client.stream("GET", "/api/events")).status_code == 200
        for path in ("/api/events", f"/api/videos/{'0' * 32}/events"):
            refused = client.get(path)
            assert refused.status_code == 429 and int(refused.headers["retry-after"]) > 0 and refused.json()["error"]["code"] == "too_busy"
        assert stack.enter_context(other.stream("GET", "/api/events")).status_code == 200
        stack.close()

        def answered() -> bool:
            with client.stream("GET", "/api/events") as events:
                return events.status_code == 200

        wait_for(answered, "a closed stream to be counted no more", 20.0)


def test_an_upload_is_gone_on_with(server, spoken):
    client, data = server.client("the third"), spoken.read_bytes()
    place = client.post("/api/uploads", headers={"Upload-Length": str(len(data))}).headers["location"]
    kind = {"Content-Type": "application/offset+octet-stream"}
    assert client.patch(place, content=data[:1000], headers=kind | {"Upload-Offset": "0"}).headers["upload-offset"] == "1000"
    assert client.patch(place, content=data[:10], headers=kind | {"Upload-Offset": "5"}).status_code == 409
    state = client.head(place)
    assert (state.headers["upload-offset"], state.headers["upload-length"]) == ("1000", str(len(data)))
    assert client.patch(place, content=data[1000:] + b"!", headers=kind | {"Upload-Offset": "1000"}).status_code == 413
    there = int(client.head(place).headers["upload-offset"])
    assert client.patch(place, content=data[there:], headers=kind | {"Upload-Offset": str(there)}).status_code == 204
    assert ended(client, place.rpartition("/")[2])["state"] == "done"


def test_a_video_is_its_owners_alone_and_goes_with_all_its_files(server, spoken):
    client, other = server.client("the fourth"), server.client("somebody else")
    id = upload(client, spoken.read_bytes()).id
    for method, path in (("GET", ""), ("GET", "/media"), ("GET", "/thumbnail.jpg"), ("DELETE", ""), ("POST", "/burn"), ("GET", "/captions.srt")):
        assert other.request(method, f"/api/videos/{id}{path}").status_code == 404, path
    assert other.head(f"/api/uploads/{id}").status_code == 404
    assert (server.data / "videos" / id).is_dir()
    assert client.delete(f"/api/videos/{id}").status_code == 204
    assert not (server.data / "videos" / id).exists() and client.get(f"/api/videos/{id}").status_code == 404


def test_other_sites_and_names_are_refused(server):
    with httpx.Client(base_url=server.url) as client:
        assert client.get("/healthz", headers={"Host": "evil.example"}).status_code == 403
        assert client.get("/api/videos").status_code == 403  # nobody yet
        client.cookies.set("avsr_owner", "0" * 32)
        assert client.get("/api/videos").json() == {"videos": []}
        about = {"Upload-Length": "10", "X-Requested-With": "avsr"}
        assert client.post("/api/uploads", headers={"Upload-Length": "10"}).status_code == 403
        assert client.post("/api/uploads", headers=about | {"Origin": "http://evil.example"}).status_code == 403
        assert client.post("/api/uploads", headers=about | {"Origin": server.url}).status_code == 201


@pytest.mark.parametrize("kind", ["json", "text", "srt", "vtt", "verbose_json", "diarized_json"])
def test_the_openai_client_works(server, spoken, kind):
    from openai import OpenAI

    client = OpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0)
    with open(spoken, "rb") as file:
        extra = {"timestamp_granularities": ["word", "segment"]} if kind == "verbose_json" else {}
        found = client.audio.transcriptions.create(model="whisper-1", file=file, response_format=kind, **extra)
    if kind in ("text", "srt", "vtt"):
        assert isinstance(found, str) and found.strip()
    else:
        assert found.text
    if kind == "verbose_json":
        assert found.duration == pytest.approx(3.0, abs=0.1) and found.words[0].word and found.segments[0].end > 0
    if kind == "diarized_json":
        assert found.segments[0].speaker
    assert server.client("any").get("/api/videos").json() == {"videos": []}  # nothing is kept


def test_the_openai_client_streams(server, spoken):
    from openai import OpenAI

    client = OpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0)
    with open(spoken, "rb") as file:
        events = list(client.audio.transcriptions.create(model="whisper-1", file=file, stream=True))
    assert events[-1].type == "transcript.text.done" and events[-1].text
    assert any(event.type == "transcript.text.delta" for event in events[:-1])


def test_a_server_for_others_wants_its_token_and_captions_too(tmp_path, packed, spoken):  # noqa: F811
    token = "0123456789abcdef"
    guarded = start_server(tmp_path / "data", packed, "--host", "0.0.0.0", "--token", token)
    try:
        with guarded.client("wrong") as client:
            assert client.get("/api/videos").status_code == 401
            assert client.get("/").status_code == 200  # the page, which asks for the token
        with guarded.client(token) as client:
            assert ended(client, upload(client, spoken.read_bytes()).id)["state"] == "done"
        with httpx.Client(base_url=guarded.url) as client:
            assert client.get(f"/?token={token}").status_code == 303
            assert client.get("/api/videos").json() == {"videos": []}
    finally:
        guarded.kill()


def test_a_video_that_goes_on_for_longer_than_its_header_says_is_ended(tmp_path, packed, spoken):  # noqa: F811
    from avsr.app.jobs import CAPTIONS, SqliteJobs
    from avsr.app.settings import Settings
    from avsr.app.store import Store, Video
    from avsr.app.worker import Worker

    settings = Settings(tmp_path / "data", model=packed, max_seconds=1.0)
    settings.folder("a").mkdir(parents=True)
    shutil.copy(spoken, settings.folder("a") / "media")
    store = Store(settings.database)
    worker = Worker(settings, "one", SqliteJobs(store), store)
    video = Video("a", "me", "영상.mp4", "auto", 1, 0.0, 9e9, "uploading", 0.5, True, True, None, "", None, None, None)
    store.add_video(video)
    worker.jobs.add("a", CAPTIONS)
    assert worker.step() and not worker.step()
    video = store.video("a")
    assert (video.state, video.error_code, video.error_message) == ("failed", "too_long", "it is longer than the 1 s that are taken.")
    assert not list(settings.folder("a").iterdir())  # nothing more will be done with it


def test_a_table_that_is_locked_keeps_nobody_else_waiting(tmp_path, packed, spoken):  # noqa: F811
    """While something else writes to the table, what is uploaded waits; requests that want nothing of it do not."""
    import sqlite3
    import threading
    import time

    busy = start_server(tmp_path / "data", packed)
    table = sqlite3.connect(busy.data / "jobs.sqlite", isolation_level=None)
    try:
        answers = []
        with busy.client() as client, busy.client("another") as other:
            place = client.post("/api/uploads", headers={"Upload-Length": str(len(spoken.read_bytes()))}).headers["location"]
            headers = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
            sending = [
                threading.Thread(target=lambda: answers.append(client.patch(place, content=spoken.read_bytes(), headers=headers).status_code)),
                threading.Thread(target=lambda: answers.append(_transcribed(busy, spoken))),
            ]
            table.execute("BEGIN IMMEDIATE")
            for thread in sending:
                thread.start()
            slowest, end = 0.0, time.monotonic() + 3.0
            while time.monotonic() < end:
                began = time.monotonic()
                assert other.get("/api/config").status_code == 200
                slowest = max(slowest, time.monotonic() - began)
                time.sleep(0.02)
            assert not answers
            table.execute("ROLLBACK")
            for thread in sending:
                thread.join()
        assert sorted(answers) == [200, 204] and slowest < 5.0  # a loop that waits too does so until SQLite gives up, for 10 s
    finally:
        table.close()
        busy.kill()


def _transcribed(server, path) -> int:
    with server.client("a program") as client:
        files = {"file": ("a.mp4", path.read_bytes()), "model": (None, "x"), "response_format": (None, "json")}
        return client.post("/v1/audio/transcriptions", files=files, timeout=90).status_code
