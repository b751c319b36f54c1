"""The processes that open what people send in the server's place, each for one task; one is always ready, for a start takes 0.2 s."""

from __future__ import annotations

import asyncio
import json
import os
import sys

from avsr.app.settings import TOKEN_VARIABLE
from avsr.errors import AvsrError
from avsr.ray_cluster import CLUSTER_TOKEN

_READY = 30.0  # seconds that a start may take on a machine that does other things: they are not the task's


class Children:
    """Starts `avsr.app.child` and asks it. Of one event loop."""

    def __init__(self) -> None:
        self._spare: asyncio.subprocess.Process | None = None
        self._starting = asyncio.Lock()
        self._asked: dict[asyncio.Task, asyncio.subprocess.Process] = {}  # by who waits for their end; asyncio keeps no task alive by itself
        self._closed = False

    async def prepare(self) -> None:
        """Have a process ready for the next task."""
        async with self._starting:
            if self._spare is None or self._spare.returncode is not None:
                self._spare = await _start()

    async def ask(self, task: dict[str, object], seconds: float, *, more: float = 0.0) -> dict[str, object]:
        """The answer to a task, which has `seconds` for it, and `more` for what it does after it has answered.

        Raises:
            AvsrError: it took longer, or ended without an answer.
        """
        await self.prepare()
        child, self._spare = self._spare, None
        try:
            await asyncio.wait_for(child.stdout.readline(), _READY)
            line = await asyncio.wait_for(_answer(child, task), seconds)
        except (asyncio.TimeoutError, ConnectionError):
            line = b""
        finally:  # also where whoever asked is cancelled
            ending = asyncio.create_task(self._end(child, more))
            self._asked[ending] = child
            ending.add_done_callback(self._asked.pop)
        if not line.endswith(b"\n"):
            raise AvsrError("it cannot be opened within the limits of memory and time; convert it to MP4.")
        return json.loads(line)

    async def close(self) -> None:
        """End them all."""
        self._closed = True
        for child in self._asked.values():
            _kill(child)
        await asyncio.gather(*self._asked, return_exceptions=True)
        if self._spare is not None:
            await _ended(self._spare, 0.0)

    async def _end(self, child: asyncio.subprocess.Process, more: float) -> None:
        await _ended(child, more)
        if not self._closed:
            await self.prepare()


async def _start() -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "avsr.app.child", env=without_token(),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip


async def _answer(child: asyncio.subprocess.Process, task: dict[str, object]) -> bytes:
    child.stdin.write(json.dumps(task).encode() + b"\n")
    await child.stdin.drain()
    return await child.stdout.readline()


async def _ended(child: asyncio.subprocess.Process, seconds: float) -> None:
    """It has ended, or is ended after `seconds`."""
    child.stdin.close()
    try:
        await asyncio.wait_for(child.wait(), seconds)
    except asyncio.TimeoutError:
        _kill(child)
        await child.wait()


def _kill(child: asyncio.subprocess.Process) -> None:
    try:
        child.kill()
    except ProcessLookupError:
        pass


def without_token() -> dict[str, str]:
    """The environment for processes that open what people send."""
    return {name: value for name, value in os.environ.items() if name not in (TOKEN_VARIABLE, CLUSTER_TOKEN)}
