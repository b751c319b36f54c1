"""Sound and mouths of a session in step, 25 frames a second from its beginning; kept for as long as they may be needed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from avsr.decoding.live.lips import AROUND, Lips
from avsr.decoding.people import UNSEEN, share_voice
from avsr.decoding.segment import LONGEST, OFF, SAMPLES, VOICE, least_loud, sound_level
from avsr.decoding.streams import FPS
from avsr.lips.live import Seen, no_mouth
from avsr.media.voice_activity import VoiceStream

_FLOOR = 30 * FPS  # frames that the background is measured over
_LOOKED = 5  # new mouths after which it is asked again whether they speak; so many for each person, up to _SELDOM
_SELDOM = 3


class Timeline:
    """Frames are counted from the beginning of the session; `sounds` and `mouths` is how many of each are there.

    `level`, `loud` and `heard`, a value a frame from `base` on: dBFS, whether that is over the background, and whether it is a voice.
    `lips` are those of the one person, or of whoever is seen best; once two were seen at once, there are `several`, and `people` has those of
    each by number, from frame `together` on. `over`: nothing comes any more.
    """

    def __init__(self, *, sound: bool, lips: bool) -> None:
        self.with_sound, self.with_lips = sound, lips
        self.base = 0  # frame that all that follows begins with
        self._sound = _Sound()
        self.level, self.loud, self.heard = (np.zeros(0, kind) for kind in (np.float64, bool, bool))
        self.lips, self.people = Lips(0), dict[int, Lips]()
        self.mouths = self.asked = 0  # frames of mouths, and those of which it was asked whether they speak
        self.several = self.over = False
        self.together = 0
        self._recent = np.zeros(0)  # levels of the last 30 s
        self._voice = VoiceStream()
        self._shares: dict[int, np.ndarray] = {}
        self._shared: tuple[int, int, int, int] | None = None  # what they were made of

    @property
    def samples(self) -> np.ndarray:
        """(N,) float32 at 16 kHz from frame `base` on, to be copied by who keeps it."""
        return self._sound.samples

    @property
    def samples_end(self) -> int:
        """Samples since the session's beginning."""
        return self.base * SAMPLES + len(self.samples)

    @property
    def sounds(self) -> int:
        """Frames of sound of which all is known."""
        return self.base + len(self.heard)

    @property
    def edge(self) -> int:
        """Frames of which it is known what can be."""
        return self.sounds if self.with_sound else self.mouths

    def add_samples(self, samples: np.ndarray) -> None:
        """(N,) float32 at 16 kHz that follow on those before."""
        self._sound.add(samples)
        heard = self._voice.add(samples) > VOICE
        if not len(heard):
            return
        first = self.sounds
        begin = (first - self.base) * SAMPLES
        level = sound_level(self.samples[begin : begin + len(heard) * SAMPLES])
        self.level = np.concatenate([self.level, level])
        self._recent = np.concatenate([self._recent, level])[-_FLOOR:]
        loud = level > least_loud(np.percentile(self._recent, 10))  # by the background as it is now: nothing changes afterwards
        self.loud = np.concatenate([self.loud, loud])
        self.heard = np.concatenate([self.heard, heard & loud])

    def add_mouths(self, seen: Sequence[Seen]) -> None:
        """Mouths that follow on those before."""
        alone = 0 if self.several else next((place for place, one in enumerate(seen) if one.people), len(seen))
        self.lips.add([one.best for one in seen[:alone]])
        self.mouths += alone
        if len(seen) > alone:
            self._add_people(seen[alone:])
        if self.mouths - self.asked >= _LOOKED * min(max(1, len(self.people)), _SELDOM):
            self._ask()

    def _add_people(self, seen: Sequence[Seen]) -> None:
        if not self.several:
            self.several, self.people, self.together = True, {1: self.lips}, self.mouths
        for place, one in enumerate(seen):
            for number in one.people.keys() - self.people.keys():
                self.people[number] = Lips(self.base, since=self.mouths + place)
                self.people[number].add([no_mouth()] * (self.mouths - self.base))
        for number, lips in self.people.items():
            lips.add([one.people.get(number, no_mouth()) for one in seen])
        self.mouths += len(seen)

    def add_nothing_seen(self, until: int) -> None:
        """No mouth was seen in the frames up to `until`."""
        self.add_mouths([Seen(no_mouth())] * (until - self.mouths))

    def finish(self) -> None:
        """Nothing comes any more: what is known by now has to do."""
        if self.several:
            self.add_nothing_seen(self.edge)
            self._ask()
        self.over = True

    def silent_for(self) -> int:
        """How many of the last frames of sound were those of a microphone that is off."""
        on = np.flatnonzero(self.level >= OFF)
        return len(self.level) - (int(on[-1]) + 1 if len(on) else 0)

    def on_for(self) -> int:
        """How many of the last frames of sound were those of a microphone that is on."""
        off = np.flatnonzero(self.level < OFF)
        return len(self.level) - (int(off[-1]) + 1 if len(off) else 0)

    def shares(self) -> dict[int, np.ndarray]:
        """number -> (edge - base,) bool: whether the voice in each frame is theirs, UNSEEN among them. While one person was seen, it was
        theirs."""
        now = self.base, self.edge, self.asked, len(self.people)
        if self._shared != now:
            heard = self.heard if self.with_sound else np.zeros(self.edge - self.base, bool)
            found = share_voice(heard.astype(float), {number: lips.speaking for number, lips in self.people.items()})
            self._shares, alone = {number: share > 0 for number, share in found.items()}, max(0, self.together - self.base)
            for number, share in self._shares.items():
                share[:alone] = heard[:alone] & (number == 1)
            self._shared = now
        return self._shares

    def forget(self, before: int) -> None:
        """Nothing before that frame is needed any more; what the background and the lips are judged by is kept all the same."""
        gone = min(before, self.edge, self.mouths if self.with_lips else before) - 2 * AROUND - self.base
        if gone < LONGEST:  # seldom, for everything is copied
            return
        self._sound.forget(gone * SAMPLES)
        self.level, self.loud, self.heard = self.level[gone:], self.loud[gone:], self.heard[gone:]
        for lips in self._everybody():
            lips.forget(gone)
        self.base += gone

    def drop(self, number: int) -> bool:
        """Forget somebody who has not been seen in all that is kept; False where they were."""
        if self.people[number].seen:
            return False
        del self.people[number]
        return True

    def _ask(self) -> None:
        for lips in self._everybody():
            lips.ask()
        self.asked = self.mouths

    def _everybody(self) -> Iterable[Lips]:
        return self.people.values() if self.several else [self.lips]


class _Sound:
    """Samples behind one another, in room that grows by half: were all that waits copied for each that comes, the more would wait."""

    def __init__(self) -> None:
        self._room, self._count = np.zeros(0, np.float32), 0

    @property
    def samples(self) -> np.ndarray:
        return self._room[: self._count]

    def add(self, samples: np.ndarray) -> None:
        before, self._count = self._count, self._count + len(samples)
        if self._count > len(self._room):
            kept, self._room = self._room[:before], np.zeros(self._count * 3 // 2, np.float32)
            self._room[:before] = kept
        self._room[before : self._count] = samples

    def forget(self, count: int) -> None:
        self._room = self._room[count : self._count].copy()
        self._count = len(self._room)
