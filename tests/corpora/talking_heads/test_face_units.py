"""The face units' effects in millimetres are those of the installed head, and shapes come out of the units as asked."""

from __future__ import annotations

import numpy as np
import pytest

from avsr.corpora.talking_heads.articulation import Articulation
from avsr.corpora.talking_heads.face_units import FACE_UNITS, GAP, INCISORS, PROTRUSION, TONGUE_UP, WIDTH, unit_weights
from avsr.corpora.talking_heads.makehuman import data_folder, read_mesh, read_units
from avsr.corpora.talking_heads.manner import MouthStyle
from avsr.errors import AvsrError

# Points of the base mesh: inner edges of the lips at the midline, their reddest points, the left corner of the mouth.
INNER_UPPER, INNER_LOWER, RED_UPPER, RED_LOWER, CORNER = 520, 523, 474, 494, 10404


@pytest.fixture(scope="module")
def effects() -> dict[str, np.ndarray]:
    """(V, 3) mm at weight 1 of every unit that FACE_UNITS drives, sides of a pair together; and the mesh as "mesh"."""
    try:
        folder = data_folder()
    except AvsrError as error:
        pytest.skip(str(error))
    mesh = read_mesh(folder)
    names = [name for name in FACE_UNITS if name != "tongueUp"]
    found: dict[str, np.ndarray] = {"mesh": 100 * mesh.points}
    for name, moves in zip(names, 100 * read_units(folder, names, len(mesh.points)), strict=True):
        whole = name.removesuffix("Left").removesuffix("Right")
        found[whole] = found[whole] + moves if whole in found else moves
    return found


def test_the_gap_is_what_the_units_of_the_head_make_it(effects):
    for unit, gap in GAP.items():
        assert effects[unit][INNER_UPPER, 1] - effects[unit][INNER_LOWER, 1] == pytest.approx(gap, abs=0.1), unit


def test_the_width_is_what_the_units_of_the_head_make_it(effects):
    for unit, width in WIDTH.items():
        assert 2 * effects[unit][CORNER, 0] == pytest.approx(width, abs=0.15), unit


def test_protrusion_is_what_the_units_of_the_head_make_it(effects):
    for unit, forward in PROTRUSION.items():
        assert effects[unit][[RED_UPPER, RED_LOWER], 2].mean() == pytest.approx(forward, abs=0.3), unit


def test_the_lower_incisors_follow_the_jaw(effects):
    moved = effects["jawOpen"]
    teeth = slice(14992, 15060)  # the group helper-lower-teeth
    front = effects["mesh"][teeth, 2].argmax()
    assert moved[teeth][front, 1] == pytest.approx(-INCISORS, abs=0.3)


def shape(jaw: float, gap: float, width: float = 0.0, protrude: float = 0.0, tip: float = 0.0) -> Articulation:
    return Articulation(np.array([[jaw, gap, width, protrude]]), np.zeros(1), np.array([tip]), np.ones(1))


def made(mouth: Articulation, effect: dict[str, float], style: MouthStyle = MouthStyle()) -> float:
    weights = dict(zip(FACE_UNITS, unit_weights(mouth, style)[0], strict=True))
    return sum(
        mm * (weights[unit] if unit in weights else (weights[unit + "Left"] + weights[unit + "Right"]) / 2)
        for unit, mm in effect.items()
    )


@pytest.mark.parametrize(
    ("jaw", "gap", "width", "protrude"),
    [(8, 13, 0, 0), (2, 6, 4, 0), (4.4, 7, -8.5, 6), (2.8, 3.8, -11.5, 9), (1, 5, 1, 0), (3, 0, 0, 0), (3, 0, -6, 5)],
)
def test_a_shape_comes_out_as_asked(jaw, gap, width, protrude):
    mouth = shape(jaw, gap, width, protrude)
    assert made(mouth, GAP) == pytest.approx(gap, abs=0.05)
    assert made(mouth, WIDTH) == pytest.approx(width, abs=1.5)
    assert made(mouth, PROTRUSION) == pytest.approx(protrude, abs=2.5)


def test_who_opens_with_the_lips_opens_as_far():
    mouth = shape(5, 9)
    for share in (0.7, 1.2):
        assert made(mouth, GAP, MouthStyle(jaw_share=share)) == pytest.approx(9, abs=0.05)


def test_asymmetry_is_between_the_sides_only():
    even, uneven = (unit_weights(shape(2, 8, 4), MouthStyle(asymmetry=a))[0] for a in (0.0, 0.2))
    left, right = FACE_UNITS.index("mouthLowerDownLeft"), FACE_UNITS.index("mouthLowerDownRight")
    assert uneven[left] > even[left] > uneven[right]
    assert uneven[left] + uneven[right] == pytest.approx(2 * even[left], abs=1e-6)


def test_the_tip_reaches_the_ridge_from_a_lowered_jaw():
    tongue = FACE_UNITS.index("tongueUp")
    closed, lowered = (TONGUE_UP * unit_weights(shape(jaw, 6, tip=1.0), MouthStyle())[0, tongue] for jaw in (0.0, 6.0))
    assert 1.0 < closed < lowered < TONGUE_UP
