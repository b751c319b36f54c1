"""What a worker has read by another process, for it never opens what people send: `python -m avsr.app.reading`, started by `Reader`.

That process loads what reading wants, once, and forks for each file: the child binds itself to limits, reads or burns, and ends. It writes
messages, lines of JSON, behind some of which arrays follow as plain bytes: nothing that a decoder might have been made to write is more than
numbers to the worker.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

import numpy as np

from avsr.app.codecs import allow_usual_codecs
from avsr.app.process import follow_parent, limit_data, small_stacks
from avsr.decoding.look_ahead import SpeechAhead, look_ahead
from avsr.decoding.segment import SAMPLES
from avsr.decoding.streams import FPS, WINDOW, Streams, Window, open_streams
from avsr.errors import AvsrError, MediaError, NoFaceError
from avsr.media.captions import Cue
from avsr.media.probe import AudioInfo, MediaInfo, VideoInfo

_MOST = round(2 * WINDOW * FPS)  # frames of a window
_ERRORS = {error.__name__: error for error in (AvsrError, MediaError, NoFaceError)}
# Bytes of memory, and of a file that is written. Of what is taken a tenth is never used, and the files that are mapped are as much, so that
# it is what the process has resident. Reading takes 190 MB for 640x480, and 565 for 3840x2160 in 10 bits; burning that takes 1 GB.
_LIMITS = {"read": (596 << 20, 0), "burn": (1536 << 20, 1 << 36)}
_SIDE = 96  # pixels of a mouth


class ReaderEnded(Exception):
    """The process that read has ended in the middle of it: killed, crashed, or out of memory where nobody could say so."""


class SentStreams(Streams):
    """`Streams` whose windows another process reads."""

    messages: _Messages

    def look_ahead(self, start: float, told: Callable[[float], None] | None, clock: Callable[[], float]) -> SpeechAhead | None:
        self.messages.say({"ahead": start})
        while True:
            kind, value = self.messages.next()
            if kind == "ahead":
                return None if value is None else SpeechAhead(value["start"], value["end"], np.array(value["spoken"]), value["took"])
            if told is not None:
                told(float(value))

    def windows(
        self,
        start: float = 0.0,
        begin: Callable[[float, dict[str, Any]], None] | None = None,
        read: Callable[[float], None] | None = None,
    ) -> Iterator[Window]:
        self.messages.say({"start": start, "state": self.state()})
        while True:
            kind, value = self.messages.next()
            if kind == "begin" and begin is not None:
                begin(value["start"], value["state"])
            elif kind == "read" and read is not None:
                read(float(value))
            elif kind in ("window", "end"):
                self.restore(value["state"])
                if kind == "end":
                    return
                yield self.messages.window(value)
                self.messages.say(None)


class Reader:
    """The process of one worker; it is started when it is first wanted, and again after its end."""

    def __init__(self) -> None:
        self._messages: _Messages | None = None

    def start(self) -> None:
        """Be ready for the next file."""
        if self._messages is not None and not self._messages.alive:
            self.close()
        if self._messages is None:
            self._messages = _Messages()

    def open_streams(self, path: Path, mode: str, *, mouth_only: bool = False, faces: int = 1) -> SentStreams:
        """As `avsr.decoding.streams.open_streams`; ReaderEnded here and in what is returned where the process ends."""
        opened = self._asked({"task": "read", "path": str(path), "mode": mode, "mouth_only": mouth_only, "faces": faces}, "opened")
        info = opened.pop("info")
        video, audio = info["video"], info["audio"]
        info = MediaInfo(path, info["duration"], video and VideoInfo(**video), audio and AudioInfo(**audio))
        streams = SentStreams(path, info=info, **opened)
        streams.messages = self._messages
        return streams

    def burn(self, video: Path, cues: Sequence[Cue], target: Path, progress: Callable[[float], None]) -> Path:
        """As `avsr.media.burn_video.burn_video`."""
        cues = [[cue.start, cue.end, cue.text, cue.speaker] for cue in cues]
        return target.with_name(self._asked({"task": "burn", "path": str(video), "cues": cues, "target": str(target)}, "end", progress)["name"])

    def let_go(self) -> None:
        """Whatever it is at is wanted no more."""
        if self._messages is not None and not self._messages.idle:
            self._messages.end()
            self._messages = None

    def close(self) -> None:
        """End the process."""
        if self._messages is not None:
            self._messages.end()
            self._messages = None

    def _asked(self, task: dict[str, Any], wanted: str, progress: Callable[[float], None] = lambda _: None) -> dict[str, Any]:
        self.start()
        self._messages.say(task)
        while True:
            kind, value = self._messages.next()
            if kind == wanted:
                return value
            progress(float(value))


class _Messages:
    """The worker's end of the line to the process."""

    def __init__(self) -> None:
        import subprocess

        from avsr.app.children import without_token

        # What it frees in one thread is there for the others, and what pictures were in goes back: what it may take counts all that it holds.
        command, line = [sys.executable, "-m", "avsr.app.reading"], subprocess.PIPE
        environment = without_token() | {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": str(4 << 20)}
        self._process = subprocess.Popen(command, stdin=line, stdout=line, env=environment)
        self.idle = True

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def say(self, message: dict[str, Any] | None) -> None:
        """A task, where to start, or None for to go on."""
        self.idle = False
        try:
            self._process.stdin.write((b"" if message is None else json.dumps(message).encode()) + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise ReaderEnded from None

    def next(self) -> tuple[str, Any]:
        """What the next message is and says; the errors that the file gives rise to, ReaderEnded."""
        line = self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise ReaderEnded
        ((kind, value),) = json.loads(line).items()
        if kind == "error":
            self._finish()
            raise _ERRORS[value["kind"]](value["message"])
        if kind == "end":
            self._finish()
        return kind, value

    def window(self, told: dict[str, Any]) -> Window:
        """The arrays that follow."""
        frames = confidence = None
        samples = None if told["samples"] is None else self._array(np.float32, (told["samples"],))
        if told["frames"] is not None:
            frames, confidence = self._mouths(told["frames"])
        people = {int(number): self._mouths(count) for number, count in told["people"].items()}
        return Window(told["start"], samples, frames, confidence, told["last"], people)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()

    def _finish(self) -> None:
        """The child has said its last; that it has ended is said by its parent."""
        self.idle = self._process.stdout.readline().endswith(b"\n")

    def _mouths(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        return self._array(np.uint8, (count, _SIDE, _SIDE)), self._array(np.float32, (count,))

    def _array(self, kind: type, shape: tuple[int, ...]) -> np.ndarray:
        if not 0 <= shape[0] <= (_MOST if len(shape) > 1 else _MOST * SAMPLES):
            raise ReaderEnded
        array = np.empty(shape, kind)
        if self._process.stdout.readinto(memoryview(array).cast("B")) != array.nbytes:
            raise ReaderEnded
        return array


class _Line:
    """The child's end."""

    def __init__(self, given: BinaryIO, taken: BinaryIO) -> None:
        self._given, self._taken, self._lock = given, taken, Lock()

    def say(self, kind: str, value: Any, arrays: Sequence[np.ndarray] = ()) -> None:
        with self._lock:  # how far it has read is said by another thread
            self._taken.write(json.dumps({kind: value}).encode() + b"\n")
            for array in arrays:
                self._taken.write(np.ascontiguousarray(array).data)
            self._taken.flush()

    def hear(self) -> Any:
        line = self._given.readline()
        return json.loads(line) if line.strip() else None

    def read(self, path: str, mode: str, mouth_only: bool, faces: int) -> None:
        streams = open_streams(Path(path), mode, mouth_only=mouth_only, faces=faces)
        info = asdict(streams.info) | {"path": None}
        self.say("opened", {"mode": streams.mode, "reason": streams.reason, "mouth_only": streams.mouth_only, "faces": streams.faces, "info": info})
        asked = self.hear()
        while "ahead" in asked:
            _apart(lambda: self._look_ahead(path, asked["ahead"]))
            asked = self.hear()
        streams.restore(asked["state"])
        begin = lambda start, state: self.say("begin", {"start": start, "state": state})  # noqa: E731
        for window in streams.windows(asked["start"], begin, lambda second: self.say("read", second)):
            arrays = [] if window.samples is None else [window.samples]
            arrays += [] if window.frames is None else [window.frames, window.confidence]
            arrays += [array for mouths in window.people.values() for array in mouths]
            told = {
                "start": window.start, "last": window.last, "samples": None if window.samples is None else len(window.samples),
                "frames": None if window.frames is None else len(window.frames), "state": streams.state(),
                "people": {str(number): len(mouths[0]) for number, mouths in window.people.items()},
            }  # fmt: skip
            self.say("window", told, [array.astype(np.float32, copy=False) if array.ndim == 1 else array for array in arrays])
            self.hear()
        self.say("end", {"state": streams.state()})

    def _look_ahead(self, path: str, start: float) -> None:
        found = look_ahead(Path(path), start, lambda second: self.say("read", second))
        self.say("ahead", None if found is None else asdict(found) | {"spoken": found.spoken.tolist()})

    def burn(self, path: str, cues: list[list], target: str) -> None:
        from avsr.media.burn_video import burn_video

        written = burn_video(Path(path), [Cue(*cue) for cue in cues], Path(target), lambda second: self.say("read", second))
        self.say("end", {"name": written.name})


def _apart(what: Callable[[], None]) -> None:
    """Do it in a child of this process, whose memory goes with it. Where it ends otherwise, so does this process: what it was saying is
    not whole, and nothing can be said behind it."""
    child = os.fork()
    if not child:
        try:
            follow_parent()
            what()
        except BaseException:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status:
        sys.exit(f"avsr: the process that read a video has ended ({os.waitstatus_to_exitcode(status)}).")


def _child(line: _Line, task: dict[str, Any]) -> None:
    what = task.pop("task")
    limit_data(*_LIMITS[what])
    try:
        {"read": line.read, "burn": line.burn}[what](**task)
    except AvsrError as error:
        kind = type(error).__name__ if type(error).__name__ in _ERRORS else AvsrError.__name__
        line.say("error", {"kind": kind, "message": str(error)})
    except MemoryError:
        line.say("error", {"kind": "AvsrError", "message": "it takes more memory than a video is given; scale its pictures down."})


def _fetch_face_model() -> None:
    """The child may write no file; where the model cannot be had, it says so if it wants one."""
    from avsr.lips.face_model import FaceModelError, face_model_path

    with suppress(FaceModelError):
        face_model_path()


def main() -> None:
    follow_parent()
    small_stacks()
    import av  # noqa: F401
    import onnxruntime  # noqa: F401
    import soxr  # noqa: F401

    import avsr.lips.extract
    import avsr.media.audio
    import avsr.media.video
    from mediapipe.tasks.python import vision  # noqa: F401
    from mediapipe.tasks.python.core.mediapipe_c_bindings import load_raw_library

    load_raw_library()  # 40 ms of each file else

    # The one thread that runs by now is of onnxruntime, asleep; children do without it, and end without waiting for it.
    allow_usual_codecs()
    taken = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no message
    line = _Line(sys.stdin.buffer, taken)
    fetched = False
    while given := sys.stdin.buffer.readline():
        if not given.strip():  # for a child that had ended
            continue
        if not fetched:
            _fetch_face_model()
            fetched = True
        _apart(lambda: _child(line, json.loads(given)))
        line.say("ended", None)


if __name__ == "__main__":
    main()
