"""This machine's camera and microphone, or a file that is played in their place, each in a thread of its own."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np

from avsr.errors import AvsrError, MediaError
from avsr.media.audio import SAMPLE_RATE
from avsr.media.play import BLOCK, given_by
from avsr.media.probe import probe

Take = Callable[[float, np.ndarray], None]
"""Told the media second at which a picture (H, W, 3) uint8 RGB or samples (N,) float32 at 16 kHz begin; from other threads."""

_LOST = 0.3  # seconds


class Source(ABC):
    """Gives sound and pictures from `start` to `stop`; media seconds are those since it was started.

    `name` is what files may be called after; `lack` says in a sentence what it should have and has not, where there is such a thing.
    """

    def __init__(self, name: str, lack: str = "") -> None:
        self.name, self.lack = name, lack
        self._stopped = Event()
        self._error: Exception | None = None
        self._thread: Thread | None = None
        self._began = 0.0

    def start(self, sound: Take, picture: Take) -> None:
        """Begin to give."""
        self._began = time.monotonic()
        self._thread = Thread(target=self._run, args=(sound, picture), name="source", daemon=True)
        self._thread.start()

    def now(self) -> float:
        """The media second that it is."""
        return time.monotonic() - self._began

    @property
    def over(self) -> bool:
        """Whether nothing comes any more; an error that ended it is raised."""
        if self._error is not None:
            raise self._error
        return self._thread is None or not self._thread.is_alive()

    def stop(self) -> None:
        """End it, and wait until it has ended; nothing where it has, or was never started."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self, sound: Take, picture: Take) -> None:
        try:
            self._give(sound, picture)
        except (AvsrError, OSError) as error:
            self._error = error

    @abstractmethod
    def _give(self, sound: Take, picture: Take) -> None:
        """Give until it is over or stopped."""


class FileSource(Source):
    """A file in real time, by its timestamps. MediaError where it is none."""

    def __init__(self, path: Path) -> None:
        super().__init__(path.stem)
        self._path, self._info = path, probe(path)

    def _give(self, sound: Take, picture: Take) -> None:
        for one in given_by(self._path, self._info):
            if self._stopped.wait(max(0.0, one.due - self.now())):
                return
            if one.picture is not None:
                picture(one.time, one.picture)
            elif one.samples is not None:
                sound(one.time, one.samples)


class CameraSource(Source):
    """Camera number `camera` as OpenCV counts them, and the microphone that the system uses. MediaError where the camera cannot be
    opened."""

    def __init__(self, camera: int) -> None:
        import cv2

        from avsr.lips.landmarks import quiet_stderr

        with quiet_stderr():  # OpenCV says on stderr which of its drivers have not found it
            self._capture = cv2.VideoCapture(camera)
        if not self._capture.isOpened():
            raise MediaError(f"camera {camera}: cannot be opened; check that it is connected and that no other program has it, or give a file.")
        self._microphone, lack = self._open_microphone()
        super().__init__(f"camera{camera}", lack)
        self._heard_until = 0.0  # media second

    def start(self, sound: Take, picture: Take) -> None:
        self._sound = sound
        super().start(sound, picture)
        if self._microphone is not None:
            self._microphone.start()

    def stop(self) -> None:
        super().stop()
        if self._microphone is not None:
            self._microphone.close()
            self._microphone = None
        self._capture.release()

    def _give(self, sound: Take, picture: Take) -> None:
        import cv2

        while not self._stopped.is_set():
            there, image = self._capture.read()
            if not there:
                raise MediaError(f"{self.name}: gives no picture any more; check that it is connected.")
            picture(self.now(), cv2.cvtColor(image, cv2.COLOR_BGR2RGB))

    def _open_microphone(self) -> tuple[Any, str]:
        """The stream, or why there is none."""
        try:
            import sounddevice
        except OSError:  # the package is there, and the library that it calls is not
            return None, "no microphone: PortAudio is not installed (Debian has it as libportaudio2)."
        try:
            stream = sounddevice.InputStream(SAMPLE_RATE, round(BLOCK * SAMPLE_RATE), channels=1, dtype="float32", callback=self._heard)
        except (sounddevice.PortAudioError, ValueError) as error:
            return None, f"no microphone can be opened ({error})."
        return stream, ""

    def _heard(self, samples: np.ndarray, count: int, *_: object) -> None:
        """PortAudio's callback: (n, 1) samples that have just been recorded. They follow on those before, for callbacks come when they
        can, unless so many were lost that the clock knows better."""
        begin = max(0.0, self.now() - count / SAMPLE_RATE)
        if abs(begin - self._heard_until) < _LOST:
            begin = self._heard_until
        self._heard_until = begin + count / SAMPLE_RATE
        self._sound(begin, samples[:, 0].copy())
