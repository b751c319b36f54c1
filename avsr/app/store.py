"""The server's tables in SQLite: videos, the jobs on them, and their captions."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from avsr.errors import AvsrError

_VERSION = 1
_SCHEMA = """
CREATE TABLE video (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, name TEXT NOT NULL, mode TEXT NOT NULL, size INTEGER NOT NULL,
    created REAL NOT NULL, expires REAL NOT NULL, state TEXT NOT NULL, duration REAL, picture INTEGER, sound INTEGER,
    used TEXT, reason TEXT NOT NULL DEFAULT '', error_code TEXT, error_message TEXT, burned TEXT
);
CREATE INDEX video_owner ON video (owner, created);
CREATE TABLE job (
    id INTEGER PRIMARY KEY AUTOINCREMENT, video TEXT NOT NULL REFERENCES video ON DELETE CASCADE, task TEXT NOT NULL,
    state TEXT NOT NULL, claim TEXT, worker TEXT, lease REAL, tries REAL NOT NULL DEFAULT 0, began REAL, furthest REAL NOT NULL DEFAULT 0,
    step TEXT NOT NULL DEFAULT 'queued', done REAL NOT NULL DEFAULT 0, total REAL, until REAL, UNIQUE (video, task)
);
CREATE INDEX job_state ON job (state, id);
CREATE TABLE cue (
    video TEXT NOT NULL REFERENCES video ON DELETE CASCADE, n INTEGER NOT NULL, start REAL NOT NULL, stop REAL NOT NULL,
    text TEXT NOT NULL, source TEXT NOT NULL, confidence REAL, speaker TEXT, edited INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (video, n)
);
"""

STATES = ("uploading", "queued", "running", "done", "failed")


@dataclass(frozen=True)
class Video:
    """A row of `video`. Times are seconds since the epoch, `duration` and a cue's are media seconds. `state` is of STATES; `used` the
    mode that was, `reason` why; `burned` the name of the captioned video's file, where there is one with the captions as they are."""

    id: str
    owner: str
    name: str
    mode: str
    size: int
    created: float
    expires: float
    state: str
    duration: float | None
    picture: bool | None
    sound: bool | None
    used: str | None
    reason: str
    error_code: str | None
    error_message: str | None
    burned: str | None


@dataclass(frozen=True)
class StoredCue:
    """A caption: `source` is voice, lips or both, `confidence` in 0..1 or None, `edited` whether a person has changed the text."""

    n: int
    start: float
    end: float
    text: str
    source: str
    confidence: float | None
    speaker: str | None
    edited: bool = False


class Store:
    """The tables, for threads and processes at once.

    Every change is one transaction, written ahead (WAL), so that a process may be killed anywhere between two of them.

    Args:
        path: of the database, made where there is none.

    Raises:
        AvsrError: it cannot be opened, or is of another version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        try:
            with self.change() as database:
                version = database.execute("PRAGMA user_version").fetchone()[0]
                if version == 0:
                    for statement in _SCHEMA.split(";\n"):
                        database.execute(statement)
                    database.execute(f"PRAGMA user_version = {_VERSION}")
        except sqlite3.Error as error:
            raise AvsrError(f"{path}: cannot be used as the server's database ({error}); give --data another folder.") from error
        if version not in (0, _VERSION):
            raise AvsrError(f"{path}: is of another version of avsr; give --data another folder.")

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's own."""
        if not hasattr(self._local, "connection"):
            connection = sqlite3.connect(self.path, timeout=10.0, isolation_level=None)
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
            self._local.connection = connection
        return self._local.connection

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """A transaction that writes: begun as one, so that two who read before they write wait for each other."""
        connection = self.connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # a full disk has ended it already
                connection.execute("ROLLBACK")
            raise

    def add_video(self, video: Video) -> None:
        with self.change() as database:
            insert_video(database, video)

    def video(self, id: str) -> Video | None:
        row = self.connection.execute("SELECT * FROM video WHERE id = ?", (id,)).fetchone()
        return None if row is None else _video(row)

    def videos(self, owner: str | None = None) -> list[Video]:
        """Those of an owner, or of all; the newest first."""
        where, values = ("", ()) if owner is None else ("WHERE owner = ?", (owner,))
        return [_video(row) for row in self.connection.execute(f"SELECT * FROM video {where} ORDER BY created DESC, id", values)]

    def update_video(self, id: str, **fields: object) -> None:
        with self.change() as database:
            set_video(database, id, **fields)

    def remove_video(self, id: str) -> bool:
        """With its jobs and captions; whether there was one."""
        with self.change() as database:
            return database.execute("DELETE FROM video WHERE id = ?", (id,)).rowcount > 0

    def cues(self, video: str, after: int = 0) -> list[StoredCue]:
        """The captions in the order of their numbers, which begin at 1; those above `after`."""
        rows = self.connection.execute("SELECT * FROM cue WHERE video = ? AND n > ? ORDER BY n", (video, after))
        return [_cue(row) for row in rows]

    def edit_cue(self, video: str, n: int, text: str) -> StoredCue | None:
        """Change a caption's text; None where there is no such caption. A captioned video made before is none of these captions any
        more."""
        with self.change() as database:
            found = database.execute("UPDATE cue SET text = ?, edited = 1 WHERE video = ? AND n = ?", (text, video, n)).rowcount
            if not found:
                return None
            database.execute("DELETE FROM job WHERE video = ? AND task = 'burn'", (video,))
            set_video(database, video, burned=None)
            return _cue(database.execute("SELECT * FROM cue WHERE video = ? AND n = ?", (video, n)).fetchone())


def insert_video(database: sqlite3.Connection, video: Video) -> None:
    """Inside a transaction: a video more."""
    names = ", ".join(vars(video))
    database.execute(f"INSERT INTO video ({names}) VALUES ({', '.join('?' * len(vars(video)))})", tuple(vars(video).values()))


def set_video(database: sqlite3.Connection, id: str, **fields: object) -> None:
    """Inside a transaction: set these columns of a video."""
    if fields:
        names = ", ".join(f"{name} = ?" for name in fields)
        database.execute(f"UPDATE video SET {names} WHERE id = ?", (*fields.values(), id))


def set_cues(database: sqlite3.Connection, video: str, cues: Sequence[StoredCue]) -> None:
    """Inside a transaction: in the place of all captions of a video."""
    database.execute("DELETE FROM cue WHERE video = ?", (video,))
    add_cues(database, video, cues)


def add_cues(database: sqlite3.Connection, video: str, cues: Sequence[StoredCue]) -> None:
    """Inside a transaction: more captions of a video; one that is there already is told again by a worker that had no answer."""
    rows = [(video, c.n, c.start, c.end, c.text, c.source, c.confidence, c.speaker, int(c.edited)) for c in cues]
    database.executemany("INSERT OR REPLACE INTO cue VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)


def _video(row: sqlite3.Row) -> Video:
    fields = dict(row)
    for name in ("picture", "sound"):
        fields[name] = None if fields[name] is None else bool(fields[name])
    return Video(**fields)


def _cue(row: sqlite3.Row) -> StoredCue:
    return StoredCue(row["n"], row["start"], row["stop"], row["text"], row["source"], row["confidence"], row["speaker"], bool(row["edited"]))
