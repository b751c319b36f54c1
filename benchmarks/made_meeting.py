"""Made recordings of several people, in turn before one camera or side by side in one picture, and the true times of their words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from avsr.files import replace_file
from avsr.media.captions import Word

if TYPE_CHECKING:
    from avsr.corpora.talking_heads.voice import Speech

_ROOM = 1e-3  # the noise of a quiet room, and no digital silence in pauses
_MIDDLE = slice(160, 480)  # columns of a picture that has its face somewhere there


def meeting(work: Path, sentences: int, voices: int, seed: int, pause: float = 2.0) -> tuple[Path, list[list[Word]]]:
    """A video in `work`, 640x480 at 25 a second, and the words of each sentence with their media seconds; made once.

    So many sentences of daily life, said by the voices in turn, a face each; after each of them its face keeps silent for `pause` seconds,
    or a fifth more or less.
    """
    from avsr.corpora.talking_heads.corpus import Item, Order
    from avsr.corpora.talking_heads.sentences import daily_sentences
    from avsr.corpora.talking_heads.timing import PhoneTime
    from avsr.corpora.talking_heads.utterance import draw, say
    from avsr.lips.mouth_clip import FPS
    from avsr.media.audio import SAMPLE_RATE
    from avsr.media.write import write_video

    video = work / f"meeting-{sentences}-{voices}-{seed}-{pause:g}.mp4"
    truth = video.with_suffix(".json")
    if not truth.exists():
        work.mkdir(parents=True, exist_ok=True)
        rng, order = np.random.default_rng(seed), Order(seed=seed, full_face=True)
        pictures, sounds, words, begin = [], [], [], 0.0
        for number, text in enumerate(daily_sentences(sentences, rng)):
            voice = f"v{number % voices + 1}"
            item = Item(f"{voice}f1-{number:06d}", "test", voice, 0, text)
            spoken, silent = say(item, order), pause * rng.uniform(0.8, 1.2)
            end = spoken.duration
            quiet = np.zeros(round(silent * SAMPLE_RATE), np.float32)
            phones = [*spoken.phones, PhoneTime(end, end + len(quiet) / SAMPLE_RATE, None)]
            spoken = replace(spoken, samples=np.concatenate([spoken.samples, quiet]), phones=phones)
            frames, *_ = draw(item, order, spoken)
            sound = np.zeros(len(frames) * SAMPLE_RATE // FPS, np.float32)
            sound[: len(spoken.samples)] = spoken.samples[: len(sound)]
            pictures.append(frames)
            sounds.append(sound)
            words.append([[round(begin + first, 3), round(begin + last, 3), word] for first, last, word in spoken.words])
            begin += len(frames) / FPS
        samples = np.concatenate(sounds)
        write_video(video, np.concatenate(pictures), FPS, samples + _ROOM * rng.standard_normal(len(samples)).astype(np.float32))
        replace_file(truth, json.dumps(words, ensure_ascii=False).encode())
    return video, [[Word(*word) for word in sentence] for sentence in json.loads(truth.read_bytes())]


def side_by_side(work: Path, sentences: int, seed: int, *, at_once: bool) -> tuple[Path, list[list[Word]]]:
    """A video in `work`, 640x480 at 25 a second, of two people before one microphone that hears both alike, and the words of each with
    their media seconds; made once.

    Each says so many sentences of daily life: in turn, 0.4 to 1.2 s between them, or both `at_once`, the one up to half a second after the
    other and 1 to 1.6 s after they have both ended. Their voices are equally loud.
    """
    from avsr.corpora.talking_heads.corpus import Item, Order
    from avsr.corpora.talking_heads.sentences import daily_sentences
    from avsr.corpora.talking_heads.utterance import draw, say
    from avsr.lips.mouth_clip import FPS
    from avsr.media.audio import SAMPLE_RATE
    from avsr.media.write import write_video

    video = work / f"two-{'at-once' if at_once else 'in-turn'}-{sentences}-{seed}.mp4"
    truth = video.with_suffix(".json")
    if not truth.exists():
        work.mkdir(parents=True, exist_ok=True)
        rng, order = np.random.default_rng(seed), Order(seed=seed, full_face=True)
        said: list[list[tuple[float, Speech]]] = [[], []]
        end = 1.0
        for number, text in enumerate(daily_sentences(2 * sentences, rng)):
            who = number % 2
            spoken = say(Item(f"v{who + 1}f1-{number:06d}", "test", f"v{who + 1}", 0, text), order)
            if at_once and who:
                begin = said[0][-1][0] + rng.uniform(0.0, 0.5)
            else:
                begin = end + (rng.uniform(1.0, 1.6) if at_once else rng.uniform(0.4, 1.2))
            said[who].append((begin, spoken))
            end = max(end, begin + spoken.duration)
        frames = round((end + 2.0) * FPS)
        tracks = [_joined(own, frames / FPS) for own in said]
        level = [float(np.sqrt((track.samples[track.samples != 0] ** 2).mean())) for track in tracks]
        halves = []
        for who, track in enumerate(tracks):
            pictures, *_ = draw(Item(f"v{who + 1}f1-{seed:06d}", "test", f"v{who + 1}", 0, ""), order, track)
            halves.append(pictures[:frames, :, _MIDDLE])
        mixed = sum(track.samples * level[0] / own for track, own in zip(tracks, level, strict=True))
        mixed = mixed * min(1.0, 0.9 / float(np.abs(mixed).max())) + _ROOM * rng.standard_normal(len(mixed)).astype(np.float32)
        write_video(video, np.concatenate(halves, axis=2), FPS, mixed[: frames * SAMPLE_RATE // FPS])
        words = [[[round(first, 3), round(last, 3), word] for first, last, word in track.words] for track in tracks]
        replace_file(truth, json.dumps(words, ensure_ascii=False).encode())
    return video, [[Word(*word) for word in own] for own in json.loads(truth.read_bytes())]


def _joined(said: Sequence[tuple[float, Speech]], duration: float) -> Speech:
    """One speech of so many seconds out of several, each with the second at which it begins, and silence between them."""
    from avsr.corpora.talking_heads.timing import PhoneTime
    from avsr.media.audio import SAMPLE_RATE

    samples, phones, words, end = np.zeros(round(duration * SAMPLE_RATE), np.float32), [], [], 0.0
    for begin, spoken in said:
        phones.append(PhoneTime(end, begin, None))
        phones += [replace(phone, start=begin + phone.start, end=begin + phone.end) for phone in spoken.phones]
        words += [(begin + first, begin + last, word) for first, last, word in spoken.words]
        first = round(begin * SAMPLE_RATE)
        samples[first : first + len(spoken.samples)] = spoken.samples
        end = max(phones[-1].end, begin + spoken.duration)
    return replace(said[0][1], samples=samples, phones=[*phones, PhoneTime(end, duration, None)], words=words)
