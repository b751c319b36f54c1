"""Keeps the workers running: starts them, ends those that take too much, and gives back what they had."""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import sys
import threading
import time
from pathlib import Path

from avsr.app.jobs import SqliteJobs
from avsr.app.settings import MEDIA, PART, Settings, remove_media
from avsr.app.store import Store, Video
from avsr.app.workers import CRASH, KILLED, Workers

_LOOK = 0.5  # seconds between two looks at the workers
_PAUSE = 1.0  # seconds between two starts of workers
_LEFT = 6 * 3600.0  # seconds after which an upload that was left half-way is deleted
_CLEAN = 60.0  # seconds between two looks for what has expired
_SAID = 60.0  # seconds for which a sentence is not said again


class Supervisor:
    """Starts `settings.workers` workers and looks after them in a thread of its own.

    Args:
        settings: the server's.
        store: its tables.
        workers: how they are started and ended; closed by `stop`.
    """

    def __init__(self, settings: Settings, store: Store, workers: Workers) -> None:
        self.settings, self.store, self.workers, self.jobs = settings, store, workers, SqliteJobs(store)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self._cleaned = 0.0
        self._spawned = -_PAUSE
        self._said: dict[str, float] = {}

    def start(self) -> None:
        """Take up what an earlier server has left, and begin."""
        self.jobs.give_all_back()
        remove_orphans(self.settings, self.store)
        self._thread.start()

    def stop(self) -> None:
        """End the workers; what they were at waits for the next server."""
        self._ended.set()
        self._thread.join()
        self.workers.close()
        self.jobs.give_all_back()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def _watch(self) -> None:
        while True:
            try:
                self._look_after()
            except (OSError, sqlite3.Error) as error:  # a full disk, a locked table: that may pass, and the workers must not
                print(f"avsr: the workers could not be looked after ({type(error).__name__}: {error}); trying again.", file=sys.stderr, flush=True)
            if self._ended.wait(_LOOK):
                return

    def _look_after(self) -> None:
        self._bury()
        self._end_greedy()
        # Not at once again and again, where they cannot start at all.
        while len(self.workers.names()) < self.settings.workers and time.monotonic() - self._spawned > _PAUSE:
            self._spawn()
        if time.monotonic() - self._cleaned > _CLEAN:
            self._cleaned = time.monotonic()
            remove_expired(self.settings, self.store)

    def _spawn(self) -> None:
        self.workers.start(f"{os.getpid()}-{secrets.token_hex(4)}")
        if len(self.workers.names()) == self.settings.workers:
            self._spawned = time.monotonic()

    def _bury(self) -> None:
        for name, death in self.workers.bury().items():
            self.jobs.give_back(name, death.cost)
            if death.why is not None:
                self._say(death.why)

    def _end_greedy(self) -> None:
        """Kill who takes too much memory or time, which is the video's fault, and who is far and not heard of, which is not."""
        late = self.jobs.overdue(self.settings.job_factor, self.settings.job_least)
        silent = self.jobs.silent() if self.workers.far else set()
        for name in self.workers.names():
            greedy = name in late or self.workers.resident(name) > self.settings.worker_bytes
            if greedy or name in silent:
                self.workers.kill(name)
                self.jobs.give_back(name, CRASH if greedy else KILLED)

    def _say(self, sentence: str) -> None:
        now = time.monotonic()
        if now - self._said.get(sentence, -_SAID) >= _SAID:
            self._said[sentence] = now
            print(f"avsr: {sentence}", file=sys.stderr, flush=True)


def remove_expired(settings: Settings, store: Store) -> None:
    """Delete videos whose time is over, whatever their state, with all their files, uploads that were left half-way, and what workers that
    ended at the wrong moment have left."""
    now = time.time()
    for video in store.videos():
        if (video.expires <= now or (video.state == "uploading" and _still_for(settings, video, now) > _LEFT)) and store.remove_video(video.id):
            shutil.rmtree(settings.folder(video.id), ignore_errors=True)
    known = {video.id: video.state for video in store.videos()}
    for folder in (settings.data / "videos").iterdir():
        # What a worker was writing while its folder was being deleted.
        if folder.name not in known and now - folder.stat().st_mtime > _CLEAN:
            shutil.rmtree(folder, ignore_errors=True)
        elif known.get(folder.name) == "done":  # one that ended between finishing the job and this
            (folder / PART).unlink(missing_ok=True)
        elif known.get(folder.name) == "failed":  # by whoever had no time to do it: it ended its workers
            remove_media(folder)


def _still_for(settings: Settings, video: Video, now: float) -> float:
    """Seconds since bytes of an upload came."""
    try:
        return now - (settings.folder(video.id) / MEDIA).stat().st_mtime
    except FileNotFoundError:
        return now - video.created


def remove_orphans(settings: Settings, store: Store) -> None:
    """Delete folders that belong to no video, as a kill between two steps of a deletion leaves them, and half-written files."""
    known = {video.id: video.state for video in store.videos()}
    root = settings.data / "videos"
    root.mkdir(parents=True, exist_ok=True)
    for folder in root.iterdir():
        if folder.name not in known:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            for half in folder.glob(".*"):
                shutil.rmtree(half, ignore_errors=True) if half.is_dir() else half.unlink(missing_ok=True)
            if known[folder.name] == "done":
                (folder / PART).unlink(missing_ok=True)
