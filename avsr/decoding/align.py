"""Says when each word of a hypothesis was spoken, and how sure that is, from the fused CTC posterior."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from avsr.media.captions import Word
from avsr.text.tokens import BLANK, SOS_EOS, SPACE, Tokenizer

if TYPE_CHECKING:
    import torch

FRAME = 0.04
"""Seconds a frame of the posterior covers."""

LONGEST_TOKEN = 6
"""Frames between the beginnings of a word's first two tokens, at the most: 0.24 s, a slow syllable. CTC is free to say a
sentence's first token anywhere in the silence before it, and often does so in the very first frame."""

_PIECE_START = "\u2581"  # SentencePiece's sign for a space before a piece


def word_times(
    tokens: Sequence[int], log_probs: torch.Tensor, tokenizer: Tokenizer, start: float = 0.0
) -> tuple[list[Word], list[float]]:
    """The words of `tokens`, in order, with media seconds inside `start` .. `start + T * 0.04`, and each one's least sure
    token.

    The frames of each token come from the likeliest CTC path through all of them (torchaudio's forced_align); a word
    lasts from its first token's first frame (but see LONGEST_TOKEN) to its last token's last, and its confidence is the
    mean posterior of those tokens in their frames. Where the frames are too few for any CTC path (the attention decoder may say more
    than CTC can), the words share the time by length, and have no confidence and a least of 0.

    Args:
        tokens: ids without blank, sos and eos.
        log_probs: (T, V) the fused CTC log posterior.
        tokenizer: whose `decode` gives the same text.
        start: media second of the first frame.

    Returns:
        The words, and of each the least of its tokens' mean posteriors, 0 to 1.
    """
    groups = word_groups(tokens, tokenizer)
    if not groups:
        return [], []
    repeats = sum(a == b for a, b in zip(tokens, tokens[1:]))
    if len(tokens) + repeats > len(log_probs):
        return _shared_out(groups, len(log_probs) * FRAME, start), [0.0] * len(groups)
    spans = token_spans(tokens, log_probs)
    words, leasts = [], []
    for text, places in groups:
        first, last = spans[places[0]][0], spans[places[-1]][1]
        if len(places) > 1:
            first = max(first, spans[places[1]][0] - LONGEST_TOKEN)
        posteriors = [p for place in places for p in spans[place][2]]
        confidence = min(1.0, sum(posteriors) / len(posteriors))
        words.append(Word(round(start + first * FRAME, 3), round(start + last * FRAME, 3), text, round(confidence, 4)))
        leasts.append(min(1.0, min(sum(spans[place][2]) / len(spans[place][2]) for place in places)))
    return words, leasts


def word_groups(tokens: Sequence[int], tokenizer: Tokenizer) -> list[tuple[str, list[int]]]:
    """(word, places of its tokens in `tokens`) of each word; the words with spaces between are `tokenizer.decode(tokens)`."""
    groups: list[list[int]] = [[]]
    for place, token in enumerate(tokens):
        name = tokenizer.token_list[token]
        if name in (BLANK, SOS_EOS):
            continue
        if name == SPACE and tokenizer.token_type != "bpe":
            groups.append([])
            continue
        if tokenizer.token_type == "bpe" and name.startswith(_PIECE_START):
            groups.append([])
        groups[-1].append(place)
    named = [(tokenizer.decode([tokens[place] for place in places]), places) for places in groups if places]
    return [(text, places) for text, places in named if text]


def token_spans(tokens: Sequence[int], log_probs: torch.Tensor) -> list[tuple[int, int, list[float]]]:
    """(first frame, frame after the last, posterior in each) of every token."""
    import torch
    from torchaudio.functional import forced_align, merge_tokens

    log_probs = log_probs.detach().float().cpu()
    with torch.inference_mode():
        path, scores = forced_align(log_probs[None], torch.tensor([list(tokens)], dtype=torch.int32), blank=0)
    posteriors = scores[0].exp()
    return [(s.start, s.end, posteriors[s.start : s.end].tolist()) for s in merge_tokens(path[0], scores[0], blank=0)]


def _shared_out(groups: list[tuple[str, list[int]]], duration: float, start: float) -> list[Word]:
    total, done, words = sum(len(places) for _, places in groups), 0, []
    for text, places in groups:
        begin, done = start + duration * done / total, done + len(places)
        words.append(Word(round(begin, 3), round(start + duration * done / total, 3), text))
    return words
