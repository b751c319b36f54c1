"""Recordings by WebRTC: WHIP (RFC 9725), for people who are in a room by its WebSocket already."""

from __future__ import annotations

import socket

from fastapi import APIRouter, Request
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from avsr.app.live.protocol import BAD_MESSAGE, BAD_TICKET, NO_ROOM, TOO_FAST, TOO_LARGE, Refused
from avsr.app.live.room import Participant, Room
from avsr.app.live.routes import Live
from avsr.app.security import refusal
from avsr.app.settings import LOOPBACK

_SDP = "application/sdp"
_STATUS = {BAD_MESSAGE: 400, BAD_TICKET: 401, NO_ROOM: 404, TOO_LARGE: 413, TOO_FAST: 429}  # and 503
_HEADERS = {401: {"WWW-Authenticate": "Bearer"}, 429: {"Retry-After": "10"}, 503: {"Retry-After": "10"}}


def whip_routes(live: Live) -> APIRouter:
    """POST of an offer, and DELETE of what it began. What else RFC 9725 has there (PATCH) is answered by 405, as it allows."""
    router, limits = APIRouter(), live.rooms.limits
    addresses = addresses_of(live.settings.host)

    def sender(id: str, request: Request) -> tuple[Room, Participant]:
        room = live.rooms.room(id)
        return room, room.sender(request.headers.get("authorization", "").partition(" ")[2].strip())

    @router.post("/api/live/rooms/{id}/whip", status_code=201)
    async def offer(id: str, request: Request) -> Response:
        try:
            room, person = sender(id, request)
            if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _SDP:
                return refusal(415, "bad_offer", f"send an offer, as {_SDP}.", **{"Accept-Post": _SDP})
            if not person.offers.take(1, live.rooms.clock()):
                raise Refused(TOO_FAST, "too_fast", f"{limits.offers_a_minute} offers a minute are taken; wait a little.")
            sdp = await _text(request, limits.offer_bytes)
            sender(id, request)  # who may have gone while it came
            answer = await live.recognition.offer(room, person, sdp, addresses, limits)
        except Refused as refused:
            return _refused(refused)
        room.active = live.rooms.clock()
        return Response(answer, 201, {"Location": f"/api/live/rooms/{id}/whip/{person.recordings}"}, _SDP)

    @router.delete("/api/live/rooms/{id}/whip/{number}")
    async def end(id: str, number: str, request: Request) -> Response:
        try:
            room, person = sender(id, request)
        except Refused as refused:
            return _refused(refused)
        if not person.peer or number != str(person.recordings):
            return refusal(404, "no_recording", "that is over already.")
        live.recognition.pause(room, person)
        return Response(status_code=200)

    return router


def addresses_of(host: str) -> list[str]:
    """The addresses of this machine at which a server of that --host is reached; none for all of them."""
    if host in ("0.0.0.0", "::", ""):
        return []
    if host in LOOPBACK:
        return ["::1" if host == "::1" else "127.0.0.1"]
    try:
        return sorted({found[4][0] for found in socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)})
    except OSError:
        return [host]  # which cannot be listened at either; uvicorn says so


async def _text(request: Request, most: int) -> str:
    data, large = bytearray(), Refused(TOO_LARGE, "too_large", f"an offer can have {most} bytes.")
    try:
        async for piece in request.stream():
            data += piece
            if len(data) > most:
                raise large
    except ClientDisconnect:  # or the server's own limit, which looks so
        raise large from None
    if not data.startswith(b"v=0") or not data.isascii():  # RFC 8866, 5.1; the rest is for a process of its own to read
        raise Refused(BAD_MESSAGE, "bad_offer", "that is no offer in SDP.")
    return data.decode()


def _refused(refused: Refused) -> JSONResponse:
    status = _STATUS.get(refused.close, 503)
    return refusal(status, refused.code, refused.message, **_HEADERS.get(status, {}))
