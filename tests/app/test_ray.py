"""The second implementation of the table of jobs, and workers on the nodes of a cluster, any of which may die."""

from __future__ import annotations

import functools
import importlib.util
import os
import signal
import time
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings

from avsr.app.settings import Settings
from avsr.app.store import Store
from avsr.app.workers import Death
from avsr.errors import AvsrError
from avsr.ray_cluster import connect
from tests.app.conftest import ended, speech, start_server, upload, wait_for
from tests.app.ray_nodes import Nodes, children, started_nodes, the_actor
from tests.app.test_jobs import (  # noqa: F401 - what holds of one table of jobs holds of the other: with the fixture `table` of this file
    Table,
    a_video,
    test_a_changed_caption_makes_the_burned_video_an_old_one,
    test_a_deleted_video_takes_its_jobs_and_captions_along,
    test_a_video_that_ends_its_workers_is_given_up_but_not_one_that_gets_on,
    test_a_worker_that_is_not_heard_of_loses_its_job_and_cannot_finish_it,
    test_jobs_are_claimed_in_turn_and_finished,
    test_the_time_left_goes_down_between_two_signs_of_life,
)
from tests.app.test_kills import check_whole
from tests.media_maker import make_video


# Not pytest.importorskip: Ray reads at import what `started_nodes` sets.
pytestmark = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed (pip install 'avsr[ray]')")


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with started_nodes(2) as found:
        yield found


class SharedClock:
    """The time of change of a file, which an actor reads too."""

    def __init__(self, path: Path) -> None:
        path.touch()
        self._path = path
        self.read = functools.partial(os.path.getmtime, path)
        self.now = 1000.0

    @property
    def now(self) -> float:
        return self.read()

    @now.setter
    def now(self, value: float) -> None:
        os.utime(self._path, (value, value))

    def __call__(self) -> float:
        return self.now


@contextmanager
def ray_jobs(database: Path):
    import ray

    from avsr.app.ray_jobs import RayJobs, open_desk

    clock = SharedClock(database.with_name("clock"))
    desk = open_desk(database, clock.read)
    yield RayJobs(desk), clock
    # Not left to the handle's end: that waits for the collector, and the tests below count the desks there are.
    ray.kill(desk)


@pytest.fixture
def table(tmp_path, nodes):
    store = Store(tmp_path / "jobs.sqlite")
    for id in ("a", "b", "c"):
        store.add_video(a_video(id))
    with ray_jobs(store.path) as (jobs, clock):
        yield store, jobs, clock


class RayTable(Table):
    def open_jobs(self):
        self.opened = ray_jobs(self.store.path)
        return self.opened.__enter__()

    def teardown(self) -> None:
        if hasattr(self, "opened"):
            self.opened.__exit__(None, None, None)
        super().teardown()


RayTable.TestCase.settings = settings(max_examples=2, stateful_step_count=25, deadline=None)


@pytest.mark.usefixtures("nodes")
class TestAnyOrderOfThings(RayTable.TestCase):
    pass


@pytest.fixture(scope="module")
def long(tmp_path_factory) -> bytes:
    """A video that takes seconds to read."""
    return make_video(tmp_path_factory.mktemp("long") / "long.mp4", seconds=15.0, sound=speech).read_bytes()


def test_a_job_whose_node_is_killed_goes_on_on_another(tmp_path, nodes, packed, long):
    server = start_server(tmp_path / "data", packed, "--backend", "ray", "--ray-address", nodes.address)
    try:
        with server.client("owner") as client:
            ids = [upload(client, long, "1.mp4").id]
            part = server.data / "videos" / ids[0] / "part.jsonl"
            worker = the_actor(nodes, "RayWorker")
            wait_for(lambda: part.exists() and '"done"' in part.read_text(), "something to be done of it")
            os.kill(worker, signal.SIGSTOP)  # else it might be done with all of it before its node is killed
            assert client.get(f"/api/videos/{ids[0]}").json()["state"] == "running"
            nodes.kill_node_of(worker)
            # How soon is benchmarks.cluster's to measure.
            wait_for(lambda: client.get(f"/api/videos/{ids[0]}").json()["state"] == "queued", "the job to wait again")
            assert ended(client, ids[0])["state"] == "done"
            nodes.add()
            # The desk keeps nothing: it may die too.
            ids.append(upload(client, long, "2.mp4").id)
            wait_for(lambda: client.get(f"/api/videos/{ids[1]}").json()["state"] == "running", "the second to begin")
            os.kill(the_actor(nodes, "Desk"), signal.SIGKILL)
        found = check_whole(server, ids, "owner")
        assert found[0]["cues"] == found[1]["cues"] != []
    finally:
        server.kill()


