"""The neural language model: it learns an order that an n-gram cannot see, goes on after a kill, and a search asks it."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch

from avsr.decoding.packed import load_lm
from avsr.errors import AvsrError, ModelError
from avsr.language import neural
from avsr.language.neural import Size, load_neural, train_neural
from avsr.language.kneser_ney import train_ngram
from avsr.language.train import train_lm
from avsr.text.tokens import build_token_list

TOKENS = ["<blank>", "<unk>", *"abcdefghxy", "<sos/eos>"]
SMALL = Size(unit=32, layers=1, dropout=0.0)


def agreeing(count: int, seed: int) -> list[list[int]]:
    """Sentences whose last token is their first, five tokens of noise apart."""
    rng = np.random.default_rng(seed)
    firsts = rng.integers(10, 12, count)
    return [[first, *rng.integers(2, 10, 5).tolist(), first] for first in firsts.tolist()]


def test_it_remembers_further_than_an_ngram(tmp_path):
    learnt, fresh = agreeing(600, 1), agreeing(50, 2)
    model = train_neural(learnt, TOKENS, tmp_path / "kept", epochs=30, size=SMALL)
    ngram = train_ngram(learnt, TOKENS, 4)
    assert np.mean([model.score(s) for s in fresh]) > np.mean([ngram.score(s) for s in fresh]) + 0.4


def test_probabilities_of_all_that_may_follow_sum_to_one(tmp_path):
    model = train_neural(agreeing(60, 1), TOKENS, tmp_path / "kept", epochs=1, size=SMALL)
    told, states = model.scorer.batch_score(torch.tensor([[12, 10], [12, 11]]), [None, None], torch.zeros(2, 1, 1))
    assert told.exp().sum(1).detach().numpy() == pytest.approx([1, 1], abs=1e-5) and len(states) == 2


def test_a_killed_training_goes_on_to_the_same_model(tmp_path, monkeypatch):
    sentences = agreeing(80, 3)
    whole = train_neural(sentences, TOKENS, tmp_path / "a", epochs=4, size=SMALL)
    real, calls = neural._epoch, []

    def stop(*args):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(neural, "_epoch", stop)
        with pytest.raises(KeyboardInterrupt):
            train_neural(sentences, TOKENS, tmp_path / "b", epochs=4, size=SMALL)
    with pytest.raises(AvsrError, match="another training"):
        train_neural([*sentences[1:], sentences[0]], TOKENS, tmp_path / "b", epochs=4, size=SMALL)  # as many, another order
    again = train_neural(sentences, TOKENS, tmp_path / "b", epochs=4, size=SMALL)
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, again.network.state_dict()[name]), name


def test_it_is_written_read_and_refused(tmp_path):
    model = train_neural(agreeing(60, 1), TOKENS, tmp_path / "kept", epochs=1, size=SMALL)
    model.save(tmp_path / "x.lm")
    again = load_neural(tmp_path / "x.lm", "x")
    assert again.token_list == TOKENS and again.score([10, 3, 10]) == pytest.approx(model.score([10, 3, 10]), abs=0.02)
    data = (tmp_path / "x.lm").read_bytes()
    other = io.BytesIO()
    torch.save(torch.zeros(3), other)
    for damaged in (b"", b"hello", data[: len(data) // 2], other.getvalue()):
        with pytest.raises(ModelError, match="y: is no language model"):
            load_neural(damaged, "y")
    with pytest.raises(ModelError, match="no such file"):
        load_neural(tmp_path / "none.lm", "none")
    with pytest.raises(AvsrError, match="too few for a neural"):
        train_neural(agreeing(5, 1), TOKENS, tmp_path / "kept")


def test_the_command_makes_either_kind_and_a_model_takes_both(tmp_path):
    sentences = [f"{a} {b} 좋네요" for a in ("오늘", "내일", "모레") for b in ("날씨가", "꽃이", "밥이")] * 6
    tokenizer = build_token_list(sentences, "jamo", out_dir=tmp_path / "tokens")
    text = tmp_path / "t.txt"
    text.write_text("\n".join(sentences), encoding="utf-8")
    said = train_lm([text], tokenizer, tmp_path / "n.lm", kind="neural", epochs=2, test=text)
    assert "an LSTM of 1." in said and "perplexity" in said
    train_lm([text], tokenizer, tmp_path / "g.lm")
    for name in ("n.lm", "g.lm"):
        assert load_lm(tmp_path / name, name, tokenizer).score(tokenizer.encode(sentences[0])) < 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["g.lm", "n.lm", "t.txt", "tokens"]
    with pytest.raises(AvsrError, match="is a folder"):
        train_lm([text], tokenizer, tmp_path / "tokens", kind="neural")
    with pytest.raises(AvsrError, match="seed -1"):
        train_lm([text], tokenizer, tmp_path / "x.lm", kind="neural", seed=-1)
    other = build_token_list(["다른 글"], "jamo", out_dir=tmp_path / "other")
    with pytest.raises(ModelError, match="other tokens"):
        load_lm(tmp_path / "n.lm", "n.lm", other)
    for wrong, words in (({"kind": "magic"}, "ngram or neural"), ({"epochs": 3}, "belongs to"), ({"kind": "neural", "order": 3}, "belongs to")):
        with pytest.raises(AvsrError, match=words):
            train_lm([text], tokenizer, tmp_path / "x.lm", **wrong)
