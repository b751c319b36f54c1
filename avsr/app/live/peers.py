"""The server's end of the processes that are participants' WebRTC peers (`.peer`): each is told an offer, and answers; what it decodes goes to
another process. One is always ready while there are rooms, for a start takes a second."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from avsr.app.children import without_token
from avsr.app.live.protocol import BAD_MESSAGE, FULL, Refused

CODES = ("bad_offer", "bad_media", "too_fast", "begin_again", "no_connection")
"""Why a peer may have ended."""

_LINE = 64 << 10  # bytes of what it says
_MOST_SENTENCE = 1000
_LAST = 60.0  # seconds in which what has come must be decoded once nothing more comes: the model may have to be loaded first
_GONE = 1.0  # seconds in which one that has said its last must end


class _Process:
    """One that has been started. `decoded` is the file that what it decodes can be read from."""

    def __init__(self, process: asyncio.subprocess.Process, decoded: int) -> None:
        self.process, self.decoded = process, decoded

    @classmethod
    async def start(cls) -> _Process:
        read, write = os.pipe()
        try:
            return cls(
                await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "avsr.app.live.peer", str(write), pass_fds=(write,), limit=_LINE,
                    env=without_token() | {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"},
                    stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                ),
                read,
            )  # fmt: skip
        except BaseException:  # also where the server ends
            os.close(read)
            raise
        finally:
            os.close(write)

    async def end(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        os.close(self.decoded)


class SparePeers:
    """Starts them. Of one event loop."""

    def __init__(self) -> None:
        self._spare: asyncio.Task[_Process] | None = None

    def prepare(self) -> None:
        """Have one ready."""
        if self._spare is None:
            self._spare = asyncio.create_task(_Process.start())

    async def take(self) -> _Process:
        """The one that is ready, or another; OSError where none can be started."""
        self.prepare()
        spare, self._spare = self._spare, None
        found = await spare
        if found.process.returncode is None:
            return found
        await found.end()
        return await _Process.start()

    async def close(self) -> None:
        """End the one that is ready."""
        spare, self._spare = self._spare, None
        if spare is not None:
            with suppress(OSError):  # it could not be started
                await (await spare).end()


class PeerProcess:
    """`ended` is told why, once, where it has answered and is not ended by us: a code and a sentence, "" for both where the other side ended it."""

    def __init__(self, ended: Callable[[str, str], None]) -> None:
        self._tell = ended
        self._closed = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._running: asyncio.Task | None = None

    async def begin(self, spares: SparePeers, told: dict[str, Any]) -> int:
        """Tell one what `.peer` wants to know; the file that what it decodes can be read from, which the caller closes."""
        found = await spares.take()
        self._process = found.process
        self._process.stdin.write(json.dumps(told).encode() + b"\n")
        self._running = asyncio.create_task(self._run())
        if self._closed.is_set():
            self._process.stdin.close()
        return found.decoded

    async def answer(self, seconds: float) -> str:
        """To the offer. Refused where there is none, or none in time."""
        try:
            return await asyncio.wait_for(self._answer, seconds)
        except asyncio.TimeoutError:
            self.kill()
            raise Refused(FULL, "failed", "the offer could not be answered in time; try again later.") from None

    def close(self) -> None:
        """What has come is decoded; nothing comes any more."""
        self._closed.set()
        self._refuse("bad_offer", "that is over already.")
        if self._process is not None:
            self._process.stdin.close()

    def kill(self) -> None:
        """End it at once, and say nothing more."""
        self.close()
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def ended(self) -> None:
        """Wait until it has."""
        if self._running is not None:
            await asyncio.wait((self._running,))

    async def _run(self) -> None:
        code, sentence = "", ""
        hearing, closing = asyncio.create_task(self._hear()), asyncio.create_task(self._closed.wait())
        try:
            await asyncio.wait((hearing, closing), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((hearing,), timeout=_LAST)
            if hearing.done():
                code, sentence = hearing.result()
        except ValueError:  # it might say anything, should somebody have taken it over
            code, sentence = "bad_media", "what you send cannot be decoded within the limits; send another recording."
        finally:
            hearing.cancel()
            closing.cancel()
            await asyncio.wait((asyncio.ensure_future(self._process.wait()),), timeout=_GONE)
            if self._process.returncode is None:
                self._process.kill()
            await self._process.wait()
        if not code and self._process.returncode:
            code, sentence = "bad_media", f"what you send cannot be decoded ({self._process.returncode}); send another recording."
        answered = self._answer.done()
        self._refuse(code or "bad_offer", sentence or "there is no answer to that.")
        if answered and not self._closed.is_set():
            self._tell(code, sentence)

    async def _hear(self) -> tuple[str, str]:
        while line := await self._process.stdout.readline():
            told = json.loads(line)
            if not isinstance(told, dict):
                raise ValueError
            if isinstance(told.get("answer"), str) and not self._answer.done():
                self._answer.set_result(told["answer"])
            elif told.get("error") in CODES and isinstance(told.get("sentence"), str):
                return told["error"], told["sentence"][:_MOST_SENTENCE]
        return "", ""

    def _refuse(self, code: str, sentence: str) -> None:
        if not self._answer.done():
            self._answer.set_exception(Refused(FULL if code == "no_connection" else BAD_MESSAGE, code, sentence))
            self._answer.exception()  # which perhaps nobody waits for any more
