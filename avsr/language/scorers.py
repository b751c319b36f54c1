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


@dataclass(frozen=True)
class _State:
    """What a prefix has gained for good, and where in the tree it stands: each place with what it will have gained when the
    word is whole. Several, for a word may begin inside another."""

    gained: int = 0
    places: tuple[tuple[_Node, int], ...] = ()

    @property
    def score(self) -> int:
        return self.gained + max((owed for _, owed in self.places), default=0)


class BiasScorer(BatchScorerInterface):
    """Contextual biasing: tokens that go along an expected word gain one each, and give all back where it is left before
    its end, as in Zhao et al., "Shallow-fusion end-to-end contextual biasing" (2019). A word may begin where a word begins,
    and anything may follow it: particles do.

    Args:
        phrases: token ids of each word or name, spaces inside allowed.
        vocabulary: tokens V.
        spaces: the ids after which a word may begin, beside sos; None where it may begin at any token, for vocabularies whose
            pieces tell where words begin.
    """

    def __init__(self, phrases: Iterable[Sequence[int]], vocabulary: int, spaces: Iterable[int] | None) -> None:
        self.vocabulary = vocabulary
        self.begins_after = None if spaces is None else {*spaces, vocabulary - 1}
        self.root = _Node()
        for phrase in phrases:
            node = self.root
            for token in phrase:
                node = node.after.setdefault(token, _Node())
            node.whole = node is not self.root
        self._known: dict[tuple[int, ...], _State] = {}

    def batch_score(self, ys: torch.Tensor, states: list[Any], xs: torch.Tensor) -> tuple[torch.Tensor, list[Any]]:
        """ys: (n, L) prefixes with sos. Returns (n, V): what each next token gains or gives back; and states, none."""
        scores = xs.new_zeros(len(ys), self.vocabulary)
        for row, prefix in enumerate(ys.tolist()):
            state = self._state(tuple(prefix))
            scores[row] = state.gained - state.score
            for token in {token for node, _ in self._open(state, prefix[-1]) for token in node.after}:
                scores[row, token] = self._next(state, prefix[-1], token).score - state.score
        return scores, states

    def _open(self, state: _State, last: int) -> tuple[tuple[_Node, int], ...]:
        """The places from which a token may go on; the tree's root among them where a word may begin after `last`."""
        begins = self.begins_after is None or last in self.begins_after
        return (*state.places, (self.root, 0)) if begins else state.places

    def _next(self, state: _State, last: int, token: int) -> _State:
        places = [(node.after[token], owed + 1) for node, owed in self._open(state, last) if token in node.after]
        earned = max((owed for node, owed in places if node.whole), default=0)
        if earned:  # these tokens have gained what they can: a word inside another does not count twice
            places = [(node, 0) for node, _ in places]
        return _State(state.gained + earned, tuple(places))

    def _state(self, prefix: tuple[int, ...]) -> _State:
        if len(prefix) < 2:
            return _State()
        if prefix not in self._known:
            if len(self._known) > 100_000:
                self._known.clear()
            self._known[prefix] = self._next(self._state(prefix[:-1]), prefix[-2], prefix[-1])
        return self._known[prefix]
