"""A process that works jobs off: `python -m avsr.app.worker`, started and watched by `avsr.app.supervisor`."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from avsr.app.captions import as_cues, draft_cues, stored_cues
from avsr.app.jobs import BEAT, CAPTIONS, Job, Jobs, SqliteJobs, Unreachable
from avsr.app.process import follow_parent, give_memory_back, limit_worker
from avsr.app.reading import Reader, ReaderEnded
from avsr.app.settings import BURNED, MEDIA, PART, RESULT, Settings, remove_media
from avsr.app.store import Store, StoredCue, Video
from avsr.decoding.checkpoint import Checkpoint, identity_of
from avsr.decoding.default_model import find_model
from avsr.decoding.time_left import RECOGNISING, TimeLeft
from avsr.decoding.transcribe import load_recognizer
from avsr.ears.ear import NATIVE
from avsr.errors import AvsrError, NoFaceError
from avsr.files import replace_file

if TYPE_CHECKING:
    from avsr.decoding.recognizer import Recognizer
    from avsr.decoding.result import Segment

_FACES = 4
_WRITTEN = 1 << 30  # bytes of a result, or of the tables
_IDLE = 0.1  # seconds between two looks for a job


class Lost(Exception):
    """The job is another worker's by now, or its video was deleted."""


class TooLong(AvsrError):
    """The video goes on beyond what is taken, whatever its header said."""


class Videos(Protocol):
    """What a worker wants of the server's tables besides the jobs; see `Store`."""

    def video(self, id: str) -> Video | None: ...

    def cues(self, video: str) -> list[StoredCue]: ...


class Worker:
    """Works off the jobs of a table, one after another.

    Args:
        settings: the server's.
        name: under which it claims.
        jobs, videos: the server's tables.
        check: called before work on a video, and before one is called impossible; raises where it is this machine's fault.
    """

    def __init__(self, settings: Settings, name: str, jobs: Jobs, videos: Videos, check: Callable[[], None] = lambda: None) -> None:
        self.settings, self.name = settings, name
        self.jobs, self.videos, self._check = jobs, videos, check
        self._recognizer: Recognizer | None = None
        self._reader = Reader()

    def run(self) -> None:
        """For ever. The model is loaded when there is nothing else to do, so that the first video need not wait for it."""
        while True:
            self._reader.start()
            try:
                if self.step():
                    continue
            except Unreachable:
                pass  # what it was at is given to another worker, or to this one again
            if self._recognizer is None:
                self._load()
            time.sleep(_IDLE)

    def step(self) -> bool:
        """Do one job, if one waits; whether one did."""
        job = self.jobs.claim(self.name)
        if job is None:
            return False
        self._check()
        video = self.videos.video(job.video)
        if video is None:  # deleted meanwhile, and the job with it
            return True
        for name in (BURNED, RESULT):  # of a worker that was killed; the first is as large as the video
            for half in self.settings.folder(video.id).glob(f".{name}*"):
                half.unlink(missing_ok=True)
        life = _Life(self.jobs, job)
        try:
            if job.task == CAPTIONS:
                self._caption(job, video, life)
            else:
                self._burn(job, video, life)
        except Lost:
            pass
        except ReaderEnded:
            self.jobs.give_back(self.name, 1.0)  # as if it had ended this process
        except NoFaceError as error:
            self._fail(job, video, "no_face", error)
        except TooLong as error:
            self._fail(job, video, "too_long", error)
        except (AvsrError, OSError) as error:
            self._check()
            self._fail(job, video, "failed", error)
        finally:
            life.end()
            self._reader.let_go()
            give_memory_back()
        return True

    def _caption(self, job: Job, video: Video, life: _Life) -> None:
        folder = self.settings.folder(video.id)
        recognizer = self._load()
        drafts = _Drafts(life)
        identity = identity_of(folder / MEDIA, {"mode": video.mode, "ear": self.settings.ear, "model": recognizer.packed.path})
        checkpoint = _TellingCheckpoint(folder / PART, identity, drafts.add)
        telling = _Telling(life, video, self.settings.ear == NATIVE, self.settings.max_seconds)
        telling.said(checkpoint.done)
        for segment in checkpoint.segments:
            drafts.add(segment)
        try:
            result = recognizer.transcribe(
                folder / MEDIA, video.mode, progress=telling.said, time_left=telling, looking=telling.looked, checkpoint=checkpoint,
                faces=_FACES, opener=self._reader.open_streams,
            )  # fmt: skip
        finally:
            checkpoint.close()
        life.tell("writing", result.duration, result.duration)
        data = json.dumps(result.as_dict() | {"path": video.name}, ensure_ascii=False, default=str)
        replace_file(folder / RESULT, data.encode())
        if self.jobs.finish(job, stored_cues(result), used=result.mode, reason=result.reason, duration=result.duration):
            checkpoint.remove()  # else another worker goes on with it

    def _burn(self, job: Job, video: Video, life: _Life) -> None:
        folder = self.settings.folder(video.id)
        life.tell("writing", 0.0, video.duration)
        cues = as_cues(self.videos.cues(video.id))
        path = self._reader.burn(folder / MEDIA, cues, folder / BURNED, lambda done: life.tell("writing", done, video.duration))
        self.jobs.finish(job, burned=path.name)

    def _fail(self, job: Job, video: Video, code: str, error: Exception) -> None:
        """For good, where it is captions that failed: its owner sees why, and nobody needs its media any more."""
        if self.jobs.fail(job, code, self._nameless(error, video)) and job.task == CAPTIONS:
            remove_media(self.settings.folder(video.id))

    def _load(self) -> Recognizer:
        if self._recognizer is None:
            import torch  # noqa: F401

            give_memory_back(code=True)
            self._recognizer = load_recognizer(self.settings.model or find_model(), self.settings.ear)
            give_memory_back(code=True)
        return self._recognizer

    def _nameless(self, error: Exception, video: Video) -> str:
        """The sentence with the person's name for the file, not ours."""
        if isinstance(error, OSError):
            return f"it could not be worked on ({error.strerror})."
        told = str(error).replace(str(self.settings.folder(video.id) / MEDIA), video.name)
        return told.replace(f"{self.settings.data}{os.sep}", "").replace(str(self.settings.model), "the model")


