"""How sure each recognised word is: what the search and the posterior say, made into a probability that was calibrated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from avsr.errors import AvsrError, ModelError
from avsr.text.normalize import normalize_scoring

FEATURES = ("posterior", "least", "sound")
BINS = 10
_EPS = 1e-3
_RIDGE = 1e-2  # of the weights; the features are of the order of one
_FEWEST = 30  # words, of which some right and some wrong, that a calibration can be drawn from


def word_features(posteriors: Sequence[tuple[float, float]], sound: float) -> np.ndarray:
    """(N, 3) for FEATURES: logits of a word's mean and least token posterior, and the weight of the sound, of N words.

    Args:
        posteriors: mean and least posterior of each word's tokens in their frames, 0 to 1.
        sound: weight of the sound in the utterance, 0 to 1.
    """
    if not len(posteriors):
        return np.zeros((0, len(FEATURES)))
    means, leasts = np.asarray(posteriors, float).T
    return np.column_stack([_logit(means), _logit(leasts), np.full(len(means), sound)])


def calibrate(features: np.ndarray, right: np.ndarray) -> dict[str, float]:
    """Logistic regression (Platt, 1999) of whether a word is right on its features (N, 3), with a ridge.

    Returns the weights by name, `bias` among them. AvsrError where there are too few words, or all are right or all wrong.
    """
    right = np.asarray(right, float)
    if len(right) < _FEWEST or not 0 < right.sum() < len(right):
        raise AvsrError(f"{len(right)} words, {int(right.sum())} of them right, tell nothing of confidence: more of dev is needed.")
    design = np.column_stack([np.ones(len(features)), features])
    # As Platt did: no target is quite 0 or 1, so that a class with few words does not drive the weights to infinity.
    positive, negative = right.sum(), len(right) - right.sum()
    target = np.where(right > 0, (positive + 1) / (positive + 2), 1 / (negative + 2))
    penalty = _RIDGE * len(right) * np.r_[0.0, np.full(features.shape[1], 1.0)]
    weights = np.zeros(design.shape[1])
    for _ in range(50):  # Newton's method; the problem is convex
        chance = _sigmoid(design @ weights)
        gradient = design.T @ (chance - target) + penalty * weights
        curvature = (design * (chance * (1 - chance) + 1e-9)[:, None]).T @ design + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        weights -= step
        if np.abs(step).max() < 1e-8:
            break
    return dict(zip(("bias", *FEATURES), (round(float(value), 5) for value in weights), strict=True))


def confidences(features: np.ndarray, weights: Mapping[str, float]) -> np.ndarray:
    """(N,) probability that each word is right, by what `calibrate` found."""
    return _sigmoid(weights["bias"] + features @ np.array([weights[name] for name in FEATURES]))


def read_weights(meta: Mapping[str, Any], where: object) -> dict[str, float] | None:
    """A packed model's calibration, None where it has none; ModelError where it is none of ours."""
    found = meta.get("confidence")
    if found is None:
        return None
    names = {"bias", *FEATURES}
    if not isinstance(found, dict) or found.keys() != names or not all(isinstance(v, (int, float)) for v in found.values()):
        raise ModelError(f"{where}: its calibration of confidence cannot be used; run the stage calibrate again.")
    return {name: float(found[name]) for name in names}


def words_right(reference: str, words: Sequence[str]) -> list[bool | None]:
    """For each recognised word, whether the reference has it in that place (of the alignment that WER counts by), both as they
    are scored; None for a word of which nothing is scored, such as a mark.

    A word may be scored as several (120300 as 십이만 삼백): it is right where all of them are.
    """
    import jiwer

    parts = [normalize_scoring(word).split() for word in words]
    owners = [place for place, own in enumerate(parts) for _ in own]
    right: list[bool | None] = [True if own else None for own in parts]
    wanted, said = normalize_scoring(reference).split(), [part for own in parts for part in own]
    hit = [False] * len(said)
    if wanted:
        for chunk in jiwer.process_words(" ".join(wanted), " ".join(said)).alignments[0]:
            if chunk.type == "equal":
                hit[chunk.hyp_start_idx : chunk.hyp_end_idx] = [True] * (chunk.hyp_end_idx - chunk.hyp_start_idx)
    for owner, is_hit in zip(owners, hit, strict=True):
        if not is_hit:
            right[owner] = False
    return right


def calibration_error(confidence: Sequence[float], right: Sequence[bool]) -> float:
    """Expected calibration error, 0 to 1: mean distance between confidence and share of right words over ten equal bins of
    confidence, weighted by their words (Naeini et al., 2015; Guo et al., 2017). 0 without words."""
    confidence, right = np.asarray(confidence, float), np.asarray(right, float)
    if not len(confidence):
        return 0.0
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, confidence - right, minlength=BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def _logit(chance: np.ndarray) -> np.ndarray:
    chance = np.clip(chance, _EPS, 1 - _EPS)
    return np.log(chance / (1 - chance))


def _sigmoid(value: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * value))
