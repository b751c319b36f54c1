"""The plan of a made corpus: splits that are kept apart, whatever is asked for, and the same plan each time."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from avsr.corpora.talking_heads.corpus import (
    FACES_A_VOICE,
    SPLITS,
    Item,
    Order,
    Shipped,
    plan_shipped,
    plan_spoken,
    rng_for,
    uses_shipped,
)
from avsr.errors import AvsrError


def shipped(voices: int, each: int, repeated: int = 0) -> list[Shipped]:
    """What `voices` voices said: sentences of their own, after `repeated` ones that all of them say."""
    return [
        Shipped(f"v{voice:02d}-{place}", f"v{voice:02d}", f"문장 {place if place < repeated else 1000 * voice + place}")
        for voice in range(1, voices + 1)
        for place in range(each)
    ]


def check_apart(items: list[Item]) -> None:
    """Voices and sentences are where they should be."""
    voices = {split: {item.voice for item in items if item.split == split} for split in SPLITS}
    texts = {split: {item.text for item in items if item.split == split} for split in SPLITS}
    speakers = {split: {item.speaker for item in items if item.split == split} for split in SPLITS}
    assert all(voices.values())
    for one, other in (("train", "dev"), ("train", "test"), ("dev", "test")):
        assert not voices[one] & voices[other]
    for one in SPLITS:
        for other in set(SPLITS) - {one}:
            assert not texts[one] & texts[other]
    assert speakers["test_seen"] <= speakers["train"]
    assert len({item.utt for item in items}) == len(items)
    assert all(item.utt.startswith(f"{item.speaker}-") and 0 <= item.face < FACES_A_VOICE for item in items)


@settings(max_examples=40, deadline=None)
@example(utterances=144, voices=4, each=12, repeated=6, seed=0)  # test_seen took all that the voices of train had said
@example(utterances=132, voices=4, each=12, repeated=6, seed=0)  # and here all of one of them
@given(st.integers(12, 400), st.integers(4, 20), st.integers(12, 40), st.integers(0, 6), st.integers(0, 99))
def test_shipped_voices(utterances, voices, each, repeated, seed):
    order, speeches = Order(utterances=utterances, seed=seed), shipped(voices, each, repeated)
    assume(uses_shipped(order, speeches))
    items = plan_shipped(order, speeches)
    assert len(items) == utterances
    check_apart(items)
    drawn = Counter((item.shipped, item.face) for item in items)
    most = max(Counter(item.shipped for item in items).values())
    assert max(drawn.values()) == 1 or most > FACES_A_VOICE, "a speech that comes back has another face"
    assert max(Counter(item.shipped for item in items if item.split.startswith("test")).values()) == 1
    said = {speech.name: (speech.voice, speech.text) for speech in speeches}
    assert all(said[item.shipped] == (item.voice, item.text) for item in items)


@settings(max_examples=40, deadline=None)
@example(utterances=19, voices=5, lines=5, seed=0)  # test_seen was given a voice that train did not have
@given(st.integers(12, 300), st.integers(3, 40), st.integers(4, 400), st.integers(0, 99))
def test_spoken(utterances, voices, lines, seed):
    names = [f"v{number:02d}" for number in range(voices)]
    try:
        items = plan_spoken(Order(utterances=utterances, seed=seed), names, [f"문장 {line}" for line in range(lines)])
    except AvsrError as error:
        assert "too few" in str(error) and lines < 12
        return
    assert len(items) == utterances
    check_apart(items)


def test_the_same_order_is_the_same_plan_and_another_seed_another():
    speeches = shipped(12, 34)
    first = plan_shipped(Order(utterances=600, seed=3), speeches)
    assert first == plan_shipped(Order(utterances=600, seed=3), list(reversed(speeches)))
    assert first != plan_shipped(Order(utterances=600, seed=4), speeches)
    assert rng_for(1, "a", "b").random() == rng_for(1, "a", "b").random() != rng_for(1, "ab").random()


def test_what_is_drawn_of_what_is_shipped():
    items = plan_shipped(Order(utterances=600), shipped(12, 34))
    counts = Counter(item.split for item in items)
    # Of dev's 36 the one voice has 34 sentences, each drawn with two faces; the rest is trained on.
    assert counts == {"train": 424, "dev": 68, "test": 60, "test_seen": 48}
    dev = [item for item in items if item.split == "dev"]
    assert set(Counter(item.shipped for item in dev).values()) == {2}
    assert len({(item.shipped, item.face) for item in dev}) == len(dev)
    test_voices = {item.voice for item in items if item.split == "test"}
    assert {int(voice[1:]) % 2 for voice in test_voices} == {0, 1}, "a woman and a man"


@pytest.mark.parametrize("utterances", [12, 16, 20, 26, 60, 400, 900])
def test_small_orders_of_what_is_shipped_are_whole(utterances):
    """Dev was doubled at the cost of train, so that a voice of test_seen was in no train at all."""
    for seed in range(40):
        items = plan_shipped(Order(utterances=utterances, seed=seed), shipped(24, 30))
        assert len(items) == utterances
        check_apart(items)


def test_an_order_for_training_alone():
    order, voices = Order(utterances=40, train_only=True), [f"v{number:02d}" for number in range(1, 8)]
    items = plan_spoken(order, voices, [f"문장 {place}" for place in range(25)])
    assert {item.split for item in items} == {"train"} and len({item.utt for item in items}) == 40
    assert len({item.text for item in items}) == 25 and {item.voice for item in items} == set(voices)
    assert len({(item.voice, item.text) for item in items}) == 40, "a sentence that comes back has another voice"


def test_whose_voices():
    speeches = shipped(12, 34)
    assert uses_shipped(Order(), speeches) and uses_shipped(Order(speakers=12, utterances=1600), speeches)
    for order in (Order(speakers=13), Order(utterances=2000)):
        assert not uses_shipped(order, speeches)
    assert not uses_shipped(Order(), [])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"utterances": 3}, "utterances 3: give 12 or more"),
        ({"speakers": 2}, "speakers 2: give 3 or more"),
        ({"domain": "poetry"}, "domain poetry: it can be command or daily"),
        ({"layout": "lipnet", "train_only": True}, "for training alone only the layout data"),
        ({"layout": "grid"}, "layout grid: it can be data or lipnet"),
        ({"seed": -1}, "seed -1: give 0 or more"),
    ],
)
def test_an_order_that_cannot_be_carried_out_is_a_sentence(options, sentence):
    with pytest.raises(AvsrError, match=sentence):
        Order(**options)
