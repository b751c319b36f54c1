"""What has come and waits to be looked at, filled by one thread and emptied by another; what is too much is dropped, the oldest first."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from threading import Lock

import numpy as np

from avsr.lips.mouth_clip import FPS
from avsr.media.audio import SAMPLE_RATE

MOST_SOUND = 60.0
"""Seconds of sound that may wait."""

MOST_PICTURES, LEFT_PICTURES = 75, 25
"""Pictures that may wait (three seconds of most cameras), and those that are left when they are more."""

MOST_BYTES = 128 << 20
"""Bytes that pictures may take: 20 of 1920x1080."""

_LONGEST_SHOWN = 0.5  # seconds that a picture may stand for


class Inbox:
    """Sound and pictures with the media seconds at which they begin."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._sound: deque[tuple[float, np.ndarray]] = deque()
        self._pictures: deque[tuple[float, np.ndarray]] = deque()
        self._dropped = [0.0, 0.0]  # seconds of sound and of pictures
        self._waiting = self._bytes = 0  # samples, and bytes of pictures

    def add_sound(self, time: float, samples: np.ndarray) -> None:
        """(N,) float at 16 kHz."""
        with self._lock:
            self._sound.append((time, samples))
            self._waiting += len(samples)
            while len(self._sound) > 1 and self._waiting > MOST_SOUND * SAMPLE_RATE:
                count = len(self._sound.popleft()[1])
                self._waiting -= count
                self._dropped[0] += count / SAMPLE_RATE

    def add_picture(self, time: float, image: np.ndarray) -> None:
        """(H, W, 3) uint8 RGB or (H, W) grey."""
        with self._lock:
            self._pictures.append((time, image))
            self._bytes += image.nbytes
            if len(self._pictures) > MOST_PICTURES or self._bytes > MOST_BYTES:
                while len(self._pictures) > LEFT_PICTURES or self._bytes > MOST_BYTES // 3 and len(self._pictures) > 1:
                    before, gone = self._pictures.popleft()
                    self._bytes -= gone.nbytes
                    self._dropped[1] += min(_LONGEST_SHOWN, max(0.0, self._pictures[0][0] - before))

    def take(self) -> tuple[list[tuple[float, np.ndarray]], list[tuple[float, np.ndarray]]]:
        """All sound and pictures that wait."""
        with self._lock:
            taken = list(self._sound), list(self._pictures)
            self._sound.clear()
            self._waiting = self._bytes = 0
            self._pictures.clear()
        return taken

    def give_up(self, pictures: Sequence[tuple[float, np.ndarray]]) -> None:
        """Pictures that were taken are not looked at after all."""
        times = [time for time, _ in pictures]
        with self._lock:
            self._dropped[1] += sum(min(_LONGEST_SHOWN, max(0.0, after - before)) for before, after in zip(times, [*times[1:], *(last + 1 / FPS for last in times[-1:])]))

    def take_dropped(self) -> tuple[float, float]:
        """Seconds of sound and of pictures that were dropped since the last call."""
        with self._lock:
            dropped, self._dropped = self._dropped, [0.0, 0.0]
        return dropped[0], dropped[1]
