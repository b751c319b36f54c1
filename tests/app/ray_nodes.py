"""A Ray cluster whose nodes are all on this machine, each to be killed."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.app.conftest import wait_for

_OBJECTS = 80 << 20  # bytes of shared memory
_TOKEN = secrets.token_hex(32)  # of all clusters of this process: Ray reads it once


class Nodes:
    """A head without workers, at `address`, and nodes for one worker each; `ray` is connected to it."""

    def __init__(self, cluster) -> None:
        self._cluster, self.address = cluster, cluster.address

    def add(self) -> None:
        self._cluster.add_node(num_cpus=1, object_store_memory=_OBJECTS)

    def actors(self, kind: str) -> list[int]:
        """Process numbers of the living actors of a class."""
        return [pid for raylet in map(_raylet, self._cluster.list_all_nodes()) for pid, line in children(raylet) if f"ray::{kind}" in line]

    def kill_node_of(self, actor: int) -> None:
        """All its processes at once, as if the machine had lost its power."""
        node = next(node for node in self._cluster.worker_nodes if actor in [pid for pid, _ in children(_raylet(node))])
        raylet = _raylet(node)
        for pid in [raylet, *(pid for pid, _ in children(raylet))]:
            os.kill(pid, signal.SIGKILL)
        self._cluster.remove_node(node, allow_graceful=False)


@contextmanager
def started_nodes(count: int) -> Iterator[Nodes]:
    """A cluster that only this process and its children know the token of, at 127.0.0.1; RAY_ADDRESS and the like are set meanwhile."""
    told = {
        "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": _TOKEN, "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": "0",  # as our own processes
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # so that it is at 127.0.0.1
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        for name, value in told.items():
            patch.setenv(name, value)
        import ray
        from ray.cluster_utils import Cluster

        cluster = Cluster(True, head_node_args={"num_cpus": 0, "object_store_memory": _OBJECTS, "include_dashboard": False})
        try:
            ray.init(cluster.address, namespace="tests", log_to_driver=False, configure_logging=False)
            nodes = Nodes(cluster)
            for _ in range(count):
                nodes.add()
            yield nodes
        finally:
            ray.shutdown()
            cluster.shutdown()


def _raylet(node) -> int:
    return node.all_processes["raylet"][0].process.pid


def children(parent: int) -> list[tuple[int, str]]:
    """Process numbers and command lines."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append((int(stat.parent.name), stat.with_name("cmdline").read_bytes().decode(errors="replace")))
        except OSError:
            continue
    return found


def the_actor(nodes: Nodes, kind: str) -> int:
    """The process number of the one actor of a class, once there is just one."""
    return wait_for(lambda: len(found := nodes.actors(kind)) == 1 and found, f"one {kind}")[0]
