"""Late fusion: frame-wise weights of the two streams, from how far each is to be trusted and whether they agree."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from avsr.model.agreement import (
    MAX_LAG,
    agreement,
    assurance,
    correlations,
    distinctness,
    find_lag,
    has_moved_in,
    local_agreement,
    move,
)
from avsr.model.fallback import CHOICES, Fallback, feature_count, utterance_features
from avsr.model.reliability import AUDIO_FEATURES, LIP_FEATURES

_SILENCE, _MISSING = AUDIO_FEATURES.index("silence"), LIP_FEATURES.index("missing")
_AVERAGED = (4, 5)  # of each stream's features, those before its faults, which are also given as means of the utterance
_AGREEMENT = 4  # local, of the utterance at the offset used and at the best one, and how far the best one stands out
_ASSURANCE = 4  # a stream


@dataclass
class Fused:
    """What leaves the fusion.

    memory: (B, T, D) weighted sum of the encoders' vectors, for the attention decoder.
    log_probs: (B, T, V) weighted, renormalised log posteriors of the two CTC heads.
    weights: (B, T, 2) weights of audio and lips, summing to 1; exactly 0 and 1 can be reached.
    lag: (B,) int64, frames by which the lips were moved to be in step with the sound.
    overall: (B, features) what `avsr.model.fallback` chose by; None where it was not asked.
    """

    memory: torch.Tensor
    log_probs: torch.Tensor
    weights: torch.Tensor
    lag: torch.Tensor
    overall: torch.Tensor | None = None


class LateFusion(nn.Module):
    """Weigh the streams frame by frame, at the level of their decisions.

    A small convolution over time, in the manner of the decision fusion net of Yu, Zeiler and Kolossa (2021), sees each stream's
    reliability, its means over the utterance, and whether the streams agree (`avsr.model.agreement`). It gives each stream
    a strength, a sigmoid stretched to (-0.1, 1.1) and clipped so that 0 is reachable (Louizos et al., "Learning sparse neural
    networks through L0 regularization", 2018); the weight of the sound is its share of the two.

    What needs no learning is not left to it: digital silence has weight 0 and a face that is not there has weight 0, as long
    as the other is there. A stream of weight 0 leaves no trace, and the one of weight 1 comes out as it went in.

    Except in training, lips that are out of step with the sound are moved to it first, and at the end a choice is made for the whole
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
        self.fallback = Fallback(feature_count(len(AUDIO_FEATURES) + len(LIP_FEATURES)))

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
        with torch.autocast(log_probs[0].device.type, enabled=False):
            heard = present & ~_lost(reliability)
            told = tuple(x.detach().float() * heard[..., i, None] for i, x in enumerate(log_probs))
            found = correlations(*told)
            lag = torch.zeros(len(found), dtype=torch.int64, device=found.device) if self.training else find_lag(found)
            if bool(lag.any()):
                vectors, log_probs, told = ((x[0], move(x[1], lag)) for x in (vectors, log_probs, told))
                sound, lips = reliability.split((len(AUDIO_FEATURES), len(LIP_FEATURES)), -1)
                reliability = torch.cat([sound, move(lips, lag)], -1)
                seen = move(present[..., 1], lag) & (has_moved_in(lag, present.shape[1]) | ~present[..., 0])
                present = torch.stack([present[..., 0], seen], -1)
                heard = present & ~_lost(reliability)
                told = tuple(x * heard[..., i, None] for i, x in enumerate(told))
            features = _features(told, reliability.float(), heard, found, lag)
            strengths = self._strengths(features, reliability, present)
        total = strengths.sum(-1, keepdim=True)
        weights = strengths / total
        alone = (weights == 1).any(-1, keepdim=True)
        fused = combine(vectors, log_probs, weights, torch.where(alone, torch.ones_like(total), total), lag)
        if self.training:
            return fused
        with torch.autocast(log_probs[0].device.type, enabled=False):
            return self._overall(fused, vectors, log_probs, reliability, present, found)

    def _overall(
        self,
        fused: Fused,
        vectors: tuple[torch.Tensor, torch.Tensor],
        log_probs: tuple[torch.Tensor, torch.Tensor],
        reliability: torch.Tensor,
        present: torch.Tensor,
        found: torch.Tensor,
    ) -> Fused:
        """Fused by the choice for the whole utterance; `found` are the correlations at all offsets."""
        real = present.any(-1).float()
        told = [x.detach().float() * real[..., None] for x in (*log_probs, fused.log_probs)]
        used = found.gather(1, (fused.lag + MAX_LAG)[:, None])[:, 0]
        near = (local_agreement(*told[:2]) * real).sum(1) / real.sum(1).clamp(min=1)
        pairs = torch.stack([used, found.amax(1), distinctness(found), *(agreement(told[2], one) for one in told[:2]), near], -1)
        overall = utterance_features(tuple(told), reliability.float(), real, fused.weights[..., 0].float(), pairs, fused.lag != 0)
        fused.overall = overall
        if not bool(self.fallback.taught):
            return fused
        chosen = self.fallback(overall).argmax(-1)
        # Where only one stream is there at all, there is nothing to choose.
        chosen = torch.where(present.any(1).all(-1), chosen, torch.full_like(chosen, CHOICES.index("both")))
        if bool((chosen == CHOICES.index("both")).all()):
            return fused
        alone = torch.stack([chosen == 0, chosen == 1], -1)[:, None] & present  # in frames that the chosen stream has
        weights = torch.where(alone.any(-1, keepdim=True), alone.to(fused.weights.dtype), fused.weights)
        single = combine(vectors, log_probs, weights, 1.0, fused.lag)
        taken = alone.any(-1, keepdim=True)
        memory = torch.where(taken, single.memory, fused.memory)
        return Fused(memory, torch.where(taken, single.log_probs, fused.log_probs), weights, fused.lag, overall)

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
