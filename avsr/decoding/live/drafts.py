"""Recognises segments again and again while they go on, promises what stays, and says the last word when they are closed."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field

import numpy as np

from avsr.decoding.live.agreement import Agreement, text_of
from avsr.decoding.live.messages import Final, Message, Partial
from avsr.decoding.live.segmenter import Closed, Open
from avsr.decoding.live.view import View
from avsr.decoding.recognizer import Recognizer
from avsr.decoding.result import Segment
from avsr.decoding.segment import MARGIN, Piece
from avsr.decoding.streams import FPS, Window

EVERY = 0.4
"""Media seconds between two partial recognitions, at the least."""

_BEAM = 10  # at the most: more is worth its time where nobody waits
_BUSY = 2.0  # and this many times what one of them takes, so that half a processor is left
_APART = 0.2  # media seconds between two messages of a segment: at most five a second
_PROMISE = 0.6  # seconds before the newest by which a word must have ended to be committed
_SHOW = 0.16  # and to be shown at all: a word that is being spoken changes
_LONG = 150  # frames of a segment from which on a partial is read from the last _CONTEXT words that are committed on, not from the beginning
_CONTEXT = 3
_BEFORE = 3  # frames before these words
_ENOUGH = 8  # frames in which somebody speaks, before anything is read


@dataclass
class _Job:
    """A recognition that waits or runs, of frames first .. stop: the `whole` segment as it will be if nobody goes on, or as far as it
    goes. `edge` is what was known then."""

    segment: int
    first: int
    stop: int
    edge: int
    whole: bool
    future: Future[tuple[Segment | None, float]]


@dataclass
class _Draft:
    """What is known of a segment without its final, and whose it is."""

    view: View
    speaker: int | None = None
    agreement: Agreement = field(default_factory=Agreement)
    shown: str = ""
    told: float = -math.inf  # when the last partial was given
    first: int = 0  # frame
    asked: int = -1  # edge of the last partial, frames
    whole: tuple[int, int] | None = None  # the frames of the last recognition of the whole
    found: Segment | None = None  # and what it found
    closed: tuple[int, int] | None = None
    limit: float = math.inf  # media second after which nothing is committed


class Drafts:
    """One session's. Recognition runs in `executor`, one at a time; partials wait until nothing else does, and where several people speak
    they take turns.

    In a pause, as soon as it is known what a segment will be if nobody goes on, that is recognised: when the pause has lasted, the final
    is there. Partials use the same search as finals: the best token of each frame is found in a thirtieth of the time, but what is
    committed of it is wrong too often (CER 5.4 in the place of 2.4, and 0.26 characters taken back for each in the place of 0.03).
    """

    def __init__(
        self,
        recognizer: Recognizer,
        mode: str,
        executor: Executor,
        seq: Callable[[], int],
        clock: Callable[[], float],
    ) -> None:
        self.origin = 0.0  # media second of frame 0
        recognizer = recognizer.narrower(_BEAM)
        self._full, self._mode, self._executor, self._seq = recognizer, mode, executor, seq
        self._clock = clock
        self._promises = recognizer.ear is None
        self._native = recognizer if self._promises else Recognizer(recognizer.packed, recognizer.options, recognizer.device, recognizer.language)
        self._drafts: dict[int, _Draft] = {}
        self._jobs: deque[_Job] = deque()
        self._waiting: deque[Closed] = deque()
        self._asked = -math.inf  # media second at which the last partial was asked for
        self._cost = 0.0  # seconds that one takes

    def warm_up(self, samples: np.ndarray | None, frames: np.ndarray | None) -> None:
        """Recognise a second of what is given, (N,) and (T, 96, 96), for its own sake."""
        from avsr.lips.speaking import speaking_probability
        from avsr.media.voice_activity import voice_probability

        confidence = None if frames is None else np.ones(len(frames), np.float32)
        window = Window(0.0, samples, frames, confidence, last=False)
        for recognizer in (self._native, self._full):
            self._executor.submit(recognizer.recognise_piece, window, Piece(0, window.length), self._mode).result()
        if samples is not None:
            voice_probability(samples)
        if frames is not None:
            speaking_probability(frames, confidence)

    @property
    def needed(self) -> int | None:
        """The first frame that closed segments still wait to be read from."""
        return min((closed.first for closed in self._waiting), default=None)

    def behind(self, now: float) -> float:
        """For how many seconds the oldest of what must be recognised has waited, by second `now` of the session."""
        stops = [job.stop for job in self._jobs if job.whole] + [closed.stop for closed in self._waiting]
        return now - min(stops) / FPS if stops else 0.0

    def work(self, opened: Sequence[Open], closed: Iterable[Closed], now: float, *, last: bool = False) -> list[Message]:
        """Start what can be started, and say what has become known by second `now`; if it is the `last` time, all of it."""
        messages = self._results(now, wait=False)
        self._waiting.extend(closed)
        while self._waiting and (last or self._waiting[0].view.mouths_reach(self._waiting[0].stop)):
            messages += self._close(self._waiting.popleft(), now)
        messages += self._results(now, wait=last)
        for one in sorted(opened, key=lambda one: self._of(one).asked):
            if one.count >= _ENOUGH and not last and not self._jobs and not self._waiting:
                self._draft(one, len(opened))
                messages += self._results(now, wait=False)  # of an executor that does it at once
        return messages

    def _close(self, closed: Closed, now: float) -> list[Message]:
        draft, frames = self._of(closed), (closed.first, closed.stop)
        draft.closed, draft.speaker = frames, closed.view.whose(*frames)
        if draft.whole == frames:
            return [] if any(job.segment == closed.number and job.whole for job in self._jobs) else self._final(closed.number, draft.found)
        self._submit(draft, closed.number, *frames, whole=True)
        return self._results(now, wait=False)

    def _draft(self, opened: Open, count: int) -> None:
        """`count`: how many segments go on."""
        draft, edge = self._of(opened), opened.view.edge
        draft.first, draft.speaker = opened.first, opened.view.whose(opened.first, edge)
        draft.limit = math.inf if opened.limit is None else self.origin + opened.limit / FPS
        stop = opened.last + 1 + MARGIN
        if stop < edge and opened.view.mouths_reach(stop):
            if draft.whole != (opened.first, stop):
                self._submit(draft, opened.number, opened.first, stop, whole=True)
        elif edge > draft.asked and opened.view.came / FPS - self._asked >= max(EVERY / count, _BUSY * self._cost):
            self._asked, draft.asked = opened.view.came / FPS, edge
            self._submit(draft, opened.number, self._from(draft, edge), edge, whole=False)

    def _from(self, draft: _Draft, edge: int) -> int:
        """The frame that a partial is read from: the time it takes must not grow with what was said long before."""
        known = draft.agreement.committed[-_CONTEXT:]
        if edge - draft.first < _LONG or len(known) < _CONTEXT:
            return draft.first
        return max(draft.first, round((known[0].start - self.origin) * FPS) - _BEFORE)

    def _of(self, one: Open | Closed) -> _Draft:
        draft = self._drafts.setdefault(one.number, _Draft(one.view))
        draft.view = one.view
        return draft

    def _submit(self, draft: _Draft, number: int, first: int, stop: int, *, whole: bool) -> None:
        if whole:
            draft.whole = first, stop
        window, recognizer = draft.view.window(first, stop, self.origin), self._full if whole else self._native
        future = self._executor.submit(_timed, self._clock, recognizer, window, Piece(0, stop - first), self._mode)
        self._jobs.append(_Job(number, first, stop, draft.view.edge, whole, future))

    def _results(self, now: float, *, wait: bool) -> list[Message]:
        messages: list[Message] = []
        while self._jobs and (wait or self._jobs[0].future.done()):
            job = self._jobs.popleft()
            found, seconds = job.future.result()
            draft = self._drafts.get(job.segment)
            if not job.whole:
                self._cost = seconds if not self._cost else 0.5 * (self._cost + seconds)
            if draft is None:
                continue
            if job.whole:
                draft.found = found
            if draft.closed is None:
                messages += self._partial(job, draft, found, now)
            elif job.whole and draft.closed == (job.first, job.stop):
                messages += self._final(job.segment, found)
        return messages

    def _partial(self, job: _Job, draft: _Draft, found: Segment | None, now: float) -> list[Message]:
        if found is None:
            return []
        edge = self.origin + job.edge / FPS
        if self._promises:
            rest = draft.agreement.update(found.words, min(edge - _PROMISE, draft.limit))
        else:
            rest = list(found.words)
        tail = text_of(word for word in rest if job.whole or word.end <= edge - _SHOW)
        text = " ".join(part for part in (draft.agreement.text, tail) if part)
        if text == draft.shown or now - draft.told < _APART:
            return []
        draft.shown, draft.told = text, now
        start = round(self.origin + draft.first / FPS, 3)
        return [Partial(self._seq(), job.segment, draft.agreement.text, tail, start, draft.speaker, found.mode, found.source)]

    def _final(self, number: int, found: Segment | None) -> list[Message]:
        draft = self._drafts.pop(number)
        words = tuple(draft.agreement.final([] if found is None else found.words))
        if not words and not draft.shown:
            return []
        first, stop = draft.closed
        start, end = (round(self.origin + frame / FPS, 3) for frame in (first, stop))
        mode, source = ("none", "both") if found is None else (found.mode, found.source)
        return [Final(self._seq(), number, text_of(words), words, start, end, draft.speaker, mode, source)]


def _timed(
    clock: Callable[[], float], recognizer: Recognizer, window: Window, piece: Piece, mode: str
) -> tuple[Segment | None, float]:
    """What was found, and how long that took."""
    began = clock()
    return recognizer.recognise_piece(window, piece, mode), clock() - began
