"""The plan of a made corpus: which sentence is said by whom, with which face, in which split. Nothing is made here."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import TypeVar

import numpy as np

from avsr.errors import AvsrError

# test: speakers and sentences that were not trained on. test_seen: speakers that were, sentences that were not.
SHARES = {"train": 0.76, "dev": 0.06, "test": 0.1, "test_seen": 0.08}
SPLITS = tuple(SHARES)
DOMAINS = ("command", "daily")
LAYOUTS = ("data", "lipnet")
FACES_A_VOICE = 8
SPEAKERS = 12  # voices, where the person does not say
FEWEST_SPEAKERS = 3  # one each for train, dev and test
FEWEST_UTTERANCES = 12
# A shipped voice's sentence is drawn with so many faces at the most: more of the same sound teaches little.
DRAWN_AGAIN = 4
# One of dev has so many: the fusion learns on dev (avsr.training.fuse), and of few people it would learn the people.
DEV_DRAWN = 2

Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Order:
    """What is asked for. The same order makes the same corpus.

    utterances: in all splits together. speakers: voices, None for what the domain has. text: a file of sentences, one a
    line, in the domain's place. full_face: whole pictures with sound, not mouth clips. silent: mouth clips alone, for a lip
    reader's training: the voice says only when what is said, which costs a small part of speaking. train_only: all of it is for
    training, to be added to another corpus (avsr.stages.combine).
    """

    utterances: int = 300
    domain: str = "command"
    speakers: int | None = None
    seed: int = 1
    text: Path | None = None
    full_face: bool = False
    layout: str = "data"
    silent: bool = False
    train_only: bool = False

    def __post_init__(self) -> None:
        for name, value, choices in (("domain", self.domain, DOMAINS), ("layout", self.layout, LAYOUTS)):
            if value not in choices:
                raise AvsrError(f"{name} {value}: it can be {' or '.join(choices)}.")
        for name, value, least in (
            ("utterances", self.utterances, FEWEST_UTTERANCES),
            ("speakers", self.speakers or SPEAKERS, FEWEST_SPEAKERS),
            ("seed", self.seed, 0),
        ):
            if value < least:
                raise AvsrError(f"{name} {value}: give {least} or more, so that every split has something.")
        if self.silent and (self.full_face or self.layout != "data"):
            raise AvsrError("without sound only mouth clips of the layout data are made: leave out whole faces and lipnet.")
        if self.train_only and self.layout != "data":
            raise AvsrError("for training alone only the layout data is made, which names its splits: leave out lipnet.")


@dataclass(frozen=True)
class Shipped:
    """A sentence that the quick start's voices have said already."""

    name: str
    voice: str
    text: str


@dataclass(frozen=True)
class Item:
    """One utterance to make. `face` is a number among its voice's faces; `shipped` names a speech that is there already.

    A speaker of the corpus is a voice and a face, which keep together a way of moving the mouth.
    """

    utt: str
    split: str
    voice: str
    face: int
    text: str
    shipped: str | None = None

    @property
    def speaker(self) -> str:
        """The name in utt2spk."""
        return speaker_name(self.voice, self.face)


def speaker_name(voice: str, face: int) -> str:
    """A voice with one of its faces."""
    return f"{voice}f{face + 1}"


def rng_for(seed: int, *names: str) -> np.random.Generator:
    """The random numbers of one thing: they depend on its name, and not on what was made before it."""
    words = np.frombuffer(hashlib.sha256("\0".join(names).encode()).digest(), "<u4")
    return np.random.default_rng([seed, *words.tolist()])


def uses_shipped(order: Order, shipped: Sequence[Shipped]) -> bool:
    """Whether an order for the domain `command` asks no more than the shipped voices can give."""
    enough_voices = (order.speakers or FEWEST_SPEAKERS) <= len({speech.voice for speech in shipped})
    return enough_voices and order.utterances <= DRAWN_AGAIN * len(shipped)


