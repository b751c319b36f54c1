"""Several people in a picture: who is who from window to window, and whose voice it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from avsr.decoding.segment import SAMPLES
from avsr.lips.tracks import stands_where

if TYPE_CHECKING:
    from avsr.lips.extract import Person

FPS = 25
UNSEEN = 0  # the number of whoever speaks out of the picture
_SPEAKS = 0.35  # probability from which lips may be those that are heard
TURN = 25
"""Frames: within a pause so short the voice is still the same person's."""

Mouths = tuple[np.ndarray, np.ndarray]


def number_people(people: Sequence[Person], known: Sequence[Sequence[float]]) -> tuple[list[int], list[list[float]]]:
    """Which person is which, from 1 on, by where the faces were last seen.

    Who stands where somebody stood is taken for them: faces are not compared. Two who are there at once are two.

    Args:
        people: of a window, by when they came.
        known: of everybody so far the last box, of number 1 first.

    Returns:
        Their numbers, and the boxes with theirs in them.
    """
    boxes = [list(box) for box in known]
    numbers: list[int] = []
    busy: dict[int, float] = {}  # until which media second a number is taken in this window
    for person in people:
        begun = person.clip.start
        free = {number: np.asarray(box) for number, box in enumerate(boxes, 1) if busy.get(number, -1.0) <= begun}
        number = stands_where(person.first_box, free) or len(boxes) + 1
        last = [float(value) for value in person.last_box]
        if number > len(boxes):
            boxes.append(last)
        else:
            boxes[number - 1] = last
        busy[number] = begun + len(person.clip.frames) / FPS
        numbers.append(number)
    return numbers, boxes


def gather(people: Sequence[Person], numbers: Sequence[int], start: float, count: int) -> dict[int, Mouths]:
    """number -> frames (count, 96, 96) uint8 and confidence (count,) from media second `start` on, 0 where that person is not seen."""
    found: dict[int, Mouths] = {}
    for person, number in zip(people, numbers, strict=True):
        frames, confidence = found.setdefault(number, (np.zeros((count, 96, 96), np.uint8), np.zeros(count, np.float32)))
        first = round((person.clip.start - start) * FPS)
        stop = min(count, first + len(person.clip.frames))
        frames[first:stop], confidence[first:stop] = person.clip.frames[: stop - first], person.clip.confidence[: stop - first]
    return found


def share_voice(voice: np.ndarray, speaking: Mapping[int, np.ndarray]) -> dict[int, np.ndarray]:
    """Whose the voice is in each frame: theirs whose lips speak, all of theirs where several do; where none do, that of who spoke last
    or speaks next within a second, and else that of somebody out of the picture.

    Args:
        voice: (T,) how likely a voice is heard.
        speaking: number -> (T',) how likely their lips speak, T' perhaps shorter.

    Returns:
        number -> (T,) how likely their voice is heard, UNSEEN among them.
    """
    length = len(voice)
    lips = {number: np.zeros(length, bool) for number in speaking}
    for number, probability in speaking.items():
        lips[number][: len(probability)] = probability[:length] > _SPEAKS
    near = {number: _near(frames) for number, frames in lips.items()}
    anybody = np.any(list(lips.values()), axis=0) if lips else np.zeros(length, bool)
    closest = np.min(list(near.values()), axis=0) if near else np.full(length, length)
    shares = {
        number: np.where(lips[number] | (~anybody & (near[number] <= TURN) & (near[number] == closest)), voice, 0.0)
        for number in speaking
    }
    taken = np.any([share > 0 for share in shares.values()], axis=0) if shares else np.zeros(length, bool)
    return shares | {UNSEEN: np.where(taken, 0.0, voice)}


def only_own(samples: np.ndarray, own: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The sound of one person: (N,) samples, silent where it is `others`' (T,) bool and not their `own` (T,) bool."""
    gain = 1.0 - (others & ~own).astype(np.float32)
    if gain.all():
        return samples
    # From the middle of a frame to the middle of the next, so that nothing clicks.
    places = (np.arange(len(samples)) + 0.5) / SAMPLES - 0.5
    return samples * np.interp(places, np.arange(len(gain)), gain).astype(np.float32)


def _near(frames: np.ndarray) -> np.ndarray:
    """(T,) bool -> (T,) how many frames it is to the nearest true one; T where there is none."""
    places, length = np.flatnonzero(frames), len(frames)
    if not len(places):
        return np.full(length, length)
    right = np.searchsorted(places, np.arange(length)).clip(0, len(places) - 1)
    left = np.maximum(right - 1, 0)
    return np.minimum(np.abs(places[right] - np.arange(length)), np.abs(places[left] - np.arange(length)))
