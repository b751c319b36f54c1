"""Which of sound and mouth there is at the moment, and why."""

from __future__ import annotations

from collections.abc import Sequence

from avsr.decoding.live.lips import DEAD
from avsr.decoding.live.timeline import Timeline
from avsr.decoding.streams import FPS
from avsr.lips.live import Look

LATE = 0.4
"""Seconds by which a stream may be behind the other, or the clock; then it is missing, and what comes later is too late."""

_SILENT = 5  # frames of sound that mean a microphone is off; the way over a network takes its part of half a second too
_BACK = 3  # frames of sound that mean it is on again
_SEEN = 2  # looks that show a face
_UNSEEN = 0.3  # seconds of looks without one, for a face is missed now and then
_COVERED = 0.14  # seconds of looks at a lens that is covered, about which there is no doubt
_MODES = {(True, True): "av", (True, False): "audio", (False, True): "lip", (False, False): "none"}


class Switch:
    """Told what comes, and asked now and then what has changed. Not known at first: None."""

    def __init__(self, *, sound: bool, lips: bool) -> None:
        self._sound: bool | None = None if sound else False
        self._face: bool | None = None if lips else False
        self._with_sound, self._with_lips = sound, lips
        self._looks: list[Look] = []
        self._said: str | None = None

    @property
    def mode(self) -> str:
        """av, audio, lip or none, by what is known."""
        return _MODES[bool(self._sound), bool(self._face)]

    def look(self, looks: Sequence[Look]) -> None:
        """What was seen in pictures, in order."""
        self._looks = [*self._looks, *looks][-FPS:]

    def changes(self, now: float, timeline: Timeline, still: int, *, heard: float, shown: float, behind: bool = False) -> list[tuple[str, str, float]]:
        """(mode, reason, since when) of what has changed by second `now` of the session; `heard` and `shown` are the seconds up to
        which sound and pictures have come, `behind` whether pictures are given up, `still` the frames for which the picture has not changed."""
        found = []
        for reason, since in (self._hear(now, timeline, heard), self._see(now, still, shown, behind)):
            if reason and self.mode != self._said and None not in (self._sound, self._face):
                found.append((self.mode, "started" if self._said is None else reason, since))
                self._said = self.mode
        return found

    def _hear(self, now: float, timeline: Timeline, heard: float) -> tuple[str, float]:
        if not self._with_sound:
            return "", now
        silent, end = timeline.silent_for(), timeline.sounds / FPS
        if now - heard > LATE:
            return self._hears(False, "microphone_missing", heard)
        if silent >= _SILENT:
            return self._hears(False, "microphone_silent", end - silent / FPS)
        if timeline.on_for() >= _BACK:
            return self._hears(True, "microphone_back", end - _BACK / FPS)
        return "", now

    def _hears(self, on: bool, reason: str, since: float) -> tuple[str, float]:
        changed, self._sound = self._sound is not on, on
        return (reason if changed else ""), since

    def _see(self, now: float, still: int, shown: float, behind: bool) -> tuple[str, float]:
        if not self._with_lips:
            return "", now
        if now - shown > LATE:
            return self._sees(False, "machine_behind" if behind else "camera_missing", shown)
        if still >= DEAD:
            covered = bool(self._looks) and self._looks[-1].covered
            return self._sees(False, "camera_covered" if covered else "camera_frozen", shown - still / FPS)
        without = 0
        for look in reversed(self._looks):
            if look.face:
                break
            without += 1
        if not without and len(self._looks) >= _SEEN and self._looks[-_SEEN].face and not still:
            return self._sees(True, "face_back", self._looks[-_SEEN].index / FPS)
        covered = bool(without) and all(look.covered for look in self._looks[-without:])
        if without and self._looks[-1].index - self._looks[-without].index >= (_COVERED if covered else _UNSEEN) * FPS:
            return self._sees(False, "camera_covered" if covered else "no_face", self._looks[-without].index / FPS)
        return "", now

    def _sees(self, face: bool, reason: str, since: float) -> tuple[str, float]:
        changed, self._face = self._face is not face, face
        return (reason if changed else ""), since
