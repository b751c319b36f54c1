"""A made recording of several people who speak in turn, with pauses, and the true times of their words."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from avsr.files import replace_file
from avsr.media.captions import Word

_ROOM = 1e-3  # the noise of a quiet room, and no digital silence in pauses


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