class _Life:
    """Tells the table that a job is worked on: at once when there is something new, and every `BEAT` seconds.

    It also keeps the drafts until they are told. `tell` raises Lost once the job is not this worker's any more.
    """

    def __init__(self, jobs: SqliteJobs, job: Job) -> None:
        self._jobs, self._job = jobs, job
        self._now: tuple[str, float, float | None] = ("loading", 0.0, None)
        self._left: Callable[[], float | None] = lambda: None
        self._drafts: list[StoredCue] = []
        self._told, self._lock, self._ended = 0.0, threading.Lock(), threading.Event()
        self._mine = True
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def tell(self, step: str, done: float, total: float | None, left: Callable[[], float | None] = lambda: None) -> None:
        with self._lock:
            soon = step != self._now[0] or self._drafts or time.monotonic() - self._told > BEAT / 4
            self._now, self._left = (step, done, total), left
            if soon:
                self._send()
        if not self._mine:
            raise Lost

    def draft(self, cues: Sequence[StoredCue]) -> None:
        """Captions that come with what is told next."""
        with self._lock:
            self._drafts += cues

    def end(self) -> None:
        self._ended.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._ended.wait(BEAT):
            with self._lock:
                try:
                    self._send()
                except (sqlite3.Error, Unreachable):
                    pass  # the next beat may come through; the job is lost after LEASE seconds without one

    def _send(self) -> None:
        self._mine = self._mine and self._jobs.beat(self._job, *self._now, self._left(), self._drafts)
        self._drafts = []
        self._told = time.monotonic()


class _Telling(TimeLeft):
    """The time left, which also tells the table how far a video is: in looking for faces, which takes the most, and in reading."""

    def __init__(self, life: _Life, video: Video, guesses: bool, most: float) -> None:
        super().__init__(video.duration or 0.0, guesses=guesses)
        self._life, self._video = life, video
        self._faces_at = self._captions_at = 0.0
        self._most = most

    def looked(self, second: float) -> None:
        """The sound was listened to up to that media second, before anything is read."""
        self._check(second)
        self._life.tell("loading", self._captions_at, self._video.duration)

    def read(self, second: float) -> None:
        super().read(second)
        self._check(second)
        self._faces_at = max(self._faces_at, second)
        self._tell()

    def said(self, second: float) -> None:
        """All up to that media second is in captions."""
        self._captions_at = max(self._captions_at, second)
        self._tell()

    def _check(self, second: float) -> None:
        if second > self._most + 1.0:  # whatever its header says; its last picture may be on for a while
            raise TooLong(f"it is longer than the {self._most:.0f} s that are taken.")

    def _tell(self) -> None:
        done = (max(self._faces_at, self._captions_at) + RECOGNISING * self._captions_at) / (1 + RECOGNISING)
        self._life.tell("reading", done, self._video.duration, self.left)


class _Drafts:
    """Captions of what has been recognised so far, numbered as they come."""

    def __init__(self, life: _Life) -> None:
        self._life, self._count = life, 0

    def add(self, segment: Segment) -> None:
        cues = draft_cues(segment, self._count)
        self._life.draft(cues)
        self._count += len(cues)


class _TellingCheckpoint(Checkpoint):
    """A checkpoint that also says what is added to it."""

    def __init__(self, path: Path, identity: str, told: Callable[[Segment], None]) -> None:
        super().__init__(path, identity)
        self._told = told

    def add(self, segment: Segment | None, done: float) -> None:
        super().add(segment, done)
        if segment is not None:
            self._told(segment)


def main(settings: dict[str, Any], name: str, parent: int) -> None:
    follow_parent()
    if os.getppid() != parent:
        return  # it was gone before we could follow it
    limit_worker(settings["worker_bytes"], _WRITTEN)
    paths = {key: Path(value) for key, value in settings.items() if key in ("data", "model") and value is not None}
    whole = Settings(**settings | paths)
    store = Store(whole.database)
    Worker(whole, name, SqliteJobs(store), store).run()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
