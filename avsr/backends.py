"""Work shared out: jobs in, what came of each in their order, and a bar meanwhile; who calls cannot tell where it is done."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from avsr.errors import AvsrError
from avsr.processes import in_processes, progress

Job = TypeVar("Job")

BACKENDS = ("local", "ray")


@dataclass(frozen=True)
class Work:
    """What is done with each job: `function(job, *arguments)`, which returns None, or why it could not be done.

    The function is one of a module, writes its files whole or not at all, and may be called twice for a job whose process or machine died.
    An AvsrError that it raises ends all of the work.

    what: a word for what is counted. out: the folder that is written to. reads: files and folders that are read.
    ready: called first, here and wherever else it is done; AvsrError where it cannot be.
    """

    what: str
    function: Callable[..., str | None]
    arguments: tuple[Any, ...]
    out: Path
    reads: tuple[Path, ...] = ()
    ready: Callable[[], object] | None = None


def witnesses(paths: Iterable[str | Path]) -> tuple[Path, ...]:
    """For `Work.reads`: of each file system that the files lie on the first, for a machine that lacks it lacks the others too.

    Folders are looked at, and not a million files.
    """
    found: dict[int, Path] = {}
    folders: set[str] = set()
    for path in paths:
        folder = os.path.dirname(path) or "."
        if folder in folders:
            continue
        folders.add(folder)
        try:
            found.setdefault(os.stat(folder).st_dev, Path(path))
        except OSError:
            continue  # it is missing here too, which its job says
    return tuple(found.values())


class Backend(Protocol):
    """Where work is done."""

    def run(self, work: Work, jobs: Sequence[Any], nj: int) -> Iterator[tuple[int, str | None]]:
        """Up to `nj` jobs at once; the place of each in `jobs`, as it ends, with what came of it: `KILLED` where it ends its process."""


class LocalBackend:
    """Processes of this machine."""

    def run(self, work: Work, jobs: Sequence[Any], nj: int) -> Iterator[tuple[int, str | None]]:
        for (place, _), reason in in_processes(list(enumerate(jobs)), _do, (work.function, work.arguments), nj):
            yield place, reason


LOCAL = LocalBackend()


def work_off(work: Work, jobs: Sequence[Job], *, nj: int, kept: int = 0, backend: Backend = LOCAL) -> Iterator[tuple[Job, str | None]]:
    """Do the work with each of the jobs; each, in their order, with None or why it could not be done.

    Args:
        nj: jobs at once.
        kept: so many were done before, as the bar shows.

    AvsrError where `nj` is none, the function raises one, or there is no place where the work can be done.
    """
    if nj < 1:
        raise AvsrError(f"nj is {nj}; give the number of processes, 1 or more.")
    if jobs and work.ready is not None:
        work.ready()  # what is fetched is fetched once, and not by all at the same time; what is missing is said once
    return _in_order(work, jobs, nj, kept, backend)


def _in_order(work: Work, jobs: Sequence[Job], nj: int, kept: int, backend: Backend) -> Iterator[tuple[Job, str | None]]:
    ended: dict[int, str | None] = {}
    following = 0
    with progress(work.what, kept + len(jobs), kept) as advance:
        for place, reason in backend.run(work, jobs, nj):
            ended[place] = reason
            advance()
            while following in ended:
                yield jobs[following], ended.pop(following)
                following += 1


def _do(numbered: tuple[int, Any], function: Callable[..., str | None], arguments: tuple[Any, ...]) -> str | None:
    return function(numbered[1], *arguments)


@contextmanager
def open_backend(name: str, ray_address: str | None, *, nj: int, out: Path) -> Iterator[Backend]:
    """One of BACKENDS. `ray_address`: see `avsr.ray_cluster.connect`; a cluster of this machine alone does `nj` jobs at once and is `out`'s.

    AvsrError where there is no such cluster.
    """
    from avsr.ray_cluster import check_address, connect, disconnect

    check_address(name, ray_address)
    if name == "local":
        yield LOCAL
        return
    connect(ray_address, nj, out)
    try:
        # Not before it: Ray reads at import what `connect` sets.
        from avsr.ray_tasks import RayBackend

        yield RayBackend()
    finally:
        disconnect(ray_address, out)


def add_backend_options(parser: argparse.ArgumentParser) -> None:
    """`--backend` and `--ray-address`, for `open_backend`."""
    parser.add_argument("--backend", choices=BACKENDS, default="local", help="work on this machine, or on the nodes of a Ray cluster (%(default)s)")
    parser.add_argument("--ray-address", metavar="HOST:PORT", help="a Ray cluster that this machine is a node of (default: one of its own)")
