"""Mouths cut as the pictures come: those of a file, but sooner."""

from __future__ import annotations

import numpy as np
import pytest

from avsr.lips import extract
from avsr.lips.crop import TEMPLATE
from avsr.lips.landmarks import Face
from avsr.lips.live import AHEAD, LiveMouths
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
