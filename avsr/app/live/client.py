"""`avsr live-client`: a video file takes part in a room as a person with a camera would; a small reference for the protocol of docs/live.md."""

from __future__ import annotations

import json
import secrets
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import urljoin, urlsplit

from avsr.app.live.protocol import BAD_MESSAGE, BAD_TICKET, GOING_AWAY, LEFT, NO_ROOM, OVER, TAKEN_OVER
from avsr.app.live.recording import Recording
from avsr.decoding.bar import clock_time
from avsr.errors import AvsrError

_CHUNK = 0.1  # seconds of a message with media
_ON_ITS_WAY = 0.5  # seconds that the last packets may take
_AGAIN = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0)  # seconds before each try to come back
_LAST = 60.0  # seconds in which the last lines come
_HOPELESS = (LEFT, BAD_MESSAGE, BAD_TICKET, NO_ROOM, OVER, TAKEN_OVER)


def play_file(path: Path, url: str, name: str, token: str | None, *, by_webrtc: bool = False) -> int:
    """Play a file in a room of the server at `url` (http://HOST:PORT/live#ROOM; a new room where none is named), and print what is said there.

    Returns:
        The exit code, 0.

    Raises:
        AvsrError: the file is no media, or the server or the room cannot be reached.
    """
    place = urlsplit(url)
    if place.scheme not in ("http", "https") or not place.netloc:
        raise AvsrError(f"--url {url}: give the address of a room's page, such as http://localhost:8000/live#ROOM.")
    server = Server(f"{place.scheme}://{place.netloc}", token or f"live-client {secrets.token_hex(8)}".replace(" ", "-"))
    recording = Recording(path)
    room = place.fragment or server.post("/api/live/rooms")["room"]
    print(f"room {server.base}/live#{room}", flush=True)
    guest = Guest(server, room, name, by_webrtc=by_webrtc)
    guest.play(recording)
    return 0


