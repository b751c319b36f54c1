"""The crop's geometry: what a similarity, a gap, smoothing and a warp must do to points and pictures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.lips.crop import (
    MAX_GAP,
    SIDE,
    TEMPLATE,
    face_confidence,
    fill_gaps,
    fit_mouth,
    similarity,
    smooth,
    warp,
)


def placed(scale: float, angle: float, x: float, y: float) -> np.ndarray:
    """The template's points as a face of that size (source pixels for one of the crop), turn and place shows them."""
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (TEMPLATE - TEMPLATE.mean(0)) @ turn.T + (x, y)


def pattern(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A smooth picture over the crop's coordinates, unlike itself when moved, turned or mirrored."""
    value = 128 + 60 * np.sin(x / 9) * np.cos(y / 13) + 40 * np.exp(-((x - 60) ** 2 + (y - 40) ** 2) / 150)
    return value.clip(0, 255)


@settings(deadline=None)
@given(st.floats(0.1, 10), st.floats(-3, 3), st.floats(-2000, 2000), st.floats(-2000, 2000))
def test_similarity_undoes_any_placement(scale, angle, x, y):
    points = placed(scale, angle, x, y)
    matrix = similarity(points)
    assert np.allclose(points @ matrix[:, :2].T + matrix[:, 2], TEMPLATE, atol=1e-6)
    assert np.isclose(np.linalg.det(matrix[:, :2]), 1 / scale**2)


def test_similarity_is_the_nearest():
    rng = np.random.default_rng(1)
    points = placed(0.7, 0.2, 100, 80) + rng.normal(0, 3, (5, 2))

    def miss(matrix):
        return ((points @ matrix[:, :2].T + matrix[:, 2] - TEMPLATE) ** 2).sum()

    best = similarity(points)
    for _ in range(200):
        a, b, x, y = rng.normal(0, 0.01, 4)
        turned = np.array([[1 + a, -b], [b, 1 + a]]) @ best[:, :2]
        moved = np.concatenate([turned, best[:, 2:] + [[100 * x], [100 * y]]], 1)
        assert miss(moved) >= miss(best)


def test_similarity_of_nothing_is_an_error():
    with pytest.raises(ValueError, match="coincide"):
        similarity(np.ones((5, 2)))


@pytest.mark.parametrize(("scale", "angle"), [(0.6, 0.0), (1.0, 0.3), (2.3, -0.5), (4.0, 0.1)])
def test_warp_shows_the_same_mouth_at_any_size_and_turn(scale, angle):
    points = placed(scale, angle, 400.3, 220.7)
    matrix = similarity(points)
    y, x = np.mgrid[0:640, 0:800]
    picture = pattern(*np.einsum("ij,j...->i...", matrix, np.stack([x, y, np.ones_like(x)]))).astype(np.uint8)
    side = np.arange(SIDE)
    wanted = pattern(side[None, :], side[:, None])
    inner = slice(4, -4)
    assert np.abs(warp(picture, points).astype(float) - wanted)[inner, inner].max() < 4


def test_warp_does_not_alias_a_large_face():
    y, x = np.mgrid[0:800, 0:800]
    board = ((x + y) % 2 * 255).astype(np.uint8)
    crop = warp(board, placed(4.0, 0.0, 400, 400))
    assert crop.std() < 3 and abs(crop.mean() - 127.5) < 2


def test_warp_beyond_the_picture_repeats_its_edge():
    crop = warp(np.full((100, 100), 77, np.uint8), placed(1.0, 0.0, 0, 0))
    assert crop.shape == (SIDE, SIDE) and (crop == 77).all()


def moving(total: int) -> np.ndarray:
    return TEMPLATE + np.arange(total)[:, None, None] * np.array([2.0, -1.0])


def test_short_gap_is_interpolated_and_marked():
    points, confidence = moving(40), np.ones(40)
    points[10:20] = np.nan
    filled, trust = fill_gaps(points, confidence)
    assert np.allclose(filled, moving(40))
    assert (trust[10:20] < 0.5).all() and (trust[10:20] > 0).all() and trust[14] < trust[10]
    assert (trust[:10] == 1).all() and (trust[20:] == 1).all()


def test_long_gap_stays_unknown():
    points = moving(60)
    points[20 : 20 + MAX_GAP + 1] = np.nan
    filled, trust = fill_gaps(points, np.ones(60))
    assert np.isnan(filled[20 : 20 + MAX_GAP + 1]).all() and (trust[20 : 20 + MAX_GAP + 1] == 0).all()


def test_frames_not_looked_at_keep_their_confidence():
    points, confidence = moving(21), np.linspace(0.5, 1, 21)
    points[1::2] = np.nan
    filled, trust = fill_gaps(points, confidence, stride=2)
    assert np.allclose(filled, moving(21)) and np.allclose(trust, confidence)


def test_a_start_without_a_face_is_held():
    points = moving(30)
    points[:12] = np.nan  # the grey frames that open some clips of GRID
    filled, trust = fill_gaps(points, np.ones(30))
    assert np.allclose(filled[:12], points[12]) and (trust[:12] < 0.5).all() and trust[11] > trust[0] > 0


def test_no_face_at_all():
    filled, trust = fill_gaps(np.full((5, 5, 2), np.nan), np.zeros(5))
    assert np.isnan(filled).all() and (trust == 0).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=80), st.integers(1, 3))
