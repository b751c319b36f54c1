"""Mouth crops of pictures as they come: those of `avsr.lips.extract`, but cut `AHEAD` frames after they were seen, not a second.

Who stands where somebody stood is taken for them: faces are not compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from avsr.lips.crop import MAX_GAP, RADIUS, SIDE, face_confidence, fill_gaps, smooth, warp
from avsr.lips.extract import MIN_SEEN, STRIDE, shrunk
from avsr.lips.mouth_clip import FPS
from avsr.lips.several_faces import MOST
from avsr.lips.tracks import REJOIN, FaceTrack, Tracker, stands_where

if TYPE_CHECKING:
    from avsr.lips.landmarks import Face

AHEAD = 6
"""Frames (0.24 s) that are waited for, so that a crop moves as smoothly as one of a file: benchmarks/README.md has what fewer cost."""

_BEHIND = RADIUS + MAX_GAP + 1  # frames before a frame that its crop depends on
_DARK = 6.0  # deviation of a picture's grey: less is a lens that is covered
_TRIMMED = 250  # frames after which tracks forget what no crop needs
_BESIDE = 2  # faces in a picture that are looked at every STRIDE frames; more of them the seldomer, so that they cost no more


class Detector(Protocol):
    """Finds faces, as `avsr.lips.several_faces.SeveralFaces` does."""

    def detect(self, image: np.ndarray, time: float) -> list[Face]: ...


@dataclass(frozen=True)
class Mouth:
    """A frame: crop (96, 96) uint8, black at `confidence` 0 where no mouth is seen; `still` where the picture is the one before it,
    pixel by pixel."""

    crop: np.ndarray
    confidence: float
    still: bool


@dataclass(frozen=True)
class Seen:
    """A frame: the mouth that is seen `best`, and, once two were seen at once, those of the `people` in it by number."""

    best: Mouth
    people: Mapping[int, Mouth] = field(default_factory=dict)


@dataclass(frozen=True)
class Look:
    """What was seen in a frame at once, before it is cut: whether there is a face, and whether the lens is `covered`."""

    index: int
    face: bool
    covered: bool


def no_mouth(still: bool = False) -> Mouth:
    """A frame in which nobody is seen."""
    return _STILL if still else _NOBODY


_NOBODY, _STILL = (Mouth(np.zeros((SIDE, SIDE), np.uint8), 0.0, still) for still in (False, True))


class LiveMouths:
    """The mouth of the one person in the pictures, and those of each of up to `MOST` people once several are seen at once.

    As long as nobody was seen beside another, whoever is seen is one and the same. Then they are numbered from 1 on, by when they came, from
    the left where they came at once. Who stands where somebody stood who is gone takes their number.

    `looks` are what was seen, the newest last, for its owner to take away; `still_for`, for how many frames the picture has not changed.
    """

    def __init__(self, detector: Detector, ahead: int = AHEAD) -> None:
        self.count = 0  # frames added
        self.looks: list[Look] = []
        self.still_for = 0
        self._cut = 0  # frames cut
        self._ahead = ahead
        self._detector = detector
        self._tracker = Tracker()
        self._waiting: list[tuple[np.ndarray | None, bool]] = []  # grey picture or none, still; of frames _cut .. count
        self._grey: np.ndarray | None = None
        self._thumb: np.ndarray | None = None
        self._ready: list[Seen] = []
        self._several = False  # whether two were ever seen at once
        self._numbers: dict[int, int] = {}  # track -> person
        self._people: dict[int, FaceTrack] = {}  # person -> their last track
        self._stride = STRIDE

    def add(self, index: int, image: np.ndarray) -> None:
        """The picture (H, W, 3) uint8 RGB or (H, W) grey of frame `index`; one that is not after all before is left out.

        Frames that are missing before it are the one before them over again, or nothing where they are more than 0.48 s.
        """
        import cv2

        if index < self.count:
            return
        missing = index - self.count
        for _ in range(missing):
            self._put(self._grey if missing <= MAX_GAP else None, missing <= MAX_GAP)
        image = shrunk(image)
        grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        thumb = grey[::8, ::8]
        still = self._thumb is not None and thumb.shape == self._thumb.shape and bool(np.array_equal(thumb, self._thumb))
        self._grey, self._thumb = grey, thumb
        if index % self._stride == 0 or missing:
            self._look(index, image)
        self._put(grey, still)
        self._cut_ready()

    def miss(self, until: int) -> None:
        """No picture came for the frames up to `until`."""
        for _ in range(until - self.count):
            self._put(None, False)
        self._cut_ready()

    def take(self) -> list[Seen]:
        """The frames that were cut since the last call, in order, none left out."""
        ready, self._ready = self._ready, []
        return ready

    def finish(self) -> None:
        """Cuts what waits; nothing comes any more."""
        self._cut_until(self.count)

    def _look(self, index: int, image: np.ndarray) -> None:
        import cv2

        colour = image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
        faces = self._detector.detect(colour, index / FPS)
        if faces:
            height, width = image.shape[:2]
            self._tracker.add(index, faces, [face_confidence(face.points, width, height) for face in faces])
            self._number()
        self._stride = STRIDE * max(1, -(-len(faces) // _BESIDE))
        self.looks.append(Look(index, bool(faces), not faces and float(self._thumb.std()) < _DARK))

    def _put(self, grey: np.ndarray | None, still: bool) -> None:
        self._waiting.append((grey, still))
        self.still_for = self.still_for + 1 if still else 0
        self.count += 1

    def _cut_ready(self) -> None:
        if self.count - self._ahead > self._cut:
            self._cut_until(self.count - self._ahead)
        if self.count % _TRIMMED == 0:
            for track in self._tracker.tracks:
                _forget(track, self._cut - max(_BEHIND, REJOIN))

    def _number(self) -> None:
        """Who has been seen for long enough is somebody."""
        unknown = [track for track in self._tracker.tracks if track.number not in self._numbers]
        new = [track for track in unknown if track.seen[-1] - track.seen[0] >= STRIDE * (MIN_SEEN - 1)]
        for track in sorted(new, key=lambda track: (track.seen[0], track.first_box[0])):
            away = {number: other.box for number, other in self._people.items() if other.seen[-1] < track.seen[0]}
            self._several |= len(away) < len(self._people)
            if self._several:
                number = stands_where(track.first_box, away) or len(self._people) + 1
            else:
                number = 1
            self._numbers[track.number] = number
            self._people[number] = track

    def _cut_until(self, stop: int) -> None:
        """Cuts the frames _cut .. stop with what is known by now."""
        first, last = max(0, self._cut - _BEHIND), self.count
        found = []
        for track in self._tracker.tracks:
            if track.seen[-1] < first or track.seen[0] >= last:
                continue
            points, confidence = fill_gaps(*track.window(first, last), stride=self._stride)
            found.append((track.number, smooth(points), confidence))
        for index in range(self._cut, stop):
            grey, still = self._waiting[index - self._cut]
            there = [(float(confidence[index - first]), number, points[index - first]) for number, points, confidence in found]
            self._ready.append(self._frame(grey, still, [one for one in there if one[0] > 0]))
        del self._waiting[: stop - self._cut]
        self._cut = stop

    def _frame(self, grey: np.ndarray | None, still: bool, there: list[tuple[float, int, np.ndarray]]) -> Seen:
        """The mouths of a frame; `there` has of each track how sure it is, its number and its points (5, 2)."""
        people: dict[int, Mouth] = {}
        if grey is None or not there:
            return Seen(no_mouth(still))
        there = sorted(there, key=lambda one: -one[0])
        if not self._several:
            trust, _, points = there[0]
            return Seen(Mouth(warp(grey, points), trust, still))
        for trust, track, points in there:
            number = self._numbers.get(track)
            if number is not None and number not in people and len(people) < MOST:
                people[number] = Mouth(warp(grey, points), trust, still)
        return Seen(next(iter(people.values()), no_mouth(still)), people)


def _forget(track: FaceTrack, before: int) -> None:
    """What was seen before a frame, but the last of it."""
    count = min(int(np.searchsorted(track.seen, before)), len(track.seen) - 1)
    del track.seen[:count], track.points[:count], track.confidence[:count]
