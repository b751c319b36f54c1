"""Splits by list, speaker and sentence: nothing is lost, nothing straddles."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avsr.corpora.datadir import Utterance, check_disjoint
from avsr.corpora.lipnet import read_corpus
from avsr.corpora.splits import by_lists, by_sentence, by_speaker, check_unseen, rank, read_list
from avsr.errors import LabelError

LISTS = Path(__file__).resolve().parents[2] / "recipes/grid/avsr1/local"


def _utterance(speaker: str, name: str, text: str) -> Utterance:
    return Utterance(f"{speaker}-{name}", speaker, Path(f"/{speaker}/{name}.mp4"), text)


TEXTS = st.sampled_from(["네", "네.", "아니", "가 자", "가자", "왜", "또"])
CORPUS = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.integers(0, 30), TEXTS),
    min_size=1,
    unique_by=lambda row: row[:2],
).map(lambda rows: [_utterance(speaker, f"u{number}", text) for speaker, number, text in rows])
FRACTIONS = st.sampled_from([0.0, 0.1, 0.3])


@given(CORPUS, FRACTIONS, FRACTIONS, st.randoms(use_true_random=False))
def test_fractions_lose_nothing_and_keep_groups_whole(corpus, dev, test, order):
    for split, check in ((by_speaker, check_disjoint), (by_sentence, check_unseen)):
        try:
            splits = split(corpus, dev_fraction=dev, test_fraction=test)
        except LabelError as error:
            assert "too few" in str(error)
            continue
        check(splits)
        assert sorted(u.utt_id for part in splits.values() for u in part) == sorted(u.utt_id for u in corpus)
        assert bool(splits["dev"]) == (dev > 0) and bool(splits["test"]) == (test > 0) and splits["train"]
        shuffled = order.sample(corpus, len(corpus))
        again = split(shuffled, dev_fraction=dev, test_fraction=test)
        assert {u.utt_id for u in again["test"]} == {u.utt_id for u in splits["test"]}


@pytest.mark.parametrize("fraction", [-0.1, 1.0, 0.6, float("nan")])
def test_fractions_out_of_range(fraction):
    with pytest.raises(LabelError, match="fraction"):
        by_speaker([_utterance("a", "x", "네")], dev_fraction=fraction, test_fraction=0.5)


@pytest.fixture
def lists(tmp_path):
    def write(test: str, dev: str) -> dict[str, Path]:
        (tmp_path / "test.list").write_text(test, encoding="utf-8")
        (tmp_path / "dev.list").write_text(dev, encoding="utf-8")
        return {"test_list": tmp_path / "test.list", "dev_list": tmp_path / "dev.list"}

    return write


def test_a_name_takes_every_speakers_and_an_id_takes_one(lists):
    corpus = [_utterance(speaker, name, name) for speaker in ("s1", "s2") for name in ("a", "b", "c")]
    splits = by_lists(corpus, **lists("# why\r\na\r\n\r\n", "s2-b\n"))
    assert {split: [u.utt_id for u in part] for split, part in splits.items()} == {
        "train": ["s1-b", "s1-c", "s2-c"],
        "dev": ["s2-b"],
        "test": ["s1-a", "s2-a"],
    }


@pytest.mark.parametrize(
    ("test", "dev", "says"),
    [
        ("gone\n", "b\n", r"test\.list: gone .* is no utterance"),
        ("a\n", "b\na\n", r"dev\.list: a is also in .*test\.list"),
        ("a\nb\na\n", "c\n", r"test\.list, line 3: a is there twice"),
        ("", "b\n", r"test\.list: the file is empty"),
    ],
)
def test_broken_lists_are_named(lists, test, dev, says):
    corpus = [_utterance("s1", name, name) for name in "abc"]
    with pytest.raises(LabelError, match=says):
        by_lists(corpus, **lists(test, dev))


def test_a_name_whose_label_is_broken_is_not_missing(lists):
    splits = by_lists([_utterance("s1", "a", "네")], known_missing={"b"}, **lists("b\n", "a\n"))
    assert splits["test"] == []


def test_check_unseen_sees_through_spaces_and_punctuation():
    with pytest.raises(LabelError, match="s1-말 in train and s1-말2 in test are the same sentence"):
        repeats = _utterance("s1", "말", "말 한다"), _utterance("s1", "말2", "말한다.")
        check_unseen({"train": [repeats[0]], "test": [repeats[1]]})


def test_grids_lists_are_what_their_rule_gives(shared_data):
    test, dev = read_list(LISTS / "test.list"), read_list(LISTS / "dev.list")
    names = sorted((path.stem for path in (shared_data / "grid_s1/align").glob("*.align")), key=rank)
    if len(names) == 900:  # the corpus that the lists were chosen from
        assert (set(test), set(dev)) == (set(names[:100]), set(names[100:150]))
    splits = by_lists(read_corpus(shared_data / "grid_s1"), test_list=LISTS / "test.list", dev_list=LISTS / "dev.list")
    check_unseen(splits)


def test_grids_lists_hold_100_and_50_names():
    test, dev = read_list(LISTS / "test.list"), read_list(LISTS / "dev.list")
    assert (len(test), len(dev), set(test) & set(dev)) == (100, 50, set())
    # In GRID a name spells its sentence in six letters or digits, so different names are different sentences.
    assert all(len(name) == 6 and name.isalnum() for name in test + dev)
