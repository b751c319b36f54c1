"""When something was recorded that comes by RTP, and sound and pictures in step (RFC 3550, 6.4.1). No sockets and no codecs in here."""

from __future__ import annotations

import math
from collections import deque

SETTLED = 0.3
"""Seconds after the first packet in which the least delayed one is looked for."""

_MOST_SHIFT = 1.0  # seconds; reports that want more are not believed
_REPORTS = 16  # that are remembered: half a minute or more


class RtpClock:
    """Of one stream, whose timestamps have 32 bits and begin anywhere. Seconds are of `time.monotonic`.

    What is recorded is taken to be as old as the least delayed of the first packets seems: what came before is not known. Reports of the sender
    say which moment of its own clock a timestamp is; from them one stream's pictures are put beside another's sound. Of the last reports
    the one counts that was delayed the least, for some senders take the moment of sending for that of recording.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._last: int | None = None  # timestamp, and how far it is from the first
        self._elapsed = 0
        self._zero = 0.0  # when the first was recorded
        self.began = math.inf  # when the first came
        self._reports: deque[float] = deque(maxlen=_REPORTS)  # seconds of the sender's clock at which the first was recorded

    def came(self, timestamp: int, now: float) -> None:
        """A packet has come."""
        if self._last is None:
            self._last, self._zero, self.began = timestamp, now, now
            return
        elapsed = self._distance(timestamp)
        if now - self.began < SETTLED:
            self._zero = min(self._zero, now - elapsed / self._rate)
        if elapsed > self._elapsed:
            self._last, self._elapsed = timestamp, elapsed

    def reported(self, sent: float, timestamp: int) -> None:
        """The sender says that the timestamp is that second of its clock."""
        if self._last is not None:
            self._reports.append(sent - self._distance(timestamp) / self._rate)

    def second(self, timestamp: int) -> float:
        """When that was recorded, by itself."""
        return self._zero + self._distance(timestamp) / self._rate

    @property
    def newest(self) -> float:
        """The second of the newest that has come."""
        return self._zero + self._elapsed / self._rate

    def second_beside(self, timestamp: int, other: RtpClock) -> float:
        """When that was recorded by the other stream's clock, as soon as the sender has told of both."""
        alone = self.second(timestamp)
        if not self._reports or not other._reports:
            return alone
        beside = other._zero + self._distance(timestamp) / self._rate + min(self._reports) - min(other._reports)
        return beside if abs(beside - alone) <= _MOST_SHIFT else alone

    def _distance(self, timestamp: int) -> int:
        """From the first, by way of the last: over half of 32 bits is behind."""
        return self._elapsed + (timestamp - self._last + (1 << 31)) % (1 << 32) - (1 << 31)
