"""The search frame by frame: what it finds against all paths written out, alone and with what is known of the language."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.decoding.frame_search import frame_search
from avsr.decoding.likelihood import attention_log_likelihood, ctc_log_likelihood
from avsr.decoding.search import DecodeOptions, Language, search
from avsr.language.kneser_ney import train_ngram
from avsr.language.neural import Size, train_neural
from avsr.language.scorers import BiasScorer, NgramScorer

TOKENS = ["<blank>", "<unk>", "a", "b", "c", "<sos/eos>"]
V = len(TOKENS)
SENTENCES = [(2, 3), (2, 3, 4), (2, 3, 2, 3), (4, 4, 2), (4, 2, 3)] * 4


def texts_of(log_probs: torch.Tensor) -> dict[tuple[int, ...], float]:
    """Log probability of every text, all CTC paths through it added up."""
    totals: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(V - 1), repeat=len(log_probs)):
        text = tuple(token for token, _ in itertools.groupby(path) if token)
        totals[text] = totals.get(text, 0.0) + float(log_probs[range(len(path)), path].double().sum().exp())
    return {text: float(np.log(total)) for text, total in totals.items()}


def posterior(frames: int, seed: int, sharp: float = 2.0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(np.pad(rng.standard_normal((frames, V - 1)) * sharp, ((0, 0), (0, 1)), constant_values=-40)).log_softmax(-1)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.floats(0.5, 3.0), st.floats(-1.0, 1.0))
def test_with_room_for_all_prefixes_each_text_has_the_sum_over_its_paths_and_the_best_comes_first(seed, frames, weight, bonus):
    log_probs = posterior(frames, seed)
    wanted = {text: weight * score + bonus * (len(text) + 1) for text, score in texts_of(log_probs).items()}
    found = frame_search(log_probs, [], beam=5000, ctc_weight=weight, length_bonus=bonus)
    assert {text for text, _ in found} == set(wanted)
    assert [given for _, given in found] == pytest.approx([bonus * (len(text) + 1) for text, _ in found], abs=1e-5)
    assert [wanted[text] for text, _ in found] == pytest.approx(sorted(wanted.values(), reverse=True), abs=1e-5)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_language_model_and_expected_words_count_as_they_do_token_by_token(seed):
    log_probs, lm = posterior(5, seed), train_ngram(SENTENCES, TOKENS, order=3)
    bias = BiasScorer([(4, 2)], V, ())
    found = dict(frame_search(log_probs, [(NgramScorer(lm), 0.7), (bias, 0.4)], beam=5000, ctc_weight=1.0, length_bonus=0.3))
    for text in ((), (2,), (4, 2, 3), (3, 4)):
        gained = sum(float(bias.batch_score(torch.tensor([[V - 1, *text[:n]]]), [None], torch.zeros(1))[0][0, token]) for n, token in enumerate((*text, V - 1)))
        assert found[text] == pytest.approx(0.7 * lm.score(text) + 0.4 * gained + 0.3 * (len(text) + 1), abs=1e-4)


def test_a_neural_language_model_is_asked_with_its_states(tmp_path):
    lm = train_neural([list(text) for text in SENTENCES] * 4, TOKENS, tmp_path / "kept", epochs=1, size=Size(8, 1, 0.0))
    found = dict(frame_search(posterior(4, 3), [(lm.scorer, 1.0)], beam=5000, ctc_weight=1.0))
    for text in ((), (2, 3), (4, 4), (3, 2, 4)):
        assert found[text] == pytest.approx(lm.score(text), abs=1e-4)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 4))
def test_a_narrow_beam_gives_texts_that_there_are_and_no_two_alike(seed, beam, longest):
    log_probs, lm = posterior(12, seed, sharp=4.0), train_ngram(SENTENCES, TOKENS, order=2)
    found = frame_search(log_probs, [(NgramScorer(lm), 1.0)], beam=beam, ctc_weight=1.0, longest=longest)
    texts = [text for text, _ in found]
    assert 1 <= len(texts) <= beam and len(set(texts)) == len(texts)
    assert all(len(text) <= longest and not {0, V - 1} & set(text) for text in texts)
    assert np.isfinite(ctc_log_likelihood(log_probs, texts)).all()


def test_silence_says_nothing_and_a_repeat_wants_a_blank_between():
    def rows(*frames: int) -> torch.Tensor:
        return torch.full((len(frames), V), 1e-6).scatter_(1, torch.tensor(frames)[:, None], 1.0).log_softmax(-1).mul(20).log_softmax(-1)

    def best(log_probs):
        return frame_search(log_probs, [], beam=4, ctc_weight=1.0)[0][0]

    assert best(rows(0, 0, 0)) == ()
    assert best(rows(2, 2, 0, 2, 0, 0, 3, 3)) == (2, 2, 3)


def test_what_is_seen_late_is_not_lost_to_what_is_said_often():
    """Many sentences begin alike and one does not; which it was shows at the end alone."""
    often, rare = list(itertools.product((2, 4), repeat=8)), (3, 3, 3, 4, 3, 3, 4, 3)
    lm = train_ngram([*often, rare], TOKENS, order=8)
    rows = np.full((16, V), -12.0)
    for place, token in enumerate(rare):
        rows[2 * place, token], rows[2 * place + 1, 0] = 0.0, 0.0
        if place < 3:
            rows[2 * place, [2, 4]] = 0.5  # hardly told apart from what is said often
    log_probs = torch.from_numpy(rows).log_softmax(-1)
    options = DecodeOptions(beam_size=4, ctc_weight=1.0, lm_weight=1.0)
    memory = torch.zeros(len(rows), 4)
    assert search(None, memory, log_probs, options, Language(lm))[0].tokens != rare
    assert search(None, memory, log_probs, replace(options, frame_beam=40), Language(lm))[0].tokens == rare


def test_the_decoder_ranks_what_is_left_by_the_score_of_the_other_search(recognizer):
    model = recognizer.packed.model
    torch.manual_seed(0)
    memory, log_probs = torch.randn(12, 32), (3 * torch.randn(12, model.eos + 1)).log_softmax(-1)
    options = DecodeOptions(beam_size=20, ctc_weight=0.4, length_bonus=0.2, nbest=20, nbest_spread=0.0, frame_beam=60)
    found = search(model.decoder, memory, log_probs, options)
    texts = [hypothesis.tokens for hypothesis in found]
    said = attention_log_likelihood(model.decoder, memory, texts, model.eos)
    wanted = 0.4 * ctc_log_likelihood(log_probs, texts) + 0.6 * said + 0.2 * (np.array([len(text) for text in texts]) + 1)
    assert [hypothesis.score for hypothesis in found] == pytest.approx(list(wanted), abs=1e-4)
    assert list(wanted) == sorted(wanted, reverse=True) and len(found) == 20


def test_live_captions_keep_fewer_in_either_search(recognizer):
    wide = replace(recognizer.options, beam_size=30, frame_beam=300)
    recognizer.options = wide
    narrow = recognizer.narrower(10)
    assert (narrow.options.beam_size, narrow.options.frame_beam) == (10, 100) and recognizer.options is wide
    assert narrow.narrower(10) is narrow
