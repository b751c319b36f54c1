"""The table of jobs for workers on other machines: they ask an actor on the server's, where alone the database is opened."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ray
from ray.actor import ActorHandle
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from avsr.app.jobs import Job, Progress, SqliteJobs, Unreachable
from avsr.app.store import Store, StoredCue, Video

_ANSWER = 30.0  # seconds to wait for an answer; by then a job is lost anyway, but not the worker


class Desk(SqliteJobs):
    """The actor: the server's tables, and no state of its own, so that it may be killed and started again at any time.

    Not the database itself on a folder that all machines see: SQLite's locks do not hold there.
    """

    def __init__(self, database: Path, clock: Callable[[], float] = time.time) -> None:
        super().__init__(Store(database), clock)

    # Asked once: of two claims the first would be nobody's, until its lease is over. All else may be said twice.
    @ray.method(max_task_retries=0)
    def claim(self, worker: str) -> Job | None:
        return super().claim(worker)

    def video(self, id: str) -> Video | None:
        return self._store.video(id)

    def cues(self, video: str) -> list[StoredCue]:
        return self._store.cues(video)


def open_desk(database: Path, clock: Callable[[], float] = time.time) -> ActorHandle:
    """A `Desk` on this machine, which ends with this process."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    desk = ray.remote(Desk).options(num_cpus=0, scheduling_strategy=here, max_restarts=-1, max_task_retries=-1, enable_task_events=False)
    return desk.remote(database, clock)


class RayJobs:
    """`Jobs`, and what else a worker asks the tables for, by way of a desk.

    All methods raise Unreachable where it does not answer.
    """

    def __init__(self, desk: ActorHandle) -> None:
        self._desk = desk

    def add(self, video: str, task: str) -> bool:
        return _answer(self._desk.add.remote(video, task))

    def claim(self, worker: str) -> Job | None:
        return _answer(self._desk.claim.remote(worker))

    def beat(
        self, job: Job, step: str, done: float, total: float | None, left: float | None = None, cues: Sequence[StoredCue] = ()
    ) -> bool:
        return _answer(self._desk.beat.remote(job, step, done, total, left, cues))

    def finish(self, job: Job, cues: Sequence[StoredCue] | None = None, **video: object) -> bool:
        return _answer(self._desk.finish.remote(job, cues, **video))

    def fail(self, job: Job, code: str, message: str) -> bool:
        return _answer(self._desk.fail.remote(job, code, message))

    def give_back(self, worker: str, cost: float) -> None:
        _answer(self._desk.give_back.remote(worker, cost))

    def waiting(self) -> int:
        return _answer(self._desk.waiting.remote())

    def progress(self, video: str, task: str) -> Progress | None:
        return _answer(self._desk.progress.remote(video, task))

    def video(self, id: str) -> Video | None:
        return _answer(self._desk.video.remote(id))

    def cues(self, video: str) -> list[StoredCue]:
        return _answer(self._desk.cues.remote(video))


def _answer(asked: ray.ObjectRef) -> Any:
    try:
        return ray.get(asked, timeout=_ANSWER)
    except RayTaskError:  # the tables' own error, which this also is
        raise
    except RayError as error:
        raise Unreachable(f"the server's tables cannot be reached ({type(error).__name__}).") from error
