"""Corrupts one utterance as a cell asks, with randomness that only its name, the cell's and the seed decide."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

from avsr.benchmark.conditions import Corruption
from avsr.benchmark.materials import Materials
from avsr.errors import AvsrError
from avsr.lips.mouth_clip import MouthClip
from avsr.noise import codec, picture_faults, sound_faults
from avsr.noise.mix import cut_or_loop
from avsr.noise.pcm import babble_pcm, from_pcm, mix_pcm, to_pcm, white_pcm

_ROOMS = (sound_faults, codec, picture_faults)


def fault_function(name: str) -> Callable[..., Any]:
    """The function of `avsr.noise` that makes this fault."""
    for room in _ROOMS:
        if hasattr(room, name):
            return getattr(room, name)
    raise AvsrError(f"there is no fault {name}")


def corrupt_sound(utt: str, what: Corruption, seed: int, materials: Materials) -> np.ndarray:
    """(n,) int16 at 16 kHz: the utterance's sound with this corruption. AvsrError where its own sound is silent and noise is
    asked for, or there is no other utterance to take sound from."""
    samples = materials.sound(utt)
    rng = rng_for(seed, utt, what.source)
    values = dict(what.values)
    snr_db = values.pop("snr_db", None)
    if what.kind == "clean":
        return samples
    if what.kind == "wrong":
        return cut_or_loop(materials.sound(materials.another(utt, rng)), len(samples), rng)
    if snr_db is None:
        return to_pcm(fault_function(what.kind)(from_pcm(samples), rng, **values))
    if what.kind == "white":
        noise = white_pcm(len(samples), rng)
    elif what.kind == "recorded":
        noise = cut_or_loop(materials.recording(values["recording"]), len(samples), rng)
    else:
        voices = materials.others(utt, rng, values["talkers"])
        noise = babble_pcm([materials.sound(voice) for voice in voices], len(samples), rng, talkers=values["talkers"])
    try:
        return mix_pcm(samples, noise, snr_db).samples
    except AvsrError as error:
        raise AvsrError(f"{utt}: {error}") from error


def corrupt_picture(utt: str, what: Corruption, seed: int, materials: Materials) -> MouthClip:
    """The utterance's mouth clip with this corruption; AvsrError where no other person's clip is at hand."""
    clip = materials.mouth(utt)
    if what.kind == "clean":
        return clip
    rng, values = rng_for(seed, utt, what.source), dict(what.values)
    if what.kind == "swapped":
        other = materials.mouth(materials.another(utt, rng, other_speaker=True))
        values["other"] = (other.frames, other.confidence)
    frames, confidence = fault_function(what.kind)(clip.frames, clip.confidence, rng, **values)
    return MouthClip(frames, confidence, clip.start)


def rng_for(seed: int, utt: str, source: str) -> np.random.Generator:
    """Random numbers of one utterance under one corruption. Training draws from numpy's global generator, seeded by epoch:
    the two never meet, for all of these begin from a hash with a word of its own."""
    digest = hashlib.sha256(f"benchmark\0{seed}\0{utt}\0{source}".encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, "<u4").tolist())