def test_a_killed_servers_actors_end_and_the_next_server_goes_on(tmp_path, nodes, packed, long):
    server = start_server(tmp_path / "data", packed, "--backend", "ray", "--ray-address", nodes.address, "--workers", "2")
    try:
        with server.client("owner") as client:
            ids = [upload(client, long, f"{n}.mp4").id for n in range(2)]
            wait_for(lambda: client.get(f"/api/videos/{ids[1]}").json()["state"] == "running", "both to be worked on")
        earlier = set(nodes.actors("RayWorker"))
        opening = [pid for worker in earlier for pid, _ in children(worker)]  # what people sent: with no token of anything
        assert opening and not any(b"TOKEN=" in Path(f"/proc/{pid}/environ").read_bytes() for pid in opening)
        server.kill()
        wait_for(lambda: not earlier & set(nodes.actors("RayWorker")) and not nodes.actors("Desk"), "the actors to end")
        server = start_server(server.data, packed, "--backend", "ray", "--ray-address", nodes.address)
        check_whole(server, ids, "owner")
        assert len(nodes.actors("RayWorker")) == len(nodes.actors("Desk")) == 1
    finally:
        server.kill()


def test_a_node_that_has_not_the_servers_folder_says_so_and_is_tried_again_later(tmp_path, nodes, packed, monkeypatch):
    from avsr import ray_nodes
    from avsr.app import ray_workers

    now = [0.0]
    for module in (ray_nodes, ray_workers):
        monkeypatch.setattr(module, "time", types.SimpleNamespace(monotonic=lambda: now[0]))
    Store(Settings(tmp_path).database)
    workers = ray_workers.RayWorkers(Settings(tmp_path, model=packed))
    mark = tmp_path / "mark"
    kept = mark.read_text()
    mark.write_text("another server's")
    for name in ("one", "two"):  # two nodes
        workers.start(name)
        (death,) = wait_for(workers.bury, "it to give up").values()
        assert death.cost == 0.0 and f"{tmp_path} is not the server's folder" in death.why
    workers.start("three")
    time.sleep(1.0)
    assert workers.bury() == {} and workers.resident("three") == 0  # there is no node for it
    mark.write_text(kept)
    now[0] = 61.0
    assert workers.bury() == {"three": Death(0.0)}
    workers.start("four")
    assert wait_for(lambda: workers.resident("four"), "it to work") and workers.bury() == {}
    workers.kill("four")


def test_a_node_with_another_model_or_version_is_refused(tmp_path, nodes, packed):
    from avsr.app.ray_workers import Needs, RayWorker, Unfit

    (tmp_path / "mark").write_text("mark")
    for needs, said in ((Needs("mark", "0" * 64, "0"), "install the same"), (Needs("mark", "0" * 64, _version()), "is another than the server's")):
        with pytest.raises(Unfit) as refused:
            RayWorker(Settings(tmp_path, model=packed), "one", None, needs).run()
        assert said in refused.value.why


@pytest.mark.parametrize(
    ("address", "said"),
    [("127.0.0.1:1", "no cluster answers there"), ("nowhere", "give HOST:PORT"), ("ray://127.0.0.1:1", "has to be a node of the cluster")],
)
def test_a_cluster_that_is_not_there_is_a_sentence(tmp_path, address, said):
    with pytest.raises(AvsrError, match=f"--ray-address {address}: .*{said}"):
        connect(address, 1, tmp_path)


def test_without_ray_it_is_said_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(AvsrError, match=r"pip install 'avsr\[ray\]'"):
        connect(None, 1, tmp_path)


def _version() -> str:
    from avsr import __version__

    return __version__
