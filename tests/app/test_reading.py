"""A worker has files read by another process, which is bound to limits, and is told the same as if it had read them itself."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import av
import numpy as np
import pytest

from avsr.app.jobs import CAPTIONS, SqliteJobs
from avsr.app.reading import Reader, ReaderEnded
from avsr.app.settings import Settings
from avsr.app.store import Store, Video
from avsr.app.worker import Worker
from avsr.decoding.streams import open_streams
from avsr.errors import AvsrError, MediaError, NoFaceError
from avsr.media.captions import Cue
from benchmarks.measure import drawn_video
from tests.decoding.conftest import packed, run, video  # noqa: F401 - fixtures


@pytest.fixture(scope="module")
def reader():
    found = Reader()
    yield found
    found.close()


def told(streams) -> tuple:
    """Everything that who reads a file is told, in its order."""
    windows, said = [], []
    try:
        for window in streams.windows(begin=lambda start, state: said.append((start, state)), read=said.append):
            windows.append(window)
    except AvsrError as error:
        said.append((type(error), str(error)))
    return windows, said, streams.state()


def same(one, other) -> bool:
    if one is None or other is None:
        return one is other
    return one.dtype == other.dtype and np.array_equal(one, other)


@pytest.mark.parametrize("faces", [1, 4])
@pytest.mark.parametrize("mode", ["auto", "audio", "lip"])
def test_what_is_read_there_is_what_would_be_read_here(reader, tmp_path, face_model, mode, faces):
    video = drawn_video(tmp_path, seconds=2.0)
    here, there = (told(opener(video, mode, faces=faces)) for opener in (open_streams, reader.open_streams))
    assert here[1:] == there[1:] and len(here[0]) == len(there[0])
    for one, other in zip(here[0], there[0]):
        assert (one.start, one.last, list(one.people)) == (other.start, other.last, list(other.people))
        assert all(same(getattr(one, name), getattr(other, name)) for name in ("samples", "frames", "confidence"))
        assert all(same(a, b) for number in one.people for a, b in zip(one.people[number], other.people[number]))
    assert open_streams(video, mode).info == reader.open_streams(video, mode).info
    reader.let_go()


def test_it_goes_on_from_a_moment(reader, video):  # noqa: F811
    state = open_streams(video, "auto").state() | {"heard": True, "end": 0.5}
    ends = []
    for opener in (open_streams, reader.open_streams):
        streams = opener(video, "auto")
        streams.restore(state)
        windows = list(streams.windows(1.0))
        ends.append((windows[0].start, len(windows[0].samples), streams.state()))
    assert ends[0] == ends[1]


def test_the_sound_is_listened_to_there(reader, spoken):
    found, said = [], []
    for opener in (open_streams, reader.open_streams):
        told = []
        streams = opener(spoken, "auto")
        found.append(streams.look_ahead(0.0, told.append, time.monotonic))
        said.append(told)
        list(streams.windows())
    assert said[0] == said[1] and said[0][-1] == pytest.approx(3.0, abs=0.1)
    assert found[0].end == found[1].end and np.array_equal(found[0].spoken, found[1].spoken) and found[0].after(0.0) == found[1].after(0.0) > 1.0


def test_errors_are_those_of_the_file(reader, spoken, tmp_path):
    (tmp_path / "x").write_text("no media")
    with pytest.raises(MediaError, match="cannot be read as media"):
        reader.open_streams(tmp_path / "x", "auto")
    with pytest.raises(NoFaceError):
        list(reader.open_streams(spoken, "lip").windows())
    assert len(list(reader.open_streams(spoken, "audio").windows())) == 1  # and it goes on


def test_one_that_is_let_go_of_in_the_middle_does_no_harm(reader, spoken):
    streams = reader.open_streams(spoken, "audio")
    next(iter(streams.windows()))
    reader.let_go()
    assert len(list(reader.open_streams(spoken, "audio").windows())) == 1


def test_one_that_is_killed_is_told_and_replaced(reader, spoken):
    streams = reader.open_streams(spoken, "audio")
    (child,) = _children(reader._messages._process.pid)
    os.kill(child, signal.SIGKILL)
    with pytest.raises(ReaderEnded):
        list(streams.windows())
    reader.let_go()
    assert len(list(reader.open_streams(spoken, "audio").windows())) == 1


def test_a_burned_video_comes_from_there(reader, spoken, tmp_path):
    seen = []
    path = reader.burn(spoken, [Cue(0.0, 1.0, "가나다")], tmp_path / "burned", seen.append)
    assert path == tmp_path / "burned.mp4" and seen and seen == sorted(seen)
    with av.open(str(path)) as file:
        assert [stream.type for stream in file.streams] == ["video", "audio"]


def test_pictures_that_take_too_much_memory_end_in_a_sentence(tmp_path):
    from tests.media_maker import make_video

    large = make_video(tmp_path / "large.mp4", seconds=0.5, size=(2560, 1920))
    found = Reader()
    try:
        found.start()
        process = found._messages._process
        import resource

        resource.prlimit(process.pid, resource.RLIMIT_DATA, (150 << 20, 150 << 20))
        with pytest.raises((AvsrError, ReaderEnded)):
            list(found.open_streams(large, "lip").windows())
    finally:
        found.close()


def test_a_reader_is_bound(reader, spoken):
    reader.open_streams(spoken, "audio")
    (child,) = _children(reader._messages._process.pid)
    limits = Path(f"/proc/{child}/limits").read_text()
    reader.let_go()
    found = {line[:26].strip(): line[26:].split()[0] for line in limits.splitlines()[1:]}
    assert found["Max core file size"] == found["Max file size"] == "0" and int(found["Max data size"]) < 800 << 20


def test_a_video_that_ends_its_reader_again_and_again_is_given_up(tmp_path, packed, spoken, monkeypatch):  # noqa: F811
    settings = Settings(tmp_path / "data", model=packed)
    settings.folder("a").mkdir(parents=True)
    shutil.copy(spoken, settings.folder("a") / "media")
    store = Store(settings.database)
    worker = Worker(settings, "one", SqliteJobs(store), store)
    store.add_video(Video("a", "me", "영상.mp4", "auto", 1, 0.0, 9e9, "uploading", 3.0, True, True, None, "", None, None, None))
    worker.jobs.add("a", CAPTIONS)
    opener = worker._reader.open_streams

    def killed(*given, **options):
        streams = opener(*given, **options)
        worker._reader._messages._process.kill()
        return streams

    monkeypatch.setattr(worker._reader, "open_streams", killed)
    for state in ("queued", "queued", "failed"):
        assert worker.step() and store.video("a").state == state
    assert "ended the process" in store.video("a").error_message


def test_memory_that_is_given_back_is_not_lost():
    """In a process of its own: what it has loaded is still there afterwards."""
    import subprocess
    import sys

    program = """
import re, numpy, torch
from avsr.app.process import give_memory_back
resident = lambda: int(re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read())[1]) // 1024
matrix = torch.randn(300, 300, generator=torch.Generator().manual_seed(1))
product, before = matrix @ matrix, resident()
give_memory_back(code=True)
after = resident()
assert torch.equal(product, matrix @ matrix) and numpy.linalg.inv(numpy.eye(3)).sum() == 3.0
print(before, after)
"""
    before, after = map(int, subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split())
    assert after < before - 50


def _children(parent: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
