"""One participant's WebRTC: the other end of it, in a process of its own (`.peer`).

No server of others is asked for anything, and the addresses in the offer are left unread: only who has sent a check that proves to know the
answer (RFC 8445, 7.3) is sent anything. The library, aiortc, speaks ICE, DTLS, SRTP and RTP; its decoders have no limits and its tracks forget
when a picture was taken, so those are ours.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from threading import Thread
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from aioice import ice
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpReceiver, RTCSessionDescription, rtcpeerconnection, rtcrtpreceiver, sdp
from aiortc.exceptions import InternalError, InvalidAccessError, InvalidStateError, OperationError
from aiortc.rtp import RtcpSrPacket

from avsr.app.live.pieces import Pieces
from avsr.app.live.protocol import Pace
from avsr.app.live.rtp_clock import SETTLED, RtpClock
from avsr.app.live.rtp_decoding import PictureDecoder, SoundDecoder

if TYPE_CHECKING:
    from aiortc.jitterbuffer import JitterFrame
    from aiortc.rtp import RtpPacket

CODECS = {"audio": ("audio/opus",), "video": ("video/VP8", "video/rtx")}
"""What browsers must have (RFC 7742, 7874), and the packets that are sent once more."""

_RATES = {"audio": 48_000, "video": 90_000}
_MOST_WAITING = 60.0  # seconds of media that wait to be decoded, while the model is loaded
_BAD = 250  # frames in a row that cannot be decoded
_ENDING = 3.0  # seconds that saying goodbye may take
_NTP = 1 << 32  # units in a second of NTP's
_WRONG = (ValueError, LookupError, TypeError, AttributeError, AssertionError, InternalError, InvalidAccessError, InvalidStateError, OperationError)
"""What aiortc raises where an SDP is not one."""


Refuse = Callable[[str, str], NoReturn]


class _Incoming:
    """One stream of the peer: its clock and its decoder, which is given frames by a thread of aiortc's."""

    def __init__(self, kind: str, refuse: Refuse) -> None:
        self.clock, self._refuse = RtpClock(_RATES[kind]), refuse
        self.decode: Callable[[bytes, int], None]
        self.broken = False  # a picture is missing: the sender is to begin anew with a whole one
        self._source: int | None = None
        self._given = 0.0
        self._bad = 0

    def came(self, packet: RtpPacket) -> None:
        """A packet, as it is."""
        if self._source is None:
            self._source = packet.ssrc
        if packet.ssrc == self._source:
            self.clock.came(packet.timestamp, time.monotonic())
            self._given = self._given or self.clock.newest
        if self.clock.newest - self._given > _MOST_WAITING:
            self._refuse("begin_again", "this machine cannot follow; begin with a new recording.")

    def reported(self, packet: RtcpSrPacket) -> None:
        """What the sender says of its clock."""
        if packet.ssrc == self._source:
            self.clock.reported(packet.sender_info.ntp_timestamp / _NTP, packet.sender_info.rtp_timestamp)

    def give(self, data: bytes, timestamp: int) -> None:
        """To the decoder; it waits where nobody reads what that says."""
        time.sleep(max(0.0, self.clock.began + SETTLED - time.monotonic()))
        if not self.decode(data, timestamp):
            self.broken = True
            self._bad += 1
            if self._bad > _BAD:
                self._refuse("bad_media", "what you send cannot be decoded within the limits; send another recording.")
        else:
            self._bad = 0
        self._given = self.clock.second(timestamp)


