"""How long a file still takes, by the pace of what was done of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

RECOGNISING = 0.4
"""Seconds that recognising takes for each that reading a video does, with our own ear (0.41 and 0.40 measured, benchmarks.time_left): a
first answer while the first minute is read. Where it is half or twice as much, the answer is off by less than a quarter."""

_FORGETS = 0.95  # of what earlier windows took, at each new one: a machine that grows busy shows, what is said in one minute does not


class TimeLeft:
    """Is told what is done of a file, and says how many seconds the rest will take.

    A file is done a window at a time: first a minute is read, which in a video takes the most, for faces are looked for; then what is
    said in it is recognised piece by piece. Each has a pace of its own. Loading the model plays no part.

    It may be told and asked by several threads.

    Args:
        total: media seconds of the file; 0 where its header does not say, and then there is never an answer.
        recognises: whether what is read is also recognised.
        guess: how long recognising takes for each second that reading does, until it is known; None to have no answer until then.
        clock: in seconds.
    """

    def __init__(
        self, total: float, *, recognises: bool = True, guess: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._total, self._recognises, self._guess, self._clock = total, recognises, guess, clock
        self._lock = Lock()
        self._last: float | None = None  # when something was told
        self._at = self._window = 0.0  # media second up to which all is read, and where the window it is in begins
        self._reading = self._read = 0.0  # seconds it took to read so many media seconds
        self._recognising = self._recognised = 0.0  # seconds it took to recognise pieces of so many media seconds
        self._cut = False  # the window is read and cut into pieces
        self._waiting = 0.0  # media seconds of its pieces that are to be recognised
        self._spent = 0.0  # seconds on it since it was read
        self._spent_before = self._media_before = 0.0  # the same of earlier windows, and their media seconds

    def read(self, second: float) -> None:
        """All is read up to that media second; told first where reading begins."""
        with self._lock:
            passed = self._passed()
            if passed is None:
                self._at = self._window = second
                return
            if self._cut:
                self._next_window()
            self._reading += passed
            self._read += max(0.0, second - self._at)
            self._at = max(self._at, second)

    def cut(self, seconds: float) -> None:
        """A window is read, and pieces of so many seconds in all are to be recognised in it."""
        with self._lock:
            self._spent += self._passed() or 0.0
            self._waiting, self._cut = seconds, True

    def recognised(self, seconds: float) -> None:
        """A piece of so many seconds is recognised."""
        with self._lock:
            passed = self._passed() or 0.0
            self._spent += passed
            self._recognising += passed
            self._recognised += seconds
            self._waiting = max(0.0, self._waiting - seconds)

    def left(self) -> float | None:
        """Seconds until all is done; None where that cannot be said yet."""
        with self._lock:
            rest = self._rest()
            return None if rest is None or self._last is None else max(0.0, rest - (self._clock() - self._last))

    def _passed(self) -> float | None:
        """Seconds since something was told; None where nothing was."""
        now, last = self._clock(), self._last
        self._last = now
        return None if last is None else now - last

    def _next_window(self) -> None:
        self._spent_before = _FORGETS * self._spent_before + self._spent
        self._media_before = _FORGETS * self._media_before + self._at - self._window
        self._reading, self._read = _FORGETS * self._reading, _FORGETS * self._read
        self._recognising, self._recognised = _FORGETS * self._recognising, _FORGETS * self._recognised
        self._window, self._cut, self._waiting, self._spent = self._at, False, 0.0, 0.0

    def _rest(self) -> float | None:
        """Seconds from when something was told last."""
        if not self._total or not self._read:
            return None
        reads = self._reading / self._read  # seconds a media second
        unread, length = max(0.0, self._total - self._at), self._at - self._window
        if not self._recognises:
            return unread * reads
        if self._cut and (self._recognised or not self._waiting):
            waits = self._waiting * self._recognising / self._recognised if self._waiting else 0.0
            media = self._media_before + length
            return waits + unread * (reads + ((self._spent_before + self._spent + waits) / media if media else 0.0))
        if self._media_before:
            before = self._spent_before / self._media_before
        elif self._guess is not None:
            before = self._guess * reads
        else:
            return None
        return max(0.0, before * length - self._spent) + unread * (reads + before)
