"""In which order shards are dealt out: everything once, near in length, few shards at a time, whoever asks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.errors import AvsrError
from avsr.shards.order import Dealing, cut, deal, epoch_batches, in_order, share


@st.composite
def splits(draw):
    """Shard numbers, lengths, wanted rows."""
    sizes = draw(st.lists(st.integers(1, 12), min_size=1, max_size=12))
    shard = np.repeat(np.arange(len(sizes)), sizes)
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    rows = np.flatnonzero(rng.random(len(shard)) < draw(st.sampled_from([0.6, 1.0])))
    return shard, rng.integers(5, 200, len(shard)), rows if len(rows) else np.arange(len(shard))


hows = st.builds(Dealing, st.integers(1, 9), st.sampled_from([0, 0, 400]), st.integers(1, 5))
seeds = st.integers(0, 100)


@settings(deadline=None)
@given(splits(), hows, seeds, st.integers(0, 5))
def test_a_pass_deals_out_every_utterance_once_and_few_shards_at_a_time(split, how, seed, number):
    shard, lengths, rows = split
    batches = deal(shard, lengths, rows, how, seed, number)
    assert sorted(np.concatenate(batches).tolist()) == rows.tolist()
    assert all(0 < len(batch) <= how.batch_size for batch in batches)
    # Which shards have been begun and not been finished: those of one window, never more.
    left = {int(one): int((shard[rows] == one).sum()) for one in np.unique(shard[rows])}
    whole, begun = dict(left), set()
    for batch in batches:
        for one in shard[batch].tolist():
            left[one] -= 1
            begun.add(one)
        assert len([one for one in begun if 0 < left[one] < whole[one]]) <= how.window
    if how.batch_frames:
        assert all(len(batch) == 1 or lengths[batch].max() * len(batch) <= how.batch_frames for batch in batches)


@settings(deadline=None, max_examples=60)
@given(splits(), hows, seeds, st.integers(1, 6), st.integers(1, 30))
def test_epochs_follow_one_another_and_one_that_is_begun_again_is_the_same(split, how, seed, epoch, steps):
    shard, lengths, rows = split
    known = shard, lengths, rows, how, seed
    one_by_one = [batch for number in range(1, epoch + 1) for batch in epoch_batches(*known, number, steps)]
    passes = (batch for number in range(10_000) for batch in deal(*known, number))
    assert [batch.tolist() for batch in one_by_one] == [next(passes).tolist() for _ in range(epoch * steps)]
    again = list(epoch_batches(*known, epoch, steps))
    assert [batch.tolist() for batch in again] == [batch.tolist() for batch in one_by_one[-steps:]]


@settings(deadline=None)
@given(splits(), st.integers(1, 4), seeds)
def test_processes_share_each_batch_and_leave_nothing_out(split, world, seed):
    shard, lengths, rows = split
    batches = deal(shard, lengths, rows, Dealing(8, window=20), seed, 1)
    if min(map(len, batches)) < world:
        with pytest.raises(AvsrError, match="for . processes; give a larger batch_size"):
            list(share(iter(batches), 0, world))
        return
    parts = [list(share(iter(batches), rank, world)) for rank in range(world)]
    for number, batch in enumerate(batches):
        assert sorted(np.concatenate([part[number] for part in parts]).tolist()) == sorted(batch.tolist())
    assert len({len(part) for part in parts}) == 1, "as many steps for each"


def test_passes_differ_and_a_batch_is_of_one_length():
    rng = np.random.default_rng(0)
    shard, lengths, rows = np.repeat(np.arange(40), 100), rng.integers(20, 400, 4000), np.arange(4000)
    one, other = (deal(shard, lengths, rows, Dealing(32), 1, number) for number in (1, 2))
    assert [batch.tolist() for batch in one] != [batch.tolist() for batch in other]
    assert [batch.tolist() for batch in one] == [batch.tolist() for batch in deal(shard, lengths, rows, Dealing(32), 1, 1)]
    padded = sum(lengths[batch].max() * len(batch) for batch in one)
    assert padded < 1.15 * lengths.sum(), "at random it would be 1.8 times"


@settings(deadline=None)
@given(splits(), hows)
def test_a_validation_is_the_same_each_time_and_whole(split, how):
    shard, lengths, rows = split
    batches = in_order(shard, lengths, rows, how)
    assert sorted(np.concatenate(batches).tolist()) == rows.tolist()
    assert [batch.tolist() for batch in batches] == [batch.tolist() for batch in in_order(shard, lengths, rows, how)]


def test_a_batch_of_frames_holds_what_fits():
    lengths = np.array([10, 10, 10, 20, 50])
    assert [batch.tolist() for batch in cut(np.arange(5), lengths, Dealing(40, 40))] == [[0, 1, 2], [3], [4]]
