"""Language in the search: what is likelier in the language wins where the eye cannot tell, and expected names are found."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.decoding.search import DecodeOptions, Language, search
from avsr.language.kneser_ney import train_ngram
from avsr.language.scorers import BiasScorer

A, B, C, SPACE, MARK = 2, 3, 4, 5, 6
TOKENS = ["<blank>", "<unk>", "a", "b", "c", "<space>", "<sos/eos>"]


def gain(scorer: BiasScorer, tokens: list[int]) -> float:
    """What a whole hypothesis gains, its end included."""
    said, total = [MARK, *tokens, MARK], 0.0
    for place in range(1, len(said)):
        scores, _ = scorer.batch_score(torch.tensor([said[:place]]), [None], torch.zeros(1, 1))
        total += float(scores[0, said[place]])
    return total


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([A, B, C, SPACE]), max_size=10))
def test_only_whole_words_gain(tokens):
    scorer = BiasScorer([(A, B), (C, C, A), (B, SPACE, C, B)], len(TOKENS), [SPACE])
    words, expected = [[]], 0
    for token in tokens:
        words.append([]) if token == SPACE else words[-1].append(token)
    for word, after in zip(words, [*words[1:], []]):
        for phrase in ([A, B], [C, C, A]):
            expected += len(phrase) if word[: len(phrase)] == phrase else 0
        expected += 4 if word == [B] and after[:2] == [C, B] else 0
    assert gain(scorer, tokens) == pytest.approx(expected)


def test_a_longer_name_gains_its_rest_and_one_with_a_space_is_one():
    scorer = BiasScorer([(A,), (A, B, C), (B, SPACE, B)], len(TOKENS), [SPACE])
    assert gain(scorer, [A, B, C]) == 3 and gain(scorer, [A, B]) == 1, "what is whole keeps what it gained"
    assert gain(scorer, [B, SPACE, B]) == 3 and gain(scorer, [B, SPACE, C]) == 0


def test_a_word_that_begins_inside_another_is_not_forgotten():
    scorer = BiasScorer([(B, SPACE, A, C), (A, B)], len(TOKENS), [SPACE])
    assert gain(scorer, [B, SPACE, A, B]) == 2 and gain(scorer, [B, SPACE, A, C]) == 4
    scorer = BiasScorer([(A,), (A, SPACE, B, C), (B, B)], len(TOKENS), [SPACE])
    assert gain(scorer, [A, SPACE, B, B]) == 3 and gain(scorer, [A, SPACE, B, C]) == 4
    assert gain(BiasScorer([(A, A, B)], len(TOKENS), None), [A, A, A, B]) == 3, "pieces tell themselves where words begin"


def unsure(*frames: tuple[int, ...]) -> torch.Tensor:
    """Posteriors (T, V) that spread evenly over the tokens of each frame, blanks between."""
    rows = []
    for tokens in frames:
        for these in (tokens, (0,)):
            row = torch.full((len(TOKENS),), 1e-4)
            row[list(these)] = 1 / len(these)
            rows.append(row / row.sum())
    return torch.stack(rows).log()


def best(language: Language | None, **options) -> tuple[int, ...]:
    log_probs = unsure((A,), (B, C), (A,))
    return search(None, torch.zeros(6, 4), log_probs, DecodeOptions(beam_size=6, ctc_weight=1.0, **options), language)[0].tokens


def test_where_the_eye_cannot_tell_the_language_does():
    for likely in (B, C):
        model = train_ngram([[A, likely, A]] * 3 + [[B], [C]], TOKENS, 3)
        assert best(Language(model), lm_weight=0.5) == (A, likely, A)
        assert best(Language(phrases=((A, likely, A),), spaces=(SPACE,))) == (A, likely, A)
    assert best(Language(model), lm_weight=0.0) == best(None)


def test_what_is_said_clearly_stays():
    model = train_ngram([[A, B, A]] * 3, TOKENS, 3)
    clear = unsure((A,), (C,), (A,))
    options = DecodeOptions(beam_size=6, ctc_weight=1.0, lm_weight=0.5)
    assert search(None, torch.zeros(6, 4), clear, options, Language(model))[0].tokens == (A, C, A)
