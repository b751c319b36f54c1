"""Cuts what comes into segments while it comes: from just before somebody speaks to a pause, or to where they take too long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from avsr.decoding.live.view import View
from avsr.decoding.segment import CLICK, GAP, LONGEST, MARGIN

_LOOK_BACK = 100  # frames that are looked at again, because it may turn out that lips have begun to speak in them
# Frames of a segment at which a pause of GAP, or of _SHORT, ends it; in between one that is in between. Who reads along cannot wait for
# the end of a speech without pauses, and a short one is a better place for a cut than none at all.
_PATIENT, _HASTY = 100, 225
_SHORT = 5
_PLANNED = 2 * LONGEST // 3  # frames of a segment from which on it is thought of where to cut it


@dataclass
class Open:
    """A segment that goes on: whose it is, its first frame, the last one in which they spoke, in how many they did, and the frame after which
    nothing of it may be promised, because it may be cut there."""

    number: int
    view: View
    first: int
    last: int
    count: int
    limit: int | None = None


@dataclass(frozen=True)
class Closed:
    """A segment of frames `first` up to, not including, `stop`."""

    number: int
    view: View
    first: int
    stop: int


class Segmenter:
    """Asks again and again whether somebody speaks, from frame `first` on. `number` gives the next segment's."""

    def __init__(self, view: View, number: Callable[[], int], first: int = 0) -> None:
        self.open: Open | None = None
        self._view, self._number = view, number
        self._free = first  # frame from which on a segment may begin

    @property
    def needed(self) -> int:
        """The first frame that may still be asked for."""
        return self.open.first if self.open is not None else self._free

    def turn_to(self, view: View) -> None:
        """From now on it is asked of somebody else, of what goes on too."""
        self._view = view
        if self.open is not None:
            self.open.view = view

    def update(self) -> list[Closed]:
        """What has been closed since the last call; `open` is what goes on."""
        closed: list[Closed] = []
        while (one := self._step()) is not None:
            closed.append(one)
        return closed

    def finish(self) -> list[Closed]:
        """As `update`, when nothing comes any more."""
        closed = self.update()
        if self.open is not None:
            closed.append(self._close(self._after(self.open.last, self._view.edge)))
        return closed

    def _step(self) -> Closed | None:
        edge = self._view.sure_until()
        if self.open is None:
            self._begin(edge)
        if self.open is None:
            return None
        here = self.open
        speaks = np.flatnonzero(self._view.activity(here.first, edge)) + here.first
        # Lips that seemed to speak may turn out not to have, when more is seen of them.
        here.last, here.count = (int(speaks[-1]) if len(speaks) else here.first), len(speaks)
        enough = np.interp(speaks - here.first, (_PATIENT, _HASTY), (GAP, _SHORT))
        pauses = speaks[np.flatnonzero(np.diff(speaks, append=edge) > enough)]
        if len(pauses) and pauses[0] + 1 + MARGIN - here.first <= LONGEST:
            return self._close(self._after(int(pauses[0]), edge))
        if not len(speaks) and edge - here.first > GAP:
            return self._close(here.first + MARGIN)
        if edge - here.first >= _PLANNED:
            here.limit = self._view.quietest(max(here.first + LONGEST // 2, here.limit or 0), min(edge, here.first + LONGEST))
        if edge - here.first >= LONGEST:
            return self._cut(here.limit)
        return None

    def _after(self, last: int, edge: int) -> int:
        """Where to cut in the pause after frame `last`."""
        stop = min(last + 1 + MARGIN, edge)
        speaks = np.flatnonzero(self._view.activity(last + 1, edge))
        return min(stop, last + 1 + int(speaks[0]) // 2) if len(speaks) else stop

    def _begin(self, edge: int) -> None:
        """Open a segment where somebody speaks for longer than a knock takes."""
        first = self._free
        speaks = np.flatnonzero(self._view.activity(first, edge)) + first
        for group in np.split(speaks, np.flatnonzero(np.diff(speaks) > GAP) + 1):
            if len(group) >= CLICK:
                self.open = Open(self._number(), self._view, max(first, int(group[0]) - MARGIN), int(group[-1]), len(group))
                return
        self._free = max(first, edge - _LOOK_BACK)

    def _close(self, stop: int) -> Closed:
        closed = Closed(self.open.number, self.open.view, self.open.first, stop)
        self.open, self._free = None, stop
        return closed

    def _cut(self, stop: int) -> Closed:
        last = self.open.last
        closed = self._close(stop)
        self.open = Open(self._number(), self._view, stop, max(last, stop), 0)
        return closed
