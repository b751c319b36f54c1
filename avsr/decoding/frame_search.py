"""CTC prefix search frame by frame, with what is known of the language: the first of two passes.

ESPnet's beam search goes token by token, and compares what is equally long: where the beginning of a sentence is hardly seen, the
beam fills up with what the language begins with most often, and what is seen clearly later comes too late. Here all prefixes have
seen as much, a few hundred are kept where a decoder could rank twenty, and the decoder ranks what is left at the end.
(ESPnet has such a search too, one prefix at a time: benchmarks/frame_search.py.)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch
    from espnet.nets.scorer_interface import BatchScorerInterface

_ZERO = -1e30  # log of 0; -inf would make NaN of differences
_NEVER = -1e20  # no score of what some path leads to is as low, whatever its weight
_SILENT = -1e-3  # log probability of blank from which nothing else is looked at in a frame
_RARE = 12.0  # tokens of a frame that are so many nats less likely than its best begin nothing new


@dataclass(slots=True, eq=False)
class _Prefix:
    """A text's beginning: its last token (0 where there is none), how many there are, what language and length have given them, each
    scorer's state, and the prefix that is a token shorter. Once it is asked for, `after` has what each next token would be given, (V,)
    float32. `longer` are those that go on from here: all that there ever were, so that no two are alike."""

    token: int
    length: int
    given: float
    states: list[Any]
    shorter: _Prefix | None = None
    after: np.ndarray | None = None
    longer: dict[int, _Prefix] = field(default_factory=dict)

    def tokens(self) -> tuple[int, ...]:
        """All of them; not kept, since a long recording has thousands of prefixes of hundreds of tokens."""
        said, prefix = [], self
        while prefix.shorter is not None:
            said.append(prefix.token)
            prefix = prefix.shorter
        return tuple(reversed(said))


class _Known:
    """What language and length give a token: the scorers of ESPnet's batch beam search, weighted."""

    def __init__(self, scorers: Iterable[tuple[BatchScorerInterface, float]], length_bonus: float, eos: int, nothing: torch.Tensor) -> None:
        self.scorers, self.length_bonus, self.eos = list(scorers), length_bonus, eos
        self.nothing = nothing  # stands where the scorers want what is heard, and on the device where they are

    def empty(self) -> _Prefix:
        return _Prefix(0, 0, 0.0, [scorer.batch_init_state(self.nothing) for scorer, _ in self.scorers])

    def look_up(self, prefixes: Iterable[_Prefix], vocabulary: int) -> None:
        """Fill in `after` where it lacks, those of one length together."""
        import torch

        lacking = sorted((prefix for prefix in prefixes if prefix.after is None), key=lambda prefix: prefix.length)
        for _, group in groupby(lacking, key=lambda prefix: prefix.length):
            together = list(group)
            given = np.full((len(together), vocabulary), self.length_bonus, np.float32)
            said = torch.tensor([(self.eos, *prefix.tokens()) for prefix in together], device=self.nothing.device)
            for number, (scorer, weight) in enumerate(self.scorers):
                scores, states = scorer.batch_score(said, [prefix.states[number] for prefix in together], self.nothing)
                given += weight * scores.detach().float().cpu().numpy()
                for prefix, state in zip(together, states):
                    prefix.states[number] = state  # of what follows it, whatever that is
            for prefix, row in zip(together, given):
                prefix.after = row

    def next(self, prefix: _Prefix, token: int) -> _Prefix:
        """The prefix with one token more, the same one each time; `after` has been looked up."""
        if token not in prefix.longer:
            given = prefix.given + float(prefix.after[token])  # type: ignore[index]
            prefix.longer[token] = _Prefix(token, prefix.length + 1, given, list(prefix.states), prefix)
        return prefix.longer[token]


@dataclass(frozen=True)
class _Beam:
    """Prefixes, and the log probability of all paths through each so far that end in blank, and in its last token: (n,) float64."""

    prefixes: list[_Prefix]
    blank: np.ndarray
    token: np.ndarray

    def kept(self, beam: int, ctc_weight: float) -> _Beam:
        """The best `beam`."""
        if len(self.prefixes) <= beam:
            return self
        best = np.argpartition(-self.scores(ctc_weight), beam - 1)[:beam]
        return _Beam([self.prefixes[place] for place in best], self.blank[best], self.token[best])

    def scores(self, ctc_weight: float) -> np.ndarray:
        return ctc_weight * np.logaddexp(self.blank, self.token) + np.array([prefix.given for prefix in self.prefixes])


