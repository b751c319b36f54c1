"""Recordings that follow on each other, each decoded by a process of its own."""

from __future__ import annotations

import threading
import time

from avsr.app.live.stream import Stream
from tests.media_maker import make_video


def test_all_of_a_recording_is_given_before_the_next(tmp_path):
    long = make_video(tmp_path / "long.webm", seconds=6.0, audio_rate=48000, options={"deadline": "realtime", "cpu-used": "8"}).read_bytes()
    short = make_video(tmp_path / "short.webm", seconds=0.5, video=False, audio_rate=48000).read_bytes()
    given, ended = [], threading.Semaphore(0)
    streams: list[Stream] = []
    for name, data in (("first", long), ("second", short)):
        note = lambda second, _, name=name: given.append((name, second))  # noqa: E731
        told = lambda *why, name=name: (given.append((name, why)), ended.release())  # noqa: E731
        streams.append(Stream("webm", time.monotonic() - 10.0, note, note, told, streams[-1] if streams else None))
        streams[-1].feed(data)
        streams[-1].close()
    assert ended.acquire(timeout=60) and ended.acquire(timeout=60)
    names = [name for name, _ in given]
    assert names == sorted(names) and names.count("second") > 10
    assert given[-1] == ("second", ("", "")) and ("first", ("", "")) in given
    assert max(second for name, second in given if name == "first" and isinstance(second, float)) > 5.8
