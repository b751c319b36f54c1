"""Counts n-grams, smooths them, and leaves out those that hardly tell more than shorter ones.

Interpolated modified Kneser-Ney smoothing: Chen and Goodman, "An empirical study of smoothing techniques for language
modeling" (1999). Pruning after Stolcke, "Entropy-based pruning of backoff language models" (1998), by the loss on the counted text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from avsr.errors import AvsrError
from avsr.language.ngram import Level, Ngram, as_keys
from avsr.processes import progress

ORDERS = range(2, 13)
_NEVER_PRUNED = 2  # tokens: what is left of these weighs nothing

_Counts = tuple[np.ndarray, np.ndarray]  # (N, n) big-endian rows in order, and (N,) how often each is there


def train_ngram(sentences: Iterable[Sequence[int]], token_list: Sequence[str], order: int, *, prune: float = 0.0) -> Ngram:
    """Count and smooth.

    Args:
        sentences: token ids, without sos and eos.
        token_list: as in `Ngram`.
        order: tokens of the longest n-gram.
        prune: n-grams are left out, of three tokens and more, without which the text would lose less than so many nats in all; 0 keeps
            those that repeat what shorter ones tell, too.

    Raises:
        AvsrError: the order or the pruning cannot be, or there is no sentence.
    """
    if order not in ORDERS:
        raise AvsrError(f"an order of {order} is not {ORDERS[0]} to {ORDERS[-1]}; 8 is good for jamo, 4 for syllables.")
    if not prune >= 0:
        raise AvsrError(f"pruning by {prune} nats: give 0 or more.")
    mark = len(token_list) - 1
    lines = [[mark, *sentence, mark] for sentence in sentences if len(sentence)]
    if not lines:
        raise AvsrError("there is no sentence to learn from; give a text with one sentence a line.")
    flat = np.concatenate([np.array(line) for line in lines]).astype(">u2")  # big-endian: bytes sort as numbers do
    place = np.concatenate([np.arange(len(line)) for line in lines])
    raw, levels = [], []
    with progress("lengths of n-grams", order, 0) as advance:
        for n in range(1, order + 1):
            raw.append(_counted(_windows(flat, place, n)))
            if n > 1:
                levels.append(_smoothed(*_continuations(raw[n - 2], raw[n - 1], mark)))
            advance()
    levels.append(_smoothed(*raw[-1]))
    return Ngram(pruned(levels, raw, prune) if prune else levels, token_list)


def pruned(levels: Sequence[Level], counts: Sequence[_Counts], least: float) -> list[Level]:
    """The levels without what the counted text loses less than `least` nats by; its shares go to the shorter context.

    Contexts and endings of what stays are kept, so that each n-gram is found by way of shorter ones.
    """
    rows = [level.rows() for level in levels]
    kept = [np.ones(len(own), bool) for own in rows]
    probabilities: list[np.ndarray] = []
    for n, (level, own) in enumerate(zip(levels, rows, strict=True)):
        rest = np.repeat(level.rest, np.diff(level.starts))
        shorter = probabilities[-1][_places(rows[n - 1], own[:, 1:])] if n else 0.0
        probabilities.append(level.shares + rest * shorter)
        if n >= _NEVER_PRUNED:
            often = counts[n][1][_places(counts[n][0], own)]
            without = (rest + level.shares) * shorter
            kept[n] = often * (np.log(probabilities[n]) - np.log(without)) >= least
    for n in range(len(rows) - 1, 0, -1):
        longer = rows[n][kept[n]]
        for part in (longer[:, 1:], longer[:, :-1]):
            kept[n - 1][_places(rows[n - 1], part)] = True
    return [_without(level, own) for level, own in zip(levels, kept, strict=True)]


def _places(rows: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(N,) where each of the wanted is among rows, all of which are there."""
    return as_keys(rows).searchsorted(as_keys(wanted))


def _without(level: Level, kept: np.ndarray) -> Level:
    lost = np.add.reduceat(np.where(kept, 0.0, level.shares), level.starts[:-1])
    numbers = np.add.reduceat(kept.astype(np.int64), level.starts[:-1])
    has = numbers > 0
    starts = np.append(0, np.cumsum(numbers[has]))
    rest = (level.rest + lost)[has].astype(np.float32)
    return Level(level.contexts[has], starts, level.tokens[kept], level.shares[kept], rest)


def _windows(flat: np.ndarray, place: np.ndarray, n: int) -> np.ndarray:
    """(N, n): every token but sos with the n - 1 before it, where its sentence has so many."""
    ends = np.flatnonzero(place >= max(1, n - 1))
    return flat[ends[:, None] + np.arange(1 - n, 1)]


def _counted(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different rows in order, and how often each is there."""
    width = rows.shape[1]
    whole = np.ascontiguousarray(rows).view(np.dtype((np.void, 2 * width))).ravel()
    different, counts = np.unique(whole, return_counts=True)
    return different.view(">u2").reshape(-1, width), counts


def _continuations(
    own: tuple[np.ndarray, np.ndarray], longer: tuple[np.ndarray, np.ndarray], mark: int
) -> tuple[np.ndarray, np.ndarray]:
    """How many different tokens stand before each n-gram; for one that begins a sentence, how often it does."""
    rows, counts = _counted(longer[0][:, 1:])
    begins = (own[0][:, 0] == mark) & (own[0].shape[1] > 1)
    if begins.any():
        both = np.concatenate([rows, own[0][begins]])
        order = np.lexsort(both.T[::-1])
        rows, counts = both[order], np.concatenate([counts, own[1][begins]])[order]
    return rows, counts


def _smoothed(rows: np.ndarray, counts: np.ndarray) -> Level:
    contexts = rows[:, :-1]
    new = np.ones(len(rows), bool)
    if contexts.shape[1]:
        new[1:] = (contexts[1:] != contexts[:-1]).any(1)
    else:
        new[1:] = False
    starts = np.append(np.flatnonzero(new), len(rows))
    totals = np.add.reduceat(counts, starts[:-1]).astype(np.float64)
    taken = _discounts(counts)[np.minimum(counts, 3)]
    rest = np.add.reduceat(taken, starts[:-1]) / totals
    shares = (counts - taken) / np.repeat(totals, np.diff(starts))
    kept = contexts[new].astype(np.uint16)
    return Level(kept, starts, rows[:, -1].astype(np.uint16), shares.astype(np.float32), rest.astype(np.float32))


def _discounts(counts: np.ndarray) -> np.ndarray:
    """What is taken from a count of 0, 1, 2, and 3 or more: the estimates of Chen and Goodman, and one half where a small text has
    no n-grams of a count that they need."""
    number = [int((counts == count).sum()) for count in range(5)]
    found = np.array([0.0, 0.5, 0.5, 0.5])
    for count in (1, 2, 3):
        if all(number[1:3]) and number[count] and number[count + 1]:
            y = number[1] / (number[1] + 2 * number[2])
            found[count] = count - (count + 1) * y * number[count + 1] / number[count]
    # Something always has to be left for the shorter context, and for the n-gram.
    return np.clip(found, [0.0, 0.05, 0.05, 0.05], [0.0, 0.95, 1.9, 2.85])
