"""The server's end of the line to the process that recognises all rooms: `python -m avsr.app.live.recognising`.

It is started when somebody comes, and ended when for a while nobody has; when it ends otherwise, those who send are asked to begin
again, and it is started anew.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

from avsr.app.children import without_token
from avsr.app.live.handing import hand_file
from avsr.app.live.peers import PeerProcess, SparePeers
from avsr.app.live.protocol import BAD_MESSAGE, FULL, PEER, Limits, Refused, error
from avsr.app.live.room import Participant, Room
from avsr.app.settings import Settings

_MOST_WAITING = 32 << 20  # bytes that may wait to be written to it: half a minute of four people while the model is loaded
_UNUSED = 300.0  # seconds after which it is ended
_LINE = 1 << 20  # bytes of a message
_MALLOC = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": str(1 << 20)}
"""What is computed and large is given back as soon as it is freed. Left to itself glibc keeps it, and pictures, in its heap, among what lives on:
with four people 1,450 MB after twelve minutes, in the place of 650 to 960. With a quarter of this size recognition takes a quarter longer
(benchmarks/README.md)."""


class Recognition:
    """Of one event loop; `clock` is `time.monotonic`, which the process reads too.

    `delays` are the seconds from when something was recorded until it could be recognised, 95 % of the last, and `pictures` how many
    of a second came so far lately, both by session.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self.delays: dict[str, float] = {}
        self.pictures: dict[str, float] = {}
        self.pid: int | None = None
        self._settings, self._clock = settings, clock
        self._running: asyncio.Task | None = None
        self._input: asyncio.StreamWriter | None = None
        self._waiting: list[bytes] = []  # until there is an input
        self._sessions: dict[str, tuple[Room, Participant]] = {}
        self._peers: dict[str, PeerProcess] = {}  # of the recordings that go on
        self._spares = SparePeers()
        self._handing: tuple[socket.socket, socket.socket] | None = None  # what peers say is handed over by it
        self._used = clock()
        self._ready, self._failed = False, ""

    def prepare(self) -> None:
        """Somebody has come, and will want it: start the process."""
        self._used = self._clock()
        self._spares.prepare()
        if self._running is None:
            self._handing = socket.socketpair()
            self._handing[0].setblocking(False)
            self._running = asyncio.create_task(self._run())

    def start(self, room: Room, person: Participant, media: str) -> None:
        """A new recording of somebody begins now."""
        self._begin(room, person)
        self._tell_begin(room, person, media)

    async def offer(self, room: Room, person: Participant, sdp: str, addresses: list[str], limits: Limits) -> str:
        """A new recording of somebody begins now by WebRTC: the answer to that offer.

        Raises:
            Refused: it is none, cannot be answered, or something else has begun or ended meanwhile.
        """
        session, number, began = _name(room, person), self._begin(room, person), self._clock()

        def ended(code: str, sentence: str) -> None:
            if person.recordings == number:
                self._write({"do": "pause", "session": session})
                self._end_recording(room, person, code, sentence)

        peer = self._peers[session] = PeerProcess(ended)
        bounds = {name: getattr(limits, name) for name in ("connect_seconds", "bytes_a_second", "burst")}
        try:
            decoded = await peer.begin(self._spares, {"offer": sdp, "addresses": addresses, "began": began, **bounds})
            try:
                if self._peers.get(session) is not peer:
                    raise Refused(BAD_MESSAGE, "bad_offer", "something else has begun meanwhile.")
                handed = self._handing is not None and hand_file(self._handing[0], session, number, decoded)
            finally:
                os.close(decoded)
            if not (handed and self._tell_begin(room, person, PEER, began)):
                raise Refused(FULL, "failed", "this machine cannot follow; try again later.")
            person.peer = True
            answer = await peer.answer(limits.answer_seconds)
            self._spares.prepare()  # not before it, which it would only delay
            return answer
        except (Refused, OSError) as refused:
            peer.kill()
            if self._peers.get(session) is peer:
                self.pause(room, person)
            raise refused if isinstance(refused, Refused) else Refused(FULL, "failed", "this machine cannot follow; try again later.") from None

    def _begin(self, room: Room, person: Participant) -> int:
        self._end_peer(_name(room, person))
        self._sessions[_name(room, person)] = room, person
        self.prepare()
        person.sending, person.peer = True, False
        person.recordings += 1
        return person.recordings

    def _tell_begin(self, room: Room, person: Participant, media: str, now: float | None = None) -> bool:
        told = {"do": "start", "session": _name(room, person), "media": media, "recording": person.recordings}
        return self._write({**told, "began": room.began, "now": self._clock() if now is None else now})

    def _end_peer(self, session: str, *, at_once: bool = False) -> None:
        peer = self._peers.pop(session, None)
        if peer is not None:
            (peer.kill if at_once else peer.close)()

    def feed(self, room: Room, person: Participant, data: bytes) -> bool:
        """More of it; False where it cannot be taken, and a new one must begin."""
        self._used = self._clock()
        return _name(room, person) in self._sessions and self._write({"do": "feed", "session": _name(room, person), "size": len(data)}, data)

    def pause(self, room: Room, person: Participant) -> None:
        """It is over."""
        person.sending = person.peer = False
        self._end_peer(_name(room, person))
        self._forget_figures(_name(room, person))
        if _name(room, person) in self._sessions:
            self._write({"do": "pause", "session": _name(room, person)})

    def finish(self, room: Room, person: Participant) -> None:
        """Nothing comes from them any more; when the last of it is known, they are gone."""
        session = _name(room, person)
        person.sending = person.peer = False
        self._end_peer(session)
        if session not in self._sessions or not self._write({"do": "finish", "session": session}):
            self._forget(session)
            room.gone(person, self._clock())

    def sweep(self) -> None:
        """End the process where nobody has used it for a while."""
        if self._running is not None and not self._sessions and self._clock() - self._used > _UNUSED:
            self._running.cancel()

    async def close(self) -> None:
        """End the processes."""
        for session in list(self._peers):
            self._end_peer(session, at_once=True)
        await self._spares.close()
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait((self._running,))

    def _write(self, told: dict[str, Any], data: bytes = b"") -> bool:
        """False where the process is not there, or cannot follow."""
        message = json.dumps(told).encode() + b"\n" + data
        if self._running is None:
            return False
        if self._input is None:
            if sum(map(len, self._waiting)) > _MOST_WAITING:
                return False
            self._waiting.append(message)
            return True
        if self._input.is_closing() or (data and self._input.transport.get_write_buffer_size() > _MOST_WAITING):
            return False
        self._input.write(message)
        return True

    async def _run(self) -> None:
        """The process, from its start to its end."""
        ours, theirs = self._handing
        settings = json.dumps({"model": self._settings.model and str(self._settings.model), "ear": self._settings.ear})
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "avsr.app.live.recognising", settings, str(theirs.fileno()), env=without_token() | _MALLOC,
            pass_fds=(theirs.fileno(),),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=_LINE,
        )  # fmt: skip
        self.pid = process.pid
        self._ready, self._failed = False, "what recognises cannot be started; the server's terminal says why."
        try:
            self._input = process.stdin
            for message in self._waiting:
                self._input.write(message)
            self._waiting.clear()
            while line := await process.stdout.readline():
                self._hear(json.loads(line))
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
            await self._spares.close()
            ours.close()
            theirs.close()
            self._ended()

    def _hear(self, told: dict[str, Any]) -> None:
        if "session" not in told:
            self._ready, self._failed = "ready" in told, told.get("failed", "")
            return
        session = told["session"]
        if session not in self._sessions:
            return
        room, person = self._sessions[session]
        if "message" in told:
            room.heard(person, told["message"], self._clock())
        elif "delay" in told:
            room.active = self._clock()
            if told["delay"] is not None:
                self.delays[session], self.pictures[session] = told["delay"], told["pictures"]
        elif "error" in told and told["recording"] == person.recordings:  # else they have begun another already
            self._end_recording(room, person, told["error"], told["sentence"])
        elif "over" in told:
            self._forget(session)
            room.forget_partials(person)
            if person.leaving is not None:
                room.gone(person, self._clock())

    def _end_recording(self, room: Room, person: Participant, code: str, sentence: str) -> None:
        """Nothing more comes of it, and why; no code where it is just over."""
        person.sending = person.peer = False
        self._end_peer(_name(room, person), at_once=bool(code))
        if code and person.line is not None:
            person.line.tell(error(code, sentence))

    def _forget(self, session: str) -> None:
        self._sessions.pop(session, None)
        self._end_peer(session, at_once=True)
        self._forget_figures(session)

    def _forget_figures(self, session: str) -> None:
        self.delays.pop(session, None)
        self.pictures.pop(session, None)

    def _ended(self) -> None:
        """All that was not final is lost."""
        self._running = self._input = self.pid = self._handing = None
        self._waiting.clear()
        for session, (room, person) in list(self._sessions.items()):
            self._forget(session)
            room.forget_partials(person)
            if person.leaving is not None:
                room.gone(person, self._clock())
            elif person.line is not None and person.sending:
                again = error("begin_again", "what recognises has ended and is started anew; begin with a new recording.")
                person.line.tell(again if self._ready else error("failed", self._failed))
            person.sending = person.peer = False


def _name(room: Room, person: Participant) -> str:
    return f"{room.id[:8]}.{person.number}"
