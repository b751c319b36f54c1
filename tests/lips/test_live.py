"""Mouths cut as the pictures come: those of a file, but sooner."""

from __future__ import annotations

import numpy as np
import pytest

from avsr.lips import extract, several_faces
from avsr.lips.crop import TEMPLATE
from avsr.lips.landmarks import Face
from avsr.lips.live import AHEAD, LiveMouths, Seen
from avsr.lips.several_faces import SeveralFaces, distinct
from avsr.media.video import Frame


class SwayingFace:
    """A face that sways, found with a little jitter; seen unless the picture is black. The same for the same picture."""

    def __init__(self, max_faces: int = 1) -> None:
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def detect(self, image: np.ndarray, time: float) -> list[Face]:
        if not image.any():
            return []
        rng = np.random.default_rng(round(time * 25))
        middle = np.array([160 + 15 * np.sin(2 * time), 120 + 6 * np.sin(3 * time)])
        points = (TEMPLATE - (48, 46)) * 0.6 + middle + rng.normal(0, 0.4, (5, 2))
        return [Face(points, np.array([*(middle - (50, 90)), *(middle + (50, 40))]))]


def pictures(count: int) -> list[np.ndarray]:
    """(240, 320, 3) of smooth grey hills that move, so that a crop that is a little off is a little different."""
    x, y = np.meshgrid(np.arange(320), np.arange(240))
    return [np.repeat((127 + 80 * np.sin(x / 25 + n / 9) * np.cos(y / 21))[..., None].astype(np.uint8), 3, axis=2) for n in range(count)]


def live(images: list, ahead: int = AHEAD) -> list:
    """All mouths; None where a picture does not come."""
    mouth, found = LiveMouths(SwayingFace(), ahead), []
    for index, image in enumerate(images):
        if image is not None:
            mouth.add(index, image)
        found += mouth.take()
    mouth.finish()
    return [seen.best for seen in found + mouth.take()]


def test_a_second_ahead_they_are_those_of_a_file(monkeypatch):
    monkeypatch.setattr(extract, "FaceDetector", SwayingFace)
    images = pictures(90)
    clip = extract.find_mouths([Frame(i, i / 25, image, False) for i, image in enumerate(images)], 0.0)[0]
    whole = live(images, 25)
    assert np.array_equal(np.stack([mouth.crop for mouth in whole]), clip.frames)
    assert np.allclose([mouth.confidence for mouth in whole], clip.confidence)
    soon = np.stack([mouth.crop for mouth in live(images)]).astype(float)
    error = ((soon - clip.frames) ** 2).mean((1, 2))
    assert 10 * np.log10(255**2 / error.mean()) > 40  # dB


def test_a_crop_comes_so_many_frames_after_its_picture():
    mouth = LiveMouths(SwayingFace())
    for index, image in enumerate(pictures(20)):
        mouth.add(index, image)
        assert len(mouth.take()) == (1 if index >= AHEAD else 0)


@pytest.mark.parametrize(("missing", "seen"), [(5, True), (20, False)])
def test_pictures_that_do_not_come(missing, seen):
    images = pictures(80)
    images[30 : 30 + missing] = [None] * missing
    found = live(images)
    assert len(found) == 80
    assert all((mouth.confidence > 0) == seen for mouth in found[31 : 30 + missing - 1])
    assert all(mouth.confidence > 0 for mouth in [*found[:24], *found[60:]])


def test_a_frozen_and_a_covered_camera_are_known():
    mouth = LiveMouths(SwayingFace())
    images = pictures(10)
    for index, image in enumerate([*images, *[images[-1]] * 5, *[np.zeros((240, 320, 3), np.uint8)] * 6]):
        mouth.add(index, image)
        if index == 14:
            assert mouth.still_for == 5 and all(look.face for look in mouth.looks)
    assert mouth.looks[-1].covered and not mouth.looks[-1].face


def test_it_does_not_grow():
    mouth, images = LiveMouths(SwayingFace()), pictures(4)
    for index in range(900):
        mouth.add(index, images[index % 4])
        mouth.take()
        mouth.looks.clear()
    assert all(len(track.seen) < 300 for track in mouth._tracker.tracks) and len(mouth._waiting) <= AHEAD


