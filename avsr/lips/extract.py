"""A video to mouth clips: frames through the face model, joined to tracks, cropped a second after they were seen."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from queue import Empty, Queue
from threading import Event

import numpy as np

from avsr.errors import NoFaceError
from avsr.lips.crop import MAX_GAP, RADIUS, SIDE, face_confidence, fill_gaps, fit_mouth, smooth, warp
from avsr.lips.landmarks import Face, FaceDetector
from avsr.lips.mouth_clip import FPS, MouthClip
from avsr.lips.tracks import FaceTrack, Tracker
from avsr.media.video import Frame, VideoReader

STRIDE = 2  # every second frame is looked at: the crop moves by 0.12 pixels on average for it, 0.56 at most (measured)
MIN_SEEN = 3
"""Looks: what was seen for less than about 0.2 s is a picture on the wall or a mistake."""

_AHEAD = RADIUS + MAX_GAP + 1  # frames that must be known before a frame can be filled, smoothed and cut for good
_BLOCK = 10  # frames cut at a time
_LARGEST = 1920  # pixels: larger pictures are halved before anything is done, which no 96-pixel mouth misses
_QUEUE = 4  # frames decoded ahead: 6 MB each, or less


def extract_mouth_clips(
    path: str | os.PathLike,
    *,
    start: float = 0.0,
    end: float | None = None,
    max_faces: int = 1,
    mouth_only: bool = False,
) -> list[MouthClip]:
    """The mouths seen in a video between `start` and `end` seconds, best first (confidence summed over its frames).

    With `max_faces` 1 there is one clip, which covers the whole span whoever is seen in it; with more there is a clip
    a person, from the first to the last frame where they were seen. Frames where a face was lost for at most 0.48 s
    are interpolated at less confidence; frames without one are black at confidence 0; so are those that the file
    gives damaged. With `mouth_only` the pictures already are mouths and are fitted to 96x96 as they are.

    NoFaceError when nobody is seen; MediaError from reading; FaceModelError when the face model cannot be had.
    """
    path = Path(path)
    reader = VideoReader(path, fps=FPS, start=start, end=end)
    if mouth_only:
        fitted = fit_mouths(reader, start)
        if fitted is None:
            raise NoFaceError(f"{path}: holds no picture in {_span(start, end)}; give a span inside the video.")
        return [fitted]
    clips = find_mouths(reader, start, max_faces=max_faces)
    if not clips:
        where = _span(start, end)
        raise NoFaceError(f"{path}: no face was found in {where}; use a video that shows the speaker's face.")
    return clips


def find_mouths(pictures: Iterable[Frame], start: float, *, max_faces: int = 1) -> list[MouthClip]:
    """What `extract_mouth_clips` gives, of pictures at 25 a second from media second `start` on; [] when nobody is seen.

    FaceModelError when the face model cannot be had.
    """
    return _collected(pictures, max_faces).finish(start)


def _collected(pictures: Iterable[Frame], max_faces: int) -> _Collector:
    collector = _Collector(max_faces)
    frames = _ahead(pictures)
    first = next(frames, None)
    if first is None:
        return collector
    with FaceDetector(max_faces) as detector:
        for frame in chain([first], frames):
            look = collector.count % STRIDE == 0 and not frame.damaged
            faces = detector.detect(frame.image, collector.count / FPS) if look else []
            collector.add(frame.image, faces, damaged=frame.damaged)
    return collector


@dataclass(frozen=True)
class Person:
    """Somebody seen in a span: the mouth, from the first to the last frame of theirs, and where the face was in these two, boxes (4,)
    of left, top, right, bottom in pixels."""

    clip: MouthClip
    first_box: np.ndarray
    last_box: np.ndarray


def find_people(pictures: Iterable[Frame], start: float, max_faces: int) -> list[Person]:
    """Everybody seen in pictures at 25 a second from media second `start` on, up to `max_faces` at once, by when they came; [] when
    nobody is. FaceModelError when the face model cannot be had.
    """
    return _collected(pictures, max_faces).people(start)


class _Collector:
    """Turns frames and their faces into crops with a fixed delay, holding only the frames still to be cut."""

    def __init__(self, max_faces: int) -> None:
        self.count = 0  # frames added
        self._cut = 0  # frames cut
        self._max_faces = max_faces
        self._tracker = Tracker()
        self._waiting: list[tuple[np.ndarray, bool]] = []  # grey picture, damaged; of frames _cut .. count
        self._crops: dict[int, dict[int, tuple[np.ndarray, float]]] = {}  # track -> frame -> crop, confidence

    def add(self, image: np.ndarray, faces: list[Face], *, damaged: bool) -> None:
        """One frame (H, W, 3) uint8 RGB and what was seen in it."""
        import cv2

        height, width = image.shape[:2]
        if faces:
            self._tracker.add(self.count, faces, [face_confidence(face.points, width, height) for face in faces])
        self._waiting.append((cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), damaged))
        self.count += 1
        if len(self._waiting) >= _AHEAD + _BLOCK:
            self._cut_until(self._cut + _BLOCK)

    def finish(self, start: float) -> list[MouthClip]:
        """Cuts what waits and gives the clips, best first; none when no face was seen often enough."""
        tracks = self._tracks()
        if not tracks:
            return []
        if self._max_faces == 1:
            return [self._clip(tracks, 0, self.count, start)]
        clips = []
        for track in tracks:
            frames = self._crops[track.number]
            clips.append(self._clip([track], min(frames), max(frames) + 1, start))
        return sorted(clips, key=lambda clip: -float(clip.confidence.sum()))

    def people(self, start: float) -> list[Person]:
        """Cuts what waits and gives everybody, by when they came."""
        people = []
        for track in self._tracks():
            frames = self._crops[track.number]
            clip = self._clip([track], min(frames), max(frames) + 1, start)
            people.append(Person(clip, track.first_box, track.box))
        return sorted(people, key=lambda person: person.clip.start)

    def _tracks(self) -> list[FaceTrack]:
        """Cuts what waits; those who were seen often enough."""
        self._cut_until(self.count)
        looks = -(-self.count // STRIDE)
        tracks = [track for track in self._tracker.tracks if len(track.seen) >= min(MIN_SEEN, looks)]
        return [track for track in tracks if self._crops.get(track.number)]

    def _cut_until(self, stop: int) -> None:
        """Cuts the frames _cut .. stop, for whose sake everything up to `_AHEAD` later is known."""
        first, last = max(0, self._cut - _AHEAD), min(self.count, stop + _AHEAD)
        for track in self._tracker.tracks:
            if track.seen[-1] < first or track.seen[0] >= last:
                continue
            points, confidence = fill_gaps(*track.window(first, last), stride=STRIDE)
            points = smooth(points)
            crops = self._crops.setdefault(track.number, {})
            for index in range(self._cut, stop):
                if np.isnan(points[index - first, 0, 0]):
                    continue
                grey, damaged = self._waiting[index - self._cut]
                trust = 0.0 if damaged else float(confidence[index - first])
                crops[index] = warp(grey, points[index - first]), trust
        del self._waiting[: stop - self._cut]
        self._cut = stop

    def _clip(self, tracks: list[FaceTrack], first: int, stop: int, start: float) -> MouthClip:
        """Frames first .. stop of the given people; where two are there, the surer one."""
        frames = np.zeros((stop - first, SIDE, SIDE), np.uint8)
        confidence = np.full(stop - first, -1.0, np.float32)
        for track in tracks:
            for index, (crop, trust) in self._crops[track.number].items():
                if trust > confidence[index - first]:
                    frames[index - first], confidence[index - first] = crop, trust
        return MouthClip(frames, confidence.clip(0, 1), start + first / FPS)


def _ahead(reader: Iterable[Frame]) -> Iterator[Frame]:
    """The reader's frames, decoded and halved in a thread of their own while the face model works on the ones before."""
    queue: Queue[Frame | None] = Queue(_QUEUE)
    stopped = Event()

    def read() -> None:
        try:
            for frame in reader:
                if stopped.is_set():
                    return
                queue.put(replace(frame, image=shrunk(frame.image)))
                del frame  # 25 MB at 3840x2160
        finally:
            queue.put(None)

    with ThreadPoolExecutor(1, "decode") as pool:
        reading = pool.submit(read)
        try:
            while (frame := queue.get()) is not None:
                yield frame
        finally:
            stopped.set()
            while not reading.done():  # a reader that waits at a full queue must come free
                with suppress(Empty):
                    queue.get(timeout=0.01)
        reading.result()  # what went wrong in the thread goes wrong here


def fit_mouths(pictures: Iterable[Frame], start: float) -> MouthClip | None:
    """The clip of pictures, 25 a second from media second `start` on, that show nothing but a mouth; None where there is none."""
    import cv2

    frames, confidence = [], []
    for frame in pictures:
        frames.append(fit_mouth(cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY)))
        confidence.append(0.0 if frame.damaged else 1.0)
    return MouthClip(np.stack(frames), np.array(confidence, np.float32), start) if frames else None


def shrunk(image: np.ndarray) -> np.ndarray:
    """The picture (H, W, 3), halved until neither side is larger than 1920."""
    import cv2

    while max(image.shape[:2]) > _LARGEST:
        size = (max(1, image.shape[1] // 2), max(1, image.shape[0] // 2))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return image


def _span(start: float, end: float | None) -> str:
    return f"{start:g} to {end:g} s" if end is not None else ("the video" if not start else f"what follows {start:g} s")
