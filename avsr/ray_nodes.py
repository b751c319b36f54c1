"""Nodes of a Ray cluster that cannot do what is wanted of them: how they find out, what they say, and how they are left alone."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import ray

from avsr import __version__

_AGAIN = 60.0  # seconds after which a node that could not work is tried again
_NODE = "ray.io/node-id"  # a label that each node has


class Unfit(Exception):
    """A node cannot do this work, whichever part of it; `why` is a sentence."""

    def __init__(self, node: str, why: str) -> None:
        super().__init__(node, why)
        self.node, self.why = node, why


def unfit(why: str) -> Unfit:
    """Of the node that this is called on."""
    node = ray.get_runtime_context().get_node_id()
    return Unfit(node, f"node {socket.gethostname()} ({node[:8]}): {why} Its work goes to other nodes.")


def check_mark(path: Path, mark: str, whose: str) -> None:
    """Unfit where the file `path` has not the `mark` that was left in it: its folder is another, or none. `whose`: "the server's"."""
    try:
        same = path.read_text() == mark
    except (OSError, UnicodeDecodeError):
        same = False
    if not same:
        raise unfit(f"{path.parent} is not {whose} folder there; mount that at the same path, for the same user.")


def check_version(version: str) -> None:
    """Unfit where this package is another."""
    if __version__ != version:
        raise unfit(f"avsr is {__version__} there and {version} here; install the same.")


class Barred:
    """Nodes that were unfit lately."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def add(self, node: str) -> None:
        self._until[node] = time.monotonic() + _AGAIN

    def now(self) -> set[str]:
        """Those that are not to be asked yet."""
        now = time.monotonic()
        self._until = {node: until for node, until in self._until.items() if until > now}
        return set(self._until)

    def first(self) -> float | None:
        """When the first of them may be asked again."""
        return min(self._until.values(), default=None)

    def options(self) -> dict[str, Any]:
        """Those of `ray.remote` that keep work from them."""
        barred = self.now()
        return {"label_selector": {_NODE: f"!in({','.join(sorted(barred))})"}} if barred else {}


def living_nodes() -> set[str]:
    return {node["NodeID"] for node in ray.nodes() if node["Alive"]}


def last_line(error: Exception) -> str:
    return str(error).strip().rpartition("\n")[2]