def test_filling_keeps_what_was_seen_and_invents_little(seen, stride):
    mask = np.array(seen)
    points, confidence = moving(len(mask)), np.full(len(mask), 0.8)
    points[~mask] = np.nan
    filled, trust = fill_gaps(points, confidence, stride=stride)
    assert np.array_equal(filled[mask], points[mask]) and np.allclose(trust[mask], 0.8)
    known = ~np.isnan(filled[:, 0, 0])
    assert ((trust > 0) == known).all() and (trust <= 0.8 + 1e-9).all()
    if mask.any():
        nearest = np.abs(np.arange(len(mask))[:, None] - np.flatnonzero(mask)).min(1)
        assert (nearest[known] <= MAX_GAP).all() and known[nearest == 0].all()


def test_smoothing_is_a_gaussian_of_three_frames():
    from scipy.ndimage import gaussian_filter1d

    points = np.random.default_rng(2).normal(0, 1, (50, 5, 2))
    assert np.allclose(smooth(points), gaussian_filter1d(points, 3.0, axis=0, mode="nearest"))


def test_smoothing_does_not_reach_across_a_gap():
    points = np.concatenate([np.zeros((20, 5, 2)), np.full((5, 5, 2), np.nan), np.full((20, 5, 2), 100.0)])
    smoothed = smooth(points)
    assert (smoothed[:20] == 0).all() and np.isnan(smoothed[20:25]).all() and np.allclose(smoothed[25:], 100)


def test_confidence_knows_edge_size_and_turn():
    whole = placed(1.0, 0.2, 320, 240)
    assert face_confidence(whole, 640, 480) == 1.0
    assert 0.3 < face_confidence(placed(1.0, 0.0, 320, 440), 640, 480) < 0.7  # the chin is below the picture
    assert face_confidence(placed(1.0, 0.0, -500, 240), 640, 480) == 0.0
    assert face_confidence(placed(0.1, 0.0, 320, 240), 640, 480) < 0.5
    profile = whole.copy()
    profile[2] += 0.55 * (whole[1] - whole[0])
    assert face_confidence(profile, 640, 480) < 0.5


@pytest.mark.parametrize(("height", "width"), [(50, 100), (100, 50), (96, 96), (400, 300), (7, 3)])
def test_fit_mouth_keeps_all_and_the_aspect(height, width):
    picture = np.full((height, width), 50, np.uint8)
    picture[:, width // 2 :] = 200
    fitted = fit_mouth(picture)
    assert fitted.shape == (SIDE, SIDE)
    assert (fitted[:, :30] == 50).all() and (fitted[:, -30:] == 200).all()
    disc = np.zeros((50, 100), np.uint8)
    y, x = np.mgrid[0:50, 0:100]
    disc[(x - 50) ** 2 + (y - 25) ** 2 < 400] = 255
    inside = fit_mouth(disc) > 127
    assert abs(inside.any(0).sum() - inside.any(1).sum()) <= 1