def frame_search(
    log_probs: torch.Tensor,
    scorers: Iterable[tuple[BatchScorerInterface, float]],
    *,
    beam: int,
    ctc_weight: float,
    length_bonus: float = 0.0,
    longest: int | None = None,
) -> list[tuple[tuple[int, ...], float]]:
    """Texts, those first that CTC and the language make most of, `beam` at the most; with each, what language and length gave it.

    CTC prefix beam search: Hannun et al., "First-pass large vocabulary continuous speech recognition using bi-directional recurrent
    DNNs" (2014).

    Args:
        log_probs: (T, V) log posterior, blank first and sos/eos last.
        scorers: of the language, each with its weight; they score whole prefixes that begin with sos.
        beam: prefixes kept at each frame.
        ctc_weight: of CTC's log probability beside them.
        length_bonus: given to each token, and to the end.
        longest: tokens that a text may have.
    """
    frames = log_probs.double().cpu().numpy()
    vocabulary = frames.shape[1]
    known = _Known(scorers, length_bonus, vocabulary - 1, log_probs.new_zeros(1))
    now = _Beam([known.empty()], np.zeros(1), np.full(1, _ZERO))
    for frame in frames:
        now = _stay(now, frame) if frame[0] > _SILENT else _step(now, frame, known, beam, ctc_weight, longest)
    known.look_up(now.prefixes, vocabulary)
    ends = np.array([float(prefix.after[-1]) for prefix in now.prefixes])  # type: ignore[index]
    order = np.argsort(-now.scores(ctc_weight) - ends, kind="stable")
    return [(now.prefixes[place].tokens(), now.prefixes[place].given + ends[place]) for place in order]


def _stay(now: _Beam, frame: np.ndarray) -> _Beam:
    """No prefix gets longer: blank follows, or the last token goes on."""
    last = np.array([prefix.token for prefix in now.prefixes])
    token = np.where(last > 0, now.token + frame[last], _ZERO)
    return _Beam(now.prefixes, np.logaddexp(now.blank, now.token) + frame[0], token)


def _step(now: _Beam, frame: np.ndarray, known: _Known, beam: int, ctc_weight: float, longest: int | None) -> _Beam:
    stayed = _stay(now, frame)
    spoken = np.flatnonzero(frame[1:-1] > frame.max() - _RARE) + 1
    if not len(spoken):
        return stayed
    known.look_up(now.prefixes, len(frame))
    last = np.array([prefix.token for prefix in now.prefixes])
    # The same token once more is a new one only after a blank.
    whole = np.logaddexp(now.blank, now.token)[:, None]
    longer = np.where(spoken == last[:, None], now.blank[:, None], whole) + frame[spoken]
    scores = ctc_weight * longer + np.stack([prefix.given + prefix.after[spoken] for prefix in now.prefixes])  # type: ignore[index]
    if longest is not None:
        scores[[prefix.length >= longest for prefix in now.prefixes]] = _ZERO
    _join(now, stayed, spoken, longer, scores)
    least = _NEVER
    if len(now.prefixes) >= beam:  # what is no better than all that is there already is not even made
        least = np.partition(stayed.scores(ctc_weight), -beam)[-beam]
    places = np.flatnonzero(scores > least)
    if len(places) > beam:
        places = places[np.argpartition(-scores.ravel()[places], beam - 1)[:beam]]
    rows, columns = np.divmod(places, len(spoken))
    new = [known.next(now.prefixes[row], int(spoken[column])) for row, column in zip(rows, columns)]
    blank = np.concatenate([stayed.blank, np.full(len(new), _ZERO)])
    token = np.concatenate([stayed.token, longer[rows, columns]])
    return _Beam(stayed.prefixes + new, blank, token).kept(beam, ctc_weight)


def _join(now: _Beam, stayed: _Beam, spoken: np.ndarray, longer: np.ndarray, scores: np.ndarray) -> None:
    """Paths that come to a prefix of the beam from a shorter one are added to its own, in place, and count as nothing new."""
    place_of = {id(prefix): place for place, prefix in enumerate(now.prefixes)}
    columns = {int(token): column for column, token in enumerate(spoken)}
    for place, prefix in enumerate(now.prefixes):
        row = place_of.get(id(prefix.shorter))
        column = columns.get(prefix.token) if row is not None else None
        if column is not None:
            stayed.token[place] = np.logaddexp(stayed.token[place], longer[row, column])
            scores[row, column] = _ZERO
