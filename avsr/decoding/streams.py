"""Reads sound and mouth of a file window by window, however long it is, and decides which of them can be used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from avsr.decoding.segment import SAMPLES, SILENCE
from avsr.errors import AvsrError, MediaError, NoFaceError
from avsr.media.probe import MediaInfo, Span, add_span, probe

MODES = ("auto", "av", "audio", "lip")
FPS = 25
WINDOW = 60.0
"""Media seconds read at a time: bounds the memory (13 MB of crops), and is how often progress is told."""


@dataclass
class Window:
    """Both streams from `start` (media seconds) on, in step: 640 samples for each frame.

    samples: (640 T,) float32 (at the end of the file perhaps fewer or more), None where the mode does without sound.
    frames, confidence: (T, 96, 96) uint8 and (T,), confidence 0 where no mouth is seen; None likewise.
    """

    start: float
    samples: np.ndarray | None
    frames: np.ndarray | None
    confidence: np.ndarray | None
    last: bool

    @property
    def length(self) -> int:
        """Frames of the longer stream."""
        sound = 0 if self.samples is None else -(-len(self.samples) // SAMPLES)
        return max(sound, 0 if self.frames is None else len(self.frames))


@dataclass
class Streams:
    """A file opened for a mode; iterate `windows()`, then the rest is known.

    `mode` narrows from "auto" to what the file has; `reason` says why, in words. `sound_damaged` and `unseen` are spans
    of sound that could not be decoded and of pictures without a usable mouth.
    """

    path: Path
    mode: str
    info: MediaInfo
    reason: str = ""
    sound_damaged: list[Span] = field(default_factory=list)
    unseen: list[Span] = field(default_factory=list)
    heard: bool = False
    seen: bool = False
    end: float = 0.0

    def windows(self) -> Iterator[Window]:
        """The file from its beginning, WINDOW seconds at a time.

        NoFaceError, MediaError: what the mode needs is not there, and what to do.
        """
        start, last = 0.0, False
        while not last:
            # Without a length in the header the file is read at once; nor is a scrap left for the end.
            last = self.info.duration - start < 1.25 * WINDOW
            end = None if last else start + WINDOW
            length = None if last else round(WINDOW * FPS)
            samples = self._sound(start, end, length) if self.mode in ("auto", "av", "audio") else None
            frames, confidence = self._mouth(start, end, length) if self.mode in ("auto", "av", "lip") else (None, None)
            yield Window(start, samples, frames, confidence, last)
            start = start + WINDOW
        self._conclude()

    def _sound(self, start: float, end: float | None, length: int | None) -> np.ndarray | None:
        from avsr.media.audio import read_audio

        try:
            samples, damaged = read_audio(self.path, start=start, end=end)
        except MediaError as error:
            if self.mode != "auto":
                raise
            self._narrow("lip", str(error))
            return None
        for span in damaged:
            add_span(self.sound_damaged, span.start, span.end, 0.0, None)
        if length is not None:
            samples = np.pad(samples[: length * SAMPLES], (0, max(0, length * SAMPLES - len(samples))))
        self.heard |= bool(len(samples)) and float(np.abs(samples).max()) >= SILENCE
        self.end = max(self.end, start + len(samples) / (FPS * SAMPLES))
        return samples

    def _mouth(self, start: float, end: float | None, length: int | None):
        from avsr.lips.extract import extract_mouth_clips

        frames, confidence = np.zeros((0, 96, 96), np.uint8), np.zeros(0, np.float32)
        try:
            clip = extract_mouth_clips(self.path, start=start, end=end)[0]
            frames, confidence = clip.frames, clip.confidence
        except NoFaceError:
            # There may be one in another window, and if not, _conclude says so.
            if length is None:
                add_span(self.unseen, start, self.info.duration, 0.0, None)
        except MediaError as error:
            if start == 0 and self.mode != "auto":
                raise
            if start == 0:
                self._narrow("audio", str(error))
                return None, None
            # Further on it only says that the picture ends before the sound.
        if length is not None:
            missing = max(0, length - len(frames))
            frames = np.pad(frames[:length], ((0, missing), (0, 0), (0, 0)))
            confidence = np.pad(confidence[:length], (0, missing))
        for index in np.flatnonzero(confidence <= 0):
            add_span(self.unseen, start + index / FPS, start + (index + 1) / FPS, 0.0, None)
        self.seen |= bool((confidence > 0).any())
        self.end = max(self.end, start + len(frames) / FPS)
        return frames, confidence

    def _narrow(self, mode: str, reason: str) -> None:
        if self.mode != "auto":  # the other stream has failed already
            raise MediaError(reason)
        self.mode, self.reason = mode, reason

    def _conclude(self) -> None:
        """What was asked for must have been there; what "auto" became is said."""
        if self.mode in ("av", "lip") and not self.seen:
            other = "" if self.info.audio is None else ", or use --mode audio"
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


def open_streams(path: Path, mode: str) -> Streams:
    """See what a file holds and whether it can be recognised in this mode; AvsrError says what to do where it cannot."""
    if mode not in MODES:
        raise AvsrError(f"mode {mode!r} is unknown; give one of {', '.join(MODES)}.")
    info = probe(path)
    if info.video is None:
        if mode in ("av", "lip"):
            raise MediaError(f"{path}: holds no picture, which mode {mode} needs; use --mode audio.")
        return Streams(Path(path), "audio", info, "it holds no picture" if mode == "auto" else "")
    if info.audio is None:
        if mode in ("av", "audio"):
            raise MediaError(f"{path}: holds no sound, which mode {mode} needs; use --mode lip.")
        return Streams(Path(path), "lip", info, "it holds no sound" if mode == "auto" else "")
    return Streams(Path(path), mode, info, "")
