"""WebRTC: a real peer sends a made clip to a real server with the tiny model; what it must refuse; and how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import httpx
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection
from starlette.testclient import TestClient

from avsr.app.live.client import Guest
from avsr.app.live.client import Server as Api
from avsr.app.live.protocol import Limits
from avsr.app.live.recording import Recording
from avsr.app.live.whip_client import Sending
from avsr.app.server import create_app
from avsr.app.settings import Settings
from tests.app.conftest import wait_for
from tests.app.live.test_live_hostile import dial, make_room, ticket, until
from tests.app.live.test_live_whole import processes

Found = TypeVar("Found")


class Person:
    """Somebody in a room, by its WebSocket."""

    def __init__(self, server, room: str, socket) -> None:
        self.server, self.room, self.socket = server, room, socket
        self.socket.send(json.dumps({"type": "join", "name": "가", "ticket": ticket(server, self.room)}))
        self.hello = json.loads(self.socket.recv(20))

    def offer(self, sdp: str | bytes, token: str | None = None, room: str | None = None, kind: str = "application/sdp") -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.hello['whip'] if token is None else token}", "Content-Type": kind}
        return httpx.post(f"{self.server.url}/api/live/rooms/{room or self.room}/whip", content=sdp, headers=headers, timeout=60)

    def end(self, place: str, token: str | None = None) -> int:
        return httpx.delete(self.server.url + place, headers={"Authorization": f"Bearer {token or self.hello['whip']}"}).status_code

    def send(self, kinds: list[str]) -> Sending:
        """A connection by WebRTC; `place` is its Location then."""

        def offer(sdp: str) -> str:
            answer = self.offer(sdp)
            assert answer.status_code == 201, answer.text
            self.place = answer.headers["location"]
            return answer.text

        return Sending(kinds, offer)


def apart(what: Coroutine[Any, Any, Found]) -> Found:
    """What comes of it, in a thread of its own: in ours a browser's tests may have left an event loop that runs."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, what).result()


def offers_of(kinds: list[str]) -> str:
    """An offer of such tracks, or of a data channel alone."""

    async def make() -> str:
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        for kind in kinds:
            connection.addTransceiver(kind, direction="sendonly")
        if not kinds:
            connection.createDataChannel("x")
        await connection.setLocalDescription(await connection.createOffer())
        offer = connection.localDescription.sdp
        await connection.close()
        return offer

    return apart(make())


@pytest.fixture(scope="module")
def room(live_server) -> str:
    """One for all who need none of their own: the server has 32, for all tests."""
    return make_room(live_server)


@pytest.fixture
def person(live_server, room):
    with dial(live_server, room) as socket:
        yield Person(live_server, room, socket)
        socket.send('{"type": "leave"}')
        until(socket, "left")


@pytest.fixture
def listener(live_server):
    """The same in a room of their own."""
    with dial(live_server, room := make_room(live_server)) as socket:
        yield Person(live_server, room, socket)


