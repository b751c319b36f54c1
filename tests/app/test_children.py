"""What people send is opened in processes of their own, under limits, and never by the server."""

from __future__ import annotations

import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import pytest

from avsr.app import soft_captions as soft
from avsr.app.children import Children
from avsr.app.inspection import inspect
from avsr.app.settings import Settings
from avsr.errors import AvsrError
from avsr.media.captions import Cue
from tests.app.conftest import ended, upload, wait_for
from tests.decoding.conftest import packed, run  # noqa: F401 - fixtures

CUES = [Cue(0.0, 1.0, "가나다"), Cue(1.0, 2.5, "라마바\n사아")]


def with_children(what):
    """What `what` returns of a `Children`, in an event loop of its own, and in a thread: Playwright leaves one running in this."""

    async def turn():
        children = Children()
        try:
            return await what(children)
        finally:
            await children.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, turn()).result()


def test_the_server_itself_never_loads_ffmpeg(server, spoken):
    client = server.client("a reader of maps")
    id = upload(client, spoken.read_bytes()).id
    assert ended(client, id)["state"] == "done"
    for path in ("soft.mp4", "media", "thumbnail.jpg", "captions.srt"):
        assert client.get(f"/api/videos/{id}/{path}").status_code == 200
    assert "libavformat" not in Path(f"/proc/{server.process.pid}/maps").read_text()


def test_soft_captions_come_from_a_child_and_leave_no_process(spoken, tmp_path):
    async def mux(children):
        path = await soft.soft_captions(children, spoken, CUES, tmp_path / "soft")
        return path

    path = with_children(mux)
    assert path == tmp_path / "soft.mp4" and [item.name for item in tmp_path.iterdir()] == ["soft.mp4"]
    with av.open(str(path)) as file:
        assert [stream.type for stream in file.streams] == ["video", "audio", "subtitle"]
    wait_for(lambda: not list(_children(os.getpid())), "the children to end", 5.0)


@pytest.mark.parametrize("limit", ["_MEMORY", "_ROOM", "time"])
def test_a_video_that_takes_too_much_is_a_sentence(spoken, tmp_path, monkeypatch, limit):
    if limit == "time":
        monkeypatch.setattr(soft, "_SECONDS", 0)
    else:
        monkeypatch.setattr(soft, limit, 64 << 20 if limit == "_MEMORY" else -spoken.stat().st_size)
    with pytest.raises(AvsrError):
        with_children(lambda children: soft.soft_captions(children, spoken, CUES, tmp_path / "soft"))
    assert not list(tmp_path.glob("soft*"))


def test_no_media_is_a_sentence_without_its_place(tmp_path):
    (tmp_path / "media").write_text("not media at all")
    with pytest.raises(AvsrError) as told:
        with_children(lambda children: soft.soft_captions(children, tmp_path / "media", CUES, tmp_path / "soft"))
    assert str(tmp_path) not in str(told.value)


def test_many_ask_at_once_and_one_is_ready_afterwards(spoken, tmp_path):
    async def many(children):
        await children.prepare()
        found = await asyncio.gather(*(inspect(children, spoken, tmp_path / f"{n}.jpg", Settings(tmp_path)) for n in range(4)))
        for _ in range(100):
            if children._spare is not None and len(list(tmp_path.glob("*.jpg"))) == 4:
                break
            await asyncio.sleep(0.1)
        began = time.monotonic()
        found.append(await inspect(children, spoken, tmp_path / "last.jpg", Settings(tmp_path)))
        return found, time.monotonic() - began

    found, _ = with_children(many)
    assert len(found) == 5 and all(one.code is None and one.picture and one.sound for one in found)


def test_a_child_that_was_ended_while_it_waited_is_replaced(spoken, tmp_path):
    async def after_a_kill(children):
        await children.prepare()
        children._spare.kill()
        await children._spare.wait()
        return await inspect(children, spoken, tmp_path / "x.jpg", Settings(tmp_path))

    assert with_children(after_a_kill).code is None


def test_children_do_not_see_the_token(monkeypatch):
    monkeypatch.setenv("AVSR_TOKEN", "0123456789abcdef")

    async def environment(children):
        await children.prepare()
        return Path(f"/proc/{children._spare.pid}/environ").read_bytes()

    assert b"AVSR_TOKEN" not in with_children(environment)


def _children(parent: int):
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            command = stat.with_name("cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] != "Z" and b"avsr.app.child" in command:
            yield int(stat.parent.name)
