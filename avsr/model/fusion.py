"""Late fusion: frame-wise weights of the two streams, from how far each is to be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from avsr.model.reliability import AUDIO_FEATURES, LIP_FEATURES


@dataclass
class Fused:
    """What leaves the fusion.

    memory: (B, T, D) weighted sum of the encoders' vectors, for the attention decoder.
    log_probs: (B, T, V) weighted, renormalised log posteriors of the two CTC heads.
    weights: (B, T, 2) weights of audio and lips, summing to 1; exactly 0 and 1 can be reached.
    """

    memory: torch.Tensor
    log_probs: torch.Tensor
    weights: torch.Tensor


class LateFusion(nn.Module):
    """Weigh the streams frame by frame, at the level of their decisions.

    The weights come from reliability features through a small convolution over time, in the manner of the decision
    fusion net of Yu, Zeiler and Kolossa (2021). A sigmoid stretched to (-0.1, 1.1) and clipped makes 0 and 1 reachable
    (Louizos et al., "Learning sparse neural networks through L0 regularization", 2018), so that a dead stream leaves no
    trace.

    Args:
        hidden: units of the small network.
        context: frames that it sees, odd.
    """

    def __init__(self, hidden: int = 32, context: int = 9) -> None:
        super().__init__()
        features = len(AUDIO_FEATURES) + len(LIP_FEATURES)
        self.net = nn.Sequential(
            nn.Conv1d(features, hidden, context, padding=context // 2),
            nn.ReLU(),
            nn.Conv1d(hidden, 1, context, padding=context // 2),
        )

    def weights(self, reliability: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """Weights of audio and lips.

        Args:
            reliability: (B, T, features), audio's first.
            present: (B, T, 2) bool, which stream may be used at all. Where one alone is present it has weight 1.

        Returns:
            (B, T, 2) in 0..1.
        """
        logit = self.net(reliability.transpose(1, 2)).squeeze(1).float()
        audio = (torch.sigmoid(logit) * 1.2 - 0.1).clamp(0.0, 1.0)
        only_audio = present[..., 0] & ~present[..., 1]
        only_lip = present[..., 1] & ~present[..., 0]
        audio = torch.where(only_audio, torch.ones_like(audio), audio)
        audio = torch.where(only_lip, torch.zeros_like(audio), audio)
        return torch.stack([audio, 1 - audio], dim=-1)

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
            reliability: (B, T, features).
            present: (B, T, 2) bool.
        """
        return combine(vectors, log_probs, self.weights(reliability, present))


def combine(
    vectors: tuple[torch.Tensor, torch.Tensor], log_probs: tuple[torch.Tensor, torch.Tensor], weights: torch.Tensor
) -> Fused:
    """The streams with given weights (B, T, 2): vectors are added up, log posteriors too, and those renormalised."""
    audio, lip = weights[..., :1], weights[..., 1:]
    memory = audio * vectors[0] + lip * vectors[1]
    return Fused(memory, (audio * log_probs[0] + lip * log_probs[1]).log_softmax(-1), weights)
