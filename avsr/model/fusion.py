"""Late fusion: frame-wise weights of the two streams, from how far each is to be trusted and whether they agree."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from avsr.model.agreement import (
    MAX_LAG,
    assurance,
    correlations,
    distinctness,
    find_lag,
    has_moved_in,
    local_agreement,
    move,
)
from avsr.model.fallback import CHOICES, Fallback, Told, told_of
from avsr.model.reliability import AUDIO_FEATURES, LIP_FEATURES

_SILENCE, _MISSING = AUDIO_FEATURES.index("silence"), LIP_FEATURES.index("missing")
_AVERAGED = (4, 5)  # of each stream's features, those before its faults, which are also given as means of the utterance
_AGREEMENT = 4  # local, of the utterance at the offset used and at the best one, and how far the best one stands out
_ASSURANCE = 4  # a stream
_LESS = 0.5  # frames of speech that moving the lips has to lose more than moving the sound


@dataclass
class Fused:
    """What leaves the fusion.

    memory: (B, T, D) weighted sum of the encoders' vectors, for the attention decoder.
    log_probs: (B, T, V) weighted, renormalised log posteriors of the two CTC heads.
    weights: (B, T, 2) weights of audio and lips, summing to 1; exactly 0 and 1 can be reached.
    lag: (B,) int64, frames by which the lips were moved against the sound to be in step.
    overall: what `avsr.model.fallback` chose by; None where it was not asked.
    """

    memory: torch.Tensor
    log_probs: torch.Tensor
    weights: torch.Tensor
    lag: torch.Tensor
    overall: Told | None = None


class LateFusion(nn.Module):
    """Weigh the streams frame by frame, at the level of their decisions.

    A small convolution over time, in the manner of the decision fusion net of Yu, Zeiler and Kolossa (2021), sees each stream's
    reliability, its means over the utterance, and whether the streams agree (`avsr.model.agreement`). It gives each stream
    a strength, a sigmoid stretched to (-0.1, 1.1) and clipped so that 0 is reachable (Louizos et al., "Learning sparse neural
    networks through L0 regularization", 2018); the weight of the sound is its share of the two.

    What needs no learning is not left to it: digital silence has weight 0 and a face that is not there has weight 0, as long
    as the other is there. A stream of weight 0 leaves no trace, and the one of weight 1 comes out as it went in.

    Except in training, streams that are out of step are moved to one another first, and at the end a choice is made for the whole
    utterance between the sound, the lips and both (`avsr.model.fallback`), where that was taught.

    Args:
        hidden: units of the small network.
        context: frames that it sees, odd.
    """

    late = True  # decisions are fused, so that it can be taught without the encoders

    def __init__(self, hidden: int = 32, context: int = 9) -> None:
        super().__init__()
        features = len(AUDIO_FEATURES) + len(LIP_FEATURES) + sum(_AVERAGED) + _AGREEMENT + 2 * _ASSURANCE
        self.net = nn.Sequential(
            nn.Conv1d(features, hidden, context, padding=context // 2),
            nn.ReLU(),
            nn.Conv1d(hidden, 2, context, padding=context // 2),
        )
        # How sharp each head's posteriors are to be taken, as a logarithm.
        self.sharpness = nn.Parameter(torch.zeros(2))
        self.fallback = Fallback()

    def _load_from_state_dict(self, state: dict, prefix: str, *rest) -> None:
        """As torch does; a network that was taught before there was the last feature gives it no weight, and one from before there was
        a choice for the utterance makes none."""
        for own, value in self.fallback.state_dict().items():
            state.setdefault(f"{prefix}fallback.{own}", value)
        name, wanted = prefix + "net.0.weight", self.net[0].weight.shape[1]
        if name in state and state[name].shape[1] == wanted - 1:
            state[name] = nn.functional.pad(state[name], (0, 0, 0, 1))
        super()._load_from_state_dict(state, prefix, *rest)

    def forward(
        self,
        vectors: tuple[torch.Tensor, torch.Tensor],
        log_probs: tuple[torch.Tensor, torch.Tensor],
        reliability: torch.Tensor,
        present: torch.Tensor,
    ) -> Fused:
        """Fuse.

        Args:
            vectors: audio's and lips' (B, T, D).
            log_probs: audio's and lips' (B, T, V).
            reliability: (B, T, features), audio's first.
            present: (B, T, 2) bool, which stream may be used at all. Where one alone is present it has weight 1.
        """
        given = vectors, log_probs, present
        with torch.autocast(log_probs[0].device.type, enabled=False):
            heard = present & ~_lost(reliability)
            told = tuple(x.detach().float() * heard[..., i, None] for i, x in enumerate(log_probs))
            found = correlations(*told)
            lag = torch.zeros(len(found), dtype=torch.int64, device=found.device) if self.training else find_lag(found)
            if bool(lag.any()):
                by = _shifts(lag, told, present)
                vectors, log_probs, told = (tuple(map(move, pair, by)) for pair in (vectors, log_probs, told))
                streams = reliability.split((len(AUDIO_FEATURES), len(LIP_FEATURES)), -1)
                reliability = torch.cat(list(map(move, streams, by)), -1)
                present = torch.stack([_there(present, i, shift) for i, shift in enumerate(by)], -1)
                heard = present & ~_lost(reliability)
                told = tuple(x * heard[..., i, None] for i, x in enumerate(told))
            features = _features(told, reliability.float(), heard, found, lag)
            strengths = self._strengths(features, reliability, present)
        total = strengths.sum(-1, keepdim=True)
        weights = strengths / total
        alone = (weights == 1).any(-1, keepdim=True)
        fused = combine(vectors, log_probs, weights, torch.where(alone, torch.ones_like(total), total), lag)
        if self.training or not (self.fallback.learning or bool(self.fallback.taught)):
            return fused
        with torch.autocast(log_probs[0].device.type, enabled=False):
            fused.overall = told_of(given[1], log_probs, fused.log_probs, fused.weights[..., 0], found, lag, given[2].any(-1))
            return self._choose(fused, *given) if bool(self.fallback.taught) else fused

    def _choose(
        self, fused: Fused, vectors: tuple[torch.Tensor, torch.Tensor], log_probs: tuple[torch.Tensor, torch.Tensor], present: torch.Tensor
    ) -> Fused:
        """What was fused, or one of the streams as it was given."""
        chosen = self.fallback(fused.overall).argmax(-1)
        # Where only one stream is there at all, there is nothing to choose.
        chosen = torch.where(present.any(1).all(-1), chosen, torch.full_like(chosen, CHOICES.index("both")))
        if bool((chosen == CHOICES.index("both")).all()):
            return fused
        alone = torch.stack([chosen == 0, chosen == 1], -1)[:, None] & present  # in frames that the chosen stream has
        taken = alone.any(-1, keepdim=True)
        weights = torch.where(taken, alone.to(fused.weights.dtype), fused.weights)
        single = combine(vectors, log_probs, weights, 1.0, fused.lag)
        memory = torch.where(taken, single.memory, fused.memory)
        return Fused(memory, torch.where(taken, single.log_probs, fused.log_probs), weights, fused.lag, fused.overall)

    def _strengths(self, features: torch.Tensor, reliability: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """(B, T, 2), never both 0."""
        # Not below 0.001: the share of two numbers that are next to nothing has no gradient worth the name.
        raw = torch.sigmoid(self.net(features.transpose(1, 2)).transpose(1, 2).float()).clamp(min=1e-3)
        usable = present & ~_lost(reliability)
        usable = torch.where(usable.any(-1, keepdim=True), usable, present)
        clipped = (raw * 1.2 - 0.1).clamp(0.0, 1.0) * usable
        # Where nothing is left, what there was before clipping; and where nothing is there at all, both.
        clipped = torch.where(clipped.any(-1, keepdim=True), clipped, raw * usable)
        clipped = torch.where(clipped.any(-1, keepdim=True), clipped, raw)
        return clipped * self.sharpness.exp()


def _lost(reliability: torch.Tensor) -> torch.Tensor:
    """(B, T, 2) bool: where the sound is digital silence, and where no face was found."""
    return torch.stack([reliability[..., _SILENCE] > 0.5, reliability[..., len(AUDIO_FEATURES) + _MISSING] > 0.5], -1)


def _shifts(
    lag: torch.Tensor, told: tuple[torch.Tensor, torch.Tensor], present: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """By how many frames to move the sound and the lips, each (B,), so that the lips are `lag` frames later than they were.

    The lips alone are moved, but where they would lose what they say over the edge and the sound, moved the other way, would not: a
    sound that is late in its file ends in the middle of what the lips go on to say.
    """
    said = [(1 - one[..., 0].exp()) * present.any(-1) for one in told]
    lips_lose, sound_loses = (_over_the_edge(one, shift, present) for one, shift in ((said[1], lag), (said[0], -lag)))
    left = present[..., 0] & ~_there(present, 0, -lag)  # where the sound would be gone, the lips have to be there
    alone = (left & ~present[..., 1]).any(1)
    sound_moves = (sound_loses + _LESS < lips_lose) & ~alone
    nothing = torch.zeros_like(lag)
    return torch.where(sound_moves, -lag, nothing), torch.where(sound_moves, nothing, lag)


def _over_the_edge(said: torch.Tensor, shift: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    """(B,) how many frames' worth of what is said (B, T) would be moved out of the utterance."""
    stays = move(said, shift) * has_moved_in(shift, said.shape[1]) * present.any(-1)
    return said.sum(1) - stays.sum(1)


def _there(present: torch.Tensor, stream: int, shift: torch.Tensor) -> torch.Tensor:
    """(B, T) bool: where a stream that was moved may be used; at the edge where nothing came in only if the other is not there."""
    moved = move(present[..., stream], shift)
    return moved & (has_moved_in(shift, present.shape[1]) | ~present[..., 1 - stream])


def combine(
    vectors: tuple[torch.Tensor, torch.Tensor],
    log_probs: tuple[torch.Tensor, torch.Tensor],
    weights: torch.Tensor,
    sharpness: torch.Tensor | float = 1.0,
    lag: torch.Tensor | None = None,
) -> Fused:
    """The streams with given weights (B, T, 2): vectors are added up, log posteriors too, and those renormalised after
    multiplication by `sharpness` (B, T, 1)."""
    audio, lip = weights[..., :1], weights[..., 1:]
    memory = audio * vectors[0] + lip * vectors[1]
    fused = (sharpness * (audio * log_probs[0] + lip * log_probs[1])).log_softmax(-1)
    return Fused(memory, fused, weights, lag if lag is not None else torch.zeros(len(weights), dtype=torch.int64))


def _features(
    told: tuple[torch.Tensor, torch.Tensor],
    reliability: torch.Tensor,
    heard: torch.Tensor,
    found: torch.Tensor,
    lag: torch.Tensor,
) -> torch.Tensor:
    """(B, T, features) of the small network; no gradient goes through any of it. heard (B, T, 2): where each stream says
    something; told: its log posteriors there, zeros elsewhere."""
    real = heard.any(-1, keepdim=True).float()
    streams = reliability.split((len(AUDIO_FEATURES), len(LIP_FEATURES)), -1)
    means = [(x[..., :n] * real).sum(1, keepdim=True) / real.sum(1, keepdim=True).clamp(min=1) for x, n in zip(streams, _AVERAGED)]
    used = found.gather(1, (lag + MAX_LAG)[:, None])[:, None]
    best = found.amax(1)[:, None, None]
    frames = reliability.shape[1]
    parts = [reliability, local_agreement(*told)[..., None]]
    parts += [x.expand(-1, frames, -1) for x in (used, best, *means)]
    parts += [assurance(x, heard[..., i].float()) for i, x in enumerate(told)]
    parts.append(distinctness(found)[:, None, None].expand(-1, frames, -1))  # the last: see _load_from_state_dict
    return torch.cat(parts, -1) * real
