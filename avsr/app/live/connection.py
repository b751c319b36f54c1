"""One WebSocket of a participant: what it sends is checked and passed on, what its room says is sent to it."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from avsr.app.live.protocol import BAD_MESSAGE, GOING_AWAY, LATE, MEDIA, TOO_FAST, TOO_LARGE, TOO_SLOW, Pace, Refused, error, read_control
from avsr.app.live.recognition import Recognition
from avsr.app.live.room import Line, Participant, Room
from avsr.app.live.rooms import Rooms

_LAST = 5.0  # seconds that somebody who is hung up on has to take what is still in the queue


class Outbox:
    """Messages that wait to be sent; one who reads too slowly is hung up on, and can come back for the rest."""

    def __init__(self, most: int) -> None:
        self._most, self._waiting = most, 0
        self._messages: deque[tuple[dict[str, Any], bool]] = deque()
        self._more = asyncio.Event()
        self.code: int | None = None  # that it is to be closed with

    def tell(self, message: dict[str, Any], *, counted: bool = True) -> None:
        """Send it when its turn comes."""
        if self.code is not None:
            return
        self._messages.append((message, counted))
        self._waiting += counted
        if self._waiting > self._most:
            self._messages.clear()
            self.hang_up(TOO_SLOW)
        self._more.set()

    def repeat(self, message: dict[str, Any]) -> None:
        """The same, whatever waits already."""
        self.tell(message, counted=False)

    def hang_up(self, code: int) -> None:
        """Close it with that code once all is sent; the first code counts."""
        self.code = self.code or code
        self._more.set()

    async def send(self, socket: WebSocket) -> None:
        """Send until it is hung up."""
        while True:
            while self._messages:
                message, counted = self._messages.popleft()
                self._waiting -= counted
                await socket.send_text(json.dumps(message, ensure_ascii=False))
            if self.code is not None:
                return
            self._more.clear()
            await self._more.wait()


class Connection:
    """Runs from the first message to the last."""

    def __init__(self, socket: WebSocket, room: Room, rooms: Rooms, recognition: Recognition) -> None:
        self._socket, self._room, self._rooms, self._recognition = socket, room, rooms, recognition
        self._limits, self._clock = rooms.limits, rooms.clock
        self._outbox = Outbox(self._limits.queued)
        self._line = Line(self._outbox.tell, self._outbox.repeat, self._outbox.hang_up)
        self._person: Participant | None = None
        now = self._clock()
        self._media = Pace(self._limits.bytes_a_second, self._limits.burst, now)
        self._controls = Pace(self._limits.controls_a_minute / 60, self._limits.controls_a_minute, now)
        self._signals = Pace(self._limits.signals_a_minute / 60, self._limits.signals_a_minute, now)

    async def run(self) -> None:
        """Until one of both sides hangs up."""
        sending = asyncio.create_task(self._outbox.send(self._socket))
        taking = asyncio.create_task(self._take())
        try:
            await asyncio.wait((sending, taking), return_when=asyncio.FIRST_COMPLETED)
            taking.cancel()
            await asyncio.wait((sending,), timeout=_LAST if self._outbox.code is not None else 0)
        finally:  # also where the server ends
            taking.cancel()
            sending.cancel()
            self._gone()
        await asyncio.gather(sending, taking, return_exceptions=True)
        if self._socket.application_state is not WebSocketState.DISCONNECTED and self._socket.client_state is not WebSocketState.DISCONNECTED:
            await self._socket.close(self._outbox.code or GOING_AWAY)

    def _gone(self) -> None:
        if self._person is not None and self._room.lost(self._person, self._line, self._clock()):
            self._recognition.pause(self._room, self._person)

    async def _take(self) -> None:
        try:
            message = await asyncio.wait_for(self._socket.receive(), self._limits.join_seconds)
            self._enter(self._text(message))
            while self._outbox.code is None:
                self._meet(await self._socket.receive())
        except asyncio.TimeoutError:
            self._outbox.hang_up(LATE)
        except Refused as refused:
            self._outbox.tell(refused.told())
            self._outbox.hang_up(refused.close)
        except WebSocketDisconnect:
            self._outbox.hang_up(GOING_AWAY)

    def _text(self, message: dict[str, Any]) -> dict[str, Any]:
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", GOING_AWAY))
        if message.get("text") is None:
            raise Refused(BAD_MESSAGE, "bad_message", "begin with a message of type join.")
        control, now = read_control(message["text"], self._limits), self._clock()
        signal = control["type"] == "signal"
        if not (self._signals if signal else self._controls).take(1, now):
            most = f"{self._limits.signals_a_minute} signals" if signal else f"{self._limits.controls_a_minute} other messages with JSON"
            raise Refused(TOO_FAST, "too_fast", f"{most} a minute are taken; send fewer.")
        if signal and not self._media.take(len(control.get("data", "").encode()), now):
            raise Refused(TOO_FAST, "too_fast", f"{self._limits.bytes_a_second} bytes a second are taken; send less.")
        return control

    def _enter(self, control: dict[str, Any]) -> None:
        if control.pop("type") != "join":
            raise Refused(BAD_MESSAGE, "bad_message", "begin with a message of type join.")
        self._person = self._rooms.enter(self._room, self._line, **control)
        self._recognition.prepare()

    def _meet(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.receive" and message.get("bytes") is not None:
            self._feed(message["bytes"])
            return
        control = self._text(message)
        kind, person = control["type"], self._person
        if person.leaving is not None:
            return
        if kind == "start":
            media = control.get("media", "")
            if media not in MEDIA:
                raise Refused(BAD_MESSAGE, "bad_message", f"start: media can be {', '.join(MEDIA)}.")
            self._recognition.start(self._room, person, media)
        elif kind == "pause":
            self._recognition.pause(self._room, person)
        elif kind == "rename":
            self._room.rename(person, control.get("name", ""), self._clock())
        elif kind == "signal":
            self._room.signal(person, control.get("to", 0), control.get("data", ""))
        elif kind == "leave":
            self._rooms.leave(self._room, person)
        else:
            raise Refused(BAD_MESSAGE, "bad_message", "you have joined already.")

    def _feed(self, data: bytes) -> None:
        if len(data) > self._limits.message_bytes:
            raise Refused(TOO_LARGE, "too_large", f"a message with media can have {self._limits.message_bytes} bytes; send it in pieces.")
        if not self._media.take(len(data), self._clock()):
            raise Refused(TOO_FAST, "too_fast", f"{self._limits.bytes_a_second} bytes of media a second are taken; send a smaller picture.")
        if not self._person.sending or self._person.peer:
            return  # what was on its way when a stream ended
        self._room.active = self._clock()
        if not self._recognition.feed(self._room, self._person, data):
            self._person.sending = False
            self._outbox.tell(error("begin_again", "this machine cannot follow; begin with a new recording."))
