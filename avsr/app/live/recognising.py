"""The process that recognises what is said in all rooms: `python -m avsr.app.live.recognising SETTINGS SOCKET`, started by `.recognition`.

One process for all, since a model takes hundreds of megabytes and a session tens; what is to be recognised waits in one line, so that all
have their turns. It opens nothing that people send: processes of their own decode that.

On its input are lines of JSON, each with a session: start (`media`; `recording`, its number; `began` and `now` by `time.monotonic`), feed
(`size` bytes follow), pause, finish. What a peer says, whose recording's media is `peer`, comes by the socket before, as a file to read. On
its output too: `message`; `error`, `sentence` and `recording`; `delay` and `pictures`, those of a second, or null; `over`. Before them comes
`ready`, or `failed`, why it cannot be used.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any

from avsr.app.live.handing import take_file
from avsr.app.live.protocol import PEER
from avsr.app.live.stream import DECODED, Decoded, PeerStream, Stream
from avsr.app.process import follow_parent, give_memory_back
from avsr.decoding.live.messages import message_to_dict
from avsr.decoding.live.recognizer import LiveRecognizer
from avsr.errors import AvsrError

if TYPE_CHECKING:
    from avsr.decoding.recognizer import Recognizer

_POLL = 0.05  # seconds between two looks at what has come
_STALLED = 5.0  # seconds without anything of a recording after which it is taken to be missing: TCP brings what is late
_SETTLED = 1.0  # seconds that it may take to arrive
_TELL_DELAY = 5.0

Say = Callable[..., None]


class Session:
    """One participant, from the first recording to the last final."""

    def __init__(self, recognizer: Recognizer, executor: Executor, began: float, say: Say) -> None:
        self._live = LiveRecognizer(recognizer, executor=executor)
        self._began, self._say = began, say
        self._stream: Decoded | None = None
        self._last: Decoded | None = None
        self._finished = Event()
        self._recording = 0
        self._paused = began
        self._told, self._pictures = began, 0  # since it was told
        self.over = False
        Thread(target=self._run, name="session", daemon=True).start()

    def start(self, media: str, recording: int, now: float, peer: int | None) -> None:
        """A new recording, from second `now` of the clock on, in that container or by that peer."""
        self.pause()
        self._recording = recording
        offset = now - self._began

        def sound(second: float, samples) -> None:
            self._live.add_sound(offset + second, samples)

        def picture(second: float, image) -> None:
            self._pictures += 1
            self._live.add_picture(offset + second, image)

        def ended(code: str, sentence: str) -> None:
            if code:
                self._say(error=code, sentence=sentence, recording=recording)

        if peer is None:
            self._stream = self._last = Stream(media, now, sound, picture, ended, self._last)
        else:
            self._stream = self._last = PeerStream(os.fdopen(peer, "rb"), now, sound, picture, ended, self._last)

    def feed(self, data: bytes) -> None:
        """More of it."""
        if self._stream is not None:
            self._stream.feed(data)

    def pause(self) -> None:
        """It is over."""
        stream, self._stream = self._stream, None
        if stream is not None:
            self._paused = time.monotonic()
            stream.close()

    def finish(self) -> None:
        """No other comes."""
        self.pause()
        self._finished.set()

    def _now(self) -> float | None:
        """The second of the room up to which all is there that will come; None where only what has come tells it."""
        now, stream, last = time.monotonic(), self._stream, self._last
        if stream is None and last is not None and not last.over and now - self._paused < DECODED:
            return None
        if stream is None:
            return now - self._began - _SETTLED if now - self._paused > _SETTLED else None
        return now - self._began - _STALLED if now - stream.fed > _STALLED else None

    def _run(self) -> None:
        try:
            with self._live as live:
                while not self._finished.wait(_POLL):
                    self._tell(live.poll(self._now()))
                if self._last is not None:
                    self._last.wait(DECODED)
                self._tell(live.finish())
        except AvsrError as error:
            self._say(error="failed", sentence=str(error), recording=self._recording)
        finally:
            self.over = True
            if self._last is not None:
                self._last.kill()
            give_memory_back()
            self._say(over=True)

    def _tell(self, messages: list) -> None:
        for message in messages:
            self._say(message=message_to_dict(message))
        now, stream = time.monotonic(), self._stream
        if now - self._told > _TELL_DELAY and stream is not None and now - stream.fed < _TELL_DELAY:
            rate, delay = self._pictures / (now - self._told), stream.delay()
            self._told, self._pictures = now, 0
            self._say(delay=None if delay is None else round(delay, 3), pictures=round(rate, 1))


class Sessions:
    """All of them."""

    def __init__(self, recognizer: Recognizer, peers: socket.socket, say: Say) -> None:
        self._recognizer, self._peers, self._say = recognizer, peers, say
        self._executor = ThreadPoolExecutor(1, "recognise")
        self._sessions: dict[str, Session] = {}

    def meet(self, told: dict[str, Any], data: bytes) -> None:
        """One line of the input, and what followed it."""
        name, do = told["session"], told["do"]
        session = self._sessions.get(name)
        if session is not None and session.over:
            session = self._sessions.pop(name) and None
        if do == "start":
            if session is None:
                session = self._sessions[name] = self._open(name, told["began"])
            try:
                peer = take_file(self._peers, name, told["recording"]) if told["media"] == PEER else None
            except OSError:
                again = "what you send has got lost on this machine; begin with a new recording."
                self._say(session=name, error="begin_again", sentence=again, recording=told["recording"])
                return
            session.start(told["media"], told["recording"], told["now"], peer)
        elif session is None:
            if do == "finish":
                self._say(session=name, over=True)
        elif do == "feed":
            session.feed(data)
        elif do == "pause":
            session.pause()
        elif do == "finish":
            session.finish()

    def _open(self, name: str, began: float) -> Session:
        return Session(self._recognizer, self._executor, began, lambda **told: self._say(session=name, **told))


def main() -> None:
    follow_parent()
    settings, peers = json.loads(sys.argv[1]), socket.socket(fileno=int(sys.argv[2]))
    peers.setblocking(False)
    taken, lock = os.fdopen(os.dup(1), "w", encoding="utf-8"), Lock()
    os.dup2(2, 1)  # whatever a library prints is no message

    def say(**told: Any) -> None:
        with lock:
            taken.write(json.dumps(told) + "\n")
            taken.flush()

    from avsr.decoding.default_model import find_model
    from avsr.decoding.transcribe import load_recognizer

    try:
        recognizer = load_recognizer(Path(settings["model"]) if settings["model"] else find_model(), settings["ear"])
        with LiveRecognizer(recognizer) as live:
            live.warm_up()
    except AvsrError as error:
        say(failed=str(error))
        return
    give_memory_back(code=True)
    say(ready=True)
    sessions = Sessions(recognizer, peers, say)
    while line := sys.stdin.buffer.readline():
        told = json.loads(line)
        sessions.meet(told, sys.stdin.buffer.read(told["size"]) if told["do"] == "feed" else b"")
    os._exit(0)  # the server has ended: nobody waits for what is still being recognised


if __name__ == "__main__":
    main()
