"""Word times: hand-made posteriors, and any tokens and posteriors keep words whole, in order and inside."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.decoding.align import word_groups, word_times
from avsr.text.tokens import Tokenizer, build_token_list

CHARACTERS = Tokenizer("char", ["<blank>", "<unk>", "<space>", "가", "나", "다", "<sos/eos>"])
SPACE, GA, NA = 2, 3, 4


def path(*tokens: int, sure: float = 0.9) -> torch.Tensor:
    """(T, 7) log posterior that says these tokens frame by frame."""
    rows = torch.full((len(tokens), 7), (1 - sure) / 6)
    rows[range(len(tokens)), tokens] = sure
    return rows.log()


def test_words_are_where_their_tokens_are():
    words, _ = word_times([GA, NA, SPACE, GA], path(0, GA, GA, 0, NA, 0, SPACE, 0, GA, GA, 0), CHARACTERS, start=10.0)
    assert [word.text for word in words] == ["가나", "가"]
    assert [(word.start, word.end) for word in words] == [(10.04, 10.2), (10.32, 10.4)]
    assert [word.confidence for word in words] == pytest.approx([0.9, 0.9], abs=1e-3)


def test_a_first_token_said_into_the_silence_does_not_make_the_word_early():
    words, _ = word_times([GA, NA], path(GA, *[0] * 14, NA, NA), CHARACTERS)
    assert [(word.start, word.end) for word in words] == [(0.36, 0.68)]


def test_a_doubled_token_and_spaces_at_the_ends():
    words, _ = word_times([SPACE, GA, GA, SPACE], path(SPACE, GA, 0, GA, SPACE), CHARACTERS)
    assert [(word.text, word.start, word.end) for word in words] == [("가가", 0.04, 0.16)]
    assert word_times([], path(0, 0), CHARACTERS) == ([], [])
    assert word_times([SPACE], path(0, 0), CHARACTERS) == ([], [])


def test_more_tokens_than_frames_share_the_time():
    words, _ = word_times([GA, GA, SPACE, NA], path(GA, NA), CHARACTERS, start=1.0)
    assert [(word.text, word.start, word.end) for word in words] == [("가가", 1.0, 1.053), ("나", 1.053, 1.08)]
    assert [word.confidence for word in words] == [None, None]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 5), max_size=12), st.integers(1, 30), st.integers(0, 2**31))
def test_any_tokens_keep_words_in_order_and_inside(tokens, frames, seed):
    log_probs = torch.from_numpy(np.random.default_rng(seed).standard_normal((frames, 7))).float().log_softmax(-1)
    words, _ = word_times(tokens, log_probs, CHARACTERS, start=2.0)
    assert " ".join(word.text for word in words) == CHARACTERS.decode(tokens)
    times = [time for word in words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert all(2.0 <= time <= 2.0 + frames * 0.04 + 1e-3 for time in times)
    assert all(word.start < word.end for word in words)


@pytest.mark.parametrize("token_type", ["jamo", "char", "bpe"])
def test_words_of_every_token_type(tmp_path, token_type):
    texts = ["오늘은 날씨가 좋다", "내일은 날씨가 흐리다", "밖은 춥고 값이 비싸다"]
    tokenizer = build_token_list(texts, token_type, vocab_size=60 if token_type == "bpe" else None, out_dir=tmp_path)
    for text in texts:
        assert [word for word, _ in word_groups(tokenizer.encode(text), tokenizer)] == text.split()
