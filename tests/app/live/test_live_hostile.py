"""What a server of rooms must take from people who mean it harm: refused in a sentence or by a close code, and it stays up."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import numpy as np
import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from avsr.app.live.protocol import BAD_MESSAGE, BAD_TICKET, NO_ROOM, TOO_LARGE, Limits
from avsr.app.server import create_app
from avsr.app.settings import Settings
from tests.media_maker import make_video


def make_room(server) -> str:
    return server.client().post("/api/live/rooms").json()["room"]


def ticket(server, room: str) -> str:
    return server.client().post(f"/api/live/rooms/{room}/tickets").json()["ticket"]


def dial(server, room: str, **options):
    return connect(f"{server.url.replace('http', 'ws')}/api/live/rooms/{room}/socket", **options)


@contextmanager
def enter(server, room: str, name: str = "가") -> Iterator:
    """A connection of somebody in the room."""
    with dial(server, room) as socket:
        socket.send(json.dumps({"type": "join", "name": name, "ticket": ticket(server, room)}))
        assert json.loads(socket.recv(20))["type"] == "hello"
        yield socket


def until(socket, kind: str, seconds: float = 60.0) -> dict:
    """The next message of that type."""
    end = time.monotonic() + seconds
    while True:
        message = json.loads(socket.recv(end - time.monotonic()))
        if message["type"] == kind:
            return message


def closed_with(socket, seconds: float = 20.0) -> tuple[int, str]:
    """The close code, and the last error that was told before."""
    told, end = "", time.monotonic() + seconds
    try:
        while True:
            message = json.loads(socket.recv(end - time.monotonic()))
            told = message["code"] if message["type"] == "error" else told
    except ConnectionClosed as closed:
        return closed.rcvd.code, told


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost"])
def test_other_sites_get_no_line(live_server, origin):
    with pytest.raises(InvalidStatus) as refused, dial(live_server, make_room(live_server), origin=origin):
        pass
    assert refused.value.response.status_code == 403


def test_another_name_of_this_server_gets_no_line(tmp_path):
    with TestClient(create_app(Settings(tmp_path), supervise=False), base_url="http://evil.example") as client:
        assert client.get("/live").status_code == 403
        with pytest.raises(WebSocketDisconnect), client.websocket_connect(f"/api/live/rooms/{'0' * 32}/socket", headers={"host": "evil.example"}):
            pass


def test_without_the_servers_token_there_is_no_room_and_no_ticket(tmp_path):
    token = "0123456789abcdef"
    with TestClient(create_app(Settings(tmp_path, token=token), supervise=False), base_url="http://localhost") as client:
        assert client.get("/live").status_code == 200  # which asks for it
        headers = {"X-Requested-With": "avsr"}
        assert client.post("/api/live/rooms", headers=headers).status_code == 401
        assert client.get("/live?token=" + token, follow_redirects=False).headers["location"] == "/live"
        room = client.post("/api/live/rooms", headers=headers).json()["room"]
        assert client.post(f"/api/live/rooms/{room}/tickets", headers=headers).status_code == 201


def test_a_model_that_cannot_be_used_is_said_once_and_not_tried_again_and_again(tmp_path):
    app = create_app(Settings(tmp_path / "data", model=tmp_path / "none.zip"), supervise=False)
    with TestClient(app, base_url="http://localhost", headers={"Authorization": "Bearer x"}) as client:
        room = client.post("/api/live/rooms").json()["room"]
        given = client.post(f"/api/live/rooms/{room}/tickets").json()["ticket"]
        with client.websocket_connect(f"/api/live/rooms/{room}/socket", headers={"host": "localhost"}) as socket:
            socket.send_json({"type": "join", "name": "가", "ticket": given})
            socket.send_json({"type": "start", "media": "webm"})
            told = [socket.receive_json() for _ in range(3)][-1]
            assert (told["type"], told["code"]) == ("error", "failed") and "none.zip" in told["message"]


def test_our_own_page_gets_one(live_server):
    with dial(live_server, make_room(live_server), origin=live_server.url) as socket:
        socket.send('{"type": "join", "ticket": "x"}')
        assert closed_with(socket) == (BAD_TICKET, "ticket")


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ('{"type": "join", "name": "가"}', BAD_TICKET),
        ('{"type": "join", "resume": "' + "0" * 32 + '"}', NO_ROOM),
        ('{"type": "join", "resume": "\\ud800"}', NO_ROOM),
        ('{"type": "start", "media": "webm"}', BAD_MESSAGE),
        ("no json", BAD_MESSAGE),
        (b"bytes", BAD_MESSAGE),
        ("[" * 3000, BAD_MESSAGE),
        ("x" * 5000, TOO_LARGE),
    ],
)
def test_a_first_message_that_is_off_is_the_last(live_server, first, code):
    with dial(live_server, make_room(live_server)) as socket:
        socket.send(first)
        assert closed_with(socket)[0] == code


def test_there_is_no_way_into_a_room_that_is_none(live_server):
    for room in ("0" * 32, "가" * 50, "%00"):
        with dial(live_server, room) as socket:
            assert closed_with(socket) == (NO_ROOM, "no_room")
        assert live_server.client().post(f"/api/live/rooms/{room}/tickets").status_code == 404


def test_forms_of_other_sites_make_no_rooms(live_server):
    assert httpx.post(f"{live_server.url}/api/live/rooms", headers={"Origin": "https://evil.example", "X-Requested-With": "avsr"}).status_code == 403
    with httpx.Client(base_url=live_server.url) as browser:
        browser.get("/live")
        assert browser.post("/api/live/rooms").status_code == 403
        assert browser.post("/api/live/rooms", headers={"X-Requested-With": "avsr"}).status_code == 201


def test_messages_that_are_too_large_end_the_line(live_server):
    with enter(live_server, make_room(live_server)) as socket:
        socket.send('{"type": "start", "media": "webm"}')
        socket.send(bytes(Limits().message_bytes + 1))
        assert closed_with(socket)[0] in (TOO_LARGE, 1009)  # uvicorn's, before it is read


def test_too_much_at_once_ends_the_line(live_server):
    with enter(live_server, make_room(live_server)) as socket:
        try:
            for _ in range(2 * Limits().burst // (1 << 19)):
                socket.send(bytes(1 << 19))
        except ConnectionClosed:
            pass
        assert closed_with(socket)[1] == "too_fast"


def test_too_many_messages_end_the_line(live_server):
    with enter(live_server, make_room(live_server)) as socket:
        for number in range(2 * Limits().controls_a_minute):
            socket.send(json.dumps({"type": "rename", "name": f"가{number}"}))
        assert closed_with(socket)[1] == "too_fast"


def test_a_flood_of_rooms_is_stopped(tmp_path):
    with TestClient(create_app(Settings(tmp_path), supervise=False), base_url="http://localhost") as client:
        client.headers["Authorization"] = "Bearer mallory"
        answers = [client.post("/api/live/rooms") for _ in range(2 * Limits().rooms)]
    assert [answer.status_code for answer in answers] == [201] * Limits().rooms + [503] * Limits().rooms
    assert answers[-1].json()["error"]["code"] == "too_many_rooms" and answers[-1].headers["retry-after"]


HOSTILE = {
    "noise": os.urandom(60_000), "zeros": bytes(60_000), "a playlist": b"#EXTM3U\n#EXTINF:9,\nfile:///etc/passwd\n" * 300, "a web page": b"<html>" * 5000,
}  # fmt: skip


def test_what_is_no_recording_is_said_and_one_may_begin_anew(live_server, tmp_path):
    long = make_video(tmp_path / "long.webm", seconds=40.0, video=False, audio_rate=48000)
    black = np.zeros((1280, 2048, 3), np.uint8)
    large = make_video(tmp_path / "large.webm", timestamps=[0.0], size=(2048, 1280), picture=lambda _: black, audio=False)
    cases = [(name, media, data, "bad_media") for name, data in HOSTILE.items() for media in ("webm", "mp4")]
    cases += [("ahead of the clock", "webm", long.read_bytes(), "too_fast"), ("too large a picture", "webm", large.read_bytes(), "bad_media")]
    wrong = {}
    with enter(live_server, make_room(live_server)) as socket:
        for name, media, data, code in cases:
            socket.send(json.dumps({"type": "start", "media": media}))
            for first in range(0, len(data), 1 << 19):
                socket.send(data[first : first + (1 << 19)])
            socket.send('{"type": "pause"}')
            told = until(socket, "error", 90.0)
            if told["code"] != code or not told["message"].endswith("."):
                wrong[name, media] = told
    assert not wrong
    assert live_server.client().get("/healthz").status_code == 200
