"""A file that is sent by WebRTC (WHIP, RFC 9725), as a browser would send its camera; `avsr live-client --transport webrtc`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from fractions import Fraction
from threading import Event, Thread

import av
from aioice import ice
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from avsr.app.live.recording import LARGEST
from avsr.errors import AvsrError
from avsr.media.audio import SAMPLE_RATE
from avsr.media.play import Given

_FRAME = SAMPLE_RATE // 50  # samples of a packet of Opus
_CLOCK = 90_000
_CONNECTED = 10.0  # seconds

# aioice leaves the loop out, which is all that a machine without a network has to reach a server of its own.
_others = ice.get_host_addresses
ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1", *_others(use_ipv4, use_ipv6)]


class Sending:
    """One connection, whose sockets a thread of its own serves.

    Args:
        kinds: audio, video.
        offer: sends an offer, and returns the answer.

    Raises:
        AvsrError: no connection came about.
    """

    def __init__(self, kinds: Iterable[str], offer: Callable[[str], str]) -> None:
        self.lost = Event()
        self._tracks = {kind: _Track(kind) for kind in kinds}
        self._loop = asyncio.new_event_loop()
        Thread(target=self._loop.run_forever, name="send by WebRTC", daemon=True).start()
        self._connection = self._do(self._open())
        try:
            self._do(self._answered(offer(self._connection.localDescription.sdp)))
        except (AvsrError, asyncio.TimeoutError) as error:
            self.close()
            raise error if isinstance(error, AvsrError) else AvsrError("no connection came about by WebRTC; try --transport websocket.") from None

    def give(self, one: Given) -> None:
        """A picture or sound that is there now."""
        for frame in _frames(one):
            track = self._tracks["audio" if isinstance(frame, av.AudioFrame) else "video"]
            self._loop.call_soon_threadsafe(track.frames.put_nowait, frame)

    def close(self) -> None:
        """It is over."""
        self._do(self._connection.close())
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _do(self, what):
        return asyncio.run_coroutine_threadsafe(what, self._loop).result()

    async def _open(self) -> RTCPeerConnection:
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        for track in self._tracks.values():
            connection.addTransceiver(track, direction="sendonly")
        self._connected = asyncio.Event()

        def changed() -> None:
            if connection.connectionState == "connected":
                self._connected.set()
            elif connection.connectionState in ("failed", "closed"):
                self.lost.set()

        connection.on("connectionstatechange", changed)
        await connection.setLocalDescription(await connection.createOffer())
        return connection

    async def _answered(self, answer: str) -> None:
        await self._connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await asyncio.wait_for(self._connected.wait(), _CONNECTED)


class _Track(MediaStreamTrack):
    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__()
        self.frames: asyncio.Queue[av.AudioFrame | av.VideoFrame] = asyncio.Queue()

    async def recv(self) -> av.AudioFrame | av.VideoFrame:
        """The next one."""
        if self.readyState != "live":
            raise MediaStreamError
        return await self.frames.get()


def _frames(one: Given) -> Iterable[av.AudioFrame | av.VideoFrame]:
    if one.picture is not None:
        frame = av.VideoFrame.from_ndarray(one.picture, format="rgb24")
        scale = min(1.0, LARGEST / max(frame.width, frame.height))
        frame = frame.reformat(*(max(2, round(side * scale) // 2 * 2) for side in (frame.width, frame.height)), "yuv420p")
        frame.pts, frame.time_base = round(one.time * _CLOCK), Fraction(1, _CLOCK)
        yield frame
        return
    samples = (one.samples.clip(-1, 1) * 32767).astype("<i2")
    for first in range(0, len(samples) - _FRAME + 1, _FRAME):  # the rest, at a file's end, is shorter than a packet
        frame = av.AudioFrame.from_ndarray(samples[None, first : first + _FRAME], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        frame.pts, frame.time_base = round(one.time * SAMPLE_RATE) + first, Fraction(1, SAMPLE_RATE)
        yield frame