class People:
    """Faces in a row, 100 pixels apart, of which those are found that are there from frame to frame; found with a little jitter."""

    def __init__(self, *there: tuple[int, int]) -> None:
        self.there = there

    def detect(self, image: np.ndarray, time: float) -> list[Face]:
        index, found = round(time * 25), []
        rng = np.random.default_rng(index)
        for place, (come, gone) in enumerate(self.there):
            points = (TEMPLATE - (48, 46)) * 0.3 + (60 + 100 * place, 120) + rng.normal(0, 0.3, (5, 2))
            if come <= index < gone:
                found.append(Face(points, np.array([30 + 100 * place, 80, 90 + 100 * place, 160])))
        return found[::-1]


def seen(detector, count: int = 120) -> list[Seen]:
    mouths, found, images = LiveMouths(detector), [], pictures(8)
    for index in range(count):
        mouths.add(index, images[index % 8])
    mouths.finish()
    return found + mouths.take()


def frames_of(found: list[Seen], number: int) -> list[int]:
    return [index for index, one in enumerate(found) if number in one.people]


def test_several_are_numbered_from_the_left_and_cut_as_if_they_were_alone():
    both = seen(People((0, 120), (0, 120)))
    for number, there in ((1, ((0, 120),)), (2, ((0, 0), (0, 120)))):
        alone = seen(People(*there))
        assert not any(one.people for one in alone)
        own = [one.people[number].crop.astype(int) for one in both]
        assert np.abs(np.stack(own) - np.stack([one.best.crop for one in alone])).mean() < 3.0


def test_numbers_are_by_who_came_first_and_stay_with_the_place():
    found = seen(People((20, 120), (0, 60), (70, 120)), 130)
    assert [list(one.people) for one in found[:14]] == [[]] * 14  # the one in the middle is alone
    assert frames_of(found, 2)[0] <= 22 and frames_of(found, 1)[-1] < 75 and frames_of(found, 3)[0] <= 74
    again = People((0, 400), (0, 60))
    again.detect = lambda image, time, before=again.detect: [*before(image, time), *([] if time < 8 else People((0, 0), (0, 400)).detect(image, time))]
    found = seen(again, 250)
    there = frames_of(found, 2)
    assert set(number for one in found for number in one.people) == {1, 2} and there[0] < 3 and there[-1] == 249 and 100 not in there


def test_more_faces_are_looked_at_more_seldom():
    looks = []
    people = People(*[(0, 99)] * 3)
    people.detect = lambda image, time, find=people.detect: [looks.append(time), *find(image, time)][1:]
    found = seen(people, 60)
    assert len(looks) == 15 and all(len(one.people) == 3 for one in found)


def test_one_face_is_found_by_what_seeks_one_and_more_every_two_seconds(monkeypatch):
    asked, there = [], [2]

    class Finder:
        def __init__(self, most: int = 1) -> None:
            self.most = most

        def detect(self, image, time):
            asked.append(self.most)
            return People(*[(0, 10**12)] * there[0]).detect(image, time)[: self.most]

        def close(self):
            asked.append(0)

    monkeypatch.setattr(several_faces, "FaceDetector", Finder)
    image = np.zeros((9, 9, 3), np.uint8)
    with SeveralFaces() as finder:
        there[0] = 1
        assert [len(finder.detect(image, look / 10)) for look in range(45)] == [1] * 45
        assert asked.count(1) == 45 and asked.count(6) == 3
        there[0] = 2
        counts = [len(finder.detect(image, 4.5 + look / 10)) for look in range(30)]
        assert counts == sorted(counts) and counts[20] == 2 and asked[-5:] == [6] * 5
        there[0] = 1
        assert len(finder.detect(image, 99.0)) == 1 and asked[-3:] == [0, 1, 6]
        with SeveralFaces() as other:
            assert len(other.detect(image, 0.0)) == 1
        assert asked[-1] == 0 and asked.count(0) == 2, "what both look with is still wanted"
    assert asked[-2:] == [0, 0]


def test_a_face_that_is_found_twice_is_one():
    one, near, other = (Face(np.zeros((5, 2)), np.array([x, 0.0, x + 50, 60])) for x in (10, 14, 90))
    assert distinct([one, near, other]) == [one, other]
