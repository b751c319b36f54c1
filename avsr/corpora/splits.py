"""Dividing a corpus into train, dev and test: by lists of names, by speaker, or by sentence."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from avsr.corpora.datadir import Utterance
from avsr.corpora.labels import clean_name, read_label_text
from avsr.errors import LabelError

Splits = dict[str, list[Utterance]]


def read_list(path: Path) -> list[str]:
    """The names in a list file, one a line; empty lines and lines that start with ``#`` are left out.

    Raises LabelError naming the file, and the line of a name given twice.
    """
    names: dict[str, None] = {}
    for number, line in enumerate(read_label_text(path).split("\n"), 1):
        name = clean_name(line)
        if not name or name.startswith("#"):
            continue
        if name in names:
            raise LabelError(f"{path}, line {number}: {name} is there twice; remove one of the two.")
        names[name] = None
    return list(names)


def by_lists(
    utterances: Sequence[Utterance], *, test_list: Path, dev_list: Path, known_missing: Collection[str] = ()
) -> Splits:
    """Test and dev by list files, the rest to train.

    A line is an utterance id or the name of a clip; a name that several speakers have takes all of
    theirs, so that in GRID, where the name is the sentence, a listed sentence is never trained on.
    ``known_missing`` holds names whose labels are already reported as broken.

    Raises LabelError when a name is in no utterance of the corpus, or in both lists.
    """
    split_of: dict[str, str] = {}
    for split, path in (("test", Path(test_list)), ("dev", Path(dev_list))):
        for name in read_list(path):
            if name in split_of:
                raise LabelError(f"{path}: {name} is also in {test_list}; remove it from one of the two.")
            split_of[name] = split
    splits: Splits = {"train": [], "dev": [], "test": []}
    used: set[str] = set()
    for utterance in utterances:
        keys = [key for key in (utterance.utt_id, utterance.name) if key in split_of]
        used.update(keys)
        # An id is more exact than a name, and comes first.
        splits[split_of[keys[0]] if keys else "train"].append(utterance)
    missing = split_of.keys() - used - set(known_missing)
    if missing:
        name = min(missing)
        path = test_list if split_of[name] == "test" else dev_list
        raise LabelError(
            f"{path}: {name} (and {len(missing) - 1} more) is no utterance of this corpus;"
            " use the list that belongs to it, or complete the corpus (failed.tsv lists what is broken in it)."
        )
    return splits


def by_speaker(utterances: Sequence[Utterance], *, dev_fraction: float, test_fraction: float) -> Splits:
    """Whole speakers to each split; the fractions are of the number of speakers.

    A speaker may change splits when speakers are added; a corpus that grows wants list files.
    """
    return _by_group(utterances, lambda utterance: utterance.speaker, "speaker", dev_fraction, test_fraction)


def by_sentence(utterances: Sequence[Utterance], *, dev_fraction: float, test_fraction: float) -> Splits:
    """Whole sentences to each split, so that repeats of a text never straddle train and test."""
    return _by_group(utterances, sentence_key, "sentence", dev_fraction, test_fraction)


def sentence_key(utterance: Utterance) -> str:
    """What makes two utterances the same sentence: their text without spaces, case or punctuation."""
    return "".join(character for character in utterance.text.casefold() if character.isalnum()) or utterance.text


def check_unseen(splits: Mapping[str, Sequence[Utterance]]) -> None:
    """Raise LabelError, naming both utterances, when a sentence is in two splits."""
    home: dict[str, tuple[str, Utterance]] = {}
    for split, utterances in splits.items():
        for utterance in utterances:
            other_split, other = home.setdefault(sentence_key(utterance), (split, utterance))
            if other_split != split:
                raise LabelError(
                    f"{other.utt_id} in {other_split} and {utterance.utt_id} in {split} are the same sentence"
                    f" ({utterance.text!r}) and the splits share speakers; move both to one split."
                )


def rank(name: str) -> str:
    """Where a name stands in the fixed order that splits are cut from: its SHA-256 in UTF-8, as hexadecimal.

    No random numbers, so that the same corpus gives the same splits on every machine.
    """
    return hashlib.sha256(name.encode("utf-8")).hexdigest()


def _by_group(
    utterances: Sequence[Utterance],
    key: Callable[[Utterance], str],
    what: str,
    dev_fraction: float,
    test_fraction: float,
) -> Splits:
    """The first groups by rank to test, the next to dev; at least one group each where the fraction is above 0.

    Raises LabelError for fractions outside [0, 1) or too few groups.
    """
    if not (0 <= dev_fraction < 1 and 0 <= test_fraction < 1 and dev_fraction + test_fraction < 1):
        raise LabelError(
            f"dev fraction {dev_fraction} and test fraction {test_fraction} must be 0 or more and leave some for train."
        )
    groups = sorted({key(utterance) for utterance in utterances}, key=rank)
    tests = max(round(test_fraction * len(groups)), 1 if test_fraction > 0 else 0)
    devs = max(round(dev_fraction * len(groups)), 1 if dev_fraction > 0 else 0)
    if tests + devs >= len(groups):
        raise LabelError(
            f"the corpus has {len(groups)} {what}(s), too few for train, dev and test;"
            + (" split by utterance with overlapping speakers." if what == "speaker" else " add utterances.")
        )
    split_of = dict.fromkeys(groups, "train") | dict.fromkeys(groups[: tests + devs], "dev")
    split_of |= dict.fromkeys(groups[:tests], "test")
    splits: Splits = {"train": [], "dev": [], "test": []}
    for utterance in utterances:
        splits[split_of[key(utterance)]].append(utterance)
    return splits
