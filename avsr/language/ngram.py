"""An n-gram language model over a model's own tokens, trained in seconds.

Interpolated modified Kneser-Ney smoothing: Chen and Goodman, "An empirical study of smoothing techniques for language
modeling" (1999). KenLM, ESPnet's choice, is trained by a program that no package brings; jamo are about a hundred, so that
numpy counts a million of them in a few seconds and gives the whole next-token distribution at once, which a beam wants.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from avsr.errors import AvsrError, ModelError
from avsr.files import replace_file

FORMAT = 1
ORDERS = range(2, 13)
_REMEMBERED = 5_000_000  # log probabilities, 20 MB
_DAMAGED = (
    OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, NotImplementedError, zlib.error, zipfile.BadZipFile
)  # fmt: skip
_NEVER = -1e10  # log probability of blank, which no text holds


@dataclass(frozen=True)
class Level:
    """All n-grams of one length n, by their contexts of n - 1 tokens.

    contexts: (C, n - 1) uint16. starts: (C + 1,) int64, where each context's next tokens begin. tokens: (N,) uint16, and
    shares (N,) float32, what each has of the probability before the shorter contexts' is added. rest: (C,) float32, the share
    that the shorter context gives out.
    """

    contexts: np.ndarray
    starts: np.ndarray
    tokens: np.ndarray
    shares: np.ndarray
    rest: np.ndarray


class Ngram:
    """A trained model: what comes after a context.

    Args:
        levels: unigrams first.
        token_list: the tokens by id, blank first and sos/eos last, as in `avsr.text.tokens`.
    """

    def __init__(self, levels: Sequence[Level], token_list: Sequence[str]) -> None:
        self.levels, self.token_list = list(levels), list(token_list)
        self._known: dict[bytes, np.ndarray] = {}

    @cached_property
    def _places(self) -> list[dict[bytes, int]]:
        """Made when it is first asked: what only packs a model, or reads it greedily, has no use for it."""
        return [{row.tobytes(): place for place, row in enumerate(level.contexts)} for level in self.levels]

    @property
    def order(self) -> int:
        return len(self.levels)

    def log_probs(self, context: Sequence[int]) -> np.ndarray:
        """Natural log probability (V,) float32 of each token after `context`: all ids since and with sos; blank has -1e10."""
        recent = np.array(context[max(0, len(context) - self.order + 1) :], np.uint16)
        key = recent.tobytes()
        if key not in self._known:
            if len(self._known) * len(self.token_list) > _REMEMBERED:  # a long recording comes to more
                self._known.clear()
            self._known[key] = self._work_out(recent)
        return self._known[key]

    def _work_out(self, recent: np.ndarray) -> np.ndarray:
        size = len(self.token_list)
        found = np.full(size, 1.0 / (size - 1))
        for level, places in zip(self.levels, self._places):
            length = level.contexts.shape[1]
            place = places.get(recent[len(recent) - length :].tobytes()) if length <= len(recent) else None
            if place is None:
                break
            span = slice(level.starts[place], level.starts[place + 1])
            found *= level.rest[place]
            found[level.tokens[span]] += level.shares[span]
        found[0] = 0.0
        with np.errstate(divide="ignore"):
            return np.maximum(np.log(found), _NEVER).astype(np.float32)

    def score(self, tokens: Sequence[int]) -> float:
        """Natural log probability of a whole sentence, its end included."""
        mark = len(self.token_list) - 1
        said = [mark, *tokens, mark]
        return float(sum(self.log_probs(said[:place])[said[place]] for place in range(1, len(said))))

    def save(self, path: Path) -> None:
        """Write it whole or not at all; the same model gives the same bytes."""
        arrays = {
            f"{name}_{n}": getattr(level, name)
            for n, level in enumerate(self.levels, 1)
            for name in ("contexts", "starts", "tokens", "shares", "rest")
        }
        meta = json.dumps({"format": FORMAT, "order": self.order, "token_list": self.token_list}, ensure_ascii=False)
        arrays["meta"] = np.frombuffer(meta.encode(), np.uint8)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, buffer.getvalue())


def load_ngram(source: Path | bytes, where: object) -> Ngram:
    """Read what `Ngram.save` wrote, from a file or its bytes; ModelError names `where`."""
    try:
        with np.load(io.BytesIO(source) if isinstance(source, bytes) else source) as archive:
            meta = json.loads(archive["meta"].tobytes().decode())
            if meta["format"] != FORMAT:
                raise ModelError(f"{where}: its format is {meta['format']}, this program reads {FORMAT}; train it again.")
            names = ("contexts", "starts", "tokens", "shares", "rest")
            levels = [Level(*(archive[f"{name}_{n}"] for name in names)) for n in range(1, meta["order"] + 1)]
            return Ngram(levels, meta["token_list"])
    except FileNotFoundError:
        raise ModelError(f"{where}: there is no such file; train a language model with `avsr lm`.") from None
    except _DAMAGED as error:
        raise ModelError(f"{where}: is no language model, or damaged ({error}); train it again with `avsr lm`.") from error


def train_ngram(sentences: Iterable[Sequence[int]], token_list: Sequence[str], order: int) -> Ngram:
    """Count and smooth.

    Args:
        sentences: token ids, without sos and eos.
        token_list: as in `Ngram`.
        order: tokens of the longest n-gram.

    Raises:
        AvsrError: the order cannot be, or there is no sentence.
    """
    if order not in ORDERS:
        raise AvsrError(f"an order of {order} is not {ORDERS[0]} to {ORDERS[-1]}; 8 is good for jamo, 4 for syllables.")
    mark = len(token_list) - 1
    lines = [[mark, *sentence, mark] for sentence in sentences if len(sentence)]
    if not lines:
        raise AvsrError("there is no sentence to learn from; give a text with one sentence a line.")
    flat = np.concatenate([np.array(line) for line in lines]).astype(">u2")  # big-endian: bytes sort as numbers do
    place = np.concatenate([np.arange(len(line)) for line in lines])
    raw = [_counted(_windows(flat, place, n)) for n in range(1, order + 1)]
    counted = [_continuations(raw[n - 1], raw[n], mark) for n in range(1, order)] + [raw[-1]]
    return Ngram([_smoothed(rows, counts) for rows, counts in counted], token_list)


def _windows(flat: np.ndarray, place: np.ndarray, n: int) -> np.ndarray:
    """(N, n): every token but sos with the n - 1 before it, where its sentence has so many."""
    ends = np.flatnonzero(place >= max(1, n - 1))
    return flat[ends[:, None] + np.arange(1 - n, 1)]


def _counted(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different rows in order, and how often each is there."""
    width = rows.shape[1]
    whole = np.ascontiguousarray(rows).view(np.dtype((np.void, 2 * width))).ravel()
    different, counts = np.unique(whole, return_counts=True)
    return different.view(">u2").reshape(-1, width), counts


