"""Crops by a corpus's boxes: where they lie, between two boxes and where there is none; and against the crops of a face that was found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avsr.lips.boxes import box_mouths, boxes_at, crop_matrices
from avsr.lips.crop import SIDE
from avsr.media.video import Frame

FACE, LIPS = np.array([600.0, 200, 1280, 880]), np.array([840.0, 500, 1040, 700])


def moving(count: int, step: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Boxes of face and lips that go to the right by `step` pixels a frame."""
    shift = np.arange(count)[:, None] * np.array([step, 0, step, 0])
    return FACE + shift, LIPS + shift


@given(st.floats(0, 3), st.sampled_from([25.0, 29.97, 30.0, 60.0]), st.integers(1, 60))
def test_boxes_are_taken_at_the_pictures_instants(start, fps, count):
    boxes = np.arange(400)[:, None] * np.array([1.0, 1, 1, 1]) + [0, 0, 9, 9]
    found = boxes_at(boxes, fps, start, count)
    times = start + np.arange(count) / 25
    assert np.allclose(found[:, 0], times * fps, atol=1e-3) and np.allclose(found[:, 2] - found[:, 0], 9)


def test_beyond_the_last_box_and_in_an_empty_one_there_is_none():
    boxes = np.array([[0, 0, 9, 9], [0, 0, 0, 0], [4, 0, 13, 9]], np.int32)
    found = boxes_at(boxes, 25.0, 0.0, 5)
    assert np.isnan(found[:, 0]).tolist() == [False, True, False, True, True]


def test_the_crop_lies_around_the_lips_as_large_as_the_face_says():
    matrices, trust = crop_matrices(*(np.repeat(box[None], 9, axis=0) for box in (FACE, LIPS)))
    assert (trust == 1).all()
    corners = [np.linalg.inv(matrices[4][:, :2]) @ (np.array(point) - matrices[4][:, 2]) for point in ((-0.5, -0.5), (SIDE - 0.5, SIDE - 0.5))]
    (left, top), (right, bottom) = corners
    assert right - left == pytest.approx(170, abs=1) and bottom - top == pytest.approx(170, abs=1)
    assert (left + right) / 2 == pytest.approx(940, abs=1) and (top + bottom) / 2 == pytest.approx(600, abs=8)


def test_a_short_gap_is_bridged_and_a_long_one_is_black():
    face, lips = moving(90, 2.0)
    lips[20:26] = lips[40:70] = 0
    picture = np.random.default_rng(0).integers(0, 255, (1080, 1920), np.uint8)
    frames = [Frame(index, index / 25, picture, index == 5) for index in range(80)]
    clip = box_mouths(frames, 0.0, 90, face, lips, 25.0)
    assert len(clip.frames) == 80 and clip.confidence[5] == 0 and clip.frames[5].any(), "damaged, but cut"
    assert (clip.confidence[20:26] > 0).all() and (clip.confidence[20:26] < 0.6).all()
    assert (clip.confidence[45:65] == 0).all() and not clip.frames[45:65].any()
    assert clip.confidence[30] == 1
    assert box_mouths([], 0.0, 4, face, lips, 25.0) is None


def test_at_the_pictures_edge_less_is_trusted():
    face, lips = moving(8)
    face, lips = face - [900, 0, 900, 0], lips - [900, 0, 900, 0]
    frames = [Frame(index, index / 25, np.zeros((1080, 1920), np.uint8), False) for index in range(8)]
    clip = box_mouths(frames, 0.0, 8, face, lips, 25.0)
    assert 0.6 < clip.confidence[4] < 0.8


def test_they_agree_with_the_crops_of_a_found_face_on_real_clips(shared_data, face_model):
    """The real label's boxes, scaled to the clips at hand (426x240, 25 fps): centres and sizes within two pixels of the crop, nearly always."""
    from benchmarks.boxes import agreement

    found = agreement(shared_data / "aihub_538", clips=2)
    assert found.iou_mean > 0.88 and found.centre_mean < 3 and found.frames > 100
