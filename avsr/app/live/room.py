"""A room: who is in it, what was said in it, and what each of them has still to be told. No connections and no clock in here."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from avsr.app.live.protocol import BAD_TICKET, FULL, LEFT, NO_ROOM, OVER, TAKEN_OVER, Limits, Pace, Refused, clean_name

_VERSION = 1
_PASSING = ("partial", "mode", "dropped")  # what a recogniser says that nobody needs to hear later


@dataclass
class Line:
    """A connection's end in here: `tell` puts a message into its queue, `repeat` one of those that somebody is to be told once more, however
    many; `hang_up` closes it with a code when the queue is empty."""

    tell: Callable[[dict[str, Any]], None]
    repeat: Callable[[dict[str, Any]], None]
    hang_up: Callable[[int], None]


@dataclass
class Participant:
    """Somebody. `line` is None while the connection is lost, since second `away`; `leaving` where only the last finals are waited for;
    `recordings` is how many they have begun, `peer` whether the one that goes on comes by WebRTC, `whip` what lets them send one so while this
    connection lasts, `offers` how often."""

    number: int
    name: str
    resume: str
    offers: Pace
    whip: str = ""
    line: Line | None = None
    away: float | None = None
    leaving: float | None = None
    sending: bool = False
    peer: bool = False
    recordings: int = 0
    mode: dict[str, Any] | None = None
    partials: dict[str, dict[str, Any]] = field(default_factory=dict)

    def view(self) -> dict[str, Any]:
        """As others see it."""
        return {"id": self.number, "name": self.name, "mode": None if self.mode is None else self.mode["mode"]}


class Room:
    """What must not be lost (final, joined, left, renamed) has a number, `seq`, from 1 on without holes, and is kept; whoever comes back
    says the last that it has seen, and is told what follows. All methods are called by one thread, so that nothing comes between."""

    def __init__(self, id: str, began: float, limits: Limits) -> None:
        self.id, self.began, self.limits = id, began, limits
        self.active = began  # second at which something was last sent or said
        self.seq = 0
        self.participants: dict[int, Participant] = {}
        self._log: deque[dict[str, Any]] = deque(maxlen=limits.lines)
        self._count = 0

    def join(self, name: str, line: Line, seq: int, now: float) -> Participant:
        """Somebody new, who has seen what is up to `seq`; Refused where the room is full."""
        name = clean_name(name)
        if len(self.participants) >= self.limits.participants:
            raise Refused(FULL, "room_full", f"this room has {self.limits.participants} people already; make another.")
        self._count += 1
        offers = Pace(self.limits.offers_a_minute / 60, self.limits.offers_a_minute, now)
        person = Participant(self._count, self._own_name(name), secrets.token_hex(16), offers)
        self.participants[person.number] = person
        self._attach(person, line, seq, now)
        self.note({"type": "joined", "participant": person.number, "name": person.name, "time": self._time(now)}, now)
        return person

    def resume(self, token: str, line: Line, seq: int, now: float) -> Participant:
        """Somebody whose connection was lost, perhaps without its old one having been noticed; Refused where that is too long ago."""
        for person in self.participants.values():
            if secrets.compare_digest(person.resume.encode(), token.encode("utf-8", "replace")) and person.leaving is None:
                if person.line is not None:
                    person.line.hang_up(TAKEN_OVER)
                self._attach(person, line, seq, now)
                return person
        raise Refused(NO_ROOM, "resume_over", "your place in this room is gone; join once more, with the last seq that you have seen.")

    def sender(self, token: str) -> Participant:
        """Who was given that with the `hello` of a connection that lasts; Refused where nobody was."""
        for person in self.participants.values():
            if person.whip and secrets.compare_digest(person.whip.encode(), token.encode("utf-8", "replace")) and person.leaving is None:
                return person
        raise Refused(BAD_TICKET, "whip_token", "give the whip token of this room's last hello as a bearer's; it is good while that connection lasts.")

    def lost(self, person: Participant, line: Line, now: float) -> bool:
        """The connection of somebody has ended; False where another has taken its place."""
        if person.line is not line:
            return False
        person.line, person.away, person.sending, person.whip = None, now, False, ""
        return True

    def rename(self, person: Participant, name: str, now: float) -> None:
        """From now on they are called so."""
        name = clean_name(name)
        if name != person.name:
            person.name = self._own_name(name)
            self.note({"type": "renamed", "participant": person.number, "name": person.name, "time": self._time(now)}, now)

    def signal(self, person: Participant, to: int, data: str) -> None:
        """Pass on what one page has to say to another, for their pictures' sake: to that one alone, unread and not kept. Who is not there at the
        moment, or not any more, does not get it."""
        other = self.participants.get(to)
        if other is not None and other is not person and other.line is not None and other.leaving is None:
            other.line.tell({"type": "signal", "from": person.number, "data": data})

    def leaves(self, person: Participant, now: float) -> None:
        """They go; `gone` follows when what they said last is known, which they hear if they stay for it."""
        person.leaving, person.sending = now, False

    def gone(self, person: Participant, now: float) -> None:
        """They have left."""
        if person.number in self.participants:
            self.note({"type": "left", "participant": person.number, "name": person.name, "time": self._time(now)}, now)
            del self.participants[person.number]
            if person.line is not None:
                person.line.hang_up(LEFT)

    def heard(self, person: Participant, message: dict[str, Any], now: float) -> None:
        """What the recogniser says of somebody, by `avsr.decoding.live.messages.message_to_dict`."""
        told = {**message, "participant": person.number, "name": person.name}
        del told["seq"]  # a session's, not the room's
        told.pop("words", None)
        self.active = now
        if "segment" in told:
            told["segment"] = f"{person.number}.{told['segment']}"
        if told["type"] == "final":
            person.partials.pop(told["segment"], None)
            if told["text"]:
                self.note(told, now)
                return
            told = {**told, "type": "partial", "committed": "", "tail": ""}  # what was shown came to nothing
            del told["text"], told["end"]
        elif told["type"] == "partial":
            person.partials[told["segment"]] = told
        elif told["type"] == "mode":
            person.mode = told
        assert told["type"] in _PASSING
        self._tell(told)

    def forget_partials(self, person: Participant) -> None:
        """What goes on will have no end, because its recogniser has ended."""
        for told in person.partials.values():
            self._tell({**told, "committed": "", "tail": ""})
        person.partials.clear()

    def note(self, message: dict[str, Any], now: float) -> None:
        """Number, keep and tell everybody what must not be lost."""
        self.seq += 1
        self.active = now
        message = {"type": message["type"], "seq": self.seq} | message
        self._log.append(message)
        self._tell(message)

    def close(self, code: int = OVER) -> None:
        """End all connections."""
        for person in self.participants.values():
            if person.line is not None:
                person.line.hang_up(code)

    def _attach(self, person: Participant, line: Line, seq: int, now: float) -> None:
        person.line, person.away, person.whip = line, None, secrets.token_hex(16)
        first = self._log[0]["seq"] if self._log else self.seq + 1
        line.tell({
            "type": "hello", "version": _VERSION, "room": self.id, "participant": person.number, "name": person.name, "resume": person.resume,
            "whip": person.whip,
            "seq": self.seq, "first": first, "time": self._time(now), "participants": [one.view() for one in self.participants.values()],
            "limits": {
                "message_bytes": self.limits.message_bytes, "bytes_a_second": self.limits.bytes_a_second, "away_seconds": self.limits.away_seconds,
            },
        })  # fmt: skip
        for message in self._log:
            if message["seq"] > seq:
                line.repeat(message)
        for one in self.participants.values():
            for message in one.partials.values():
                line.tell(message)

    def _tell(self, message: dict[str, Any]) -> None:
        for person in list(self.participants.values()):
            if person.line is not None:
                person.line.tell(message)

    def _time(self, now: float) -> float:
        return round(now - self.began, 3)

    def _own_name(self, name: str) -> str:
        """The name, or with a number behind it where somebody here has it."""
        taken, count, own = {one.name for one in self.participants.values()}, 1, name
        while own in taken:
            count += 1
            own = f"{name} ({count})"
        return own
