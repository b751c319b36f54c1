"""Counts what Python is about to write below a folder, and kills the whole process group before the n-th write: for `benchmarks.stage_kills`.

`install` is called by every Python that a stage starts (a sitecustomize on PYTHONPATH calls it), so it imports next to nothing. What
libraries in C write themselves (torch's archives, FFmpeg's files) is not seen here: kills at moments of time are for those.
"""

from __future__ import annotations

import os
import signal
import sys
import time

UNDER, TRACE, AT = "AVSR_KILLS_UNDER", "AVSR_KILLS_TRACE", "AVSR_KILLS_AT"  # folder; file of what was written; number, 0 for none
RECORD = 128  # bytes: each write is a line of so many, so that the file's size is their number
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.symlink", "os.link")


def install() -> None:
    """Watch this process, where the environment asks for it."""
    if UNDER in os.environ:
        sys.addaudithook(_watcher(os.path.join(os.environ[UNDER], ""), os.environ[TRACE], int(os.environ[AT])))


def _watcher(under: str, trace: str, target: int):
    busy = False

    def watch(event: str, args: tuple) -> None:
        nonlocal busy
        if busy or not (event in _CHANGES or event == "open" and (args[2] or 0) & _WRITES):
            return
        # A link's second argument is where it lies; a rename's is what it replaces.
        path = args[1] if event in ("os.rename", "os.symlink", "os.link") else args[0]
        if not isinstance(path, (str, os.PathLike)) or not (path := os.fspath(path)).startswith(under):
            return
        busy = True
        try:
            if _note(trace, event, path[len(under) :]) >= target > 0:
                if event == "open":  # torn: made, or emptied, and nothing written yet
                    os.open(path, args[2], 0o644)
                os.killpg(os.getpgrp(), signal.SIGKILL)
        finally:
            busy = False

    return watch


def _note(trace: str, event: str, path: str) -> int:
    """Add a line to the trace; how many there are now."""
    line = f"{time.time():17.6f} {event.removeprefix('os.'):8}".encode() + path.encode("utf-8", "replace")
    handle = os.open(trace, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, line[: RECORD - 1].ljust(RECORD - 1) + b"\n")
        return os.fstat(handle).st_size // RECORD
    finally:
        os.close(handle)
