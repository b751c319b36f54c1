"""A server or a worker that is killed at any moment loses no job, does none twice, and leaves nothing behind."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from tests.app.conftest import Server, ended, free_port, start_server, upload, wait_for
from tests.decoding.conftest import packed, run  # noqa: F401 - fixtures


def workers_of(server: Server) -> list[int]:
    """Process numbers of a server's workers that are alive."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            command = stat.with_name("cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == server.process.pid and fields[0] != "Z" and b"avsr.app.worker" in command:
            found.append(int(stat.parent.name))
    return found


def kill_at_random(server: Server, rng: np.random.Generator, model: Path, *, longest: float) -> tuple[Server, str]:
    """Wait up to `longest` seconds, then kill the server, which is started again, or one of its workers."""
    import os
    import signal

    time.sleep(rng.uniform(0, longest))
    workers = workers_of(server)
    if workers and rng.random() < 0.5:
        try:
            os.kill(workers[0], signal.SIGKILL)
        except ProcessLookupError:
            pass
        return server, "worker"
    port = int(server.url.rpartition(":")[2])
    server.kill()
    return start_server(server.data, model, port=port), "server"


def check_whole(server: Server, ids: list[str], owner: str) -> list[dict]:
    """All videos are done, each once, and there are no other files than theirs."""
    with server.client(owner) as client:
        found = [ended(client, id) for id in ids]
        assert [video["state"] for video in found] == ["done"] * len(ids), [video["error"] for video in found]
        assert sorted(video["id"] for video in client.get("/api/videos").json()["videos"]) == sorted(ids)
    folders = {folder.name: sorted(path.name for path in folder.iterdir()) for folder in (server.data / "videos").iterdir()}
    assert folders == {id: ["media", "result.json", "thumbnail.jpg"] for id in ids}
    return found


def test_kills_lose_nothing(tmp_path, packed, spoken):  # noqa: F811
    rng = np.random.default_rng(7)
    server = start_server(tmp_path / "data", packed, port=free_port())
    try:
        with server.client("owner") as client:
            ids = [upload(client, spoken.read_bytes(), f"{n}.mp4").id for n in range(3)]
        for _ in range(6):
            server, _ = kill_at_random(server, rng, packed, longest=2.5)
        found = check_whole(server, ids, "owner")
        assert len({tuple((cue["n"], cue["text"]) for cue in video["cues"]) for video in found}) == 1
    finally:
        server.kill()


def test_a_workers_job_is_taken_up_soon_after_it_is_killed(tmp_path, packed, spoken):  # noqa: F811
    import os
    import signal

    server = start_server(tmp_path / "data", packed)
    try:
        with server.client() as client:
            id = upload(client, spoken.read_bytes()).id
            wait_for(lambda: client.get(f"/api/videos/{id}").json()["state"] == "running", "the job to begin")
            (worker,) = workers_of(server)
            os.kill(worker, signal.SIGKILL)
            killed = time.monotonic()
            wait_for(lambda: client.get(f"/api/videos/{id}").json()["state"] == "queued", "the job to wait again", 10.0)
            assert ended(client, id)["state"] == "done" and time.monotonic() - killed < 60
    finally:
        server.kill()


def test_a_second_server_on_the_same_folder_is_refused(tmp_path, packed):  # noqa: F811
    from avsr.app.server import create_app
    from avsr.app.settings import Settings
    from avsr.errors import AvsrError

    server = start_server(tmp_path / "data", packed)
    try:
        with pytest.raises(AvsrError, match="another avsr serve"):
            create_app(Settings(tmp_path / "data"))
    finally:
        server.kill()


def test_what_a_kill_leaves_half_way_does_not_keep_the_next_server_from_starting(tmp_path, packed, spoken):  # noqa: F811
    server = start_server(tmp_path / "data", packed)
    try:
        with server.client("owner") as client:
            id = upload(client, spoken.read_bytes()).id
            ended(client, id)
        server.kill()
        folder = server.data / "videos" / id
        for half in (".soft-x", ".captions-y"):  # as kills in the middle of downloads leave them
            (folder / half).mkdir()
            (folder / half / "file").touch()
        (folder / ".burned.mp4.z").touch()
        (folder / "part.jsonl").touch()
        (server.data / "videos" / ("0" * 32)).mkdir()
        server = start_server(server.data, packed)
        check_whole(server, [id], "owner")
    finally:
        server.kill()
