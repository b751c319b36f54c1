"""The parts of WebRTC by themselves: clocks of RTP, files that are handed over, and the process that is a peer."""

from __future__ import annotations

import asyncio
import io
import os
import random
import socket
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from threading import Event, Thread

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avsr.app.live.handing import hand_file, take_file
from avsr.app.live.peers import PeerProcess, SparePeers
from avsr.app.live.pieces import Pieces
from avsr.app.live.protocol import Refused
from avsr.app.live.rtp_clock import RtpClock
from avsr.app.live.rtp_decoding import PictureDecoder, SoundDecoder
from avsr.app.live.stream import PeerStream
from avsr.app.live.whip import addresses_of
from avsr.app.live.whip_client import Sending
from avsr.media.play import Given
from tests.app.live.test_live_webrtc import apart, offers_of
from tests.media_maker import clock_picture, clock_time

BOUNDS = {"connect_seconds": 0.5, "bytes_a_second": 1 << 20, "burst": 4 << 20}
stamps = st.integers(0, (1 << 32) - 1)


@given(stamps, stamps, st.lists(st.floats(0, 0.1), min_size=60, max_size=60), st.floats(-3600, 3600), st.floats(0, 0.5), st.randoms())
def test_sound_and_pictures_are_in_step_wherever_timestamps_begin(sound_begins, pictures_begin, delays, sent, later, order: random.Random):
    sound, pictures = RtpClock(48_000), RtpClock(90_000)
    delays[0] = delays[1] = 0.0  # else all seems late by as much as the least delayed is
    packets = [(k / 20, *one) for k in range(30) for one in ((sound, sound_begins, 48_000, 0.0), (pictures, pictures_begin, 90_000, later))]
    for (second, clock, begins, rate, behind), delay in zip(packets, delays, strict=True):
        clock.came((begins + round(second * rate)) % (1 << 32), 100.0 + second + behind + delay)
    for clock, begins, rate in ((sound, sound_begins, 48_000), (pictures, pictures_begin, 90_000)):
        at = order.choice([0.5, 1.0, 1.4])
        clock.reported(sent + at, (begins + round(at * rate)) % (1 << 32))
    for second in (0.0, 0.75, 1.45):
        heard = sound.second((sound_begins + round(second * 48_000)) % (1 << 32))
        seen = pictures.second_beside((pictures_begin + round(second * 90_000)) % (1 << 32), sound)
        assert heard == pytest.approx(100.0 + second, abs=1e-3) and seen == pytest.approx(heard, abs=1e-3)


def test_reports_that_want_too_much_are_not_believed():
    sound, pictures = RtpClock(48_000), RtpClock(90_000)
    sound.came(0, 1.0)
    pictures.came(0, 1.0)
    sound.reported(0.0, 0)
    pictures.reported(1e9, 0)
    assert pictures.second_beside(90_000, sound) == pytest.approx(2.0)


def test_a_file_is_taken_by_whom_it_is_for_and_those_before_it_are_closed(tmp_path):
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)
    for number in range(3):
        path = tmp_path / str(number)
        path.write_text(str(number))
        with path.open() as file:
            assert hand_file(ours, "room.1", number, file.fileno())
    before = len(list(Path("/proc/self/fd").iterdir()))
    with os.fdopen(take_file(theirs, "room.1", 2)) as file:
        assert file.read() == "2"
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    with pytest.raises(OSError):
        take_file(theirs, "room.1", 3)
    with path.open() as file:
        while hand_file(ours, "room.1", 4, file.fileno()):  # until too many wait
            pass
    ours.close()
    theirs.close()


def test_the_addresses_are_those_that_the_server_listens_at():
    assert [addresses_of(host) for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "192.0.2.1")] == [
        ["127.0.0.1"], ["127.0.0.1"], ["::1"], [], ["192.0.2.1"],
    ]  # fmt: skip


def test_a_connection_that_does_not_come_about_is_said():
    async def run() -> tuple[str, str]:
        spares, told = SparePeers(), asyncio.get_running_loop().create_future()
        peer = PeerProcess(lambda *why: told.set_result(why))
        offer = offers_now(["audio", "video"])
        os.close(await peer.begin(spares, {"offer": await offer, "addresses": ["127.0.0.1"], "began": time.monotonic(), **BOUNDS}))
        answer = await peer.answer(60.0)
        assert {line.split()[4] for line in answer.splitlines() if line.startswith("a=candidate")} == {"127.0.0.1"}
        assert "a=recvonly" in answer and "VP8" in answer and "H264" not in answer and "PCMU" not in answer
        await spares.close()
        why = await asyncio.wait_for(told, 60.0)
        await peer.ended()
        return why

    assert apart(run())[0] == "no_connection"


def test_what_nobody_waits_for_is_ended():
    async def run() -> None:
        spares = SparePeers()
        peer = PeerProcess(lambda *_: pytest.fail("nothing is to be said of it"))
        os.close(await peer.begin(spares, {"offer": await offers_now(["audio"]), "addresses": ["127.0.0.1"], "began": 0.0, **BOUNDS}))
        with pytest.raises(Refused):
            await peer.answer(0.0)
        await asyncio.wait_for(peer.ended(), 20.0)
        await spares.close()

    apart(run())


