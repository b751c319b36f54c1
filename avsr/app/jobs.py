"""What is to be done with videos: a table of jobs, which workers claim for a while and lose when they are not heard of."""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from avsr.app.store import Store, StoredCue, add_cues, set_cues, set_video

CAPTIONS, BURN = "captions", "burn"  # tasks
LEASE = 8.0  # seconds for which a worker that is not heard of keeps its job
BEAT = 2.0  # seconds between two signs of life
_FURTHER = 10.0  # media seconds by which a job has to get on for that
_MOST = 3.0  # tries that a job may cost before it is given up, see `SqliteJobs.give_back`


@dataclass(frozen=True)
class Job:
    """A claimed job. `claim` is this claim's own: whoever claims the job later has another, and the earlier one counts no more."""

    id: int
    video: str
    task: str
    claim: str


@dataclass(frozen=True)
class Progress:
    """How far a job is. `state` is queued, running, done or failed; `step` queued, loading, reading or writing; `done` and `total` media
    seconds; `left` seconds, where that can be told; `position` in the queue, 1 for next."""

    state: str
    step: str
    done: float
    total: float | None
    left: float | None
    position: int | None


class Unreachable(Exception):
    """The table cannot be asked at the moment: a job that goes on may be another worker's by now."""


class Jobs(Protocol):
    """What a server wants of a table of jobs; all of it may be called by several processes at once."""

    def add(self, video: str, task: str) -> bool:
        """A job waits from now on; False where the video has such a job already that has not failed, or is gone."""

    def claim(self, worker: str) -> Job | None:
        """The job that has waited longest is this worker's for `LEASE` seconds; None where none waits."""

    def beat(
        self, job: Job, step: str, done: float, total: float | None, left: float | None = None, cues: Sequence[StoredCue] = ()
    ) -> bool:
        """A sign of life, how many seconds it will still take, and more drafted captions; False where the job is not this worker's any
        more, who then must let go of it."""

    def finish(self, job: Job, cues: Sequence[StoredCue] | None = None, **video: object) -> bool:
        """The job is done, with these captions in the place of all drafts, and columns of the video; False as in `beat`."""

    def fail(self, job: Job, code: str, message: str) -> bool:
        """The job cannot be done; False as in `beat`."""

    def give_back(self, worker: str, cost: float) -> None:
        """A worker is gone: its job waits again, in its old place, or has failed where its tries without any progress have cost too
        much."""

    def waiting(self) -> int:
        """How many jobs wait or are worked on."""

    def progress(self, video: str, task: str) -> Progress | None:
        """None where there is no such job."""


