"""Sound and mouths of a session in step, 25 frames a second from its beginning, and where in them somebody speaks; kept for as long
as they may be needed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from avsr.decoding.segment import LONGEST, OFF, SAMPLES, SPEECH_COUNTS, VOICE, least_loud, lip_activity, mouth_motion, runs_of, sound_level
from avsr.decoding.streams import FPS, Window
from avsr.lips.crop import SIDE
from avsr.lips.live import Mouth
from avsr.media.voice_activity import VoiceStream

DEAD = 8  # frames (0.32 s) without anything that mean a stream is gone; a file has the time to wait for a second
_FLOOR = 30 * FPS  # frames that the background is measured over
_LOOKED = 5  # new mouths after which it is asked again whether they speak
_AROUND = 45  # frames on either side that this depends on (avsr.lips.speaking's reach)
_AGAIN = 25  # frames before the new ones whose answer may become another with them
_GIVEN_UP = 50  # frames that mouths may be late
_UNTOLD = 30  # frames that the lips may be behind the sound, and be taken to go on as they did


class Timeline:
    """Frames are counted from the beginning of the session; `sounds` and `mouths` is how many of each are there."""

    def __init__(self, *, sound: bool, lips: bool) -> None:
        self._with_sound, self._with_lips = sound, lips
        self.base = 0  # frame that all that follows begins with
        self._samples = np.zeros(0, np.float32)
        self._level, self._loud, self._heard = (np.zeros(0, kind) for kind in (np.float64, bool, bool))
        self._recent = np.zeros(0)  # levels of the last 30 s
        self._voice = VoiceStream()
        self._mouths: list[Mouth] = []
        self._speaking = np.zeros(0, np.float32)
        self._asked = 0  # frame up to which it was asked whether the lips speak

    @property
    def samples_end(self) -> int:
        """Samples since the session's beginning."""
        return self.base * SAMPLES + len(self._samples)

    @property
    def sounds(self) -> int:
        """Frames of sound of which all is known."""
        return self.base + len(self._heard)

    @property
    def mouths(self) -> int:
        """Frames of mouths."""
        return self.base + len(self._mouths)

    @property
    def edge(self) -> int:
        """Frames of which it is known what can be."""
        return self.sounds if self._with_sound else self.mouths

    def add_samples(self, samples: np.ndarray) -> None:
        """(N,) float32 at 16 kHz that follow on those before."""
        self._samples = np.concatenate([self._samples, samples])
        heard = self._voice.add(samples) > VOICE
        if not len(heard):
            return
        first = self.sounds
        begin = (first - self.base) * SAMPLES
        level = sound_level(self._samples[begin : begin + len(heard) * SAMPLES])
        self._level = np.concatenate([self._level, level])
        self._recent = np.concatenate([self._recent, level])[-_FLOOR:]
        loud = level > least_loud(np.percentile(self._recent, 10))  # by the background as it is now: nothing changes afterwards
        self._loud = np.concatenate([self._loud, loud])
        self._heard = np.concatenate([self._heard, heard & loud])

    def add_mouths(self, mouths: Sequence[Mouth]) -> None:
        """Mouths that follow on those before."""
        self._mouths += mouths
        if self.mouths - self._asked >= _LOOKED:
            self._ask()

    def add_nothing_seen(self, until: int) -> None:
        """No mouth was seen in the frames up to `until`."""
        self.add_mouths([Mouth(np.zeros((SIDE, SIDE), np.uint8), 0.0, False)] * (until - self.mouths))

    def mouths_reach(self, stop: int) -> bool:
        """Whether the mouths before frame `stop` are there, or are not worth waiting for."""
        return not self._with_lips or self.mouths >= stop or self.edge - self.mouths > _GIVEN_UP

    def silent_for(self) -> int:
        """How many of the last frames of sound were those of a microphone that is off."""
        on = np.flatnonzero(self._level >= OFF)
        return len(self._level) - (int(on[-1]) + 1 if len(on) else 0)

    def on_for(self) -> int:
        """How many of the last frames of sound were those of a microphone that is on."""
        off = np.flatnonzero(self._level < OFF)
        return len(self._level) - (int(off[-1]) + 1 if len(off) else 0)

    def activity(self, first: int, stop: int) -> np.ndarray:
        """(stop - first,) bool: a voice is heard, or where the sound is something else or off, the lips speak."""
        length = self.edge - self.base
        heard, loud, off = np.zeros(length, bool), np.zeros(length, bool), np.ones(length, bool)
        if self._with_sound:
            heard, loud = self._heard, self._loud
            off = runs_of(self._level < OFF, DEAD) if loud.any() else off
        active = heard | ((loud | off) & self._spoken(length))
        return active[first - self.base : stop - self.base]

    def sure_until(self) -> int:
        """Frame up to which it is known whether somebody speaks: where the sound is off, the lips tell it, a little later."""
        if not self._with_sound or (self._with_lips and self.silent_for() >= DEAD):
            return min(self.edge, self.mouths)
        return self.edge

    def quietest(self, first: int, stop: int) -> int:
        """The frame of first .. stop at which a cut does least harm."""
        cost = np.zeros(stop - first)
        if self._with_sound:
            cost = self._level[first - self.base : stop - self.base]
        if not self._with_sound or float(np.median(cost)) < OFF:
            seen = self._mouths[first - self.base : stop - self.base]
            if seen:
                moved = mouth_motion(np.stack([mouth.crop for mouth in seen]))
                moved += SPEECH_COUNTS * self._spoken_probability(first, first + len(seen))
                cost = np.pad(moved, (0, stop - first - len(seen)), mode="edge")
        smooth = np.convolve(np.pad(cost, 2, mode="edge"), np.ones(5) / 5, mode="valid")
        return first + int(np.argmin(smooth))

    def window(self, first: int, stop: int, origin: float) -> Window:
        """What there is of frames first .. stop, copied; frame 0 is at media second `origin`."""
        samples = frames = confidence = None
        if self._with_sound:
            samples = self._samples[(first - self.base) * SAMPLES : (stop - self.base) * SAMPLES].copy()
        seen = self._mouths[first - self.base : stop - self.base] if self._with_lips else []
        if seen:
            frames = np.stack([mouth.crop for mouth in seen])
            confidence = np.array([mouth.confidence for mouth in seen], np.float32)
            confidence[runs_of(np.array([mouth.still for mouth in seen]), DEAD)] = 0.0
        return Window(origin + first / FPS, samples, frames, confidence, last=False)

    def forget(self, before: int) -> None:
        """Nothing before that frame is needed any more; what the background and the lips are judged by is kept all the same."""
        gone = min(before, self.edge, self.mouths if self._with_lips else before) - 2 * _AROUND - self.base
        if gone < LONGEST:  # seldom, for everything is copied
            return
        self._samples = self._samples[gone * SAMPLES :].copy()
        self._level, self._loud, self._heard = self._level[gone:], self._loud[gone:], self._heard[gone:]
        self._mouths, self._speaking = self._mouths[gone:], self._speaking[gone:]
        self.base += gone

    def _spoken(self, length: int) -> np.ndarray:
        spoken = np.zeros(length, bool)
        if not self._with_lips:
            return spoken
        known = lip_activity(self._speaking)[:length]
        spoken[: len(known)] = known
        if len(known) and known[-1] and length - len(known) <= _UNTOLD:
            spoken[len(known) :] = True
        return spoken

    def _spoken_probability(self, first: int, stop: int) -> np.ndarray:
        known = self._speaking[first - self.base : stop - self.base]
        return np.pad(known, (0, stop - first - len(known)))

    def _ask(self) -> None:
        """Whether the new mouths speak, and once more those just before them, which can be told better now."""
        from avsr.lips import speaking

        first = max(0, self._asked - self.base - _AGAIN)
        around = max(0, first - _AROUND)
        seen = self._mouths[around:]
        frames, confidence = np.stack([mouth.crop for mouth in seen]), np.array([mouth.confidence for mouth in seen], np.float32)
        confidence[runs_of(np.array([mouth.still for mouth in seen]), DEAD)] = 0.0
        told = speaking.speaking_probability(frames, confidence) if confidence.any() else np.zeros(len(seen), np.float32)
        self._speaking = np.concatenate([self._speaking[:first], told[first - around :]])
        self._asked = self.mouths
