"""When something was recorded that comes by RTP, and sound and pictures in step (RFC 3550, 6.4.1). No sockets and no codecs in here."""

from __future__ import annotations

_MOST_SHIFT = 1.0  # seconds; reports that want more are not believed


class RtpClock:
    """Of one stream, whose timestamps have 32 bits and begin anywhere. Seconds are of `time.monotonic`.

    The first packet is taken to be as old as it seems: what came before it is not known. Reports of the sender say which moment of its own
    clock a timestamp is; from them one stream's pictures are put beside another's sound.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._last: int | None = None  # timestamp, and how far it is from the first
        self._elapsed = 0
        self._first = 0.0
        self._report: tuple[float, int] | None = None  # second of the sender's clock, and how far the timestamp of that is from the first

    def came(self, timestamp: int, now: float) -> None:
        """A packet has come."""
        if self._last is None:
            self._last, self._first = timestamp, now
        elif (elapsed := self._distance(timestamp)) > self._elapsed:
            self._last, self._elapsed = timestamp, elapsed

    def reported(self, sent: float, timestamp: int) -> None:
        """The sender says that the timestamp is that second of its clock."""
        if self._last is not None:
            self._report = sent, self._distance(timestamp)

    def second(self, timestamp: int) -> float:
        """When that was recorded, by itself."""
        return self._first + self._distance(timestamp) / self._rate

    @property
    def newest(self) -> float:
        """The second of the newest that has come."""
        return self._first + self._elapsed / self._rate

    def second_beside(self, timestamp: int, other: RtpClock) -> float:
        """When that was recorded by the other stream's clock, as soon as the sender has told of both."""
        alone = self.second(timestamp)
        if self._report is None or other._report is None:
            return alone
        sent, distance = self._report
        sent += (self._distance(timestamp) - distance) / self._rate
        beside = other._first + other._report[1] / other._rate + sent - other._report[0]
        return beside if abs(beside - alone) <= _MOST_SHIFT else alone

    def _distance(self, timestamp: int) -> int:
        """From the first, by way of the last: over half of 32 bits is behind."""
        return self._elapsed + (timestamp - self._last + (1 << 31)) % (1 << 32) - (1 << 31)
