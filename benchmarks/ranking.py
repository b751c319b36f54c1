"""Ranking the true text among others: texts of equal length to rank it with, ranks, and how sure the figures are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from avsr.errors import AvsrError
from avsr.text.hangul import is_syllable
from avsr.text.normalize import normalize_training

_TRIES = 300  # ways of filling a text up before its length is given up; the first or second nearly always fits


class SentencePool:
    """Sentences to make texts of any number of syllables from.

    Each is normalised as training text is; what then holds anything but Hangul syllables and spaces is left out, since
    the syllables of 3 or cm cannot be counted, and so is what is there already. `left_out` counts both.
    """

    def __init__(self, sentences: Iterable[str]) -> None:
        self._by_length: dict[int, list[str]] = {}
        self.left_out, seen = 0, set()
        for sentence in sentences:
            text = normalize_training(sentence)
            bare = text.replace(" ", "")
            if not is_hangul_text(text) or bare in seen:
                self.left_out += 1
                continue
            seen.add(bare)
            self._by_length.setdefault(len(bare), []).append(text)
        self.size = len(seen)
        if not seen:
            raise AvsrError("no sentence to rank against: not one is of Hangul syllables alone; give --text another file.")

    def others(self, truth: str, count: int, rng: np.random.Generator, *, slack: int = 1) -> list[str]:
        """`count` texts, none like another or like `truth` (spaces left aside), each of as many syllables as that one give
        or take `slack`; sentences are strung together until they are, none of them used twice.

        AvsrError: `truth` is no Hangul text, or the pool is too small.
        """
        if not is_hangul_text(truth):
            raise AvsrError(f"the transcript {truth!r} is not of Hangul syllables and spaces, so they cannot be counted.")
        bare = truth.replace(" ", "")
        used, texts = {bare}, []
        for _ in range(count):
            # Each length equally often, so that the truth is as often the longer as the shorter one.
            lengths = rng.permutation(np.arange(max(1, len(bare) - slack), len(bare) + slack + 1)).tolist()
            parts = next((parts for length in lengths if (parts := self._filled(length, used, rng))), None)
            if parts is None:
                what = f"no {count} texts of about {len(bare)} syllables can be put together from {self.size} sentences"
                raise AvsrError(f"{what}; give --text a larger file.")
            used.update(part.replace(" ", "") for part in parts)
            texts.append(" ".join(parts))
            used.add(texts[-1].replace(" ", ""))
        return texts

    def _filled(self, length: int, used: set[str], rng: np.random.Generator) -> list[str] | None:
        """Sentences of `length` syllables together, drawn alike from all that still fit, none of `used`; None if none are
        found."""
        for _ in range(_TRIES):
            parts: list[str] = []
            left = length
            while left:
                part = self._draw(left, rng)
                if part is None or part in parts or part.replace(" ", "") in used:
                    break
                parts.append(part)
                left -= len(part.replace(" ", ""))
            if not left and "".join(parts).replace(" ", "") not in used:
                return parts
        return None

    def _draw(self, longest: int, rng: np.random.Generator) -> str | None:
        lengths = [length for length in sorted(self._by_length) if length <= longest]
        sizes = np.array([len(self._by_length[length]) for length in lengths])
        if not len(sizes):
            return None
        place = int(rng.integers(sizes.sum()))
        row = int(np.searchsorted(sizes.cumsum(), place, side="right"))
        return self._by_length[lengths[row]][place - int(sizes[:row].sum())]


def is_hangul_text(text: str) -> bool:
    """Whether a text is of Hangul syllables and spaces, and of at least one syllable."""
    bare = text.replace(" ", "")
    return bool(bare) and all(map(is_syllable, bare))


def hits(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether the truth comes first, and one over its rank; expected values where it shares its score with others.

    Args:
        scores: (..., n), the truth's first, higher is better; -inf may be, and is shared by all that have it.

    Returns:
        Two arrays (...,) in 0..1.

    Raises:
        ValueError: a score is no number.
    """
    if np.isnan(scores).any():
        raise ValueError("a score is no number, so nothing can be ranked by it")
    better = (scores[..., 1:] > scores[..., :1]).sum(-1)
    alike = (scores[..., 1:] == scores[..., :1]).sum(-1)
    reciprocals = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, scores.shape[-1] + 1))])
    first = np.where(better == 0, 1 / (alike + 1), 0.0)
    return first, (reciprocals[better + alike + 1] - reciprocals[better]) / (alike + 1)


def chance(count: int) -> tuple[float, float]:
    """What `hits` gives on average where `count` texts are ranked at random."""
    return 1 / count, float(np.mean(1 / np.arange(1, count + 1)))


def corrected(scores: np.ndarray) -> np.ndarray:
    """Each score without what the text has whatever is shown: less its mean over all other clips.

    A ranking by pointwise mutual information, log p(text | clip) - log p(text), which takes away what a model likes to
    say anyway. Neither the clip shown nor the text's own counts to the mean, else a text would be marked down for its
    own clip, and what a clip without its text scores would lie below chance.

    Args:
        scores: (n, n, c), of clip, text's own clip, text; n at least 3.

    Returns:
        (n, n, c); -inf stays what it is.
    """
    count = len(scores)
    if count < 3:
        raise AvsrError(f"{count} clips are too few to correct scores by the others; give 3 or more.")
    lost = np.isneginf(scores)
    out = np.where(lost, 0.0, scores)
    total, own = out.sum(0), out[np.arange(count), np.arange(count)]  # (n, c) each
    same = np.eye(count, dtype=bool)[..., None]
    mean = (total[None] - out - np.where(same, 0.0, own[None])) / np.where(same, count - 1, count - 2)
    return np.where(lost, -np.inf, out - mean)


def derangements(size: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """(count, size) int: permutations that leave nothing in its place, drawn alike; `size` at least 2."""
    if size < 2:
        raise AvsrError("one clip alone cannot be shuffled; give 2 or more.")
    drawn: list[np.ndarray] = []
    while len(drawn) < count:
        order = rng.permutation(size)  # one in e is a derangement
        if (order != np.arange(size)).all():
            drawn.append(order)
    return np.array(drawn)


def interval(values: Sequence[float] | np.ndarray, seed: int, *, resamples: int = 10_000) -> tuple[float, float]:
    """95 % bootstrap interval of the mean: the values drawn anew with replacement (Efron, 1979; percentiles)."""
    values = np.asarray(values, float)
    drawn = np.random.default_rng(seed).integers(len(values), size=(resamples, len(values)))
    low, high = np.percentile(values[drawn].mean(1), [2.5, 97.5])
    return float(low), float(high)
