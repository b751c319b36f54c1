"""A language model and expected words as scorers of ESPnet's batch beam search: shallow fusion."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from espnet.nets.scorer_interface import BatchScorerInterface

from avsr.language.ngram import Ngram


class NgramScorer(BatchScorerInterface):
    """log P(token | what was said so far) of an n-gram model, which has the same token list as the recogniser."""

    def __init__(self, model: Ngram) -> None:
        self.model = model

    def batch_score(self, ys: torch.Tensor, states: list[Any], xs: torch.Tensor) -> tuple[torch.Tensor, list[Any]]:
        """ys: (n, L) prefixes with sos. Returns (n, V) and states, of which it has none: the prefix tells all."""
        told = [torch.from_numpy(self.model.log_probs(prefix)) for prefix in ys.tolist()]
        return torch.stack(told).to(xs), states


@dataclass
class _Node:
    """A place in the tree of expected words; `whole` where a word ends."""

    after: dict[int, _Node] = field(default_factory=dict)
    whole: bool = False


class BiasScorer(BatchScorerInterface):
    """Contextual biasing: tokens that go along an expected word gain one each, and give all back where it is left before
    its end, as in Zhao et al., "Shallow-fusion end-to-end contextual biasing" (2019). A word may begin where a word begins,
    and anything may follow it: particles do.

    Args:
        phrases: token ids of each word or name, spaces inside allowed.
        vocabulary: tokens V.
        space: the ids after which a word may begin, beside sos; a piece that begins a word itself needs none (`anywhere`).
        anywhere: a word may begin at any token, for vocabularies whose pieces tell where words begin.
    """

    def __init__(
        self, phrases: Iterable[Sequence[int]], vocabulary: int, space: Iterable[int], *, anywhere: bool = False
    ) -> None:
        self.vocabulary, self.anywhere = vocabulary, anywhere
        self.space = {*space, vocabulary - 1}
        self.root = _Node()
        for phrase in phrases:
            node = self.root
            for token in phrase:
                node = node.after.setdefault(token, _Node())
            node.whole = node is not self.root
        self._known: dict[tuple[int, ...], tuple[_Node | None, int]] = {}

    def batch_score(self, ys: torch.Tensor, states: list[Any], xs: torch.Tensor) -> tuple[torch.Tensor, list[Any]]:
        """ys: (n, L) prefixes with sos. Returns (n, V): what each next token gains or gives back; and states, none."""
        scores = xs.new_zeros(len(ys), self.vocabulary)
        for row, prefix in enumerate(ys.tolist()):
            node, owed = self._place(tuple(prefix))
            scores[row] -= owed
            begins = self.anywhere or prefix[-1] in self.space
            for token in (self.root.after if begins else {}) | (node.after if node else {}):
                on = node is not None and token in node.after
                scores[row, token] += 1.0 if not on else 1.0 + owed
        return scores, states

    def _place(self, prefix: tuple[int, ...]) -> tuple[_Node | None, int]:
        """Where in the tree a prefix stands, None for nowhere, and what it has gained for a word that is not whole yet."""
        if len(prefix) < 2:
            return None, 0
        if prefix not in self._known:
            if len(self._known) > 100_000:
                self._known.clear()
            node, owed = self._place(prefix[:-1])
            token = prefix[-1]
            if node is not None and token in node.after:
                node, owed = node.after[token], owed + 1
            elif self.anywhere or prefix[-2] in self.space:
                node, owed = self.root.after.get(token), 1
            else:
                node = None
            self._known[prefix] = (node, 0) if node is None or node.whole else (node, owed)
        return self._known[prefix]