def test_a_file_is_played_and_its_lines_are_printed(live_server, live_clip, listener):
    command = [sys.executable, "-m", "avsr.cli", "live-client", str(live_clip), "--url", f"{live_server.url}/live#{listener.room}", "--name", "민지"]
    done = subprocess.run([*command, "--transport", "webrtc"], capture_output=True, text=True, timeout=120, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert sum(line.startswith("final ") for line in lines) == 2, done.stdout
    assert not [line for line in lines if line.startswith("error ")]
    first = until(listener.socket, "final")
    assert first["name"] == "민지" and first["mode"] == "audio"  # no face is drawn
    wait_for(lambda: len(processes(live_server, "peer")) < 2, "the peer to end, but for the one that is ready")


def test_a_line_that_breaks_in_the_middle_is_made_anew_with_its_media(live_server, live_clip, listener):
    guest = Guest(Api(live_server.url, "somebody"), listener.room, "민지", by_webrtc=True)
    playing = threading.Thread(target=guest.play, args=(Recording(live_clip),))
    playing.start()
    wait_for(lambda: guest._began, "the file to begin")
    threading.Event().wait(2.0)
    guest._socket.socket.shutdown(2)
    playing.join(120)
    heard = []
    while not heard or heard[-1]["type"] != "left":
        heard.append(json.loads(listener.socket.recv(60)))
    finals = [one["seq"] for one in heard if one["type"] == "final"]
    assert finals and len(finals) == len(set(finals)) and guest._seq == heard[-1]["seq"]


def test_what_is_no_offer_is_refused_in_a_sentence(live_server, person):
    good = offers_of(["audio", "video"])
    cases = {
        "garbage": (os.urandom(3000), 400, "bad_offer"),
        "nothing": ("", 400, "bad_offer"),
        "a megabyte": ("v=0\r\n" * (1 << 18), 413, "too_large"),
        "another kind of text": ("v=0\r\nno", 400, "bad_offer"),
        "a data channel alone": (offers_of([]), 400, "bad_offer"),
        "two cameras": (offers_of(["video", "video"]), 400, "bad_offer"),
        "another codec": (good.replace("VP8", "XX8"), 400, "bad_offer"),
        "cut off": (good[: len(good) // 2], 400, "bad_offer"),
    }
    wrong = {}
    for name, (sdp, status, code) in cases.items():
        answer = person.offer(sdp)
        if (answer.status_code, answer.json()["error"]["code"]) != (status, code) or not answer.json()["error"]["message"].endswith("."):
            wrong[name] = answer.status_code, answer.text
    assert not wrong
    assert live_server.client().get("/healthz").status_code == 200


def test_a_flood_of_offers_is_stopped(live_server, person):
    answers = [person.offer("x") for _ in range(2 * Limits().offers_a_minute)]
    assert answers[0].status_code == 400 and (answers[-1].status_code, answers[-1].json()["error"]["code"]) == (429, "too_fast")
    assert answers[-1].headers["retry-after"]


def test_only_who_is_in_the_room_may_send(live_server, person):
    sdp = offers_of(["audio"])
    with dial(live_server, room := make_room(live_server)) as socket:
        other = Person(live_server, room, socket)
        for token in ("x", "0" * 32, other.hello["whip"], person.hello["resume"]):
            answer = person.offer(sdp, token)
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "whip_token"), token
            assert answer.headers["www-authenticate"] == "Bearer"
        assert person.offer(sdp, room="0" * 32).status_code == 404
        assert person.offer(sdp, kind="text/plain").status_code == 415
        answer = person.offer(sdp)
        place = answer.headers["location"]
        assert answer.status_code == 201 and answer.headers["content-type"].startswith("application/sdp")
        assert place == f"/api/live/rooms/{person.room}/whip/1"
        assert person.end(place, other.hello["whip"]) == 401
        assert httpx.patch(live_server.url + place, headers={"Authorization": "Bearer x"}).status_code == 405
        assert (person.end(place), person.end(place)) == (200, 404)
        token = other.hello["whip"]
    wait_for(lambda: other.offer(sdp, token).status_code in (401, 404), "the token to be over with its connection")
    wait_for(lambda: len(processes(live_server, "peer")) < 2, "the peer to end, but for the one that is ready")


def test_the_servers_own_token_is_not_asked_of_who_was_let_in(tmp_path):
    with TestClient(create_app(Settings(tmp_path, token="0123456789abcdef"), supervise=False), base_url="http://localhost") as client:
        answer = client.post(f"/api/live/rooms/{'0' * 32}/whip", headers={"Authorization": "Bearer x"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_room")
        assert client.post("/api/live/rooms", headers={"Authorization": "Bearer x"}).status_code == 401


def test_the_second_offer_takes_the_place_of_the_first_(live_server, person):
    first = person.send(["audio"])
    second = person.send(["audio", "video"])
    assert person.place.endswith("/2")
    wait_for(first.lost.is_set, "the first connection to end")
    wait_for(lambda: len(processes(live_server, "peer")) == 2, "one peer, and one that is ready")
    for peer in processes(live_server, "peer"):
        os.kill(peer, signal.SIGKILL)
    assert until(person.socket, "error")["code"] == "bad_media"
    assert person.end(person.place) == 404
    second.close()
    third = person.send(["audio"])  # though the one that was ready is dead
    third.close()
    wait_for(lambda: person.end(person.place) == 404, "the end that the other side has made to be known")
