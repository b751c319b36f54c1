"""What a server must take from people who mean it harm: refused in a second, nothing read that is not theirs, and it stays up."""

from __future__ import annotations

import base64
import io
import os
import struct
import time
from pathlib import Path

import av
import httpx
import numpy as np
import pytest

from avsr.app.uploads import clean_name
from tests.app.conftest import ended, upload

SECRET = "the contents of a file of somebody else"
SOON = 3.0  # seconds; a second is asked for, and this machine may be doing other things


def _mp4(width: int = 64, height: int = 64, codec: str = "libx264", frames: int = 3, kind: str = "mp4", pix_fmt: str = "yuv420p") -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=kind) as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        for _ in range(frames):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((height, width, 3), np.uint8), format="rgb24")))
        out.mux(stream.encode(None))
    return buffer.getvalue()


def _endless() -> bytes:
    """A header that claims years: Duration of Matroska, a float of 8 bytes (RFC 9559, 0x4489)."""
    data = _mp4(frames=30, kind="matroska")
    place = data.index(b"\x44\x89\x88") + 3
    return data[:place] + struct.pack(">d", 1e12) + data[place + 8 :]


def _many_streams() -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as out:
        streams = [out.add_stream("pcm_s16le", rate=8000) for _ in range(40)]
        for stream in streams:
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 80), np.int16), format="s16", layout="mono")
            frame.sample_rate = 8000
            out.mux(stream.encode(frame))
    return buffer.getvalue()


