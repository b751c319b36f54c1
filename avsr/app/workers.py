"""Workers as the supervisor sees them: started under a name, watched, killed. Here they are processes of this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from avsr.app.children import without_token
from avsr.app.settings import LOOPBACK, Settings

CRASH, KILLED = 1.0, 0.25  # what a try costs, see Jobs.give_back: a kill is as likely somebody's as the video's fault


@dataclass(frozen=True)
class Death:
    """Of a worker: what it costs the job that it had, and a sentence for whoever runs the server, where there is something to mend."""

    cost: float
    why: str | None = None


class Workers(Protocol):
    """What works the jobs off, and can be ended. `far`: they may fall silent without anybody's seeing them die, as on a machine that has
    lost its power."""

    far: bool

    def names(self) -> list[str]:
        """Of those that were started and neither killed nor buried."""

    def start(self, name: str) -> None:
        """One more, which claims jobs under this name."""

    def bury(self) -> dict[str, Death]:
        """Those that have ended since the last call."""

    def resident(self, name: str) -> int:
        """Bytes of memory that it holds; 0 where that cannot be told."""

    def kill(self, name: str) -> None:
        """It ends, soon if not at once: give back what it had, so that its word counts no more."""

    def close(self) -> None:
        """Kill all."""


class Processes:
    """`Workers` that are processes of this machine, killed with the server."""

    far = False

    def __init__(self, settings: Settings) -> None:
        # Workers listen nowhere, and the token is none of their business.
        self._settings = json.dumps(asdict(settings) | {"host": LOOPBACK[0], "token": None}, default=str)
        self._processes: dict[str, subprocess.Popen] = {}

    def names(self) -> list[str]:
        return list(self._processes)

    def start(self, name: str) -> None:
        command = [sys.executable, "-m", "avsr.app.worker", self._settings, name, str(os.getpid())]
        self._processes[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=without_token() | {"MALLOC_ARENA_MAX": "2"})

    def bury(self) -> dict[str, Death]:
        ended = {name: code for name, process in self._processes.items() if (code := process.poll()) is not None}
        for name in ended:
            del self._processes[name]
        return {name: Death(KILLED if code == -signal.SIGKILL else CRASH) for name, code in ended.items()}

    def resident(self, name: str) -> int:
        return resident(self._processes[name].pid)

    def kill(self, name: str) -> None:
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def close(self) -> None:
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.wait()
        self._processes.clear()


def resident(process: int | str) -> int:
    """Bytes of memory that a process holds, by its number or "self"; 0 where that cannot be told."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
