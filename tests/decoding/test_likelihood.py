"""Text likelihoods: CTC against a sum over every path and torch's loss, the decoder against itself step by step."""

from __future__ import annotations

from itertools import groupby, product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from avsr.decoding.likelihood import (
    LipFeatures,
    attention_log_likelihood,
    ctc_log_likelihood,
    lip_features,
    text_log_likelihood,
    unknown_tokens,
    without_token,
)
from avsr.errors import AvsrError
from avsr.lips.mouth_clip import MouthClip
from avsr.text.tokens import Tokenizer

SPACE = 3


def posterior(frames: int, tokens: int, seed: int) -> torch.Tensor:
    """(T, V) a random log posterior."""
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((frames, tokens))).log_softmax(-1)


def over_all_paths(log_probs: torch.Tensor, text: tuple[int, ...], silent: tuple[int, ...] = ()) -> float:
    """log of the summed probability of the paths that say `text` once what is `silent` is taken out of what they say."""
    total = 0.0
    for path in product(range(log_probs.shape[1]), repeat=len(log_probs)):
        said = tuple(token for token, _ in groupby(path) if token != 0 and token not in silent)
        if said == text:
            total += float(log_probs[range(len(path)), list(path)].sum().exp())
    return float(np.log(total)) if total else -np.inf


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(1, 3), max_size=5), min_size=1, max_size=4), st.integers(1, 5), st.integers(0, 2**31))
def test_ctc_is_the_sum_over_all_paths(texts, frames, seed):
    log_probs = posterior(frames, 4, seed)
    found = ctc_log_likelihood(log_probs, texts)
    assert found == pytest.approx([over_all_paths(log_probs, tuple(text)) for text in texts], abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 2), max_size=4), st.integers(1, 5), st.integers(0, 2**31))
def test_spaces_are_summed_out_wherever_they_stand(text, frames, seed):
    log_probs = posterior(frames, 4, seed)
    found = ctc_log_likelihood(without_token(log_probs, SPACE), [text])[0]
    assert found == pytest.approx(over_all_paths(log_probs, tuple(text), silent=(SPACE,)), abs=1e-9)


def test_ctc_of_one_text_is_torchs_loss_whatever_stands_beside_it():
    log_probs, texts = posterior(30, 9, 5), [[1, 2, 3], [4] * 9, [5, 5, 6, 7, 8, 1, 2]]
    alone = [-F.ctc_loss(log_probs, torch.tensor(t), torch.tensor(30), torch.tensor(len(t)), reduction="sum") for t in texts]
    assert ctc_log_likelihood(log_probs.float(), texts) == pytest.approx([float(x) for x in alone], abs=1e-4)
    assert ctc_log_likelihood(log_probs, []).shape == (0,)


def mouth(frames: int, seed: int = 1) -> MouthClip:
    pictures = np.random.default_rng(seed).integers(0, 256, (frames, 96, 96)).astype(np.uint8)
    return MouthClip(pictures, np.ones(frames, np.float32))


def test_the_fused_posterior_in_mode_lip_is_the_lip_heads(recognizer):
    model, clip = recognizer.packed.model, mouth(9)
    with torch.inference_mode():
        lengths = torch.tensor([9])
        encoded = model.encode(None, None, torch.from_numpy(clip.frames)[None], lengths, torch.ones(1, 9))
    features = lip_features(model, clip)
    assert torch.allclose(features.log_probs, encoded.lip.log_probs[0], atol=1e-5)
    assert torch.allclose(features.memory, encoded.lip.vectors[0])


def test_attention_is_the_decoders_word_for_word(recognizer):
    packed = recognizer.packed
    features = lip_features(packed.model, mouth(12))
    texts = [packed.tokenizer.encode(text) for text in ("내일 또 만나요", "오늘", "안녕하세요 반갑습니다")]
    together = attention_log_likelihood(packed.model.decoder, features.memory, texts, packed.model.eos)
    eos = packed.model.eos
    for text, found in zip(texts, together):
        total, lengths = 0.0, torch.tensor([len(features)])
        for place, token in enumerate([*text, eos]):
            said = torch.tensor([[eos, *text[:place]]])
            with torch.inference_mode():
                out, _ = packed.model.decoder(features.memory[None], lengths, said, torch.tensor([place + 1]))
            total += float(out[0, -1].log_softmax(-1)[token])
        assert found == pytest.approx(total, abs=1e-3)


def test_texts_are_scored_together_as_alone(recognizer):
    packed, texts = recognizer.packed, ["내일 또 만나요", "오늘 좋네요", "내일또만나요"]
    features = lip_features(packed.model, mouth(40))
    scores = text_log_likelihood(packed.model, features, texts, packed.tokenizer)
    for place, text in enumerate(texts):
        alone = text_log_likelihood(packed.model, features, [text], packed.tokenizer)
        for name in ("ctc", "ctc_unspaced", "attention"):
            assert getattr(scores, name)[place] == pytest.approx(getattr(alone, name)[0], abs=1e-3)
    assert scores.ctc_unspaced[0] == pytest.approx(scores.ctc_unspaced[2])
    assert (scores.ctc_unspaced >= scores.ctc).all()
    assert scores.joint(0.3) == pytest.approx(0.3 * scores.ctc + 0.7 * scores.attention)


def test_too_many_tokens_for_a_clip_are_impossible_for_ctc_alone(recognizer):
    packed = recognizer.packed
    features = lip_features(packed.model, mouth(4))
    scores = text_log_likelihood(packed.model, features, ["안녕하세요 반갑습니다"], packed.tokenizer)
    assert np.isneginf(scores.ctc[0]) and np.isneginf(scores.joint(0.5)[0])
    assert np.isfinite(scores.attention[0]) and scores.joint(0.0)[0] == scores.attention[0]


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 9), st.integers(0, 40))
def test_a_clip_lasts_as_long_as_wanted_without_a_jump(frames, wanted):
    log_probs = torch.arange(frames, dtype=torch.float)[:, None]
    longer = LipFeatures(log_probs, log_probs).lasting(wanted)
    places = longer.log_probs[:, 0].tolist()
    assert len(longer) == wanted and places[:frames] == list(range(frames))[:wanted]
    assert all(abs(a - b) <= 1 for a, b in zip(places, places[1:]))


def test_what_cannot_be_scored_is_told(recognizer):
    packed = recognizer.packed
    with pytest.raises(AvsrError, match="without frames"):
        lip_features(packed.model, MouthClip(np.zeros((0, 96, 96), np.uint8), np.zeros(0, np.float32)))
    features = lip_features(packed.model, mouth(5))
    with pytest.raises(AvsrError, match="text 2 of 2 is empty"):
        text_log_likelihood(packed.model, features, ["오늘", " "], packed.tokenizer)
    assert unknown_tokens(["오늘", "꿈 3"], packed.tokenizer).keys() == {1}
    assert unknown_tokens(["3 오늘 3"], packed.tokenizer) == {0: ["3"]}


def test_a_token_list_without_a_space(recognizer):
    packed = recognizer.packed
    names = ["" if name == "<space>" else name for name in packed.tokenizer.token_list]
    features, bare = lip_features(packed.model, mouth(40)), Tokenizer("jamo", names)
    scores = text_log_likelihood(packed.model, features, ["내일 또", "내일또"], bare)
    assert scores.ctc_unspaced[0] == scores.ctc_unspaced[1] == scores.ctc[1]
    assert unknown_tokens(["내일 또", "내일또"], bare) == {0: ["<space>"]}
