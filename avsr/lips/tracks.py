"""Who is who over the frames: joins the faces of single frames to tracks by how their boxes overlap."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from avsr.lips.landmarks import Face

REJOIN = 50  # frames (2 s): somebody found again in the same place within it is the same person
_OVERLAP = 0.3  # intersection over union; a head moves far less between looks 0.08 s apart
_NEAR = 0.6  # or: centres this near, in face widths, for faces so small that boxes miss each other
_ALIKE = 1.6  # and sizes no further apart than this, as one face is before and after a blink of the detector


@dataclass
class FaceTrack:
    """One person: the frames (numbers at 25 a second) where the face was seen, its five points and a confidence; the boxes of the
    first and the last."""

    number: int
    seen: list[int] = field(default_factory=list)
    points: list[np.ndarray] = field(default_factory=list)
    confidence: list[float] = field(default_factory=list)
    first_box: np.ndarray | None = None
    box: np.ndarray | None = None

    def add(self, index: int, face: Face, confidence: float) -> None:
        """The face as seen in frame `index`, later than all before."""
        self.seen.append(index)
        self.points.append(face.points)
        self.confidence.append(confidence)
        self.first_box = face.box if self.first_box is None else self.first_box
        self.box = face.box

    def window(self, first: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """points (stop - first, 5, 2), NaN where not seen, and confidence (stop - first,), 0 there."""
        points = np.full((stop - first, 5, 2), np.nan)
        confidence = np.zeros(stop - first)
        low, high = np.searchsorted(self.seen, (first, stop))
        for place in range(low, high):
            points[self.seen[place] - first] = self.points[place]
            confidence[self.seen[place] - first] = self.confidence[place]
        return points, confidence


class Tracker:
    """Takes the faces of one frame after another and gives each to the track that it continues, or to a new one."""

    def __init__(self, rejoin: int = REJOIN) -> None:
        self.tracks: list[FaceTrack] = []
        self._rejoin = rejoin

    def add(self, index: int, faces: list[Face], confidences: list[float]) -> None:
        """Faces seen in frame `index`; the best-fitting pairs of track and face are joined first."""
        alive = [track for track in self.tracks if index - track.seen[-1] <= self._rejoin]
        pairs = sorted(
            (
                (likeness(track.box, face.box), -track.number, place)
                for track in alive
                for place, face in enumerate(faces)
            ),
            reverse=True,
        )
        taken_tracks: set[int] = set()
        taken_faces: set[int] = set()
        for score, minus_number, place in pairs:
            if score <= 0 or -minus_number in taken_tracks or place in taken_faces:
                continue
            self.tracks[-minus_number].add(index, faces[place], confidences[place])
            taken_tracks.add(-minus_number)
            taken_faces.add(place)
        for place, face in enumerate(faces):
            if place not in taken_faces:
                track = FaceTrack(len(self.tracks))
                track.add(index, face, confidences[place])
                self.tracks.append(track)


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """How well two face boxes (left, top, right, bottom) can be one face: 0 not at all, else overlap plus nearness."""
    width, height = (np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])).clip(0)
    areas = [float(np.prod((box[2:] - box[:2]).clip(0))) for box in (one, other)]
    shared = float(width * height)
    overlap = shared / (sum(areas) - shared) if shared else 0.0
    sizes = sorted(float(np.sqrt(area)) for area in areas)
    distance = float(np.linalg.norm((one[:2] + one[2:] - other[:2] - other[2:]) / 2))
    near = sizes[0] > 0 and distance < _NEAR * sizes[1] and sizes[1] < _ALIKE * sizes[0]
    if overlap < _OVERLAP and not near:
        return 0.0
    return overlap + max(0.0, 1.0 - distance / max(sizes[1], 1e-6))


def stands_where(box: np.ndarray, places: Mapping[int, np.ndarray]) -> int | None:
    """Whose place, of `places` (number -> box), a face in `box` (4,) is likeliest to be in; None where it is in nobody's."""
    score, number = max(((likeness(place, box), -number) for number, place in places.items()), default=(0.0, 0))
    return -number if score > 0 else None
