"""One recording that comes, and the process that decodes it (`.decoding`, or `.peer` where it comes by WebRTC), as the process that recognises
has them."""

from __future__ import annotations

import math
import mmap
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Condition, Thread
from typing import BinaryIO

import numpy as np

from avsr.app.children import without_token
from avsr.app.live.pieces import HEADER, MOST_SAMPLES, MOST_SIDE

DECODED = 10.0
"""Seconds in which what has come must be decoded once nothing more comes."""

_MOST_WAITING = 8 << 20  # bytes that wait to be decoded: some 20 s
_AHEAD = 10.0  # seconds by which a recording's times may be ahead of the clock
_KEPT = 200  # delays that are remembered


_Media = Callable[[float, np.ndarray], None]


class Decoded:
    """What a process decodes of a recording that began at `began` (of `time.monotonic`): sound and pictures are given with seconds from then, by
    another thread.

    Args:
        taken: where the process says its pieces.
        sound, picture: told of what there is.
        after: the one before, all of which is to be given first.
        ended: told why, once, where it is not closed: a code and a sentence, "" for both where the recording is just over.
    """

    def __init__(
        self, taken: BinaryIO, began: float, sound: _Media, picture: _Media, ended: Callable[[str, str], None], after: Decoded | None
    ) -> None:
        self._taken, self._after, self._began, self._sound, self._picture, self._ended = taken, after, began, sound, picture, ended
        self._closed = False
        self._delays: deque[float] = deque(maxlen=_KEPT)
        self.fed = time.monotonic()
        self._reading = Thread(target=self._read, name="read a recording", daemon=True)
        self._reading.start()

    def feed(self, data: bytes) -> None:
        """More of it."""
        raise NotImplementedError

    def close(self) -> None:
        """What has come is decoded; nothing comes any more."""
        self._closed = True

    @property
    def over(self) -> bool:
        """Whether all is given."""
        return not self._reading.is_alive()

    def wait(self, seconds: float) -> None:
        """Until all that came before it was closed is given, or so long."""
        self._reading.join(seconds)

    def kill(self) -> None:
        """End it at once, and say nothing more."""
        self._ended = lambda *_: None
        self.close()

    def delay(self) -> float | None:
        """Seconds from when something was recorded until it was decoded, 95 % of the last ones."""
        return float(np.percentile(list(self._delays), 95)) if self._delays else None

    def _read(self) -> None:
        code, sentence = "", ""
        if self._after is not None:
            self._after.wait(DECODED)
            self._after = None
        try:
            while not code and (header := self._taken.read(HEADER.size)):
                code, sentence = self._take(header)
        except (ValueError, EOFError):
            code, sentence = "bad_media", "what you send cannot be decoded within the limits; begin with a new recording."
        code, sentence = self._last(code, sentence)
        self._taken.close()
        self._closed = True
        self._ended(code, sentence)

    def _last(self, code: str, sentence: str) -> tuple[str, str]:
        """Why nothing more comes, given what was read last."""
        raise NotImplementedError

    def _take(self, header: bytes) -> tuple[str, str]:
        """One piece of what the process says; it might be anything, should somebody have taken it over."""
        if len(header) != HEADER.size:
            raise EOFError
        kind, second, a, b, c = HEADER.unpack(header)
        if not math.isfinite(second):
            raise ValueError
        late = time.monotonic() - self._began - second
        if kind != b"E" and late < -_AHEAD:
            return "too_fast", "what you send is ahead of the clock; send it as it is recorded."
        if kind == b"P" and 0 < a <= MOST_SIDE and 0 < b <= MOST_SIDE and c == 3:
            # Beside the heap, which would keep the room of many pictures for what is small and lives longer.
            image = self._array(np.uint8, (a, b, c), mmap.mmap(-1, a * b * c, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
            self._delays.append(late)
            self._picture(second, image)
        elif kind == b"S" and 0 < a <= MOST_SAMPLES:
            self._sound(second, self._array(np.float32, (a,)))
        elif kind == b"E" and a <= 1000:
            return "bad_media", self._array(np.uint8, (a,)).tobytes().decode("utf-8", "replace")
        else:
            raise ValueError
        return "", ""

    def _array(self, kind: type, shape: tuple[int, ...], room: mmap.mmap | None = None) -> np.ndarray:
        """In that room, or where the process's memory has some."""
        array = np.ndarray(shape, kind, room)
        if self._taken.readinto(memoryview(array).cast("B")) != array.nbytes:
            raise EOFError
        return array


class Stream(Decoded):
    """Starts `.decoding` and feeds it with a container, `media`."""

    def __init__(
        self, media: str, began: float, sound: _Media, picture: _Media, ended: Callable[[str, str], None], after: Decoded | None
    ) -> None:
        environment = without_token() | {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
        command, pipe = [sys.executable, "-m", "avsr.app.live.decoding", media], subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment)
        self._waiting: deque[bytes] = deque()
        self._size, self._behind = 0, False
        self._more = Condition()
        super().__init__(self._process.stdout, began, sound, picture, ended, after)
        Thread(target=self._write, name="write a recording", daemon=True).start()

    def feed(self, data: bytes) -> None:
        self.fed = time.monotonic()
        with self._more:
            self._waiting.append(data)
            self._size += len(data)
            self._behind = self._behind or self._size > _MOST_WAITING
            self._more.notify()
        if self._behind:
            self._process.kill()

    def close(self) -> None:
        with self._more:
            super().close()
            self._more.notify()

    def kill(self) -> None:
        self._process.kill()
        super().kill()

    def _write(self) -> None:
        with suppress(OSError):  # it has ended, which the other thread says
            while True:
                with self._more:
                    self._more.wait_for(lambda: self._waiting or self._closed)
                    if not self._waiting:
                        break
                    data = self._waiting.popleft()
                    self._size -= len(data)
                view = memoryview(data)
                while view:
                    view = view[os.write(self._process.stdin.fileno(), view) :]
        with suppress(OSError):
            self._process.stdin.close()

    def _last(self, code: str, sentence: str) -> tuple[str, str]:
        self._process.kill()
        ended = self._process.wait()
        if self._behind:
            code, sentence = "begin_again", "this machine cannot follow; begin with a new recording."
        elif not code and not self._closed:
            code, sentence = "bad_media", f"what you send cannot be decoded ({ended}); begin with a new recording."
        self.close()
        return code, sentence


class PeerStream(Decoded):
    """What a process says that is the server's (`.peers`), which ends it and says why."""

    def feed(self, data: bytes) -> None:
        """What comes by a WebSocket is of no recording."""

    def _take(self, header: bytes) -> tuple[str, str]:
        self.fed = time.monotonic()
        return super()._take(header)

    def _last(self, code: str, sentence: str) -> tuple[str, str]:
        return code, sentence
