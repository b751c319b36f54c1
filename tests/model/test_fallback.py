"""What the sound, the lips and their fusion say of one another's readings, and the choice that is made by it."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from avsr.model.fallback import CHOICES, Fallback, Told, cross_likelihoods

VOCABULARY, FRAMES = 6, 12


def posteriors(paths: list[list[int]], sure: float = 6.0) -> torch.Tensor:
    """(B, T, V) log posteriors whose best path each is."""
    return (sure * F.one_hot(torch.tensor(paths), VOCABULARY).float()).log_softmax(-1)


def collapsed(path: list[int]) -> list[int]:
    return [token for token, before in zip(path, [0, *path]) if token not in (0, before)]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, VOCABULARY - 1), min_size=FRAMES, max_size=FRAMES), min_size=3, max_size=3),
    st.integers(1, FRAMES),
)
def test_each_reading_is_scored_by_each_posterior_as_ctc_does(paths, frames):
    """In a batch with a whole utterance, one of so many frames."""
    told = tuple(posteriors([path, path]) for path in paths)
    real = torch.ones(2, FRAMES)
    real[1, frames:] = 0
    found, counts = cross_likelihoods(tuple(one * real[..., None] for one in told), real)
    assert found.shape == (2, 3, 3) and counts.tolist() == [[len(collapsed(path[:n])) for path in paths] for n in (FRAMES, frames)]
    for row, length in enumerate((FRAMES, frames)):
        for i, one in enumerate(told):
            for j, path in enumerate(paths):
                said = torch.tensor([collapsed(path[:length])])
                wanted = F.ctc_loss(
                    one[row, :length, None], said.long(), torch.tensor([length]), torch.tensor([said.shape[1]]), reduction="none"
                )
                assert math.isclose(found[row, i, j].item(), wanted.item(), rel_tol=1e-4, abs_tol=1e-4)


def test_silence_is_a_reading_too():
    silent, spoken = posteriors([[0] * FRAMES]), posteriors([[0, 1, 1, 0, 2, 0, 0, 3, 0, 0, 0, 0]])
    (found,), (counts,) = cross_likelihoods((silent, silent, spoken), torch.ones(1, FRAMES))
    assert torch.isfinite(found).all() and counts.tolist() == [0, 0, 3]
    assert found[0, 0] == found[0, 1] < found[0, 2] and found[2, 2] < found[2, 0]


def test_what_has_no_alignment_at_all_is_a_number():
    certain = torch.full((1, FRAMES, VOCABULARY), -math.inf)
    certain[..., 0] = 0.0
    found, _ = cross_likelihoods((certain, posteriors([[1] * FRAMES]), certain), torch.ones(1, FRAMES))
    assert torch.isfinite(found).all() and found[0, 0, 1] > 1000


@pytest.mark.parametrize("surer", ["sound", "lips"])
def test_what_neither_stream_said_is_not_chosen(surer):
    """Two heads that spike a frame apart were mixed into letters that are nobody's."""
    path, late = [0, 1, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0], [0, 0, 1, 0, 0, 2, 0, 0, 0, 3, 0, 0]
    sure, unsure = posteriors([path]), posteriors([late], 1.5)
    mangled = posteriors([[0, 1, 3, 0, 2, 0, 5, 0, 3, 0, 0, 0]])
    told = (sure, unsure, mangled) if surer == "sound" else (unsure, sure, mangled)
    fallback = Fallback().eval()
    fallback.net[3].bias.data[3:] = torch.tensor([0.0, 0.0, -2.0])
    strengths = fallback(Told(torch.zeros(1, 12), cross_likelihoods(told, torch.ones(1, FRAMES))[0]))[0]
    assert CHOICES[int(strengths.argmax())] != "both"
