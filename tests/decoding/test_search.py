"""Search: hand-made posteriors whose best text is known, in every kind of search, and the options."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.decoding.search import DecodeOptions, Hypothesis, options_from, read_options, search, spread
from avsr.errors import AvsrError

V = 6  # blank, unk, a, b, c, sos/eos


def posterior(*frames: dict[int, float]) -> torch.Tensor:
    """(T, 6) log posterior: the probabilities given, the rest shared out."""
    rows = torch.full((len(frames), V), 1e-4)
    for row, frame in zip(rows, frames):
        for token, probability in frame.items():
            row[token] = probability
    return rows.div(rows.sum(-1, keepdim=True)).log()


def exact(log_probs: torch.Tensor) -> dict[tuple[int, ...], float]:
    """Probability of every text, all CTC paths through it added up."""
    totals: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(V - 1), repeat=len(log_probs)):
        text = tuple(token for token, _ in itertools.groupby(path) if token)
        totals[text] = totals.get(text, 0.0) + float(log_probs[range(len(path)), path].sum().exp())
    return totals


# The best path is blank, blank (0.36) but "a" has three paths (0.64): what prefix search is for.
TRICKY = posterior({0: 0.6, 2: 0.4}, {0: 0.6, 2: 0.4})


def test_greedy_takes_the_best_path_and_beam_search_the_best_text():
    memory = torch.zeros(2, 4)
    assert search(None, memory, TRICKY, DecodeOptions(1, 1.0))[0].tokens == ()
    assert search(None, memory, TRICKY, DecodeOptions(5, 1.0))[0].tokens == (2,)


def test_greedy_joins_repeats_and_parts_them_at_blanks():
    log_probs = posterior({2: 1}, {2: 1}, {0: 1}, {2: 1}, {3: 1}, {0: 1})
    best = search(None, torch.zeros(6, 4), log_probs, DecodeOptions(1, 1.0))
    assert [h.tokens for h in best] == [(2, 2, 3)]


@pytest.mark.parametrize("seed", range(3))
def test_ctc_beam_search_ranks_as_the_sum_over_all_paths(seed):
    rng = np.random.default_rng(seed)
    log_probs = torch.from_numpy(rng.standard_normal((5, V)) * 2).float()
    log_probs[:, -1] = -30  # CTC heads do not say sos/eos
    log_probs = log_probs.log_softmax(-1)
    truth = exact(log_probs)
    found = search(None, torch.zeros(5, 4), log_probs, DecodeOptions(beam_size=V, ctc_weight=1.0, nbest=5))
    best = max(truth, key=truth.get)
    assert found[0].tokens == best
    for hypothesis in found:
        if len(hypothesis.tokens) < 5:  # one that fills all frames ends without its end being scored
            assert np.exp(hypothesis.score) == pytest.approx(truth[hypothesis.tokens], rel=1e-3)
    assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)
    assert len({h.tokens for h in found}) == len(found)


def test_the_decoder_counts_by_its_weight(recognizer):
    model = recognizer.packed.model
    torch.manual_seed(0)
    memory = torch.randn(20, 32)
    log_probs = torch.randn(20, model.eos + 1).log_softmax(-1)
    texts = {w: search(model.decoder, memory, log_probs, DecodeOptions(6, w))[0].tokens for w in (0.0, 0.5, 1.0)}
    assert texts[0.0] != texts[1.0]
    assert search(model.decoder, memory, log_probs.roll(1, 1), DecodeOptions(6, 0.0))[0].tokens == texts[0.0]


def test_length_bonus_and_maxlenratio():
    log_probs = posterior(*[{0: 0.7, 2: 0.15, 3: 0.15}] * 8)
    memory = torch.zeros(8, 4)
    plain = search(None, memory, log_probs, DecodeOptions(5, 1.0))[0]
    longer = search(None, memory, log_probs, DecodeOptions(5, 1.0, length_bonus=2.0))[0]
    assert len(longer.tokens) > len(plain.tokens)
    short = search(None, memory, log_probs, DecodeOptions(5, 1.0, length_bonus=2.0, maxlenratio=0.25))
    assert all(len(hypothesis.tokens) <= 2 for hypothesis in short)


def test_hardly_any_frames():
    assert search(None, torch.zeros(0, 4), torch.zeros(0, V), DecodeOptions())[0].tokens == ()
    one = search(None, torch.zeros(1, 4), posterior({2: 1.0}), DecodeOptions(5, 1.0))
    assert one[0].tokens == (2,)


def test_a_decoder_that_says_blank_is_not_repeated():
    from espnet.nets.scorer_interface import BatchScorerInterface

    class Blanks(BatchScorerInterface):
        def batch_score(self, ys, states, xs):
            wanted = {1: 0, 2: 3}.get(ys.shape[1], V - 1)  # blank, then b, then the end
            scores = torch.full((len(ys), V), -9.0)
            scores[:, wanted] = -0.1
            return scores, states

    best = search(Blanks(), torch.zeros(8, 4), posterior(*[{0: 1.0}] * 8), DecodeOptions(3, 0.0))[0]
    assert best.tokens == (3,)


def test_options_must_be_a_table():
    for values in (["beam_size"], 3, {1: 2}):
        with pytest.raises(AvsrError, match="decode"):
            options_from(values, "meta.yaml, decode")


def test_the_file_of_options_and_the_defaults_agree():
    assert read_options(Path(__file__).parents[2] / "conf/decode.yaml") == DecodeOptions()


@pytest.mark.parametrize(
    "values",
    [{"beam": 3}, {"beam_size": 0}, {"beam_size": 2.5}, {"ctc_weight": 1.2}, {"nbest": True}, {"maxlenratio": "x"}],
)
def test_wrong_options_name_file_and_field(values):
    with pytest.raises(AvsrError, match=f"my.yaml: .*{next(iter(values))}"):
        options_from(values, "my.yaml")


def test_files_of_options_that_cannot_be_read(tmp_path):
    for content in ("- a", "a: ["):
        (tmp_path / "x.yaml").write_text(content)
        with pytest.raises(AvsrError, match="x.yaml"):
            read_options(tmp_path / "x.yaml")
    with pytest.raises(AvsrError, match="nowhere.yaml"):
        read_options(tmp_path / "nowhere.yaml")


def test_options_do_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        DecodeOptions().beam_size = 3  # type: ignore[misc]


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.lists(st.integers(1, 5), max_size=6).map(tuple), min_size=1, max_size=12, unique=True),
    st.integers(1, 8),
    st.sampled_from([0.0, 0.3, 0.5, 1.0]),
)
def test_an_nbest_list_begins_with_the_best_and_holds_no_two_alike(readings, count, weight):
    found = [Hypothesis(tokens, -1.5 * place) for place, tokens in enumerate(readings)]
    chosen = spread(found, count, weight)
    assert chosen[0] == found[0] and len(chosen) == min(count, len(found)) == len(set(chosen))
    assert set(chosen) <= set(found)
    if weight == 0.0:
        assert chosen == found[:count]


def test_an_nbest_list_spreads_over_readings_that_differ():
    near = [Hypothesis((1, 2, 3, 4, 5, n), -1.0 - n / 10) for n in range(6, 9)]
    far = Hypothesis((9, 8, 7), -2.2)
    worst = Hypothesis((1, 2, 3, 4), -3.0)
    assert spread([*near, far, worst], 2, 0.5) == [near[0], far]
    assert spread([*near, far, worst], 2, 0.0) == near[:2]
