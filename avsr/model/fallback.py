"""A choice for the whole of an utterance, after the fusion: the sound alone, the lips alone, or what was fused of both."""

from __future__ import annotations

import torch
from torch import nn

CHOICES = ("sound", "lips", "both")
_FURTHEST = 4.0  # deviations from the mean: what lies further off was not learnt from
_PER_POSTERIOR, _PER_PAIR = 6, 10


class Fallback(nn.Module):
    """Choose from what the two heads and their fusion say, taken over the utterance: how much, how surely, and whether they agree.

    Frame by frame weights hedge: two streams that disagree are mixed a little everywhere, which is worse than either of them. Over
    an utterance it can be told which of the three has the fewest errors, and that is what this learns
    (`avsr.training.teach_fallback`). One that was not taught chooses both.

    Its weights have no gradient but while it is being taught, for the training of the encoders does not reach them.

    Args:
        features: of `utterance_features`, with as many of reliability.
        hidden: units of the small network.
    """

    def __init__(self, features: int, hidden: int = 32) -> None:
        super().__init__()
        # Zeros, not drawn: the weights that a seed gives to the rest of the model stay what they are.
        layers = [nn.utils.skip_init(nn.Linear, *size) for size in ((features, hidden), (hidden, len(CHOICES)))]
        self.net = nn.Sequential(layers[0], nn.ReLU(), nn.Dropout(0.2), layers[1])
        for weight in self.net.parameters():
            nn.init.zeros_(weight)
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("deviation", torch.ones(features))
        self.register_buffer("taught", torch.tensor(False))
        self.requires_grad_(False)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, 3) how strongly each of CHOICES is for, of (B, features)."""
        return self.net(((features - self.mean) / self.deviation).clamp(-_FURTHEST, _FURTHEST))


def feature_count(reliability: int) -> int:
    """How many `utterance_features` there are with so many of reliability."""
    return 3 * _PER_POSTERIOR + reliability + _PER_PAIR


def utterance_features(
    told: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    reliability: torch.Tensor,
    real: torch.Tensor,
    weight: torch.Tensor,
    pairs: torch.Tensor,
    moved: torch.Tensor,
) -> torch.Tensor:
    """(B, features) of an utterance, without gradient.

    Args:
        told: log posteriors (B, T, V) of the sound, of the lips, where they were moved to, and of both fused; blank first.
        reliability: (B, T, n) of both streams.
        real: (B, T) float, 1 for frames of the utterance.
        weight: (B, T) of the sound in the fusion.
        pairs: (B, 6) agreement of sound and lips at the offset used, at the best one and how far that stands out, of the fusion with
            the sound, with the lips, and of sound and lips around each frame, see `avsr.model.agreement`.
        moved: (B,) bool, whether the lips were moved.
    """
    frames = real.sum(1, keepdim=True).clamp(min=1)
    means = (reliability * real[..., None]).sum(1) / frames
    shares = [(x * real).sum(1, keepdim=True) / frames for x in (weight, (weight <= 0).float(), (weight >= 1).float())]
    found = torch.cat([*(_posterior(one, real) for one in told), means, pairs, *shares, moved.float()[:, None]], -1)
    return found.detach()


def _posterior(log_probs: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """(B, 6): the share of frames that are not blank, the best token's probability there, the mean log probability of the best token and
    the mean entropy, each over all frames and over those."""
    probs = log_probs.exp()
    said = (1 - probs[..., 0]) * real
    frames, spoken = real.sum(1).clamp(min=1), said.sum(1) + 0.3
    best = probs.amax(-1).clamp(min=1e-6).log() * real
    entropy = -(probs * log_probs).sum(-1) * real
    sure = (probs[..., 1:].amax(-1) * real).sum(1) / spoken
    over = [x.sum(1) / frames for x in (said, best, entropy)] + [(x * said).sum(1) / spoken for x in (best, entropy)]
    return torch.stack([sure, *over], -1)
