"""Who is who: faces of single frames joined to tracks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.lips.crop import TEMPLATE
from avsr.lips.landmarks import Face
from avsr.lips.tracks import Tracker, likeness


def face(x: float, y: float = 200.0, width: float = 100.0) -> Face:
    half = width / 2
    return Face(TEMPLATE * width / 100 + (x, y), np.array([x - half, y - half, x + half, y + half]))


def test_two_people_stay_apart_in_whatever_order_they_come():
    tracker = Tracker()
    for index in range(0, 50, 2):
        faces = [face(150 + index), face(450 - index)]
        tracker.add(index, faces[:: 1 if index % 4 else -1], [0.9, 0.9])
    assert len(tracker.tracks) == 2
    for track in tracker.tracks:
        assert track.seen == list(range(0, 50, 2))
        steps = np.diff([points.mean() for points in track.points])
        assert (abs(steps) < 5).all()


def test_a_person_lost_for_a_second_is_the_same_again():
    tracker = Tracker()
    for index in (0, 2, 4, 30, 32):
        tracker.add(index, [face(200)], [1.0])
    assert [track.seen for track in tracker.tracks] == [[0, 2, 4, 30, 32]]


def test_a_person_lost_for_long_is_a_new_one():
    tracker = Tracker()
    for index in (0, 2, 100):
        tracker.add(index, [face(200)], [1.0])
    assert [track.seen for track in tracker.tracks] == [[0, 2], [100]]


def test_a_cut_to_another_face_is_a_new_track():
    tracker = Tracker()
    tracker.add(0, [face(200)], [1.0])
    tracker.add(2, [face(500)], [1.0])
    tracker.add(4, [face(500, width=260)], [1.0])  # the same place, but far nearer: another shot
    assert [track.seen for track in tracker.tracks] == [[0], [2], [4]]


def test_a_small_face_that_moves_more_than_its_size_overlaps():
    tracker = Tracker()
    tracker.add(0, [face(200, width=20)], [1.0])
    tracker.add(2, [face(211, width=20)], [1.0])
    assert len(tracker.tracks) == 1


def test_window_marks_what_was_not_seen():
    tracker = Tracker()
    for index in (4, 6, 10):
        tracker.add(index, [face(index)], [0.5])
    points, confidence = tracker.tracks[0].window(5, 12)
    assert points.shape == (7, 5, 2)
    assert np.flatnonzero(confidence).tolist() == [1, 5] == np.flatnonzero(~np.isnan(points[:, 0, 0])).tolist()


boxes = st.tuples(*[st.floats(0, 500)] * 2, *[st.floats(5, 300)] * 2).map(
    lambda b: np.array([b[0], b[1], b[0] + b[2], b[1] + b[3]])
)


@settings(deadline=None)
@given(boxes, boxes)
def test_likeness_is_symmetric_and_greatest_for_itself(one, other):
    assert likeness(one, other) == pytest.approx(likeness(other, one))
    assert 0 <= likeness(one, other) <= likeness(one, one) == pytest.approx(2.0)
