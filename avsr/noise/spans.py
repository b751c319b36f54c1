"""Chooses where in a signal a fault lies: one span, or many short ones."""

from __future__ import annotations

import numpy as np

from avsr.errors import AvsrError


def random_span(length: int, fraction: float, rng: np.random.Generator) -> slice:
    """One span of ``fraction`` of ``length`` places, at a random place."""
    size = _size(length, fraction)
    start = int(rng.integers(length - size + 1))
    return slice(start, start + size)


def scattered_spans(
    length: int, fraction: float, sizes: tuple[float, float], rng: np.random.Generator
) -> list[slice]:
    """Spans of ``sizes`` (least, greatest) places each, apart from one another, ``fraction`` of ``length`` together.

    The last one is cut so that the sum is exact; the places left over are shared out at random between the spans.
    """
    least, greatest = max(1, round(sizes[0])), max(1, round(sizes[1]))
    if least > greatest:
        raise AvsrError(f"a span of {sizes[0]:g} to {sizes[1]:g} places: the first has to be the smaller")
    left, chosen = _size(length, fraction), []
    while left > 0:
        chosen.append(min(left, int(rng.integers(least, greatest + 1))))
        left -= chosen[-1]
    kept = length - sum(chosen)
    gaps = np.diff(np.sort(rng.integers(kept + 1, size=len(chosen))), prepend=0)
    spans, position = [], 0
    for gap, size in zip(gaps, chosen, strict=True):
        start = position + int(gap)
        position = start + size
        spans.append(slice(start, position))
    return spans


def _size(length: int, fraction: float) -> int:
    if not 0.0 <= fraction <= 1.0:
        raise AvsrError(f"a fault over {fraction:g} of the signal: give a fraction from 0 to 1")
    return round(fraction * length)