def plan_shipped(order: Order, shipped: Sequence[Shipped]) -> list[Item]:
    """Draw what the shipped voices said, most of it with several faces.

    Sentences of the tests and of dev are in no other split, whoever says them. A test holds a speech once, dev twice where there is
    room for that.
    """
    wanted = _counts(order.utterances)
    voices = _shuffled_pairs(sorted({speech.voice for speech in shipped}), order.seed)[: order.speakers]
    homes = split_voices(voices, wanted["train"])
    said: dict[str, list[Shipped]] = {split: [] for split in SPLITS}
    for speech in _shuffled(sorted(shipped, key=lambda speech: speech.name), order.seed, "speeches"):
        if speech.voice in homes:
            said[homes[speech.voice]].append(speech)
    said["test_seen"] = said["train"]
    held_out: set[str] = set()
    for split in ("test", "test_seen", "dev", "train"):  # a sentence that two have said is the first one's
        free = [speech for speech in said[split] if speech.text not in held_out]
        # Most of what the voices of train said stays with train, however many utterances are asked for.
        most = max(1, len(free) // 4) if split == "test_seen" else len(free)
        said[split] = _in_turn(free)[: min(wanted[split], most)]
        held_out |= {speech.text for speech in said[split]}
        if not said[split]:
            raise AvsrError(f"nothing is left for {split} of what the shipped voices said: ask for fewer utterances.")
    left = order.utterances - sum(map(len, said.values()))
    if left >= (DEV_DRAWN - 1) * len(said["dev"]):  # what is said once comes first
        left -= (DEV_DRAWN - 1) * len(said["dev"])
        said["dev"] *= DEV_DRAWN
    train = list(islice(cycle(said["train"]), len(said["train"]) + left))
    chosen = [(split, speech) for split in SPLITS for speech in (train if split == "train" else said[split])]
    return _items([(split, speech.voice, speech.text, speech.name) for split, speech in chosen])


def plan_spoken(order: Order, voices: Sequence[str], sentences: Sequence[str]) -> list[Item]:
    """Give each split its voices and its sentences, and those to each other in turn.

    Where there are fewer sentences than utterances (a person's own file), they are said again by other voices.
    AvsrError where the sentences do not suffice to keep the splits apart.
    """
    if order.train_only:
        spoken = _shuffled(sentences, order.seed, "sentences")
        turns = [(text, voices[(place + place // len(spoken)) % len(voices)]) for place, text in enumerate(islice(cycle(spoken), order.utterances))]
        return _items([("train", voice, text, None) for text, voice in turns])
    wanted = _counts(order.utterances)
    homes = split_voices(_shuffled_pairs(voices, order.seed), wanted["train"])
    members = {split: [voice for voice, home in homes.items() if home == split] for split in SPLITS}
    lines = split_sentences(_shuffled(sentences, order.seed, "sentences"), wanted)
    chosen = []
    for split, number in sorted(wanted.items(), key=lambda item: item[0] != "train"):
        if split == "test_seen":  # with few sentences not every voice of train comes to speak
            members[split] = list(dict.fromkeys(voice for home, voice, *_ in chosen if home == "train"))
        for place, text in enumerate(islice(cycle(lines[split]), number)):
            turn = place + place // len(lines[split])  # the next voice, when the sentences begin again
            chosen.append((split, members[split][turn % len(members[split])], text, None))
    return _items(chosen)


def split_voices(voices: Sequence[str], trained: int) -> dict[str, str]:
    """Each voice's split, in the order given: about a sixth for the test, a twelfth for dev, up to `trained` for train."""
    if len(voices) < FEWEST_SPEAKERS:
        raise AvsrError(f"{len(voices)} speakers are too few for train, dev and test: give {FEWEST_SPEAKERS} or more.")
    tests, devs = max(1, round(len(voices) / 6)), max(1, round(len(voices) / 12))
    trains = min(trained, len(voices) - tests - devs)
    return dict(zip(voices, ["test"] * tests + ["dev"] * devs + ["train"] * trains, strict=False))


def split_sentences(sentences: Sequence[str], wanted: Mapping[str, int]) -> dict[str, list[str]]:
    """The sentences that each split may use: no more than it wants, and at least one; the rest is for training."""
    total, start = sum(wanted.values()), 0
    lines: dict[str, list[str]] = {}
    for split in ("test", "test_seen", "dev"):
        share = max(1, min(wanted[split], round(len(sentences) * wanted[split] / total)))
        lines[split], start = list(sentences[start : start + share]), start + share
    lines["train"] = list(sentences[start:])
    if not lines["train"]:
        raise AvsrError(f"{len(sentences)} sentences are too few for train, dev and two tests: give {len(SPLITS)} or more.")
    return {split: lines[split] for split in SPLITS}


def _counts(utterances: int) -> dict[str, int]:
    counts = {split: max(1, round(utterances * share)) for split, share in SHARES.items()}
    counts["train"] = utterances - sum(counts.values()) + counts["train"]
    return counts


def _items(chosen: Sequence[tuple[str, str, str, str | None]]) -> list[Item]:
    """Name the utterances (split, voice, text, speech), and give each a face: train before test_seen.

    A voice's faces take turns over its sentences, and a sentence that comes back has another face. In test_seen the faces
    are those that the voice has in train.
    """
    places: dict[str, dict[str, int]] = {}  # voice -> sentence -> its place among the voice's
    again: Counter[tuple[str, str]] = Counter()
    trained: dict[str, list[int]] = {}
    items = []
    for number, (split, voice, text, shipped) in enumerate(chosen, 1):
        own = places.setdefault(voice, {})
        face = (own.setdefault(text, len(own)) + again[voice, text]) % FACES_A_VOICE
        again[voice, text] += 1
        if split == "train":
            trained.setdefault(voice, []).append(face)
        elif split == "test_seen":
            face = trained[voice][own[text] % len(trained[voice])]
        items.append(Item(f"{speaker_name(voice, face)}-{number:06d}", split, voice, face, text, shipped))
    return items


def _in_turn(speeches: Sequence[Shipped]) -> list[Shipped]:
    """The speeches, one of each voice in turn."""
    queues: dict[str, list[Shipped]] = {}
    for speech in speeches:
        queues.setdefault(speech.voice, []).append(speech)
    rounds = max(map(len, queues.values()), default=0)
    return [queue[turn] for turn in range(rounds) for queue in queues.values() if turn < len(queue)]


def _shuffled(things: Sequence[Thing], seed: int, purpose: str) -> list[Thing]:
    return [things[place] for place in rng_for(seed, purpose).permutation(len(things))]


def _shuffled_pairs(voices: Sequence[str], seed: int) -> list[str]:
    """In pairs, because women and men alternate: the few voices of a test should be of both."""
    pairs = [voices[place : place + 2] for place in range(0, len(voices), 2)]
    return [voice for pair in _shuffled(pairs, seed, "voices") for voice in pair]