class Server:
    """HTTP with a bearer's token."""

    def __init__(self, base: str, token: str) -> None:
        self.base, self._token = base, token

    def post(self, path: str) -> dict[str, Any]:
        """The answer; AvsrError with the server's own sentence where it refuses."""
        return json.loads(self.send(path, self._token, "application/json", b"")[0])

    def send(self, path: str, token: str, kind: str, data: bytes, method: str = "POST") -> tuple[bytes, str]:
        """What is answered, and its Location; AvsrError likewise."""
        headers = {"Authorization": f"Bearer {token}", "Content-Type": kind}
        request = urllib.request.Request(urljoin(self.base, path), data=data or None, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.read(), answer.headers.get("Location", "")
        except urllib.error.HTTPError as error:
            raise AvsrError(f"{self.base}: {_sentence(error)}") from None
        except (OSError, ValueError) as error:
            raise AvsrError(f"{self.base}: cannot be reached ({getattr(error, 'reason', error)}); check that avsr serve runs there.") from None


def _sentence(error: urllib.error.HTTPError) -> str:
    try:
        return json.load(error)["error"]["message"]
    except (OSError, ValueError, KeyError, TypeError):
        return f"refuses ({error.code})."


class Guest:
    """A participant: what it has seen up to `seq` it asks for no more when it comes back."""

    def __init__(self, server: Server, room: str, name: str, *, by_webrtc: bool = False) -> None:
        self._server, self._room, self._name, self._by_webrtc = server, room, name, by_webrtc
        self._whip, self._began = "", 0.0
        self._greeted, self._lost = Event(), Event()
        self._resume, self._seq = "", 0
        self._left = Event()
        self._begin_again = Event()
        self._sockets = ExitStack()
        self._socket: Any = None

    def play(self, recording: Recording) -> None:
        """From its beginning to its end in real time, and then until the last line has come."""
        with self._sockets:
            self._play(recording)

    def _play(self, recording: Recording) -> None:
        from websockets.exceptions import ConnectionClosed

        self._connect()
        while not recording.over:
            try:
                self._begin_again.clear()
                (self._send_by_webrtc if self._by_webrtc else self._send)(recording)
            except ConnectionClosed as closed:
                self._return(closed)
        try:
            self._socket.send(json.dumps({"type": "leave"}))
            self._left.wait(_LAST)
        except ConnectionClosed:
            pass

    def _send(self, recording: Recording) -> None:
        self._socket.send(json.dumps({"type": "start", "media": "webm"}))
        for chunk in recording.chunks(self._file_began(), _CHUNK):
            self._socket.send(chunk)
            if self._begin_again.is_set():
                break

    def _file_began(self) -> float:
        """Now, the first time."""
        self._began = self._began or time.monotonic()
        return self._began

    def _send_by_webrtc(self, recording: Recording) -> None:
        from avsr.app.live.whip_client import Sending

        if not self._greeted.wait(_LAST):
            raise AvsrError(f"{self._server.base}: does not answer as a server of rooms (no hello).")
        token, place = self._whip, []

        def offer(sdp: str) -> str:
            answer, location = self._server.send(f"/api/live/rooms/{self._room}/whip", token, "application/sdp", sdp.encode())
            place.append(location)
            return answer.decode()

        try:
            sending = Sending(recording.kinds, offer)
        except AvsrError:
            self._socket.ping()  # where the line is lost, this says so
            raise
        try:
            for one in recording.given(self._file_began()):
                sending.give(one)
                if self._lost.is_set():
                    self._socket.ping()  # which says how
                if self._begin_again.is_set() or sending.lost.is_set():
                    break
            else:
                time.sleep(_ON_ITS_WAY)
                self._server.send(place[0], token, "application/sdp", b"", "DELETE")
        finally:
            sending.close()

    def _return(self, closed: Any) -> None:
        """Come back after the connection was lost."""
        code = closed.rcvd.code if closed.rcvd is not None else GOING_AWAY
        if code in _HOPELESS:
            raise AvsrError(f"{self._server.base}: the connection was closed ({code}); docs/live.md has what that means.")
        for pause in _AGAIN:
            time.sleep(pause)
            try:
                self._connect()
                return
            except (OSError, AvsrError) as error:
                last = error
        raise AvsrError(f"{self._server.base}: cannot be reached any more ({last}).")

    def _connect(self) -> None:
        from websockets.exceptions import InvalidHandshake
        from websockets.sync.client import connect

        known = {"resume": self._resume} if self._resume else {"ticket": self._server.post(f"/api/live/rooms/{self._room}/tickets")["ticket"]}
        place = f"{self._server.base.replace('http', 'ws', 1)}/api/live/rooms/{self._room}/socket"
        try:
            socket = self._sockets.enter_context(connect(place, max_size=None, compression=None))
        except (InvalidHandshake, TimeoutError) as error:
            raise AvsrError(f"{self._server.base}: does not answer as a server of rooms ({error}).") from None
        socket.send(json.dumps({"type": "join", "name": self._name, "seq": self._seq, **known}))
        self._socket = socket
        self._greeted.clear()
        self._lost.clear()
        Thread(target=self._listen, args=(socket,), daemon=True).start()

    def _listen(self, socket: Any) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            for text in socket:
                self._meet(json.loads(text))
        except ConnectionClosed:
            pass
        if socket is self._socket:
            self._lost.set()
            if socket.close_code == LEFT:
                self._left.set()

    def _meet(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if "seq" in message and kind != "hello":
            if message["seq"] <= self._seq:
                return  # seen before
            self._seq = message["seq"]
        if kind == "hello":
            self._resume, self._whip = message["resume"], message["whip"]
            self._greeted.set()
        elif kind == "error" and message["code"] in ("begin_again", "no_connection"):
            self._begin_again.set()
        line = told(message)
        if line:
            print(line, flush=True)


def told(message: dict[str, Any]) -> str:
    """A message as a line; "" for one that is not shown."""
    kind, name = message["type"], message.get("name", "")
    if message.get("speaker") is not None:
        name = f"{name} · {message['speaker'] or 'off screen'}"
    if kind == "partial":
        return f"partial {clock_time(message['start'])} {name}: {message['committed']} | {message['tail']}"
    if kind == "final":
        return f"final {clock_time(message['start'])} {name}: {message['text']}"
    if kind == "mode":
        return f"mode {clock_time(message['time'])} {name}: {message['mode']} ({message['reason']})"
    if kind == "dropped":
        return f"dropped {clock_time(message['time'])} {name}: {message['sound']} s of sound, {message['pictures']} s of pictures"
    if kind in ("joined", "left", "renamed"):
        return f"{kind} {clock_time(message['time'])} {name}"
    if kind == "error":
        return f"error {message['code']}: {message['message']}"
    return ""