def _continuations(
    own: tuple[np.ndarray, np.ndarray], longer: tuple[np.ndarray, np.ndarray], mark: int
) -> tuple[np.ndarray, np.ndarray]:
    """How many different tokens stand before each n-gram; for one that begins a sentence, how often it does."""
    rows, counts = _counted(longer[0][:, 1:])
    begins = (own[0][:, 0] == mark) & (own[0].shape[1] > 1)
    if begins.any():
        both = np.concatenate([rows, own[0][begins]])
        order = np.lexsort(both.T[::-1])
        rows, counts = both[order], np.concatenate([counts, own[1][begins]])[order]
    return rows, counts


def _smoothed(rows: np.ndarray, counts: np.ndarray) -> Level:
    contexts = rows[:, :-1]
    new = np.ones(len(rows), bool)
    if contexts.shape[1]:
        new[1:] = (contexts[1:] != contexts[:-1]).any(1)
    else:
        new[1:] = False
    starts = np.append(np.flatnonzero(new), len(rows))
    totals = np.add.reduceat(counts, starts[:-1]).astype(np.float64)
    taken = _discounts(counts)[np.minimum(counts, 3)]
    rest = np.add.reduceat(taken, starts[:-1]) / totals
    shares = (counts - taken) / np.repeat(totals, np.diff(starts))
    kept = contexts[new].astype(np.uint16)
    return Level(kept, starts, rows[:, -1].astype(np.uint16), shares.astype(np.float32), rest.astype(np.float32))


def _discounts(counts: np.ndarray) -> np.ndarray:
    """What is taken from a count of 0, 1, 2, and 3 or more: the estimates of Chen and Goodman, and one half where a small text has
    no n-grams of a count that they need."""
    number = [int((counts == count).sum()) for count in range(5)]
    found = np.array([0.0, 0.5, 0.5, 0.5])
    for count in (1, 2, 3):
        if all(number[1:3]) and number[count] and number[count + 1]:
            y = number[1] / (number[1] + 2 * number[2])
            found[count] = count - (count + 1) * y * number[count + 1] / number[count]
    # Something always has to be left for the shorter context, and for the n-gram.
    return np.clip(found, [0.0, 0.05, 0.05, 0.05], [0.0, 0.95, 1.9, 2.85])
