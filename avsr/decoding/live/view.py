"""What one of those who speak in a session says: their lips, and that part of the sound that is theirs."""

from __future__ import annotations

import numpy as np

from avsr.decoding.live.lips import DEAD, Lips
from avsr.decoding.live.timeline import Timeline
from avsr.decoding.people import TURN, UNSEEN, only_own
from avsr.decoding.segment import OFF, SAMPLES, SPEECH_COUNTS, lip_activity, runs_of
from avsr.decoding.streams import FPS, Window

_GIVEN_UP = 50  # frames that mouths may be late
_UNTOLD = 30  # frames that the lips may be behind the sound, and be taken to go on as they did
_SOMEBODY = 0.5  # share of a segment's frames in which somebody is to be seen, for it to be said that who speaks is out of the picture
_SETTLED = 5  # frames before the last one asked for, from which on lips seldom turn out to speak or not to after all (one in 300)


class View:
    """`speaker` None: of everybody, as long as one person is seen, whose the sound is. Else of that person alone, or of UNSEEN, who has
    no lips: a voice is put to those whose lips speak as `avsr.decoding.people.share_voice` does, which is known some half a second after it
    was heard, and that it is nobody's in the picture another second after that."""

    def __init__(self, timeline: Timeline, speaker: int | None = None) -> None:
        self.speaker = speaker
        self._timeline = timeline

    @property
    def came(self) -> int:
        """Frames that have come."""
        return self._timeline.edge

    @property
    def edge(self) -> int:
        """Frames of which it is known what can be."""
        line = self._timeline
        if self.speaker is None or line.over:
            return line.edge
        return max(line.base, min(line.edge, line.asked - _SETTLED) - (TURN if self.speaker == UNSEEN else 0))

    def sure_until(self) -> int:
        """Frame up to which it is known whether somebody speaks: where the sound is off, the lips tell it, a little later."""
        line = self._timeline
        if self.speaker is None and (not line.with_sound or (line.with_lips and line.silent_for() >= DEAD)):
            return min(line.edge, line.mouths)
        return self.edge

    def mouths_reach(self, stop: int) -> bool:
        """Whether the mouths before frame `stop` are there, or are not worth waiting for."""
        line = self._timeline
        return not line.with_lips or line.mouths >= stop or line.edge - line.mouths > _GIVEN_UP

    def activity(self, first: int, stop: int) -> np.ndarray:
        """(stop - first,) bool: their voice is heard, or where the sound is something else or off, their lips speak."""
        line = self._timeline
        length = line.edge - line.base
        heard, loud, off = np.zeros(length, bool), np.zeros(length, bool), np.ones(length, bool)
        if line.with_sound:
            heard, loud = line.heard, line.loud
            off = runs_of(line.level < OFF, DEAD) if loud.any() else off
        if self.speaker is not None:
            heard = self._own(length)
        active = heard | ((loud | off) & self._spoken(length))
        return active[first - line.base : stop - line.base]

    def quietest(self, first: int, stop: int) -> int:
        """The frame of first .. stop at which a cut does least harm."""
        line, lips = self._timeline, self._lips
        cost = np.zeros(stop - first)
        if line.with_sound:
            cost = line.level[first - line.base : stop - line.base]
        if lips is not None and (not line.with_sound or float(np.median(cost)) < OFF):
            moved = lips.motion(first, stop)
            if len(moved):
                moved = moved + SPEECH_COUNTS * lips.probability(first, first + len(moved))
                cost = np.pad(moved, (0, stop - first - len(moved)), mode="edge")
        smooth = np.convolve(np.pad(cost, 2, mode="edge"), np.ones(5) / 5, mode="valid")
        return first + int(np.argmin(smooth))

    def window(self, first: int, stop: int, origin: float) -> Window:
        """What there is of frames first .. stop, copied, without what others say meanwhile; frame 0 is at media second `origin`."""
        line, samples = self._timeline, None
        if line.with_sound:
            samples = line.samples[(first - line.base) * SAMPLES : (stop - line.base) * SAMPLES].copy()
            if self.speaker is not None:
                here = slice(first - line.base, stop - line.base)
                own, others = self._own(line.edge - line.base)[here], self._others(line.edge - line.base)[here]
                samples = only_own(samples, own, others) if len(own) else samples
        seen = None if self._lips is None else self._lips.window(first, stop)
        frames, confidence = seen or (None, None)
        return Window(origin + first / FPS, samples, frames, confidence, last=False)

    def whose(self, first: int, stop: int) -> int | None:
        """Who says what is said in frames first .. stop; None where that is not known: a voice is nobody's in the picture, but hardly anybody
        was to be seen there."""
        if self.speaker != UNSEEN:
            return self.speaker
        seen = [lips.seen_in(first, stop) for lips in self._timeline.people.values()]
        return UNSEEN if seen and np.any(seen, axis=0).mean() >= _SOMEBODY else None

    @property
    def _lips(self) -> Lips | None:
        return self._timeline.lips if self.speaker is None else self._timeline.people.get(self.speaker)

    def _own(self, length: int) -> np.ndarray:
        return self._timeline.shares().get(self.speaker, np.zeros(length, bool))

    def _others(self, length: int) -> np.ndarray:
        found = np.zeros(length, bool)
        for speaker, share in self._timeline.shares().items():
            found |= share & (speaker != self.speaker)
        return found

    def _spoken(self, length: int) -> np.ndarray:
        spoken, lips = np.zeros(length, bool), self._lips
        if lips is None:
            return spoken
        known = lip_activity(lips.speaking)[:length]
        spoken[: len(known)] = known
        if len(known) and known[-1] and length - len(known) <= _UNTOLD:
            spoken[len(known) :] = True
        return spoken