async def offers_now(kinds: list[str]) -> str:
    return await asyncio.to_thread(offers_of, kinds)


class Connected:
    """A real connection, with what comes out at its other end: seconds and what the picture's clock shows, seconds and samples, why it ended."""

    def __init__(self, **bounds: float) -> None:
        self._loop = asyncio.new_event_loop()
        Thread(target=self._loop.run_forever, daemon=True).start()
        self.began, self.over, self.pictures, self.sound, self.why = time.monotonic(), Event(), [], [], []
        self._told = {"addresses": ["127.0.0.1"], "began": self.began, **BOUNDS, "connect_seconds": 20.0, **bounds}
        self.sending = Sending(["audio", "video"], lambda sdp: self._do(self._answer(sdp)))

    def end(self) -> None:
        self.sending.close()
        assert self.over.wait(20.0)
        self._do(self._peer.ended())
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _do(self, what):
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(60)

    async def _answer(self, sdp: str) -> str:
        spares = SparePeers()
        self._peer = PeerProcess(lambda *why: self.why.append(why))
        decoded = os.fdopen(await self._peer.begin(spares, {"offer": sdp, **self._told}), "rb")
        PeerStream(
            decoded, self.began, lambda second, samples: self.sound.append((second, samples)),
            lambda second, image: self.pictures.append((second, clock_time(image))), lambda *_: self.over.set(), None,
        )  # fmt: skip
        return await self._peer.answer(60.0)


def test_pictures_and_sound_arrive_in_step():
    """In real time, so that a busy machine can hold one up; what is wrong in the clocks is wrong each time."""
    apart_by = []
    while len(apart_by) < 3 and not any(seconds < 0.08 for seconds in apart_by):  # of which 0.02 are aiortc's: it reports when it sends
        heard, seen = heard_and_seen()
        apart_by.append(abs((heard - seen + 0.5) % 1 - 0.5))
    assert min(apart_by) < 0.08, apart_by


def heard_and_seen() -> tuple[float, float]:
    """A picture with a clock in it, and a beep each second: how late, in seconds, both are dated."""
    one = Connected()
    zero = time.monotonic()
    for index in range(75):
        second = index / 25
        time.sleep(max(0.0, zero + second - time.monotonic()))
        one.sending.give(Given(second, second, picture=clock_picture(second)))
        if index % 5 == 4:
            times = second - 0.16 + np.arange(3200) / 16_000
            beep = 0.5 * np.sin(2 * np.pi * 1000 * times) * (times % 1 < 0.1)
            one.sending.give(Given(second - 0.16, second, samples=beep.astype(np.float32)))
    time.sleep(0.3)
    one.end()
    pictures, sound, began = one.pictures, one.sound, one.began
    assert len(pictures) > 60 and sum(len(samples) for _, samples in sound) > 2.5 * 16_000
    loud = [second + k / 16_000 for second, samples in sound for k in range(0, len(samples), 16) if abs(samples[k : k + 16]).max() > 0.2]
    beeps = [second for before, second in zip([-1.0, *loud], loud, strict=False) if second - before > 0.5]
    heard = np.median([second % 1 - round((zero - began) % 1, 3) for second in beeps]) % 1
    return float(heard), float(np.median([second - shown - (zero - began) for second, shown in pictures[-25:]]))


def test_more_than_is_taken_ends_it():
    one = Connected(bytes_a_second=1000, burst=2000)
    rng = np.random.default_rng(1)
    for index in range(50):
        if one.over.is_set():
            break
        one.sending.give(Given(index / 25, index / 25, picture=rng.integers(0, 255, (240, 320, 3), np.uint8)))
        time.sleep(0.04)
    one.end()
    assert one.why and one.why[0][0] == "too_fast"


@pytest.mark.parametrize(("decoder", "data"), [(PictureDecoder, "large"), (PictureDecoder, "noise"), (SoundDecoder, "noise")])
def test_what_cannot_be_decoded_or_is_too_large_is_left_out(decoder, data):
    taken = io.BytesIO()
    if data == "large":
        encoder = av.CodecContext.create("libvpx", "w")
        encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 2048, 1280, "yuv420p", Fraction(1, 25)
        encoder.options = {"deadline": "realtime", "lag-in-frames": "0"}
        pieces = [bytes(packet) for packet in [*encoder.encode(av.VideoFrame(2048, 1280, "yuv420p")), *encoder.encode(None)]]
    else:
        pieces = [bytes([255]) + random.Random(seed).randbytes(400) for seed in range(20)]
    found = decoder(Pieces(taken), lambda timestamp: timestamp / 90_000)
    given = [found.decode(piece, 0) for piece in pieces]
    assert given and not (any(given) and decoder is PictureDecoder)
    assert decoder is SoundDecoder or not taken.getvalue()


def test_a_spare_peer_that_nobody_needed_ends_without_a_word():
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "avsr.app.live.peer", str(writing)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, pass_fds=(writing,), timeout=90)
    os.close(reading)
    os.close(writing)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
