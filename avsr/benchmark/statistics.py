"""Rates of many systems over many cells from counts of errors, with intervals drawn over the same utterances for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from avsr.text.normalize import normalize_scoring
from avsr.text.scores import cer, swer, wer

RATES = {"cer": cer, "wer": wer, "swer": swer}
RESAMPLES = 10_000
_CHUNK = 500  # resamples drawn at a time


@dataclass(frozen=True)
class Counted:
    """Errors (systems, utterances) and the references' lengths (utterances,), int64."""

    systems: tuple[str, ...]
    errors: np.ndarray
    lengths: np.ndarray

    def row(self, system: str) -> np.ndarray:
        return self.errors[self.systems.index(system)]

    def rate(self, system: str) -> float:
        """Percent."""
        return 100.0 * float(self.row(system).sum()) / max(1, int(self.lengths.sum()))


def count(references: Sequence[str], texts: Mapping[str, Sequence[str]], rate: str = "cer") -> Counted:
    """Count errors of `rate` ("cer", "wer", "swer") of every system; texts as scoring normalises them."""
    wanted = [normalize_scoring(text) for text in references]
    known: dict[tuple[str, str], tuple[int, int]] = {}
    rows = []
    for said in texts.values():
        row = []
        for reference, hypothesis in zip(wanted, said, strict=True):
            pair = (reference, hypothesis)
            if pair not in known:  # most weights give the same text
                found = RATES[rate](reference, normalize_scoring(hypothesis))
                known[pair] = (found.errors, found.length)
            row.append(known[pair])
        rows.append(row)
    counts = np.array(rows, np.int64).reshape(len(rows), len(wanted), 2)
    return Counted(tuple(texts), counts[..., 0], counts[0, :, 1])


class Resampling:
    """The same 10,000 draws of utterances, with replacement, for every rate: paired bootstrap (Bisani and Ney, 2004)."""

    def __init__(self, utterances: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        even = np.full(utterances, 1.0 / utterances)
        self._draws = [rng.multinomial(utterances, even, size=_CHUNK).astype(np.float32) for _ in range(RESAMPLES // _CHUNK)]

    def rates(self, errors: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """(systems, 10000) percent, of errors (systems, utterances)."""
        parts = [100.0 * (errors @ draw.T) / np.maximum(1.0, draw @ lengths) for draw in self._draws]
        return np.concatenate(parts, axis=1)

    def interval(self, errors: np.ndarray, lengths: np.ndarray) -> tuple[float, float]:
        """95 % interval of a rate, or of a difference of two where errors are one's less the other's; (utterances,)."""
        low, high = np.percentile(self.rates(errors[None].astype(np.float32), lengths.astype(np.float32))[0], [2.5, 97.5])
        return float(low), float(high)

    def excess(self, errors: np.ndarray, lengths: np.ndarray) -> tuple[float, float]:
        """95 % interval of the first system's rate less the best of the others' in each draw; (systems, utterances)."""
        rates = self.rates(errors.astype(np.float32), lengths.astype(np.float32))
        low, high = np.percentile(rates[0] - rates[1:].min(0), [2.5, 97.5])
        return float(low), float(high)

    def p_value(self, errors: np.ndarray, lengths: np.ndarray) -> float:
        """How often resampling turns the difference's sign: one-sided p that the first is better than the second."""
        rates = self.rates(errors[None].astype(np.float32), lengths.astype(np.float32))[0]
        return float((1 + (rates >= 0).sum()) / (1 + len(rates)))