class SqliteJobs:
    """`Jobs` of one machine, in the server's own tables.

    Args:
        store: the tables.
        clock: seconds since the epoch.
    """

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._store, self._clock = store, clock

    def add(self, video: str, task: str) -> bool:
        with self._store.change() as database:
            if database.execute("SELECT 1 FROM video WHERE id = ?", (video,)).fetchone() is None:
                return False
            row = database.execute("SELECT state FROM job WHERE video = ? AND task = ?", (video, task)).fetchone()
            if row is not None and row["state"] != "failed":
                return False
            database.execute("DELETE FROM job WHERE video = ? AND task = ?", (video, task))
            database.execute("INSERT INTO job (video, task, state) VALUES (?, ?, 'queued')", (video, task))
            set_video(database, video, error_code=None, error_message=None, **({"state": "queued"} if task == CAPTIONS else {}))
        return True

    def claim(self, worker: str) -> Job | None:
        now = self._clock()
        with self._store.change() as database:
            for row in database.execute("SELECT worker FROM job WHERE state = 'running' AND lease < ?", (now,)).fetchall():
                self._give_back(database, row["worker"], 1.0)
            row = database.execute("SELECT id, video, task FROM job WHERE state = 'queued' ORDER BY id LIMIT 1").fetchone()
            if row is None:
                return None
            job = Job(row["id"], row["video"], row["task"], secrets.token_hex(8))
            database.execute(
                "UPDATE job SET state = 'running', step = 'loading', claim = ?, worker = ?, lease = ?, began = ?, done = 0, total = NULL, "
                "until = NULL WHERE id = ?",
                (job.claim, worker, now + LEASE, now, job.id),
            )
            if job.task == CAPTIONS:
                set_video(database, job.video, state="running")
                set_cues(database, job.video, [])
        return job

    def beat(
        self, job: Job, step: str, done: float, total: float | None, left: float | None = None, cues: Sequence[StoredCue] = ()
    ) -> bool:
        now = self._clock()
        with self._store.change() as database:
            row = self._mine(database, job)
            if row is None:
                return False
            # A job that gets further than ever is none that kills its workers where it is: what earlier tries have cost is forgotten.
            further = job.task == CAPTIONS and done > row["furthest"] + _FURTHER
            tries, furthest = (0.0, done) if further else (row["tries"], row["furthest"])
            database.execute(
                "UPDATE job SET lease = ?, step = ?, done = ?, total = ?, until = ?, tries = ?, furthest = ? WHERE id = ?",
                (now + LEASE, step, done, total, None if left is None else now + left, tries, furthest, job.id),
            )
            add_cues(database, job.video, cues)
        return True

    def finish(self, job: Job, cues: Sequence[StoredCue] | None = None, **video: object) -> bool:
        with self._store.change() as database:
            if self._mine(database, job) is None:
                return False
            database.execute("UPDATE job SET state = 'done', claim = NULL, worker = NULL WHERE id = ?", (job.id,))
            if cues is not None:
                set_cues(database, job.video, cues)
            if job.task == CAPTIONS:
                video |= {"state": "done"}
            set_video(database, job.video, **video)
        return True

    def fail(self, job: Job, code: str, message: str) -> bool:
        with self._store.change() as database:
            if self._mine(database, job) is None:
                return False
            self._fail(database, job.id, code, message)
        return True

    def give_back(self, worker: str, cost: float) -> None:
        with self._store.change() as database:
            self._give_back(database, worker, cost)

    def give_all_back(self) -> None:
        """No worker is left of a server that was ended: what they had waits again."""
        with self._store.change() as database:
            for row in database.execute("SELECT worker FROM job WHERE state = 'running'").fetchall():
                self._give_back(database, row["worker"], 0.0)

    def overdue(self, factor: float, least: float) -> set[str]:
        """The workers of jobs that have run for more than `least` seconds and `factor` times their video's length."""
        rows = self._store.connection.execute(
            "SELECT worker FROM job JOIN video ON video.id = job.video WHERE job.state = 'running' "
            "AND ? - began > MAX(?, ? * COALESCE(duration, 0))",
            (self._clock(), least, factor),
        )
        return {row["worker"] for row in rows}

    def silent(self) -> set[str]:
        """The workers of jobs that they have not been heard of for `LEASE` seconds."""
        rows = self._store.connection.execute("SELECT worker FROM job WHERE state = 'running' AND lease < ?", (self._clock(),))
        return {row["worker"] for row in rows}

    def waiting(self) -> int:
        return self._store.connection.execute("SELECT COUNT(*) FROM job WHERE state IN ('queued', 'running')").fetchone()[0]

    def progress(self, video: str, task: str) -> Progress | None:
        connection = self._store.connection
        row = connection.execute("SELECT * FROM job WHERE video = ? AND task = ?", (video, task)).fetchone()
        if row is None:
            return None
        position = left = None
        if row["state"] == "queued":
            position = connection.execute("SELECT COUNT(*) FROM job WHERE state = 'queued' AND id <= ?", (row["id"],)).fetchone()[0]
        elif row["state"] == "running" and row["until"] is not None:
            left = max(0.0, row["until"] - self._clock())
        step = row["step"] if row["state"] == "running" else "queued"
        return Progress(row["state"], step, row["done"], row["total"], left, position)

    @staticmethod
    def _mine(database: sqlite3.Connection, job: Job) -> sqlite3.Row | None:
        return database.execute("SELECT * FROM job WHERE id = ? AND claim = ? AND state = 'running'", (job.id, job.claim)).fetchone()

    def _give_back(self, database: sqlite3.Connection, worker: str, cost: float) -> None:
        for row in database.execute("SELECT id, tries FROM job WHERE state = 'running' AND worker = ?", (worker,)).fetchall():
            if row["tries"] + cost >= _MOST:
                message = "it ended the process that read it, or took too long, again and again; convert it to MP4 and try again."
                self._fail(database, row["id"], "failed", message)
                continue
            database.execute(
                "UPDATE job SET state = 'queued', step = 'queued', claim = NULL, worker = NULL, lease = NULL, tries = tries + ? WHERE id = ?",
                (cost, row["id"]),
            )
            database.execute(
                "UPDATE video SET state = 'queued' WHERE id = (SELECT video FROM job WHERE id = ? AND task = ?)", (row["id"], CAPTIONS)
            )

    @staticmethod
    def _fail(database: sqlite3.Connection, id: int, code: str, message: str) -> None:
        database.execute("UPDATE job SET state = 'failed', claim = NULL, worker = NULL WHERE id = ?", (id,))
        row = database.execute("SELECT video, task FROM job WHERE id = ?", (id,)).fetchone()
        state = {"state": "failed"} if row["task"] == CAPTIONS else {}
        set_video(database, row["video"], error_code=code, error_message=message, **state)
