"""Keeps the worker processes running: starts them, ends those that take too much, and gives back what they had."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path

from avsr.app.children import without_token
from avsr.app.jobs import SqliteJobs
from avsr.app.settings import LOOPBACK, MEDIA, PART, Settings, remove_media
from avsr.app.store import Store, Video

_LOOK = 0.5  # seconds between two looks at the workers
_CRASH, _KILLED = 1.0, 0.25  # what a try costs, see Jobs.give_back: a kill is as likely somebody's as the video's fault
_PAUSE = 1.0  # seconds between two starts of workers
_LEFT = 6 * 3600.0  # seconds after which an upload that was left half-way is deleted
_CLEAN = 60.0  # seconds between two looks for what has expired


class Supervisor:
    """Starts `settings.workers` processes and looks after them in a thread of its own.

    Args:
        settings: the server's.
        store: its tables.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings, self.store, self.jobs = settings, store, SqliteJobs(store)
        self._workers: dict[str, subprocess.Popen] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self._cleaned = 0.0
        self._spawned = -_PAUSE

    def start(self) -> None:
        """Take up what an earlier server has left, and begin."""
        self.jobs.give_all_back()
        remove_orphans(self.settings, self.store)
        self._thread.start()

    def stop(self) -> None:
        """End the workers; what they were at waits for the next server."""
        self._ended.set()
        self._thread.join()
        for process in self._workers.values():
            process.kill()
        for process in self._workers.values():
            process.wait()
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
        while len(self._workers) < self.settings.workers and time.monotonic() - self._spawned > _PAUSE:
            self._spawn()
        if time.monotonic() - self._cleaned > _CLEAN:
            self._cleaned = time.monotonic()
            remove_expired(self.settings, self.store)

    def _spawn(self) -> None:
        name = f"{os.getpid()}-{secrets.token_hex(4)}"
        # Workers listen nowhere, and the token is none of their business.
        settings = json.dumps(asdict(self.settings) | {"host": LOOPBACK[0], "token": None}, default=str)
        command = [sys.executable, "-m", "avsr.app.worker", settings, name, str(os.getpid())]
        self._workers[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=without_token() | {"MALLOC_ARENA_MAX": "2"})
        if len(self._workers) == self.settings.workers:
            self._spawned = time.monotonic()

    def _bury(self) -> None:
        for name, process in list(self._workers.items()):
            code = process.poll()
            if code is not None:
                del self._workers[name]
                self.jobs.give_back(name, _KILLED if code == -signal.SIGKILL else _CRASH)

    def _end_greedy(self) -> None:
        """Kill who takes too much memory or time; that is the video's fault."""
        late = self.jobs.overdue(self.settings.job_factor, self.settings.job_least)
        for name, process in list(self._workers.items()):
            if name in late or _resident(process.pid) > self.settings.worker_bytes:
                process.kill()
                process.wait()
                del self._workers[name]
                self.jobs.give_back(name, _CRASH)


def remove_expired(settings: Settings, store: Store) -> None:
    """Delete videos whose time is over, whatever their state, with all their files, and uploads that were left half-way."""
    now = time.time()
    for video in store.videos():
        if (video.expires <= now or (video.state == "uploading" and _still_for(settings, video, now) > _LEFT)) and store.remove_video(video.id):
            shutil.rmtree(settings.folder(video.id), ignore_errors=True)
    # What a worker was writing while its folder was being deleted.
    known = {video.id: video.state for video in store.videos()}
    for folder in (settings.data / "videos").iterdir():
        if folder.name not in known and now - folder.stat().st_mtime > _CLEAN:
            shutil.rmtree(folder, ignore_errors=True)
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


def _resident(process: int) -> int:
    """Bytes of memory that a process holds; 0 where that cannot be told."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
