"""How long a file still takes, by the pace of what was done of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from avsr.decoding.look_ahead import SpeechAhead

RECOGNISING = 0.4
"""Seconds that recognising a video takes for each that reading it does, with our own ear (0.41 and 0.40 measured, benchmarks.time_left), of
which _SPOKEN of each second was in pieces: a first answer where the sound says nothing. Where it is half or twice as much, the answer is
off by less than a quarter."""

_SPOKEN = 0.6
_HEARING = 50.0  # seconds that recognising one in pieces takes for each that finding voices in one does (48 for sound, 54 with lips)
_FORGETS = 0.95  # of what earlier windows took, at each new one: a machine that grows busy shows
_SURE = 10.0  # seconds in pieces from which their pace, as measured, counts for more than a guess


class TimeLeft:
    """Is told what is done of a file, and says how many seconds the rest will take.

    A file is done a window at a time: first a minute is read, which in a video takes the most, for faces are looked for; then it is
    cut into pieces, and what is said in these is recognised one by one. Each has a pace of its own: reading and cutting a media
    second, recognising a second in pieces. Pieces are expected where the sound was found to hold speech, if it was listened to before
    (`expect`), and as many more or fewer in each media second as there were so far: all of them, if it was not. Loading the model
    plays no part.

    It may be told and asked by several threads.

    Args:
        total: media seconds of the file; 0 where its header does not say, and then there is no answer unless the sound does.
        recognises: whether what is read is also recognised.
        guesses: whether our own model hears: what recognising takes can be guessed from what finding voices did, or what reading a video
            does, until it is known. Else there is no answer until then.
        clock: in seconds.
    """

    def __init__(
        self, total: float, *, recognises: bool = True, guesses: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.total = total
        self._recognises, self._guesses, self.clock = recognises, guesses, clock
        self._lock = Lock()
        self._ahead: SpeechAhead | None = None
        self._last: float | None = None  # when something was told
        self._at = self._window = 0.0  # media second up to which all is read, and where the window it is in begins
        self._upto = 0.0  # media second from which on nothing is in pieces yet
        self._cut = False  # the window is read and cut into pieces
        self._waiting = 0.0  # seconds of its pieces that are to be recognised
        # Seconds for each media second and for each in pieces; and how many more are in pieces than expected, of each media second.
        self._reading, self._cutting, self._recognising, self._more = _Pace(), _Pace(), _Pace(), _Pace()

    def expect(self, ahead: SpeechAhead | None, done: float) -> None:
        """What was heard in the sound, if it could be, before anything is read; up to media second `done` all was recognised by an
        earlier run."""
        with self._lock:
            self._ahead, self._upto = ahead, done
            if not self.total and ahead is not None:
                self.total = ahead.end

    def read(self, second: float) -> None:
        """All is read up to that media second; told first where reading begins."""
        with self._lock:
            passed = self._passed()
            if passed is None:
                self._at = self._window = second
                self._upto = max(second, self._upto)
                return
            if self._cut:
                self._next_window()
            self._reading.add(passed, max(0.0, second - self._at))
            self._at = max(self._at, second)

    def cut(self, seconds: float, until: float | None = None) -> None:
        """A window is read, and pieces of so many seconds in all are to be recognised in it, the last of which ends at media second
        `until`; None for the window's end: nothing waits for what comes."""
        with self._lock:
            self._cutting.add(self._passed() or 0.0, self._at - self._window)
            # Unless it is known where speech is, it may as well be in what waits as anywhere.
            until = max(self._upto, self._at if until is None or self._ahead is None else until)
            self._more.add(seconds - self._expected(self._upto, until), until - self._upto)
            self._upto, self._waiting, self._cut = until, seconds, True

    def recognised(self, seconds: float) -> None:
        """A piece of so many seconds is recognised."""
        with self._lock:
            self._recognising.add(self._passed() or 0.0, seconds)
            self._waiting = max(0.0, self._waiting - seconds)

    def left(self) -> float | None:
        """Seconds until all is done; None where that cannot be said yet."""
        with self._lock:
            rest = self._rest()
            return None if rest is None or self._last is None else max(0.0, rest - (self.clock() - self._last))

    def _passed(self) -> float | None:
        """Seconds since something was told; None where nothing was."""
        now, last = self.clock(), self._last
        self._last = now
        return None if last is None else now - last

    def _next_window(self) -> None:
        for pace in (self._reading, self._cutting, self._recognising, self._more):
            pace.forget()
        self._window, self._cut, self._waiting = self._at, False, 0.0

    def _expected(self, first: float, until: float) -> float:
        """Seconds in pieces between two media seconds, by the sound."""
        return 0.0 if self._ahead is None else self._ahead.after(first) - self._ahead.after(until)

    def _rest(self) -> float | None:
        """Seconds from when something was told last."""
        reads = self._reading.of()
        if not self.total or reads is None:
            return None
        unread = max(0.0, self.total - self._at)
        if not self._recognises:
            return unread * reads
        uncut = unread if self._cut else unread + self._at - self._window
        rest = unread * reads + uncut * (self._cutting.of() or 0.0)
        pieces = self._pieces_left()
        if pieces == 0:
            return rest
        guess = RECOGNISING / _SPOKEN * reads
        if self._ahead is not None and self._ahead.took is not None:
            guess = _HEARING * self._ahead.took
        pace = self._recognising.of(guess if self._guesses else None, _SURE)
        return None if pieces is None or pace is None else rest + pieces * pace

    def _pieces_left(self) -> float | None:
        """Seconds in pieces that are to be recognised; None where nothing is known of them."""
        until = max(self._upto, self.total)
        more = self._more.of()
        if more is None and self._ahead is not None:
            more = 0.0
        elif more is None and self._guesses:
            more = _SPOKEN
        return None if more is None else self._waiting + max(0.0, self._expected(self._upto, until) + more * (until - self._upto))


class _Pace:
    """Seconds (or another amount) for each of what they were needed for, lately."""

    def __init__(self) -> None:
        self._amount = self._for = 0.0

    def add(self, amount: float, needed_for: float) -> None:
        self._amount += amount
        self._for += needed_for

    def forget(self) -> None:
        self._amount, self._for = _FORGETS * self._amount, _FORGETS * self._for

    def of(self, prior: float | None = None, weight: float = 0.0) -> float | None:
        """How many for each; None where that is not known. `prior`: what is expected, as if it had been seen for `weight`."""
        if prior is not None:
            return (self._amount + prior * weight) / (self._for + weight)
        return self._amount / self._for if self._for else None
