"""Speakers for the made corpus: mixtures of Kokoro's voices, in a body of their own size, pitch and tempo."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from avsr.errors import AvsrError

# How much of each there is, on average, in the mixtures: Whisper understands the first best and the second least.
FEMALE = {"jf_alpha": 1.0, "jf_gongitsune": 0.25, "jf_nezumi": 0.6, "jf_tebukuro": 0.4}
MALE = ("jm_kumo",)


@dataclass(frozen=True)
class Speaker:
    """Who speaks.

    ``style`` are weights of the model's voices, summing to 1. ``speed`` is 1.0 for the model's own tempo. ``pitch`` is the
    factor by which the sound is resampled: it moves the formants, as a shorter or longer vocal tract does, and the
    fundamental frequency with them; ``tone`` moves the fundamental alone. The tempo is kept by both.
    """

    name: str
    sex: str
    style: dict[str, float] = field(hash=False)
    speed: float
    pitch: float
    tone: float


def make_speakers(count: int, seed: int) -> list[Speaker]:
    """``count`` different speakers v01, v02, ..., women and men in turn; the first ones are the same for every count."""
    if count < 1:
        raise AvsrError(f"{count} speakers were asked for: ask for one or more.")
    return [_make(index, np.random.default_rng([seed, index])) for index in range(count)]


def _make(index: int, rng: np.random.Generator) -> Speaker:
    sex = "fm"[index % 2]
    style = dict(zip(FEMALE, rng.dirichlet(list(FEMALE.values())), strict=True))
    # One male voice alone would make all men alike; more than half of him keeps them men.
    male = float(rng.uniform(0.55, 1.0)) if sex == "m" else float(rng.uniform(0.0, 0.15))
    style = {name: weight * (1.0 - male) for name, weight in style.items()} | {MALE[0]: male}
    # Vocal tracts differ by about a tenth within a sex (Fitch & Giedd 1999).
    pitch = float(rng.uniform(0.86, 1.02) if sex == "m" else rng.uniform(0.93, 1.12))
    return Speaker(
        name=f"v{index + 1:02d}",
        sex=sex,
        style={name: round(float(weight), 4) for name, weight in style.items()},
        speed=round(float(rng.uniform(0.85, 1.2)), 3),
        pitch=round(pitch, 3),
        tone=round(float(rng.uniform(0.85, 1.1)), 3),
    )
