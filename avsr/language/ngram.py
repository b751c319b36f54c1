"""An n-gram language model over a model's own tokens (`kneser_ney` trains it), and its file.

KenLM, ESPnet's choice, is trained by a program that no package brings; jamo are about a hundred, so that numpy counts a million of
them in a few seconds and gives the whole next-token distribution at once, which a beam wants.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from avsr.errors import ModelError
from avsr.files import replace_file

FORMAT = 2
_WITH_CONTEXTS = 1  # the format before: the arrays as they are
_REMEMBERED = 5_000_000  # log probabilities, 20 MB
_DAMAGED = (
    OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, NotImplementedError, zlib.error, zipfile.BadZipFile
)  # fmt: skip
_NEVER = -1e10  # log probability of blank, which no text holds
_LEAST = -12.0  # natural log of the least share that a file holds, in steps of 4.8 %: perplexity does not notice


@dataclass(frozen=True)
class Level:
    """All n-grams of one length n, by their contexts of n - 1 tokens.

    contexts: (C, n - 1) uint16, in order; each is an n-gram of the level below. starts: (C + 1,) int64, where each context's next
    tokens begin. tokens: (N,) uint16, and shares (N,) float32, what each has of the probability before the shorter contexts' is
    added. rest: (C,) float32, the share that the shorter context gives out.
    """

    contexts: np.ndarray
    starts: np.ndarray
    tokens: np.ndarray
    shares: np.ndarray
    rest: np.ndarray

    def rows(self) -> np.ndarray:
        """(N, n) uint16, the n-grams, in order."""
        return np.concatenate([np.repeat(self.contexts, np.diff(self.starts), axis=0), self.tokens[:, None]], 1)


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
    def _keys(self) -> list[np.ndarray]:
        """The contexts of each level as bytes, which sort as they do."""
        return [as_keys(level.contexts) for level in self.levels]

    @property
    def order(self) -> int:
        return len(self.levels)

    def log_probs(self, context: Sequence[int]) -> np.ndarray:
        """Natural log probability (V,) float32 of each token after `context`: all ids since and with sos; blank has -1e10."""
        recent = np.array(context[max(0, len(context) - self.order + 1) :], ">u2")
        key = recent.tobytes()
        if key not in self._known:
            if len(self._known) * len(self.token_list) > _REMEMBERED:  # a long recording comes to more
                self._known.clear()
            self._known[key] = self._work_out(recent)
        return self._known[key]

    def _work_out(self, recent: np.ndarray) -> np.ndarray:
        size = len(self.token_list)
        found = np.full(size, 1.0 / (size - 1))
        for level, keys in zip(self.levels, self._keys):
            length = level.contexts.shape[1]
            if length > len(recent):
                break
            place = 0
            if length:
                key = as_keys(recent[None, len(recent) - length :])[0]
                place = int(keys.searchsorted(key))
                if place == len(keys) or keys[place] != key:
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
        """Write it whole or not at all; the same model gives the same bytes.

        Contexts are not written, since they are the n-grams of the level below: how many tokens follow each of those is. Shares are
        rounded to 8 bits of their logarithm (Federico and Bertoldi, "How many bits are needed to store probabilities for
        phrase-based translation?", 2006).
        """
        ids = np.uint8 if len(self.token_list) <= 1 << 8 else np.uint16
        arrays: dict[str, np.ndarray] = {}
        below = np.zeros((1, 0), np.uint16)
        for n, level in enumerate(self.levels, 1):
            follow = np.zeros(len(below), np.uint16)
            follow[as_keys(below).searchsorted(self._keys[n - 1])] = np.diff(level.starts)
            arrays |= {f"follow_{n}": follow, f"tokens_{n}": level.tokens.astype(ids)}
            arrays |= {f"shares_{n}": _rounded(level.shares), f"rest_{n}": _rounded(level.rest)}
            below = level.rows()
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
            if meta["format"] == _WITH_CONTEXTS:
                names = ("contexts", "starts", "tokens", "shares", "rest")
                levels = [Level(*(archive[f"{name}_{n}"] for name in names)) for n in range(1, meta["order"] + 1)]
            elif meta["format"] == FORMAT:
                levels = _read_levels(archive, meta["order"])
            else:
                raise ModelError(f"{where}: its format is {meta['format']}, this program reads {FORMAT}; train it again.")
            return Ngram(levels, meta["token_list"])
    except FileNotFoundError:
        raise ModelError(f"{where}: there is no such file; train a language model with `avsr lm`.") from None
    except _DAMAGED as error:
        raise ModelError(f"{where}: is no language model, or damaged ({error}); train it again with `avsr lm`.") from error


def _read_levels(archive: Mapping[str, np.ndarray], order: int) -> list[Level]:
    levels: list[Level] = []
    below = np.zeros((1, 0), np.uint16)
    for n in range(1, order + 1):
        follow, tokens = archive[f"follow_{n}"], archive[f"tokens_{n}"].astype(np.uint16)
        shares, rest = _share(archive[f"shares_{n}"]), _share(archive[f"rest_{n}"])
        has = follow > 0
        starts = np.append(0, np.cumsum(follow[has], dtype=np.int64))
        if len(follow) != len(below) or not len(tokens) == len(shares) == starts[-1] or len(rest) != has.sum():
            raise ValueError(f"level {n} has other sizes than the one below")
        whole = np.add.reduceat(shares, starts[:-1]) + rest  # rounded, they add up to almost one
        shares /= np.repeat(whole, np.diff(starts))
        levels.append(Level(below[has], starts, tokens, shares, rest / whole))
        below = levels[-1].rows()
    return levels


def _rounded(shares: np.ndarray) -> np.ndarray:
    """8 bits, by logarithm."""
    return np.rint(255 * (1 - np.log(shares.clip(np.exp(_LEAST), 1.0)) / _LEAST)).astype(np.uint8)


def _share(rounded: np.ndarray) -> np.ndarray:
    return np.exp(_LEAST * (1 - rounded.astype(np.float32) / 255)).astype(np.float32)


def as_keys(rows: np.ndarray) -> np.ndarray:
    """Rows (N, n) of token ids as (N,) bytes, which sort as they do: big-endian."""
    rows = np.ascontiguousarray(rows, ">u2")
    return rows.view(np.dtype((np.void, 2 * rows.shape[1]))).ravel() if rows.shape[1] else np.zeros(len(rows), "V1")
