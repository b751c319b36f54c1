"""All rooms of a server, the tickets with which one gets in, and when rooms and people are over."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from avsr.app.live.protocol import BAD_TICKET, FULL, NO_ROOM, Limits, Refused
from avsr.app.live.room import Line, Participant, Room

_MOST_TICKETS = 1000
_LAST_WORDS = 60.0  # seconds after which somebody who leaves is gone, whatever is still to be recognised


class Rooms:
    """Of one event loop. `clock` gives seconds; `finish` is told of a participant from whom nothing will come any more."""

    def __init__(self, limits: Limits, clock: Callable[[], float], finish: Callable[[Room, Participant], None]) -> None:
        self.limits, self.clock, self._finish = limits, clock, finish
        self.rooms: dict[str, Room] = {}
        self._tickets: dict[str, tuple[str, float]] = {}  # room, and until when

    @property
    def sessions(self) -> int:
        """Participants of all rooms."""
        return sum(len(room.participants) for room in self.rooms.values())

    def create(self) -> Room:
        """A new one, whose name nobody can guess. Where there are as many as there may be, one that is empty gives way, but not in the minute
        for which a ticket may be on its way; Refused where there is none."""
        self.sweep()
        if len(self.rooms) >= self.limits.rooms:
            self._end_an_empty_one()
        if len(self.rooms) >= self.limits.rooms:
            raise Refused(FULL, "too_many_rooms", f"this server has {self.limits.rooms} rooms already; try again later.")
        room = Room(secrets.token_hex(16), self.clock(), self.limits)
        self.rooms[room.id] = room
        return room

    def room(self, id: str) -> Room:
        """Refused where there is none."""
        room = self.rooms.get(id)
        if room is None:
            raise Refused(NO_ROOM, "no_room", "there is no such room, or it is over; make a new one.")
        return room

    def ticket(self, room: Room) -> str:
        """What lets one participant in, once, for a minute."""
        now = self.clock()
        self._tickets = {ticket: about for ticket, about in self._tickets.items() if about[1] > now}
        while len(self._tickets) >= _MOST_TICKETS:
            del self._tickets[next(iter(self._tickets))]
        ticket = secrets.token_hex(16)
        self._tickets[ticket] = room.id, now + self.limits.ticket_seconds
        return ticket

    def enter(self, room: Room, line: Line, *, name: str = "", ticket: str = "", resume: str = "", seq: int = 0) -> Participant:
        """Let somebody in by a ticket, or back in by what they were given the first time."""
        if resume:
            return room.resume(resume, line, seq, self.clock())
        of, until = self._tickets.pop(ticket, ("", 0.0))
        if of != room.id or until <= self.clock():
            raise Refused(BAD_TICKET, "ticket", "that ticket is used, over, or of another room; get a new one.")
        if self.sessions >= self.limits.sessions:
            raise Refused(FULL, "server_full", f"{self.limits.sessions} people are connected to this server already; try again later.")
        return room.join(name, line, seq, self.clock())

    def leave(self, room: Room, person: Participant) -> None:
        """They go of their own will, or have been away for too long."""
        if person.leaving is None:
            room.leaves(person, self.clock())
            self._finish(room, person)

    def sweep(self) -> None:
        """Do what time has come for; to be called every second or so."""
        now = self.clock()
        for room in list(self.rooms.values()):
            for person in list(room.participants.values()):
                if person.leaving is not None and now - person.leaving > _LAST_WORDS:
                    room.gone(person, now)
                elif person.away is not None and now - person.away > self.limits.away_seconds:
                    self.leave(room, person)
            idle = now - room.active
            if idle > (self.limits.idle_seconds if room.participants else self.limits.empty_seconds):
                self.end(room)

    def _end_an_empty_one(self) -> None:
        """The one that has been so for longest."""
        since = self.clock() - self.limits.ticket_seconds
        empty = [room for room in self.rooms.values() if not room.participants and room.active < since]
        if empty:
            self.end(min(empty, key=lambda room: room.active))

    def end(self, room: Room) -> None:
        """The room is over."""
        room.close()
        self.rooms.pop(room.id, None)
        for person in room.participants.values():
            if person.leaving is None:
                self._finish(room, person)
