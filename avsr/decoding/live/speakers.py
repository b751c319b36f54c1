"""Who speaks in a session, and the segments of each: of the one person, or of everybody once several are seen."""

from __future__ import annotations

from avsr.decoding.live.segmenter import Closed, Open, Segmenter
from avsr.decoding.live.timeline import Timeline
from avsr.decoding.live.view import View
from avsr.decoding.people import UNSEEN


class Speakers:
    """Of a timeline. What the one person says when others come goes on, as person 1's."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._count = 0
        self._segmenters: dict[int | None, Segmenter] = {None: Segmenter(View(timeline), self._number)}

    @property
    def open(self) -> list[Open]:
        """What goes on."""
        return [one.open for one in self._segmenters.values() if one.open is not None]

    @property
    def needed(self) -> int:
        """The first frame that may still be asked for."""
        return min((one.needed for one in self._segmenters.values()), default=self._timeline.edge)

    def update(self) -> list[Closed]:
        """What has been closed since the last call, by when it ended."""
        self._meet()
        return self._ended([one for segmenter in self._segmenters.values() for one in segmenter.update()])

    def finish(self) -> list[Closed]:
        """As `update`, when nothing comes any more."""
        self._meet()
        return self._ended([one for segmenter in self._segmenters.values() for one in segmenter.finish()])

    def _meet(self) -> None:
        """Those who have come, and without those who have long been away."""
        line = self._timeline
        if not line.several:
            return
        if None in self._segmenters:
            one = self._segmenters.pop(None)
            one.turn_to(View(line, 1))
            self._segmenters = {1: one}
            if line.with_sound:
                self._segmenters[UNSEEN] = Segmenter(View(line, UNSEEN), self._number, line.together)
        for number, lips in line.people.items():
            if number not in self._segmenters:
                self._segmenters[number] = Segmenter(View(line, number), self._number, lips.since)
        for number, segmenter in list(self._segmenters.items()):
            if number in line.people and segmenter.open is None and line.drop(number):
                del self._segmenters[number]

    def _number(self) -> int:
        self._count += 1
        return self._count

    @staticmethod
    def _ended(closed: list[Closed]) -> list[Closed]:
        return sorted(closed, key=lambda one: (one.stop, one.number))
