"""CTC prefix scores for ESPnet's batch beam search, all frames of a step at once.

ESPnet's own scorer walks over the frames in Python at every token and keeps the forward variables of every candidate:
16 ms a token for 12 s of media and a beam of 10. This one gives the same scores (tests/decoding/test_prefix_score.py)
in under 2 ms: the prefix probability of a candidate needs the forward variables of its parent alone, so the candidate's
own are made only when it is kept, and the recursion over frames is a cumulative sum in the log domain.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from espnet.nets.scorer_interface import BatchPartialScorerInterface

_ZERO = -1e30  # log of 0 inside the recursion; -inf would make NaN of differences
_NEVER = -1e10  # score of what cannot be said, as ESPnet has it


class _Prefix(NamedTuple):
    """A hypothesis's forward variables (T,) that end in its last token and in blank, its score, and that token."""

    token_end: torch.Tensor
    blank_end: torch.Tensor
    score: torch.Tensor
    last: int


class _Step(NamedTuple):
    """The parents of one step, and the prefix scores (n, V) of all their children."""

    parents: list[_Prefix]
    scores: torch.Tensor


class CTCPrefixScorer(BatchPartialScorerInterface):
    """Scores how CTC continues a prefix: Algorithm 2 of Watanabe et al., "Hybrid CTC/attention" (2017).

    Args:
        log_probs: (T, V) log posterior of one utterance, blank first, T at least 1.
        eos: id of sos/eos.
    """

    def __init__(self, log_probs: torch.Tensor, eos: int) -> None:
        self._x = log_probs.double()  # sums over hundreds of frames are subtracted from one another
        self._sums = self._x.cumsum(0)
        self._eos = eos

    def batch_init_state(self, x: torch.Tensor) -> None:
        """The empty prefix; its variables are made in the first step."""
        return None

    def batch_score_partial(
        self, ys: torch.Tensor, ids: torch.Tensor | None, states: list[_Prefix | None], x: torch.Tensor
    ) -> tuple[torch.Tensor, _Step]:
        """Score continuations.

        Args:
            ys: (n, L) prefixes.
            ids: (n, S) candidates of each, None for the whole vocabulary.
            states: one a prefix.
            x: encoder output; what it says is in `log_probs` already.

        Returns:
            (n, V) log probability of each token after the prefix, -1e10 for no candidates and for blank.
        """
        parents = [self._empty() if state is None else state for state in states]
        first = parents[0].last < 0
        if ids is None:
            ids = torch.arange(self._x.shape[1], device=self._x.device).expand(len(parents), -1)
        blank_end = torch.stack([parent.blank_end for parent in parents])  # (n, T)
        either = torch.logaddexp(blank_end, torch.stack([parent.token_end for parent in parents]))
        before = either[:, None, :-1]  # a new token may follow the prefix with or without a blank between,
        if not first:
            same = ids == torch.tensor([parent.last for parent in parents], device=ids.device)[:, None]
            before = torch.where(same[..., None], blank_end[:, None, :-1], before)  # but not itself without one
        spoken = self._x.t()[ids]  # (n, S, T)
        starts = spoken[..., 1:] + before
        if first:
            starts = torch.cat([spoken[..., :1], starts.expand(*spoken.shape[:2], -1)], dim=-1)
        found = starts.logsumexp(-1) if starts.shape[-1] else starts.new_full(ids.shape, _ZERO)
        scores = self._x.new_full((len(parents), self._x.shape[1]), _NEVER).scatter(1, ids, found)
        scores[:, self._eos] = either[:, -1]
        scores[:, 0] = _NEVER
        # What cannot be said has -1e10 once, in its own score; what follows it adds nothing and takes nothing back.
        scores.clamp_(min=_NEVER)
        previous = torch.stack([parent.score for parent in parents])[:, None]
        return (scores - previous).to(x.dtype), _Step(parents, scores)

    def select_state(self, state: _Step | list, i: int, new_id: int | None = None) -> _Prefix | None:
        """The state of prefix `i`, continued by `new_id` where it comes from `batch_score_partial`."""
        if not isinstance(state, _Step):
            return state[i]
        parent, token = state.parents[i], int(new_id)
        if token in (0, self._eos):  # one is never spoken, after the other nothing is
            nothing = torch.full_like(parent.blank_end, _ZERO)
            return _Prefix(nothing, nothing, state.scores[i, token], token)
        before = parent.blank_end if token == parent.last else torch.logaddexp(parent.token_end, parent.blank_end)
        first = 0.0 if parent.last < 0 else _ZERO
        token_end = _forward(before, self._sums[:, token], first)
        return _Prefix(token_end, _forward(token_end, self._sums[:, 0], _ZERO), state.scores[i, token], token)

    def _empty(self) -> _Prefix:
        blank = self._sums[:, 0]
        return _Prefix(torch.full_like(blank, _ZERO), blank, torch.zeros_like(blank[0]), -1)


def _forward(before: torch.Tensor, sums: torch.Tensor, first: float) -> torch.Tensor:
    """r with r[t] = log(exp r[t-1] + exp before[t-1]) + x[t], where sums = cumsum(x) and r[0] = x[0] + first; all (T,)."""
    entered = torch.cat([before.new_full((1,), first), before[:-1] - sums[:-1]])
    return sums + entered.logcumsumexp(0)