def hostile_files(tmp: Path) -> dict[str, tuple[bytes, str]]:
    """name -> (bytes, the code that is expected; "" where another end is as good)."""
    secret = tmp / "secret.txt"
    secret.write_text(SECRET)
    (tmp / "a.ts").write_bytes(_mp4(kind="mpegts"))
    whole = _mp4(frames=30)
    return {
        "an HLS playlist": (f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{tmp}/a.ts\n#EXT-X-ENDLIST\n".encode(), "not_media"),
        "an HLS playlist of a secret": (f"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:9,\nconcat:{secret}|{secret}\n".encode(), "not_media"),
        "a concat list": (f"ffconcat version 1.0\nfile '{tmp}/a.ts'\n".encode(), "not_media"),
        "a DASH manifest": (b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"></MPD>', "not_media"),
        "an SDP": (b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 9 RTP/AVP 0\n", "not_media"),
        "a pixel bomb": (_mp4(8192, 8192, frames=1), "too_many_pixels"),
        "a picture larger than is taken": (_mp4(4096, 4096, frames=1), "too_many_pixels"),
        "an endless duration": (_endless(), "too_long"),
        "forty streams": (_many_streams(), "damaged"),
        "cut short": (whole[: len(whole) // 2], "not_media"),
        "a script": (b"#!/bin/sh\nrm -rf /\n", "not_media"),
        "a web page": (b"<html><script>alert(1)</script></html>", "not_media"),
        "zeros": (bytes(100_000), "not_media"),
        "noise": (os.urandom(100_000), "not_media"),
        "a ZIP": (b"PK\x03\x04" + bytes(1000), "not_media"),
        "a codec that nobody uses": (_mp4(codec="ffv1", kind="matroska"), "unsupported_codec"),
        "a text file of subtitles": (b"1\n00:00:00,000 --> 00:00:01,000\nx\n", "not_media"),
    }


def large_files() -> dict[str, bytes]:
    """Videos within the limits whose pictures take a lot of memory to decode, 4096x2304, sixteen of them kept by the decoder."""
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 255, (144, 256, 3), np.uint8).repeat(16, 0).repeat(16, 1)
    found = {}
    for codec, frames, options in (
        ("libx264", 40, {"preset": "ultrafast", "x264-params": "ref=16:level=6.2:log-level=0", "bf": "8"}),
        ("libx265", 20, {"preset": "ultrafast", "x265-params": "ref=6:bframes=3:log-level=none"}),
    ):
        buffer = io.BytesIO()
        with av.open(buffer, "w", format="mp4") as out:
            stream = out.add_stream(codec, rate=25, options=options)
            stream.width, stream.height, stream.pix_fmt = 4096, 2304, "yuv420p"
            for shift in range(frames):
                picture = np.ascontiguousarray(np.roll(noise, 8 * shift, 1))
                out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            out.mux(stream.encode(None))
        found[f"large pictures, {codec}"] = buffer.getvalue()
    return found


def test_hostile_files_are_refused_soon_and_the_server_stays_up(server, tmp_path):
    client = server.client("mallory")
    slow, wrong = {}, {}
    for name, (data, code) in hostile_files(tmp_path).items():
        began = time.monotonic()
        answer = upload(client, data, f"{name}.mp4")
        if time.monotonic() - began > SOON:
            slow[name] = time.monotonic() - began
        found = client.get(f"/api/videos/{answer.id}").json()
        if answer.status_code != 422 or found["state"] != "failed" or found["error"]["code"] != code:
            wrong[name] = (answer.status_code, answer.text[:200])
        assert SECRET not in answer.text and str(server.data) not in answer.text, name
        assert not (server.data / "videos" / answer.id / "media").exists()
    assert not wrong and not slow
    assert client.get("/healthz").status_code == 200


def test_a_broken_stream_of_a_good_header_ends_in_a_sentence(server):
    data = bytearray(_mp4(frames=200, width=320, height=240))
    data[2000:-3000] = os.urandom(len(data) - 5000) if len(data) > 5000 else data[2000:-3000]
    sent = upload(server.client("mallory"), bytes(data))
    if sent.status_code == 204:
        found = ended(server.client("mallory"), sent.id)
        assert found["state"] == "done" or found["error"]["message"]


EVIL = [
    "../../../etc/passwd", "..\\..\\boot.ini", "/etc/shadow", "a\x00b.mp4", "a\nSet-Cookie: x=1.mp4", "<img src=x onerror=alert(1)>.mp4",
    "가" * 5000, "", ".", "\u202egpj.exe",
]  # fmt: skip


@pytest.mark.parametrize("name", EVIL)
def test_names_name_no_file_of_ours(server, spoken, name):
    client = server.client("mallory")
    about = f"filename {base64.b64encode(name.encode()).decode()}".strip()  # a name without a value, for an empty one
    begun = client.post("/api/uploads", headers={"Upload-Length": "10", "Upload-Metadata": about})
    assert begun.status_code == 201
    id = begun.headers["location"].rpartition("/")[2]
    shown = client.get(f"/api/videos/{id}").json()["name"]
    assert "/" not in shown and "\\" not in shown and "\n" not in shown and "\x00" not in shown and 0 < len(shown) <= 200
    assert sorted(path.name for path in (server.data / "videos" / id).iterdir()) == ["media"]
    client.delete(f"/api/videos/{id}")
    assert shown == clean_name(name)


def test_requests_that_are_off_are_refused(server):
    client = server.client("mallory")
    for headers in ({}, {"Upload-Length": "-1"}, {"Upload-Length": "0"}, {"Upload-Length": "9" * 30}, {"Upload-Length": "x"}):
        assert client.post("/api/uploads", headers=headers).status_code in (400, 413), headers
    for about in ("filename %%%", "mode " + base64.b64encode(b"root").decode()):
        assert client.post("/api/uploads", headers={"Upload-Length": "5", "Upload-Metadata": about}).status_code == 400
    for path in ("/api/videos/..%2f..%2fjobs.sqlite", "/static/..%2fserver.py", "/static/../server.py", "/api/videos/x/captions.exe", "/static/.env"):
        assert client.get(path).status_code in (404, 400), path
    assert client.get("/api/videos/" + "a" * 5000).status_code in (404, 414)


def test_a_form_of_ten_thousand_parts_is_refused(server):
    client = server.client("mallory of forms")
    began = time.monotonic()
    answer = client.post("/v1/audio/transcriptions", files=[("x", (None, "y"))] * 10_000)
    assert answer.status_code == 400 and time.monotonic() - began < SOON
    assert client.post("/v1/audio/transcriptions", data={"model": "x"}).status_code == 400
    assert client.post("/v1/audio/transcriptions", files={"file": ("x.mp4", b"no media")}, data={"model": "x"}).status_code == 400
    assert client.get("/api/videos").json() == {"videos": []}


def test_cookies_of_other_servers_and_broken_hosts_do_no_harm(server):
    with httpx.Client(base_url=server.url) as client:
        mine = {"Cookie": f'a/b={{"x": 1}}; other="1"; avsr_owner={"1" * 32}'}
        assert client.get("/api/videos", headers=mine).json() == {"videos": []}
        assert client.get("/api/videos", headers=mine | {"Host": "["}).status_code == 403
        assert client.get("/api/videos").status_code == 403  # nobody yet: no token is asked for
        changed = mine | {"X-Requested-With": "avsr", "Origin": "http://["}
        assert client.post("/api/uploads", headers=changed).status_code == 403


def test_a_body_that_is_too_long_is_not_read_on(server):
    def endless():
        for _ in range(10_000):
            yield bytes(100_000)

    with server.client("mallory") as client:
        try:
            assert client.patch("/api/videos/x/cues/1", content=endless(), headers={"Content-Type": "application/json"}).status_code >= 400
        except httpx.TransportError:
            pass  # the line is broken off, which is as good
        assert client.get("/healthz").status_code == 200
        for n in ("0", "-1", "1" + "0" * 30):
            assert client.patch(f"/api/videos/x/cues/{n}", json={"text": "x"}).status_code == 400


def test_an_upload_that_is_deleted_meanwhile_is_gone(server):
    client = server.client("mallory")
    place = client.post("/api/uploads", headers={"Upload-Length": "3000000"}).headers["location"]

    def body():
        yield bytes(1_500_000)
        assert server.client("mallory").delete(place).status_code == 204
        yield bytes(1_000_000)

    headers = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    assert client.patch(place, content=body(), headers=headers).status_code == 404
    assert client.head(place).status_code == 404
