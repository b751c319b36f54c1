"""An n-gram model is a probability, agrees with the formulas worked out by hand, and survives its file."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.errors import AvsrError, ModelError
from avsr.language import ngram
from avsr.language.ngram import Ngram, load_ngram, train_ngram

TOKENS = ["<blank>", "<unk>", "a", "b", "c", "<sos/eos>"]
MARK = len(TOKENS) - 1
sentences = st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=8), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(sentences, st.integers(2, 5), st.lists(st.integers(1, 4), max_size=8))
def test_what_may_come_next_adds_up_to_one(text, order, said):
    told = train_ngram(text, TOKENS, order).log_probs([MARK, *said])
    assert told.shape == (len(TOKENS),) and told[0] == -1e10
    assert np.exp(told[1:].astype(np.float64)).sum() == pytest.approx(1.0, abs=1e-5)
    assert (told[1:] > -30).all(), "nothing that can be said is impossible"


def by_hand(text: list[list[int]], order: int, context: tuple[int, ...], token: int) -> float:
    """Interpolated Kneser-Ney as it is written down, with a discount of one half throughout."""
    lines = [(MARK, *line, MARK) for line in text]
    grams = [Counter(line[i - n + 1 : i + 1] for line in lines for i in range(max(1, n - 1), len(line))) for n in range(1, order + 1)]

    def count(gram: tuple[int, ...]) -> int:
        if len(gram) == order or (gram[0] == MARK and len(gram) > 1):
            return grams[len(gram) - 1][gram]
        return sum(longer[1:] == gram for longer in grams[len(gram)])

    def probability(before: tuple[int, ...]) -> float:
        shorter = probability(before[1:]) if before else 1 / (len(TOKENS) - 1)
        counts = [count((*before, word)) for word in range(1, len(TOKENS))]
        if not sum(counts):
            return shorter
        kept = max(count((*before, token)) - 0.5, 0) / sum(counts)
        return kept + 0.5 * sum(c > 0 for c in counts) / sum(counts) * shorter

    return probability(context[max(0, len(context) - order + 1) :])


@pytest.mark.parametrize("order", [2, 3])
def test_it_is_what_the_formulas_say(order, monkeypatch):
    monkeypatch.setattr(ngram, "_discounts", lambda counts: np.array([0.0, 0.5, 0.5, 0.5]))
    text = [[2, 3, 4], [2, 3, 2], [2, 3, 3, 4, 2]]
    model = train_ngram(text, TOKENS, order)
    for context in ([MARK], [MARK, 2], [MARK, 2, 3], [MARK, 4, 4], [MARK, 2, 3, 3]):
        for token in range(1, len(TOKENS)):
            expected = by_hand(text, order, tuple(context), token)
            assert np.exp(model.log_probs(context)[token]) == pytest.approx(expected, rel=1e-4)


def test_discounts():
    """Chen and Goodman's estimates for 6, 3, 2 and 1 n-grams of counts 1 to 4, and halves where there are too few."""
    counts = np.repeat([1, 2, 3, 4], [6, 3, 2, 1])
    y = 6 / (6 + 2 * 3)
    assert ngram._discounts(counts) == pytest.approx([0, 1 - 2 * y * 3 / 6, 2 - 3 * y * 2 / 3, 3 - 4 * y * 1 / 2])
    assert ngram._discounts(np.repeat([1, 2], [6, 3])) == pytest.approx([0, 0.5, 0.5, 0.5])
    assert ngram._discounts(np.array([1, 1, 1])) == pytest.approx([0, 0.5, 0.5, 0.5])


def test_what_it_learnt_is_likelier_and_the_end_counts():
    model = train_ngram([[2, 3, 4]] * 5 + [[3, 3]], TOKENS, 4)
    assert model.score([2, 3, 4]) > model.score([4, 3, 2]) and model.score([2, 3, 4]) > model.score([2, 3])


def test_the_file_is_the_model_and_the_same_bytes(tmp_path):
    model = train_ngram([[2, 3, 4], [3, 2]], TOKENS, 3)
    for name in ("one.lm", "two.lm"):
        model.save(tmp_path / name)
    assert (tmp_path / "one.lm").read_bytes() == (tmp_path / "two.lm").read_bytes()
    again = load_ngram(tmp_path / "one.lm", "one.lm")
    assert isinstance(again, Ngram) and again.token_list == TOKENS
    assert np.array_equal(again.log_probs([MARK, 2]), model.log_probs([MARK, 2]))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_file_is_a_sentence_or_a_model(data):
    buffer = tempfile.mkdtemp()
    path = Path(buffer) / "x.lm"
    train_ngram([[2, 3, 4], [3, 2]], TOKENS, 3).save(path)
    broken = bytearray(path.read_bytes())
    broken[data.draw(st.integers(0, len(broken) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        load_ngram(bytes(broken), "x.lm")
    except ModelError as error:
        assert "x.lm: " in str(error)
    finally:
        shutil.rmtree(buffer)


def test_what_cannot_be_is_a_sentence(tmp_path):
    with pytest.raises(AvsrError, match="no sentence to learn from"):
        train_ngram([[], []], TOKENS, 3)
    with pytest.raises(AvsrError, match="an order of 1 is not 2 to 12"):
        train_ngram([[2]], TOKENS, 1)
    (tmp_path / "broken.lm").write_bytes(b"PK\x03\x04 no more")
    for name, sentence in (("broken.lm", "is no language model, or damaged"), ("none.lm", "there is no such file")):
        with pytest.raises(ModelError, match=f"{name}: {sentence}"):
            load_ngram(tmp_path / name, name)
