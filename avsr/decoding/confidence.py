"""How sure each recognised word is: what the search and the posterior say, made into a probability that was calibrated."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from avsr.errors import AvsrError, ModelError

FEATURES = ("posterior", "least", "agreement", "sound")
BINS = 10
_EPS = 1e-3
_RIDGE = 1e-2  # of the weights; the features are of the order of one
_FEWEST = 30  # words, of which some right and some wrong, that a calibration can be drawn from


def agreement(texts: Sequence[str], scores: Sequence[float]) -> list[float]:
    """For each word of the first text, the share of the N-best's probability (softmax of `scores`) that has it in that place.

    An N-best list is a poor man's word lattice, whose posteriors are the classic confidence (Wessel et al., 2001, IEEE
    Transactions on Speech and Audio Processing 9).
    """
    words = texts[0].split()
    chances = np.exp(np.asarray(scores, float) - max(scores))
    chances /= chances.sum()
    shares = np.zeros(len(words))
    for text, chance in zip(texts, chances, strict=True):
        matcher = difflib.SequenceMatcher(None, words, text.split(), autojunk=False)
        for block in matcher.get_matching_blocks():
            shares[block.a : block.a + block.size] += chance
    return shares.clip(0.0, 1.0).tolist()


def word_features(posteriors: Sequence[tuple[float, float]], shares: Sequence[float], sound: float) -> np.ndarray:
    """(N, 4) for FEATURES: logits of a word's mean and least token posterior and of its agreement, and the weight of the
    sound, of N words.

    Args:
        posteriors: mean and least posterior of each word's tokens in their frames, 0 to 1.
        shares: what `agreement` gives.
        sound: weight of the sound in the utterance, 0 to 1.
    """
    if not len(posteriors):
        return np.zeros((0, len(FEATURES)))
    means, leasts = np.asarray(posteriors, float).T
    return np.column_stack([_logit(means), _logit(leasts), _logit(np.asarray(shares)), np.full(len(means), sound)])


def calibrate(features: np.ndarray, right: np.ndarray) -> dict[str, float]:
    """Logistic regression (Platt, 1999) of whether a word is right on its features (N, 4), with a ridge.

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


def words_right(reference: str, hypothesis: str) -> list[bool]:
    """For each word of the hypothesis, whether the reference has it in that place (of the alignment that WER counts by)."""
    import jiwer

    words = hypothesis.split()
    right = [False] * len(words)
    if not reference.split():
        return right
    for chunk in jiwer.process_words(" ".join(reference.split()), " ".join(words)).alignments[0]:
        if chunk.type == "equal":
            right[chunk.hyp_start_idx : chunk.hyp_end_idx] = [True] * (chunk.hyp_end_idx - chunk.hyp_start_idx)
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
