"""An n-gram model is a probability, agrees with the formulas worked out by hand, and survives its file."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.errors import AvsrError, ModelError
from avsr.language import kneser_ney
from avsr.language.kneser_ney import train_ngram
from avsr.language.ngram import Ngram, load_ngram

TOKENS = ["<blank>", "<unk>", "a", "b", "c", "<sos/eos>"]
MARK = len(TOKENS) - 1
sentences = st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=8), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(sentences, st.integers(2, 5), st.lists(st.integers(1, 4), max_size=8), st.sampled_from([0.0, 0.5, 3.0]), st.booleans())
def test_what_may_come_next_adds_up_to_one(text, order, said, prune, stored):
    model = train_ngram(text, TOKENS, order, prune=prune)
    told = (as_read(model) if stored else model).log_probs([MARK, *said])
    assert told.shape == (len(TOKENS),) and told[0] == -1e10
    assert np.exp(told[1:].astype(np.float64)).sum() == pytest.approx(1.0, abs=1e-5)
    assert (told[1:] > -30).all(), "nothing that can be said is impossible"


def as_read(model: Ngram) -> Ngram:
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "x.lm")
        return load_ngram(Path(folder) / "x.lm", "x.lm")


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
    monkeypatch.setattr(kneser_ney, "_discounts", lambda counts: np.array([0.0, 0.5, 0.5, 0.5]))
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
    assert kneser_ney._discounts(counts) == pytest.approx([0, 1 - 2 * y * 3 / 6, 2 - 3 * y * 2 / 3, 3 - 4 * y * 1 / 2])
    assert kneser_ney._discounts(np.repeat([1, 2], [6, 3])) == pytest.approx([0, 0.5, 0.5, 0.5])
    assert kneser_ney._discounts(np.array([1, 1, 1])) == pytest.approx([0, 0.5, 0.5, 0.5])


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


@settings(max_examples=60, deadline=None)
@given(sentences, st.integers(2, 5), st.sampled_from([0.0, 1.0]))
def test_the_file_has_each_n_gram_and_rounds_its_share(text, order, prune):
    model = train_ngram(text, TOKENS, order, prune=prune)
    for own, read in zip(model.levels, as_read(model).levels, strict=True):
        assert np.array_equal(own.rows(), read.rows()) and np.array_equal(own.starts, read.starts)
        for one, other in ((own.shares, read.shares), (own.rest, read.rest)):  # half a step, and as much to add up to one
            assert np.allclose(np.log(one), np.log(other), atol=0.05)


def test_a_file_of_the_format_before_is_the_model_as_it_is(tmp_path):
    model = train_ngram([[2, 3, 4], [3, 2]], TOKENS, 3)
    names = ("contexts", "starts", "tokens", "shares", "rest")
    arrays = {f"{name}_{n}": getattr(level, name) for n, level in enumerate(model.levels, 1) for name in names}
    meta = json.dumps({"format": 1, "order": 3, "token_list": TOKENS}).encode()
    np.savez_compressed(tmp_path / "old.npz", **arrays, meta=np.frombuffer(meta, np.uint8))
    assert np.array_equal(load_ngram(tmp_path / "old.npz", "old").log_probs([MARK, 2]), model.log_probs([MARK, 2]))


@settings(max_examples=60, deadline=None)
@given(sentences, st.integers(3, 5), st.floats(0.1, 5.0))
def test_pruning_leaves_out_what_tells_little_and_keeps_the_way_to_what_stays(text, order, least):
    whole, less = train_ngram(text, TOKENS, order), train_ngram(text, TOKENS, order, prune=least)
    rows = [{tuple(row) for row in level.rows().tolist()} for level in less.levels]
    for n, own in enumerate(rows):
        assert own <= {tuple(row) for row in whole.levels[n].rows().tolist()}
        assert n == 0 or all(row[1:] in rows[n - 1] and row[:-1] in rows[n - 1] for row in own)
    assert rows[:2] == [{tuple(row) for row in level.rows().tolist()} for level in whole.levels[:2]]
    lost = sum(whole.score(line) - less.score(line) for line in text)
    assert lost < least * sum(len(level.tokens) for level in whole.levels)


def test_more_pruning_is_less_of_a_model():
    text = [[2, 3, 4]] * 5 + [[3, 3, 2], [4, 3, 2, 2], [2, 2, 3, 4]]
    models = [train_ngram(text, TOKENS, 4, prune=least) for least in (0.0, 0.5, 2.0, 100.0)]
    sizes = [sum(len(level.tokens) for level in model.levels) for model in models]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] > sizes[1] > sizes[3]
    assert not any(len(level.tokens) for level in models[3].levels[2:])
    assert models[0].score([2, 3, 4]) > models[3].score([2, 3, 4])


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
    with pytest.raises(AvsrError, match="pruning by -1"):
        train_ngram([[2]], TOKENS, 3, prune=-1)
    with pytest.raises(AvsrError, match="an order of 1 is not 2 to 12"):
        train_ngram([[2]], TOKENS, 1)
    (tmp_path / "broken.lm").write_bytes(b"PK\x03\x04 no more")
    for name, sentence in (("broken.lm", "is no language model, or damaged"), ("none.lm", "there is no such file")):
        with pytest.raises(ModelError, match=f"{name}: {sentence}"):
            load_ngram(tmp_path / name, name)
