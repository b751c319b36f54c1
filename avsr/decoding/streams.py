"""Reads sound and mouth of a file window by window, however long it is, and decides which of them can be used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from avsr.decoding.people import gather, number_people
from avsr.decoding.segment import SAMPLES, SILENCE
from avsr.errors import AvsrError, MediaError, NoFaceError
from avsr.media.probe import MediaInfo, Span, add_span, probe

if TYPE_CHECKING:
    from avsr.decoding.look_ahead import SpeechAhead
    from avsr.media.video import Frame

MODES = ("auto", "av", "audio", "lip")
FPS = 25
WINDOW = 60.0
"""Media seconds read at a time: bounds the memory (13 MB of crops), and is how often progress is told."""

# What a `Streams` learns as it reads.
_FOUND = ("mode", "reason", "sound_damaged", "picture_damaged", "unseen", "heard", "seen", "end", "shown", "boxes")

_MAX_EMPTY = 240
"""Windows in a row without sound or picture (4 hours), after which a file is over, whatever its header promises."""


@dataclass
class Window:
    """Both streams from `start` (media seconds) on, in step: 640 samples for each frame.

    samples: (640 T,) float32 (at the end of the file perhaps fewer or more), None where the mode does without sound.
    frames, confidence: (T, 96, 96) uint8 and (T,), confidence 0 where no mouth is seen; None likewise. people: the same of each
    person by number, where several are looked for.
    """

    start: float
    samples: np.ndarray | None
    frames: np.ndarray | None
    confidence: np.ndarray | None
    last: bool
    people: dict[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """Frames of the longer stream."""
        sound = 0 if self.samples is None else -(-len(self.samples) // SAMPLES)
        return max(sound, 0 if self.frames is None else len(self.frames))


@dataclass
class Streams:
    """A file opened for a mode; iterate `windows()`, then the rest is known.

    `mode` narrows from "auto" to what the file has; `reason` says why, in words. With `mouth_only` its pictures already are
    mouths, and no face is looked for. `sound_damaged` and `picture_damaged`
    are spans that could not be decoded, `unseen` those of frames without a usable mouth. `end` is where the last sample
    or picture ends, `shown` the last picture alone, in media seconds.
    """

    path: Path
    mode: str
    info: MediaInfo
    reason: str = ""
    sound_damaged: list[Span] = field(default_factory=list)
    picture_damaged: list[Span] = field(default_factory=list)
    unseen: list[Span] = field(default_factory=list)
    heard: bool = False
    seen: bool = False
    mouth_only: bool = False
    end: float = 0.0
    shown: float = 0.0
    faces: int = 1
    boxes: list[list[float]] = field(default_factory=list)

    def state(self) -> dict[str, Any]:
        """What was found out so far, as JSON can hold it, for `restore`."""
        whole = asdict(self)
        return {name: whole[name] for name in _FOUND}

    def restore(self, state: dict[str, Any]) -> None:
        """Know what `state` said when the window that is read next began."""
        for name in _FOUND:
            value = state[name]
            spans = isinstance(value, list) and name != "boxes"
            setattr(self, name, [Span(**span) for span in value] if spans else value)

    def look_ahead(self, start: float, told: Callable[[float], None] | None, clock: Callable[[], float]) -> SpeechAhead | None:
        """See `avsr.decoding.look_ahead`."""
        from avsr.decoding import look_ahead

        return look_ahead.look_ahead(self.path, start, told, clock)

    def windows(
        self,
        start: float = 0.0,
        begin: Callable[[float, dict[str, Any]], None] | None = None,
        read: Callable[[float], None] | None = None,
    ) -> Iterator[Window]:
        """The file from `start`, at which a window began, WINDOW seconds at a time, to where its streams end, whatever its header
        says. `begin` is told each window's start, and the state before it is read; `read` now and then the media second up to which
        all is read, from a thread of its own while there are pictures.

        NoFaceError, MediaError: what the mode needs is not there, and what to do.
        """
        last, empty = False, 0
        while not last:
            if begin is not None:
                begin(start, self.state())
            left = self.info.duration - start  # below 0 where the header has no length, or too short a one
            # No scrap is left for the end.
            length = round((1.25 if 0 < left < 1.25 * WINDOW else 1.0) * WINDOW * FPS)
            samples = self._sound(start, length) if self.mode in ("auto", "av", "audio") else None
            people: dict[int, tuple[np.ndarray, np.ndarray]] = {}
            frames, confidence = self._mouth(start, length, people, read) if self.mode in ("auto", "av", "lip") else (None, None)
            window = Window(start, samples, frames, confidence, False, people)
            if read is not None:
                read(start + window.length / FPS)
            nothing = (frames is None or not len(frames)) and (samples is None or not samples.any())
            empty = empty + 1 if nothing else 0
            last = window.last = empty == _MAX_EMPTY or (window.length < length and left <= length / FPS)
            if last:
                self._lose_rest(start + length / FPS)
            yield window if last else _padded(window, length)
            start += length / FPS
        self._conclude()

    def _sound(self, start: float, length: int) -> np.ndarray | None:
        """(n,) float32, 640 samples a frame for at most `length` frames: fewer where the sound ends or is lost."""
        from avsr.media.audio import read_audio

        try:
            samples, damaged = read_audio(self.path, start=start, end=start + length / FPS)
        except MediaError as error:
            if self.mode != "auto":
                raise
            self._narrow("lip", str(error))
            return None
        for span in damaged:
            add_span(self.sound_damaged, span.start, span.end, 0.0, None)
        self.heard |= bool(len(samples)) and float(np.abs(samples).max()) >= SILENCE
        self.end = max(self.end, start + len(samples) / (FPS * SAMPLES))
        return samples

    def _mouth(
        self, start: float, length: int, everybody: dict[int, tuple[np.ndarray, np.ndarray]], read: Callable[[float], None] | None
    ) -> tuple[np.ndarray, np.ndarray] | tuple[None, None]:
        """(t, 96, 96) uint8 and (t,) float32 for at most `length` frames: fewer where the picture ends or is lost. Where several
        people are looked for, `everybody` is filled with the same of each, and what is returned is the surest of them. `read`: see
        `windows`."""
        from avsr.lips.extract import find_mouths, find_people, fit_mouths
        from avsr.media.video import VideoReader

        count, clips, people = 0, [], []
        reader = VideoReader(self.path, fps=FPS, start=start, end=start + length / FPS)

        def counted() -> Iterator[Frame]:
            nonlocal count
            for frame in reader:
                count += 1
                if read is not None and count % FPS == 0:
                    read(start + count / FPS)
                yield frame

        try:
            if self.mouth_only:
                clips = [clip for clip in [fit_mouths(counted(), start)] if clip is not None]
            elif self.faces > 1:
                people = find_people(counted(), start, self.faces)
            else:
                clips = find_mouths(counted(), start)
        except MediaError as error:
            if start == 0 and self.mode != "auto":
                raise
            if start == 0:
                self._narrow("audio", str(error))
                return None, None
            # Further on it says that the picture has ended, or that this window's is lost.
            add_span(self.picture_damaged, start, min(start + length / FPS, self.info.duration), 0.0, None)
        for span in reader.damaged:
            add_span(self.picture_damaged, span.start, span.end, 0.0, None)
        if people:
            numbers, self.boxes = number_people(people, self.boxes)
            everybody |= gather(people, numbers, start, count)
            frames, confidence = _surest(list(everybody.values()))
        elif clips:
            frames, confidence = clips[0].frames, clips[0].confidence
        else:  # there may be a face in another window, and if not, _conclude says so
            frames, confidence = np.zeros((count, 96, 96), np.uint8), np.zeros(count, np.float32)
        if count:
            add_span(self.unseen, self.shown, start, 0.0, None)
            self.shown = start + count / FPS
        for index in np.flatnonzero(confidence <= 0):
            add_span(self.unseen, start + index / FPS, start + (index + 1) / FPS, 0.0, None)
        self.seen |= bool((confidence > 0).any())
        self.end = max(self.end, self.shown)
        return frames, confidence

    def _lose_rest(self, start: float) -> None:
        """Neither stream goes on, though the header has more."""
        for spans, alone in ((self.sound_damaged, "lip"), (self.picture_damaged, "audio")):
            if self.mode != alone:
                add_span(spans, start, self.info.duration, 0.0, None)

    def _narrow(self, mode: str, reason: str) -> None:
        if self.mode != "auto":  # the other stream has failed already
            raise MediaError(reason)
        self.mode, self.reason = mode, reason

    def _conclude(self) -> None:
        """What was asked for must have been there; what "auto" became is said."""
        if self.mode != "audio":
            add_span(self.unseen, self.shown, max(self.end, self.info.duration), 0.0, None)
        if self.mode in ("av", "lip") and not self.seen:
            other = "" if self.info.audio is None else ", or use --mode audio"
            if self.mouth_only:
                lack = f"holds no picture that can be read, which mode {self.mode} needs"
                raise NoFaceError(f"{self.path}: {lack}; check the file{other}.")
            raise NoFaceError(f"{self.path}: no face was found, which mode {self.mode} needs; show the speaker's face{other}.")
        if self.mode != "auto":
            return
        if not self.heard and not self.seen:
            raise MediaError(f"{self.path}: no face was found and its sound is silent; give a recording of a speaker.")
        if self.heard and self.seen:
            self.mode, self.reason = "av", "it holds both sound and a face"
        elif self.heard:
            self.mode, self.reason = "audio", "no face was found in it"
        else:
            self.mode, self.reason = "lip", "its sound is silent"


def _padded(window: Window, length: int) -> Window:
    """The window with both streams `length` frames long, so that the next one follows in step."""
    samples, frames, confidence = window.samples, window.frames, window.confidence
    if samples is not None:
        samples = np.pad(samples, (0, length * SAMPLES - len(samples)))
    if frames is not None and confidence is not None:
        frames, confidence = _lengthened(frames, confidence, length)
    people = {number: _lengthened(*mouths, length) for number, mouths in window.people.items()}
    return Window(window.start, samples, frames, confidence, window.last, people)


def _lengthened(frames: np.ndarray, confidence: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    missing = length - len(frames)
    return np.pad(frames, ((0, missing), (0, 0), (0, 0))), np.pad(confidence, (0, missing))


def _surest(people: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """In each frame the mouth that is seen best."""
    confidence = np.stack([mouths[1] for mouths in people])
    best = confidence.argmax(0)
    frames = np.zeros_like(people[0][0])
    for place, (mouths, _) in enumerate(people):
        frames[best == place] = mouths[best == place]
    return frames, confidence.max(0)


def open_streams(path: Path, mode: str, *, mouth_only: bool = False, faces: int = 1) -> Streams:
    """See what a file holds and whether it can be recognised in this mode, of up to `faces` people at once; AvsrError says what to do
    where it cannot."""
    if mode not in MODES:
        raise AvsrError(f"mode {mode!r} is unknown; give one of {', '.join(MODES)}.")
    looked = {"mouth_only": mouth_only, "faces": 1 if mouth_only else faces}
    info = probe(path)
    if info.video is None:
        if mode in ("av", "lip"):
            raise MediaError(f"{path}: holds no picture, which mode {mode} needs; use --mode audio.")
        return Streams(Path(path), "audio", info, "it holds no picture" if mode == "auto" else "")
    if info.audio is None:
        if mode in ("av", "audio"):
            raise MediaError(f"{path}: holds no sound, which mode {mode} needs; use --mode lip.")
        return Streams(Path(path), "lip", info, "it holds no sound" if mode == "auto" else "", **looked)
    return Streams(Path(path), mode, info, **looked)
