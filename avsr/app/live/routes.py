"""The page /live, and /api/live: making rooms, tickets to them, and the WebSocket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from fastapi import APIRouter, WebSocket
from starlette.responses import FileResponse, JSONResponse

from avsr.app.live.connection import Connection
from avsr.app.live.protocol import GOING_AWAY, NO_ROOM, Limits, Refused
from avsr.app.live.recognition import Recognition
from avsr.app.live.rooms import Rooms
from avsr.app.security import refusal
from avsr.app.settings import Settings

_SWEEP = 1.0  # seconds


class Live:
    """What a server has for live captions."""

    def __init__(self, settings: Settings, limits: Limits = Limits(), clock: Callable[[], float] = time.monotonic) -> None:
        self.settings = settings
        self.recognition = Recognition(settings, clock)
        self.rooms = Rooms(limits, clock, self.recognition.finish)

    async def look_after(self) -> None:
        """End what is over, until this is cancelled."""
        while True:
            await asyncio.sleep(_SWEEP)
            self.rooms.sweep()
            self.recognition.sweep()

    async def close(self) -> None:
        """Everybody is hung up on."""
        for room in self.rooms.rooms.values():
            room.close(GOING_AWAY)
        await self.recognition.close()

    def metrics(self) -> list[str]:
        """Lines of Prometheus's text format."""
        found = {"avsr_live_rooms": len(self.rooms.rooms), "avsr_live_participants": self.rooms.sessions}
        lines = [line for name, value in found.items() for line in (f"# TYPE {name} gauge", f"{name} {value}")]
        figures = {"avsr_live_delay_seconds": self.recognition.delays, "avsr_live_pictures_per_second": self.recognition.pictures}
        for name, of in figures.items():
            lines += [f"# TYPE {name} gauge", *(f'{name}{{session="{session}"}} {value}' for session, value in of.items())]
        return lines


def live_routes(live: Live, pages: Path) -> APIRouter:
    """All of it."""
    router, rooms = APIRouter(), live.rooms

    @router.get("/live")
    def page() -> FileResponse:
        return FileResponse(pages / "live.html", media_type="text/html")

    @router.post("/api/live/rooms", status_code=201)
    async def create() -> JSONResponse:
        try:
            return JSONResponse({"room": rooms.create().id}, 201)
        except Refused as refused:
            return refusal(503, refused.code, refused.message, **{"Retry-After": "60"})

    @router.post("/api/live/rooms/{id}/tickets", status_code=201)
    async def ticket(id: str) -> JSONResponse:
        try:
            return JSONResponse({"ticket": rooms.ticket(rooms.room(id)), "seconds": rooms.limits.ticket_seconds}, 201)
        except Refused as refused:
            return refusal(404, refused.code, refused.message)

    @router.websocket("/api/live/rooms/{id}/socket")
    async def socket(socket: WebSocket, id: str) -> None:
        await socket.accept()  # so that the code can be told
        try:
            room = rooms.room(id)
        except Refused as refused:
            await socket.send_json(refused.told())
            await socket.close(NO_ROOM)
            return
        await Connection(socket, room, rooms, live.recognition).run()

    return router
