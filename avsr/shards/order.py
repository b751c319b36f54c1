"""In which batches a split's utterances are dealt out: a function of the index, the seed and the pass, and of nothing else.

A pass takes the shards in an order of its own, some at a time (a window), so that no more than those have to be at hand; within a window
all utterances are dealt out in batches of about one length, in any order. Processes that train together take their share of
each batch, as ESPnet's do; loader processes take batches by turns. So neither how many train, nor how many load, nor where a run was
interrupted changes what a step sees.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from avsr.errors import AvsrError

_JITTER = 0.1  # of a length, so that the same utterances do not meet in every pass


@dataclass(frozen=True)
class Dealing:
    """How batches are made. batch_size: utterances at most; batch_frames: 40 ms frames at most, the longest times how many, where it
    is not 0; window: shards at a time."""

    batch_size: int
    batch_frames: int = 0
    window: int = 8


def deal(shard: np.ndarray, lengths: np.ndarray, rows: np.ndarray, how: Dealing, seed: int, number: int) -> list[np.ndarray]:
    """The batches of pass `number`: each of `rows` once.

    Args:
        shard: (N,) int, the shard of each utterance of the index.
        lengths: (N,) int, 40 ms frames.
        rows: (M,) int, which of the index are wanted.
    """
    rng = np.random.default_rng([seed, number])
    rows = rows[np.argsort(shard[rows], kind="stable")]
    numbers, first = np.unique(shard[rows], return_index=True)
    groups = np.split(rows, first[1:])
    order = rng.permutation(len(numbers))
    batches: list[np.ndarray] = []
    for start in range(0, len(order), how.window):
        pool = np.concatenate([groups[place] for place in order[start : start + how.window]])
        made = cut(pool[np.argsort(lengths[pool] * rng.uniform(1 - _JITTER, 1 + _JITTER, len(pool)), kind="stable")], lengths, how)
        batches += [made[place] for place in rng.permutation(len(made))]
    return batches


def in_order(shard: np.ndarray, lengths: np.ndarray, rows: np.ndarray, how: Dealing) -> list[np.ndarray]:
    """The batches of a validation: a window at a time, by length, always the same."""
    batches: list[np.ndarray] = []
    numbers = np.unique(shard[rows])
    for start in range(0, len(numbers), how.window):
        pool = rows[np.isin(shard[rows], numbers[start : start + how.window])]
        batches += cut(pool[np.argsort(lengths[pool], kind="stable")], lengths, how)
    return batches


def cut(pool: np.ndarray, lengths: np.ndarray, how: Dealing) -> list[np.ndarray]:
    """Utterances sorted by length, in batches as equal in number as they can be, or of up to `batch_frames` each."""
    if not how.batch_frames:
        return np.array_split(pool, -(-len(pool) // how.batch_size))
    batches, first, longest = [], 0, 0
    for place, length in enumerate(lengths[pool].tolist()):
        longest = max(longest, length)
        if place > first and (longest * (place + 1 - first) > how.batch_frames or place - first == how.batch_size):
            batches.append(pool[first:place])
            first, longest = place, length
    return [*batches, pool[first:]]


def epoch_batches(
    shard: np.ndarray, lengths: np.ndarray, rows: np.ndarray, how: Dealing, seed: int, epoch: int, steps: int | None
) -> Iterator[np.ndarray]:
    """The batches of an epoch, counted from 1: a pass, or `steps` batches, of which the next epoch goes on with what follows."""
    if steps is None:
        yield from deal(shard, lengths, rows, how, seed, epoch)
        return
    # How many batches a pass has depends a little on which shards share a window, so the passes before are dealt out too.
    skip, left, number = (epoch - 1) * steps, steps, 0
    while left:
        batches = deal(shard, lengths, rows, how, seed, number)
        taken = batches[skip : skip + left]
        yield from taken
        skip, left, number = max(0, skip - len(batches)), left - len(taken), number + 1


def share(batches: Iterator[np.ndarray], rank: int, world: int) -> Iterator[np.ndarray]:
    """What one of `world` processes takes of each batch, as ESPnet deals them out; AvsrError for a batch with too few for all."""
    for batch in batches:
        if len(batch) < world:
            raise AvsrError(f"a batch has {len(batch)} utterances for {world} processes; give a larger batch_size, or fewer processes.")
        yield batch[rank::world]
