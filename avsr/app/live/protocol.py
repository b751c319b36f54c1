"""What goes over a live connection, as docs/live.md describes it: limits, close codes, and what people may send."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass
from typing import Any

# RFC 6455, 7.4.2: 4000 to 4999 are an application's own. They are HTTP's numbers, with 4000 added.
LEFT, GOING_AWAY = 1000, 1001
BAD_MESSAGE, BAD_TICKET, NO_ROOM, LATE, TAKEN_OVER, OVER, TOO_LARGE, TOO_FAST, TOO_SLOW, FULL = (
    4400, 4401, 4404, 4408, 4409, 4410, 4413, 4429, 4430, 4503,
)  # fmt: skip

MEDIA = {"webm": "matroska", "mp4": "mov"}
"""Containers that people may send, and FFmpeg's names of their demuxers."""


PEER = "peer"
"""In a container's place: what comes by WebRTC."""


@dataclass(frozen=True)
class Limits:
    """rooms: at once. participants: of a room. sessions: participants of all rooms.
    message_bytes: of a message with media. control_bytes: of one with JSON. bytes_a_second: of media of one participant on average, burst:
        and what may come at once. controls_a_minute: messages with JSON of one participant.
    signal_bytes: of a message of type signal, and signals_a_minute: of one participant.
    join_seconds: in which a connection must say who it is. ticket_seconds: for which a ticket is good. away_seconds: for which a place is
        kept for a participant whose connection is lost. empty_seconds: for which an empty room is kept. idle_seconds: after which a room
        in which nothing is sent is closed.
    offer_bytes: of an offer of WebRTC. offers_a_minute: of one participant. answer_seconds: in which it must be answered. connect_seconds: in
        which a connection must come about by it.
    lines: of a room that are kept. queued: messages that wait for a participant who reads slowly.
    """

    rooms: int = 32
    participants: int = 8
    sessions: int = 16
    message_bytes: int = 1 << 20
    control_bytes: int = 4 << 10
    bytes_a_second: int = 1 << 20
    burst: int = 4 << 20
    controls_a_minute: int = 60
    signal_bytes: int = 32 << 10
    signals_a_minute: int = 600
    join_seconds: float = 10.0
    ticket_seconds: float = 60.0
    away_seconds: float = 60.0
    empty_seconds: float = 600.0
    idle_seconds: float = 1800.0
    offer_bytes: int = 32 << 10
    offers_a_minute: int = 10
    answer_seconds: float = 15.0
    connect_seconds: float = 10.0
    lines: int = 20_000
    queued: int = 1000


class Refused(Exception):
    """What somebody has sent is not taken: `code` and one sentence for the message, and the number with which the connection is closed."""

    def __init__(self, close: int, code: str, message: str) -> None:
        super().__init__(message)
        self.close, self.code, self.message = close, code, message

    def told(self) -> dict[str, str]:
        """As a message."""
        return error(self.code, self.message)


def error(code: str, message: str) -> dict[str, str]:
    """A message of type error."""
    return {"type": "error", "code": code, "message": message}


_FIELDS: dict[str, dict[str, type]] = {
    "join": {"name": str, "ticket": str, "resume": str, "seq": int},
    "start": {"media": str},
    "pause": {},
    "rename": {"name": str},
    "signal": {"to": int, "data": str},
    "leave": {},
}


def read_control(text: str, limits: Limits) -> dict[str, Any]:
    """A message with JSON that somebody has sent: `type`, and those of its fields that are known.

    Raises:
        Refused: too long, no JSON object, an unknown type, or a field of another type.
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    try:
        given = json.loads(text) if size <= limits.signal_bytes else None
    except (ValueError, RecursionError):
        given = None
    kind = given.get("type") if isinstance(given, dict) else None
    if size > limits.control_bytes and kind != "signal":
        most = f"a message with JSON can have {limits.control_bytes} bytes, one of type signal {limits.signal_bytes}"
        raise Refused(TOO_LARGE, "too_large", f"{most}; send less.")
    if not isinstance(kind, str) or kind not in _FIELDS:
        raise Refused(BAD_MESSAGE, "bad_message", f"send a JSON object whose type is one of {', '.join(_FIELDS)}.")
    found: dict[str, Any] = {"type": kind}
    for name, of in _FIELDS[kind].items():
        if name in given:
            if type(given[name]) is not of:
                raise Refused(BAD_MESSAGE, "bad_message", f"{kind}: {name} is not of type {of.__name__}.")
            found[name] = given[name]
    if kind == "signal" and not _can_be_sent(found.get("data", "")):
        raise Refused(BAD_MESSAGE, "bad_message", "signal: data has half of a character (a lone surrogate), which nobody can be sent.")
    return found


def _can_be_sent(text: str) -> bool:
    """JSON can say half of a UTF-16 pair, which would break the line of whoever it is passed on to."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_MOST_NAME = 40


def clean_name(given: str) -> str:
    """A person's name without what cannot be seen, at most 40 characters.

    Raises:
        Refused: nothing is left.
    """
    shown = "".join(" " if unicodedata.category(c) in ("Zl", "Zp", "Zs", "Cc") else c for c in given[: 20 * _MOST_NAME])
    shown = "".join(c for c in unicodedata.normalize("NFC", shown) if unicodedata.category(c)[0] != "C")
    name = " ".join(shown.split())[:_MOST_NAME].strip()
    if not name:
        raise Refused(BAD_MESSAGE, "no_name", "give a name, so that others see who speaks.")
    return name


class Pace:
    """A bucket that fills by `rate` a second up to `most`, and that is drawn from (RFC 2697's token bucket with one colour)."""

    def __init__(self, rate: float, most: float, now: float) -> None:
        self._rate, self._most = rate, most
        self._left, self._last = most, now

    def take(self, amount: float, now: float) -> bool:
        """Whether so much may come at second `now`."""
        self._left = min(self._most, self._left + self._rate * (now - self._last)) - amount
        self._last = now
        return self._left >= 0