class Peer:
    """Of one offer.

    Args:
        told: what `.peer` is told.
        pieces: what is decoded.
        taken: for lines of JSON.
    """

    def __init__(self, told: dict[str, Any], pieces: Pieces, taken: TextIO) -> None:
        self._told, self._taken = told, taken
        self._streams = {kind: _Incoming(kind, self._refuse) for kind in _RATES}
        self._pace = Pace(told["bytes_a_second"], told["burst"], time.monotonic())
        self._state = asyncio.Event()
        self._over = asyncio.Event()
        sound, picture = self._streams["audio"], self._streams["video"]
        sound.decode = SoundDecoder(pieces, lambda timestamp: sound.clock.second(timestamp) - told["began"]).decode
        picture.decode = PictureDecoder(pieces, lambda timestamp: picture.clock.second_beside(timestamp, sound.clock) - told["began"]).decode

    async def run(self) -> None:
        """Until one of both sides ends it."""
        self._take_hold()
        loop = asyncio.get_running_loop()
        Thread(target=self._listen, args=(loop,), daemon=True).start()
        # Without a configuration aiortc would ask Google's STUN server who we are.
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        connection.on("connectionstatechange", lambda: self._state.set())
        try:
            answer = await self._answer(connection, self._told["offer"])
        except _WRONG:
            self._refuse("bad_offer", "that is no offer of one microphone (Opus) and one camera (VP8), or one of them.")
        if "a=candidate" not in answer:
            self._refuse("no_connection", "this server has no address for WebRTC; send a recording by the WebSocket.")
        self._say(answer=answer)
        if await self._connected(connection):
            await self._until_over(connection)
        await asyncio.wait([asyncio.ensure_future(connection.close())], timeout=_ENDING)

    async def _answer(self, connection: RTCPeerConnection, offer: str) -> str:
        lines = [line for line in offer.splitlines() if not line.startswith(("a=candidate:", "a=end-of-candidates"))]
        offer = "\r\n".join(lines) + "\r\n"
        kinds = [media.kind for media in sdp.SessionDescription.parse(offer).media if media.direction in ("sendonly", "sendrecv")]
        if not kinds or len(set(kinds)) != len(kinds) or not set(kinds) <= set(CODECS) or offer.count("\r\nm=") != len(kinds):
            raise ValueError
        for kind in kinds:
            wanted = [codec for codec in RTCRtpReceiver.getCapabilities(kind).codecs if codec.mimeType in CODECS[kind]]
            connection.addTransceiver(kind, direction="recvonly").setCodecPreferences(wanted)
        await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        return connection.localDescription.sdp

    async def _connected(self, connection: RTCPeerConnection) -> bool:
        deadline = time.monotonic() + self._told["connect_seconds"]
        while connection.connectionState != "connected":
            left = deadline - time.monotonic()
            await self._change(max(0.0, left))
            if self._over.is_set():
                return False
            if left <= 0 or connection.connectionState in ("failed", "closed"):
                self._refuse("no_connection", "no connection came about by WebRTC; send a recording by the WebSocket.")
        return True

    async def _until_over(self, connection: RTCPeerConnection) -> None:
        while not self._over.is_set() and connection.connectionState == "connected":
            await self._change()
        if connection.connectionState == "failed":
            self._refuse("no_connection", "the connection by WebRTC is lost; make another, or send a recording by the WebSocket.")

    async def _change(self, seconds: float | None = None) -> None:
        """Until the connection is in another state, or over, for so long at the most."""
        waits = [asyncio.ensure_future(one.wait()) for one in (self._state, self._over)]
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        self._state.clear()

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        sys.stdin.buffer.read()
        loop.call_soon_threadsafe(self._over.set)

    def _take_hold(self) -> None:
        """Put what is ours in its place within aiortc, which asks nobody for it."""
        peer, addresses = self, self._told["addresses"]

        class Receiver(RTCRtpReceiver):
            """Looks at each packet first."""

            def __init__(self, kind: str, transport: Any) -> None:
                super().__init__(kind, transport)
                self._stream = peer._streams[kind]

            async def _handle_rtp_packet(self, packet: RtpPacket, arrival_time_ms: int) -> None:
                if not peer._pace.take(len(packet.payload), time.monotonic()):
                    most = peer._told["bytes_a_second"]
                    peer._refuse("too_fast", f"{most} bytes of media a second are taken; send a smaller picture.")
                self._stream.came(packet)
                if self._stream.broken:
                    self._stream.broken = False
                    await self._send_rtcp_pli(packet.ssrc)
                await super()._handle_rtp_packet(packet, arrival_time_ms)

            async def _handle_rtcp_packet(self, packet: Any) -> None:
                if isinstance(packet, RtcpSrPacket):
                    self._stream.reported(packet)
                await super()._handle_rtcp_packet(packet)

        class Decoder:
            """Given to aiortc in its own decoder's place; the frames go another way."""

            def __init__(self, codec: Any) -> None:
                self._stream = peer._streams[codec.mimeType.partition("/")[0]]

            def decode(self, encoded: JitterFrame) -> list:
                self._stream.give(encoded.data, encoded.timestamp)
                return []

        rtcpeerconnection.RTCRtpReceiver = Receiver
        rtcrtpreceiver.get_decoder = Decoder
        rtcrtpreceiver.TimestampMapper = _Unmapped
        every = ice.get_host_addresses
        ice.get_host_addresses = lambda use_ipv4, use_ipv6: addresses or ["127.0.0.1", *every(use_ipv4, use_ipv6)]

    def _say(self, **told: str) -> None:
        self._taken.write(json.dumps(told) + "\n")
        self._taken.flush()

    def _refuse(self, code: str, sentence: str) -> NoReturn:
        """End, and say why; from any thread."""
        self._say(error=code, sentence=sentence)
        os._exit(0)


class _Unmapped:
    """Timestamps as they are sent."""

    def map(self, timestamp: int) -> int:
        return timestamp
