"""One utterance of a made corpus, from its line in the plan to its files: speech, motion, pictures. Runs in a worker."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from avsr.corpora.talking_heads.camera import Camera, Film, vary
from avsr.corpora.talking_heads.corpus import Item, Order, rng_for
from avsr.corpora.talking_heads.identity import Identity
from avsr.corpora.talking_heads.manner import MouthStyle
from avsr.corpora.talking_heads.sentences import as_read
from avsr.corpora.talking_heads.speakers import Speaker, make_speakers
from avsr.corpora.talking_heads.voice import Speech, Times, Voice
from avsr.errors import AvsrError
from avsr.files import replace_file
from avsr.lips.mouth_clip import FPS, MouthClip, save_mouth_clip
from avsr.lips.mouth_shape import save_mouth_shape

VERSION = 5  # of what the same order gives: raised when voice, mouth, face or camera change
RECORDS = ".made"  # folder of what is finished, a file an utterance

_TICKS = 25_000  # a second, in GRID's .align files


@dataclass(frozen=True)
class Job:
    """An utterance and its files, relative to the corpus: the picture (a mouth clip, or a video with the sound inside), the
    mouth clip's sound if it has one, LipNet's label, and the mouth's shape."""

    item: Item
    picture: str
    mouth: bool = False
    sound: str | None = None
    label: str | None = None
    shape: str | None = None

    @property
    def files(self) -> list[str]:
        """All that is made."""
        beside = [self.picture.removesuffix(".mp4") + ".json"] if self.mouth else []
        return [name for name in (self.picture, *beside, self.sound, self.label, self.shape) if name]


def make_utterance(job: Job, order: Order, out: Path) -> str | None:
    """Make the files and, last, their record; the reason, one line, when it cannot be done."""
    item = job.item
    try:
        speech = say(item, order)
        frames, clip_fps, shape = draw(item, order, speech)
        picture = out / job.picture
        picture.parent.mkdir(parents=True, exist_ok=True)
        if job.mouth:
            save_mouth_clip(MouthClip(frames, np.ones(len(frames), np.float32)), picture)
        else:
            from avsr.media.write import write_video

            write_video(picture, frames, clip_fps, speech.samples)
        if job.sound is not None:
            from avsr.media.audio import write_audio

            (out / job.sound).parent.mkdir(parents=True, exist_ok=True)
            write_audio(out / job.sound, speech.samples)
        if job.label is not None:
            (out / job.label).parent.mkdir(parents=True, exist_ok=True)
            replace_file(out / job.label, align_text(speech).encode())
        if job.shape is not None:
            (out / job.shape).parent.mkdir(parents=True, exist_ok=True)
            save_mouth_shape(shape, out / job.shape)
        record = {
            "order": order_of(job, order),
            "files": job.files,
            "seconds": round(len(frames) / clip_fps, 3),
            "words": [[round(start, 3), round(end, 3), word] for start, end, word in speech.words],
        }
        replace_file(out / RECORDS / f"{item.utt}.json", json.dumps(record, ensure_ascii=False).encode())
    except AvsrError as error:
        return " ".join(str(error).split())
    return None


def order_of(job: Job, order: Order) -> dict:
    """What an utterance's files depend on, as JSON holds it: when this is unchanged, so would they be."""
    asked = {"seed": order.seed, "full_face": order.full_face, "layout": order.layout, "version": VERSION}
    return asdict(job.item) | asked | {"files": job.files}


def say(item: Item, order: Order) -> Speech | Times:
    """The speech, out of the shipped ones or spoken now; only its times where no sound is wanted."""
    if item.shipped is not None:
        return _shipped()[item.shipped].load()
    speak = _voice().times if order.silent else _voice().say
    return speak(as_read(item.text), _speaker(item.voice, order.seed), rng_for(order.seed, item.utt, "voice"))


def draw(item: Item, order: Order, speech: Speech | Times) -> tuple[np.ndarray, float, np.ndarray]:
    """Pictures of the speaker saying it, mouths (T, 96, 96) or whole faces (T, H, W, 3) uint8, how many a second, and the
    mouth's shape in each, see avsr.lips.mouth_shape.

    A speaker has one face and one manner of moving the mouth; the light, the camera and the movement are the utterance's.
    """
    from avsr.corpora.talking_heads.draw import draw_face_clip, draw_mouth_clip
    from avsr.corpora.talking_heads.mouth import mouth_motion

    seed = order.seed
    style = MouthStyle.random(rng_for(seed, item.speaker, "manner"))
    motion = mouth_motion(speech.phones, speech.duration, style, rng_for(seed, item.utt, "motion"))
    identity, camera, film, rng = scene_of(item, seed)
    if order.full_face:
        frames = draw_face_clip(_head(), identity, motion, camera, rng)
    else:
        frames = draw_mouth_clip(_head(), identity, motion, camera, rng, film.oversampling)
    return vary(frames, rng, film), FPS, motion.shape


def scene_of(item: Item, seed: int) -> tuple[Identity, Camera, Film, np.random.Generator]:
    """The face in an utterance's light, its camera and film, and the random numbers that its pictures go on with."""
    rng = rng_for(seed, item.utt, "picture")
    return face_of(item, seed).relit(rng), Camera.random(rng), Film.random(rng), rng


def face_of(item: Item, seed: int) -> Identity:
    """The speaker's face: a woman's for a woman's voice."""
    rng = rng_for(seed, item.speaker, "face")
    male = float(_speaker(item.voice, seed).sex == "m")
    while (identity := Identity.random(rng)).male != male:
        pass
    return identity


def align_text(speech: Speech | Times) -> str:
    """An .align file as GRID's: START END WORD in 25,000ths of a second, `sil` where nothing is said."""
    lines, before = [], 0
    for start, end, word in [*speech.words, (speech.duration, speech.duration, "")]:
        first, last = round(start * _TICKS), round(end * _TICKS)
        if first > before:
            lines.append(f"{before} {first} sil")
        if word:
            lines.append(f"{first} {last} {word}")
        before = last
    return "\n".join(lines) + "\n"


@lru_cache(maxsize=1)
def _voice() -> Voice:
    return Voice.load(threads=1)


@lru_cache(maxsize=1)
def _head():
    from avsr.corpora.talking_heads.head import Head

    return Head.load()


@lru_cache(maxsize=1)
def _shipped() -> dict:
    from avsr.corpora.talking_heads.quickstart import load_quickstart

    return {speech.name: speech for speech in load_quickstart()}


@lru_cache(maxsize=256)
def _speaker(name: str, seed: int) -> Speaker:
    return make_speakers(int(name.removeprefix("v")), seed)[-1]
