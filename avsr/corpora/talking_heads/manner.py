"""How one speaker moves the mouth: strength, tempo, share of the jaw, rounding, teeth, asymmetry, and the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class MouthStyle:
    """A speaker's manner; the defaults are a medium speaker. Draw others with `random`."""

    strength: float = 1.0  # openness of jaw and lips: below 1 mumbles, above 1 articulates
    rounding: float = 1.0  # how far the lips come forward and together
    spread: float = 1.0  # how far the corners draw apart
    jaw_share: float = 1.0  # how much of an opening the jaw makes; the lips make up the rest
    teeth: float = 0.5  # share of the upper lip where the lips part further than the jaw: shows the upper teeth
    tempo: float = 1.0  # length of coarticulation: below 1 crisp, above 1 slurred
    lead: float = 0.015  # seconds by which the mouth runs ahead of the sound
    press: float = 1.0  # how tightly shut lips are pressed
    asymmetry: float = 0.0  # left side stronger (+) or weaker (-)
    rest_gap: float = 0.0  # mm between the lips at rest
    rest_smile: float = 0.0  # corners raised at all times, as a weight of the smile units
    tongue: float = 1.0  # how plainly the tongue tip is raised and fronted
    head: float = 1.0  # degrees, typical deviation of the head's yaw
    blinks: float = 20.0  # a minute
    quirk: float = 0.0  # spread (of the logarithm) of the speaker's own departures from each viseme
    seed: int = 0  # which departures they are

    @staticmethod
    def random(rng: np.random.Generator) -> MouthStyle:
        """A speaker of a population that a lip reader may meet: most near the middle, some far out."""

        def about(middle: float, deviation: float, low: float, high: float) -> float:
            return float(np.clip(rng.normal(middle, deviation), low, high))

        return MouthStyle(
            # Wide: the gap's 95th percentile is 14 pixels of a crop in AI-Hub and GRID, 42 in a video of the web.
            strength=about(0.9, 0.28, 0.4, 1.7),
            # In AI-Hub and GRID the mouth's width deviates by 1.4 and 1.9 pixels within a clip, on the web by 9.6.
            rounding=about(0.75, 0.3, 0.2, 1.4),
            spread=about(0.7, 0.35, 0.1, 1.7),
            jaw_share=about(1.0, 0.15, 0.6, 1.3),
            teeth=float(rng.uniform(0.2, 0.8)),
            tempo=about(1.0, 0.15, 0.7, 1.4),
            lead=about(0.015, 0.012, -0.015, 0.045),
            press=about(1.0, 0.3, 0.3, 1.7),
            asymmetry=about(0.0, 0.1, -0.3, 0.3),
            # Most rest with closed lips; about a third with lips parted a little.
            rest_gap=float(max(0.0, rng.normal(-0.5, 1.2))),
            rest_smile=float(max(0.0, rng.normal(0.0, 0.08))),
            tongue=about(1.0, 0.2, 0.5, 1.4),
            # Seen from the crop, real heads drift up and down by 2 to 4 pixels (AI-Hub, GRID, web).
            head=float(rng.uniform(0.8, 4.0)),
            # 17 a minute at rest, 26 in conversation, widely varying (Bentivoglio et al. 1997, Movement Disorders 12).
            blinks=float(rng.uniform(8.0, 30.0)),
            quirk=float(rng.uniform(0.05, 0.15)),
            seed=int(rng.integers(2**31)),
        )
