"""The live recogniser: sound and pictures as they come, messages with text while people speak."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from avsr.decoding.live.drafts import Drafts
from avsr.decoding.live.inbox import Inbox
from avsr.decoding.live.lips import DEAD
from avsr.decoding.live.messages import Dropped, Message, ModeSwitch
from avsr.decoding.live.speakers import Speakers
from avsr.decoding.live.switch import LATE, Switch
from avsr.decoding.live.timeline import Timeline
from avsr.decoding.packed import MODE_ALONE
from avsr.decoding.recognizer import Recognizer
from avsr.decoding.segment import SAMPLES
from avsr.decoding.streams import FPS, MODES
from avsr.errors import AvsrError
from avsr.lips.crop import SIDE

if TYPE_CHECKING:
    from avsr.lips.landmarks import FaceDetector
    from avsr.lips.live import LiveMouths
    from avsr.lips.several_faces import SeveralFaces

_RATE = SAMPLES * FPS
_JITTER = 0.02  # seconds by which sound may seem to come early or late without a sample being moved
_LONGEST_GAP = 3600.0  # seconds; a broken clock would otherwise fill the memory
_BEHIND, _CAUGHT_UP = 5.0, 2.0  # seconds that a segment waits to be recognised: from and until then no pictures are looked at
_TELL_DROPPED = 1.0  # media seconds between two messages of what was dropped


class LiveRecognizer:
    """Recognises one session. `add_sound` and `add_picture` may be called from another thread than the rest; `poll` is to be called some
    ten times a second, by one thread. A context manager.

    Recognition itself runs in a thread of its own (or in `executor`), so that faces and voices are watched meanwhile; the longer it
    takes, the rarer partials become, and finals wait for their turn. Partials are read by the packed model alone, finals by the
    recogniser as it is, an ear included. With an ear nothing is committed before the final, for another has heard the partials.

    As long as one face at a time is seen, `speaker` is None. Once there were two in one picture, each has lines of their own, which may
    overlap, and `speaker` is their number, from 1 on, 0 for a voice that comes from out of the picture, or None for one of which that cannot
    be told because nobody is to be seen.

    Args:
        recognizer: loaded.
        mode: auto (what there is of sound and mouth at each moment), av, audio or lip.
        detector: finds faces, one or more; None for the usual one, made when the first picture comes. It is closed by its owner.
        executor: where recognition runs; None for a thread.
        clock: tells the seconds that recognition takes, by which partials become rarer.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        *,
        mode: str = "auto",
        detector: FaceDetector | SeveralFaces | None = None,
        executor: Executor | None = None,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        if mode not in MODES:
            raise AvsrError(f"mode {mode!r} is unknown; give one of {', '.join(MODES)}.")
        streams = recognizer.packed.streams if recognizer.ear is None else recognizer.packed.streams | {"sound"}
        alone = {frozenset({stream}): of for stream, of in MODE_ALONE.items()}.get(streams)
        if alone is not None and mode not in ("auto", alone):
            raise AvsrError(f"{recognizer.packed.path}: was trained for mode {alone} alone; use that, or another model.")
        self._mode = alone or mode
        sound, lips = self._mode != "lip", self._mode != "audio"
        self._sound, self._lips = sound, lips
        self._inbox, self._timeline, self._switch = Inbox(), Timeline(sound=sound, lips=lips), Switch(sound=sound, lips=lips)
        self._speakers = Speakers(self._timeline)
        self._detector, self._own_detector = detector, detector is None
        self._mouth: LiveMouths | None = None
        self._executor, self._own_executor = executor or ThreadPoolExecutor(1, "recognise"), executor is None
        self._drafts = Drafts(recognizer, self._mode, self._executor, self._next, clock)
        self._origin: float | None = None  # media second of frame 0
        self._now = self._heard = self._shown = 0.0  # seconds since the origin: the clock, and where sound and pictures have come to
        self._behind = False
        self._told_dropped = -math.inf
        self._seq = 0

    def __enter__(self) -> LiveRecognizer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def warm_up(self) -> None:
        """Load what is loaded at first use (seconds), so that the session's beginning is not late. FaceModelError when the face model
        cannot be had."""
        rng = np.random.default_rng(1)
        samples = 0.1 * rng.standard_normal(_RATE).astype(np.float32)
        if self._lips:
            self._faces().detect(np.zeros((240, 320, 3), np.uint8), 0.0)
        self._drafts.warm_up(samples if self._sound else None, rng.integers(0, 255, (FPS, SIDE, SIDE), np.uint8) if self._lips else None)

    def add_sound(self, time: float, samples: np.ndarray) -> None:
        """(N,) float in -1..1 at 16 kHz, the first at media second `time`. Holes are silence; what overlaps counts once."""
        if len(samples):
            self._inbox.add_sound(time, np.clip(np.nan_to_num(np.asarray(samples, np.float32)), -1.0, 1.0))

    def add_picture(self, time: float, image: np.ndarray) -> None:
        """A picture (H, W, 3) uint8 RGB or (H, W) grey, shown from media second `time` on; it must not be written into any more."""
        self._inbox.add_picture(time, image)

    def poll(self, now: float | None = None) -> list[Message]:
        """Work on what has come, and say what is new.

        Args:
            now: the media second that it is; None where only what has come tells it, so that a stream that stops is not missed.

        Raises:
            AvsrError: timestamps jump by over an hour, or the face model cannot be had.
        """
        sound, pictures = self._inbox.take()
        self._begin(sound, pictures)
        if self._origin is None:
            return []
        self._hear(sound)
        self._now = max(self._now, self._heard, (now or 0.0) - self._origin)
        if self._gives_pictures_up():
            self._inbox.give_up(pictures)
        else:
            for time, image in pictures:
                self._see(time, image)
        self._fill()
        messages = self._changes()
        closed = self._speakers.update()
        messages += self._drafts.work(self._speakers.open, closed, self._now)
        messages += self._lost()
        waits, needed = self._drafts.needed, self._speakers.needed
        self._timeline.forget(needed if waits is None else min(waits, needed))
        return messages

    def finish(self) -> list[Message]:
        """Nothing comes any more: the last messages, with the finals of all that was said. It waits for them."""
        messages = self.poll()
        if self._origin is None:
            return messages
        if self._mouth is not None:
            self._mouth.finish()
            self._timeline.add_mouths(self._mouth.take())
        self._timeline.finish()
        return messages + self._drafts.work([], self._speakers.finish(), self._now, last=True)

    def close(self) -> None:
        """End the threads; what was not finished is given up."""
        if self._own_executor:
            self._executor.shutdown(wait=True, cancel_futures=True)
        if self._own_detector and self._detector is not None:
            self._detector.close()
            self._detector = None

    def _gives_pictures_up(self) -> bool:
        """Where recognition cannot follow. To find faces takes as long as to read what was said, and what was said with a mouth three
        times as long as by its sound alone; without them it catches up, and what waits stays small. Not where there are the lips alone."""
        late = self._drafts.behind(self._now) > (_CAUGHT_UP if self._behind else _BEHIND)
        self._behind = late and self._sound and self._timeline.silent_for() < DEAD
        return self._behind

    def _begin(self, sound: list, pictures: list) -> None:
        """Frame 0 is where the first that comes begins."""
        times = [item[0] for items in (sound if self._sound else [], pictures if self._lips else []) for item in items[:1]]
        if self._origin is None and times:
            self._origin = self._drafts.origin = min(times)

    def _media(self, seconds: float) -> float:
        return round((self._origin or 0.0) + seconds, 3)

    def _next(self) -> int:
        self._seq += 1
        return self._seq

    def _hear(self, chunks: Iterable[tuple[float, np.ndarray]]) -> None:
        if not self._sound:
            return
        for time, samples in chunks:
            first, due = round((time - self._origin) * _RATE), self._timeline.samples_end
            if abs(first - due) <= _JITTER * _RATE:
                first = due
            if first > due:
                self._silence(first)
            if first + len(samples) > due:
                self._timeline.add_samples(samples[max(0, due - first) :])
                self._heard = self._timeline.samples_end / _RATE

    def _silence(self, until: int) -> None:
        """Zeros up to sample `until`."""
        missing = until - self._timeline.samples_end
        if missing > _LONGEST_GAP * _RATE:
            raise AvsrError(f"timestamps jump by {missing / _RATE:.0f} s: give media seconds that go on, or begin a new session.")
        if missing > 0:
            self._timeline.add_samples(np.zeros(missing, np.float32))

    def _see(self, time: float, image: np.ndarray) -> None:
        if not self._lips:
            return
        if self._mouth is None:
            from avsr.lips.live import LiveMouths

            self._mouth = LiveMouths(self._faces())
        seconds = time - self._origin
        if seconds - self._mouth.count / FPS > _LONGEST_GAP:
            raise AvsrError(f"timestamps jump by {seconds - self._mouth.count / FPS:.0f} s: give media seconds that go on, or begin a new session.")
        self._mouth.add(round(seconds * FPS), image)
        self._shown = max(self._shown, seconds)
        self._now = max(self._now, seconds)
        self._switch.look(self._mouth.looks)
        self._mouth.looks.clear()

    def _faces(self) -> FaceDetector | SeveralFaces:
        if self._detector is None:
            from avsr.lips.several_faces import SeveralFaces

            self._detector = SeveralFaces()
        return self._detector

    def _fill(self) -> None:
        """What is later than LATE is missing."""
        if self._sound and self._now - self._heard > LATE:
            self._silence(round((self._now - LATE) * _RATE))
        until = math.floor((self._now - LATE) * FPS)
        if self._mouth is not None:
            if self._now - self._shown > LATE:
                self._mouth.miss(until)
            self._timeline.add_mouths(self._mouth.take())
        elif self._lips and until > self._timeline.mouths:
            self._timeline.add_nothing_seen(until)

    def _changes(self) -> list[Message]:
        still = 0 if self._mouth is None else self._mouth.still_for
        found = self._switch.changes(self._now, self._timeline, still, heard=self._heard, shown=self._shown, behind=self._behind)
        return [ModeSwitch(self._next(), self._media(self._now), mode, reason, self._media(since)) for mode, reason, since in found]

    def _lost(self) -> list[Message]:
        if self._now - self._told_dropped < _TELL_DROPPED:
            return []
        sound, pictures = self._inbox.take_dropped()
        if not sound and not pictures:
            return []
        self._told_dropped = self._now
        return [Dropped(self._next(), self._media(self._now), round(sound, 3), round(pictures, 3))]
