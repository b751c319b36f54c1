"""A choice for the whole of an utterance, after the fusion: the sound alone, the lips alone, or what was fused of both."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from avsr.model.agreement import MAX_LAG, agreement, distinctness, local_agreement

CHOICES = ("sound", "lips", "both")
_FEATURES = 12
_FURTHEST = 4.0  # deviations from the mean: what lies further off was not learnt from
_NATS = 5.0  # of a difference of likelihoods that is one in the softmax: heads are surer of themselves than they are right
_IMPOSSIBLE = 1e4  # nats


@dataclass(frozen=True)
class Told:
    """What the choice is made by, without gradient.

    features: (B, 12), see `told_of`.
    against: (B, 3, 3) nats, see `cross_likelihoods`.
    """

    features: torch.Tensor
    against: torch.Tensor


class Fallback(nn.Module):
    """Choose by what each of the sound, the lips and their fusion says of the others' readings, and by how far each is to be believed.

    Weights by frame hedge: two heads that spike a frame apart, or disagree, are mixed into letters that neither of them said. So the best
    paths of all three are read, and each is scored by all three posteriors as a whole, by CTC's sum over its alignments, which does
    not mind when a letter is said. How much each posterior's score counts, and what speaks for each choice besides, a small network tells
    from the utterance's features: dynamic stream weights (Yu, Zeiler and Kolossa, 2021) at the level of the sentence, in the manner of
    rescoring. It learns from errors (`avsr.training.teach_fallback`). One that was not taught chooses both.

    Its weights have no gradient but while it is being taught, for the training of the encoders does not reach them.

    Args:
        hidden: units of the small network.
    """

    def __init__(self, hidden: int = 32) -> None:
        super().__init__()
        # Zeros, not drawn: the weights that a seed gives to the rest of the model stay what they are.
        layers = [nn.utils.skip_init(nn.Linear, *size) for size in ((_FEATURES, hidden), (hidden, 2 * len(CHOICES)))]
        self.net = nn.Sequential(layers[0], nn.ReLU(), nn.Dropout(0.2), layers[1])
        for weight in self.net.parameters():
            nn.init.zeros_(weight)
        self.register_buffer("mean", torch.zeros(_FEATURES))
        self.register_buffer("deviation", torch.ones(_FEATURES))
        self.register_buffer("taught", torch.tensor(False))
        self.learning = False  # whether what it would choose by is wanted of one that is not taught
        self.requires_grad_(False)

    def _load_from_state_dict(self, state: dict, prefix: str, *rest) -> None:
        """As torch does; one that was taught on what is no longer told chooses both, and a line in the log says so."""
        given = state.get(prefix + "mean")
        if given is not None and len(given) != _FEATURES:
            if bool(state[prefix + "taught"]):
                told = "the fusion's choice for the utterance was taught by an earlier version and is not made; "
                logging.warning(told + "teach it anew: ./run.sh --stage fuse --stop_stage pack")
            state.update({prefix + name: value for name, value in self.state_dict().items()})
        super()._load_from_state_dict(state, prefix, *rest)

    def forward(self, told: Told) -> torch.Tensor:
        """(B, 3) how strongly each of CHOICES is for; minus infinity for a stream that reads what both read, for then nothing is gained by
        leaving the other one out."""
        found = self.net(((told.features - self.mean) / self.deviation).clamp(-_FURTHEST, _FURTHEST))
        besides, counts = found.split(len(CHOICES), -1)
        strengths = besides - (counts.exp()[..., None] * told.against / _NATS).sum(1)
        same = (told.against == told.against[..., -1:]).all(1)  # the same reading has the same scores, to the bit
        same[:, -1] = False
        return strengths.masked_fill(same, -torch.inf)


def cross_likelihoods(told: tuple[torch.Tensor, ...], real: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(B, n, n) nats: of n log posteriors (B, T, V), blank first, how unlikely the i-th finds what the j-th says by its best path; and
    (B, n) how many tokens each says.

    Args:
        real: (B, T) float, 1 for the utterance's frames, without a gap.
    """
    frames = real.sum(1).long()
    readings = []
    for one in told:
        path = one.argmax(-1) * real.long()
        said = (path != 0) & (path != F.pad(path, (1, 0))[:, :-1])
        readings.append((path[said], frames, said.sum(1)))
    rows = [[F.ctc_loss(one.transpose(0, 1), *reading, reduction="none") for reading in readings] for one in told]
    against = torch.stack([torch.stack(row, -1) for row in rows], 1).clamp(max=_IMPOSSIBLE)
    return against, torch.stack([count for *_, count in readings], -1)


def told_of(
    streams: tuple[torch.Tensor, torch.Tensor],
    in_step: tuple[torch.Tensor, torch.Tensor],
    fused: torch.Tensor,
    weight: torch.Tensor,
    found: torch.Tensor,
    lag: torch.Tensor,
    real: torch.Tensor,
) -> Told:
    """What the choice is made by.

    The features: agreement of sound and lips at the offset used, at the best one, how far that stands out, of the fusion with the sound and
    with the lips, and of sound and lips around each frame (`avsr.model.agreement`); the mean weight of the sound in the fusion, the
    shares of frames in which it is 0 and 1; whether a stream was moved; and how much sound and lips say, of the most that is said.

    Args:
        streams: log posteriors (B, T, V) of the sound and of the lips, blank first, as they were given.
        in_step: the same, moved to one another.
        fused: (B, T, V) log posteriors of those.
        weight: (B, T) of the sound in the fusion.
        found: (B, 2 MAX_LAG + 1) see `avsr.model.agreement.correlations`.
        lag: (B,) by how many frames the lips were moved against the sound.
        real: (B, T) bool, the utterance's frames.
    """
    real = real.float()
    sound, lips, both, *given = (x.detach().float() * real[..., None] for x in (*in_step, fused, *streams))
    frames = real.sum(1, keepdim=True).clamp(min=1)
    weight = weight.detach().float()
    used = found.gather(1, (lag + MAX_LAG)[:, None])[:, 0]
    agreed = torch.stack([used, found.amax(1), distinctness(found), agreement(both, sound), agreement(both, lips)], -1)
    means = [(x * real).sum(1, keepdim=True) / frames for x in (local_agreement(sound, lips), weight, weight <= 0, weight >= 1)]
    against, counts = cross_likelihoods((*given, both), real)
    amounts = counts[:, :2] / counts.amax(1, keepdim=True).clamp(min=1)
    return Told(torch.cat([agreed, *means, (lag != 0).float()[:, None], amounts], -1).detach(), against)
