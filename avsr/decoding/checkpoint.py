"""What was recognised of a file so far, kept beside its results-to-be, so that an interrupted run goes on."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from avsr import __version__
from avsr.decoding.result import Segment, segment_from
from avsr.decoding.segment import Piece
from avsr.decoding.streams import FPS, Streams, Window
from avsr.errors import AvsrError
from avsr.files import digest

_VERSION = 1  # of what the lines mean
_WAITS = 30.0  # seconds: no piece that waits for the next window begins longer before it (avsr.decoding.pieces)
_CONTEXT = 20.0  # seconds before a moment that count in whether lips speak in it, and in what is loud there


def identity_of(video: Path, settings: Mapping[str, Any]) -> str:
    """A hash of what a result depends on: this version of the package, the video by its size and time of change, and the settings; of
    files in these (Path) the contents, of folders the files' sizes and times. Where the video lies plays no part.

    Raises OSError where a file cannot be read.
    """
    state = os.stat(video)
    plain = {name: digest(value) if isinstance(value, Path) else value for name, value in settings.items()}
    whole = [__version__, _VERSION, state.st_size, state.st_mtime_ns, plain]
    return hashlib.sha256(json.dumps(whole, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


class Checkpoint:
    """A file of JSON lines: whose it is; then windows as they begin, with what the streams knew by then; segments; and up to where
    all is done. It is appended to, so that what was written before a kill stands.

    Args:
        path: of the file; what is there of another `identity`, or cannot be read, is begun anew.
        identity: of `identity_of`.

    Raises:
        AvsrError: the file cannot be written.
    """

    def __init__(self, path: Path, identity: str) -> None:
        self.path = path
        self.segments: list[Segment] = []
        self.done = 0.0
        self._windows: list[tuple[float, dict]] = []
        head = {"identity": identity}
        lines = _read_lines(path)
        kept = lines[1:] if lines[:1] == [head] else []
        # Of several people the last segments may lie beyond what is done of all: they are recognised again.
        done = max((line["done"] for line in kept if "done" in line), default=0.0)
        kept = [line for line in kept if "segment" not in line or line["segment"]["start"] < done]
        for line in kept:
            if "segment" in line:
                self.segments.append(segment_from(line["segment"]))
            elif "window" in line:
                self._windows.append((line["window"], line["state"]))
            else:
                self.done = line["done"]
        try:
            # Written anew rather than gone on with: the last line may be cut off.
            temporary = path.with_name(f"{path.name}.new")
            with open(temporary, "w", encoding="utf-8") as file:
                file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in [head, *kept])
            os.replace(temporary, path)
            self._file = open(path, "a", encoding="utf-8")
        except OSError as error:
            raise AvsrError(f"{path}: cannot be written ({error.strerror}); check the folder, or give --out another.") from None

    @property
    def resume(self) -> tuple[float, dict] | None:
        """The media second to read from again, and what the streams knew there: the last window that began so long before what is
        not done that this is seen as it was. None where there is nothing to go on from."""
        early = [window for window in self._windows if window[0] <= max(0.0, self.done - _CONTEXT)]
        return early[-1] if early else None

    def begin_window(self, start: float, state: dict) -> None:
        """A window is about to be read from media second `start`."""
        if any(start == earlier for earlier, _ in self._windows):
            return
        self._windows.append((start, state))
        self._append({"window": start, "state": state})

    def add(self, segment: Segment | None, done: float) -> None:
        """All up to media second `done` is done; `segment` is what was said last, None for nothing."""
        if segment is not None:
            self._append({"segment": asdict(segment)})
        self.done = done
        self._append({"done": done})
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Keep what there is."""
        self._file.close()

    def remove(self) -> None:
        """The result is written."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def _append(self, line: dict) -> None:
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._file.flush()


class Journal:
    """What a run over a file has found, with a checkpoint or without one, and from where it goes on.

    Of one person all is done up to the end of the last piece. Of several, whose pieces overlap, all is done that no piece can reach
    that is still waited for.
    """

    def __init__(self, checkpoint: Checkpoint | None, streams: Streams) -> None:
        self._checkpoint, self._several = checkpoint, streams.faces > 1
        self.segments: list[Segment] = []
        self.start = self.done = 0.0
        if checkpoint is not None and checkpoint.resume is not None:
            self.start, state = checkpoint.resume
            streams.restore(state)
            self.done = checkpoint.done
            self.segments = list(checkpoint.segments)
        self._ends: dict[int | None, float] = {}
        for segment in self.segments:
            self._ends[segment.speaker] = max(self._ends.get(segment.speaker, 0.0), segment.end)
        self._before = self.done

    def begin_window(self, start: float, state: dict) -> None:
        """See Checkpoint.begin_window."""
        if self._several:
            self._advance(start - _WAITS)
        if self._checkpoint is not None:
            self._checkpoint.begin_window(start, state)

    def reached(self, start: float) -> None:
        """What is cut into pieces next begins at media second `start`."""
        if not self._several:
            self._advance(start)

    def left(self, window: Window, pieces: Sequence[Piece], speaker: int | None) -> list[Piece]:
        """What of a window's pieces was not done by an earlier run."""
        done = max(self._before, self._ends.get(speaker, 0.0)) if self._before else 0.0
        first = round((done - window.start) * FPS)
        return [Piece(max(piece.first, first), piece.stop) for piece in pieces if piece.stop > first]

    def add(self, segment: Segment | None, end: float) -> None:
        """A piece up to media second `end` is done; `segment` is what was said, None for nothing."""
        if segment is not None:
            self.segments.append(segment)
        if not self._several:
            self.done = max(self.done, end)
        if self._checkpoint is not None:
            self._checkpoint.add(segment, self.done)

    def _advance(self, done: float) -> None:
        if done > self.done:
            self.done = done
            if self._checkpoint is not None:
                self._checkpoint.add(None, done)


def _read_lines(path: Path) -> list[dict]:
    """The lines up to the first that is not whole."""
    found = []
    try:
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            value = json.loads(line)
            if not isinstance(value, dict):
                break
            found.append(value)
    except (OSError, ValueError):
        pass
    return found
