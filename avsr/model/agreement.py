"""Whether two streams say the same thing, and at which offset in time: told from their posteriors alone."""

from __future__ import annotations

import torch
from torch.nn import functional as F

MAX_LAG = 12
"""Frames (0.48 s) by which the lips may be moved: players and meetings are out of step by up to 0.4 s."""

_BLUR = 2  # frames to either side, even: the spikes of two CTC heads need not stand in the same frame
_NEAR = 12  # frames to either side that agreement is told from
_LEAST = 0.25  # agreement below which no offset is believed
_DISTINCT = 1.5  # by which factor it has to agree better than any offset that is not next to it: chance agrees anywhere
_FAINT = 0.02  # agreement that is none
_BESIDE = 3  # frames to either side of an offset that are next to it
# By which factor it has to agree better than no offset. At 1.05 lips were moved by a frame for nothing in 9 clips of 100, which costs the
# fusion more than what is left out of step by one.
_BETTER = 1.1


def correlations(audio: torch.Tensor, lip: torch.Tensor) -> torch.Tensor:
    """Agreement at each offset of the lips, -MAX_LAG to MAX_LAG frames.

    Args:
        audio, lip: (B, T, V) log posteriors, blank first; rows of zeros where a stream has nothing to say are no speech.

    Returns:
        (B, 2 MAX_LAG + 1) in 0..1: how far the same is said at the same time, all tokens but blank; as a cosine, but
        little where one stream says much and the other little. At place MAX_LAG + d the lips are compared with the sound d
        frames later.
    """
    return _correlations(audio, lip, MAX_LAG)


def agreement(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """(B,) the same of any two posteriors, at no offset."""
    return _correlations(one, other, 0)[:, 0]


def _correlations(audio: torch.Tensor, lip: torch.Tensor, most: int) -> torch.Tensor:
    one, other = _said(audio), _said(lip)
    scale = torch.maximum((one**2).sum((1, 2)), (other**2).sum((1, 2))) + 1e-3
    frames = one.shape[1]
    sums = []
    for lag in range(-most, most + 1):
        first, stop = max(0, lag), max(max(0, lag), frames + min(0, lag))
        sums.append((one[:, first:stop] * other[:, first - lag : stop - lag]).sum((1, 2)))
    return torch.stack(sums, 1) / scale[:, None]


def find_lag(found: torch.Tensor) -> torch.Tensor:
    """(B,) int64: by how many frames to move the lips to where the sound is, 0 where no offset is clearly better; of
    `correlations`."""
    best, place = found.max(1)
    clear = (best > _BETTER * found[:, MAX_LAG]) & (best > _DISTINCT * _elsewhere(found)) & (best > _LEAST)
    return torch.where(clear, place - MAX_LAG, torch.zeros_like(place))


def distinctness(found: torch.Tensor) -> torch.Tensor:
    """(B,) in 0..1: how far the best offset stands out from those that are not next to it; of `correlations`. Little for
    strangers, who agree as well, or as badly, at any offset: it tells them apart where agreement itself is low."""
    return 1 - (_elsewhere(found) + _FAINT) / (found.amax(1) + _FAINT)


def _elsewhere(found: torch.Tensor) -> torch.Tensor:
    """(B,) the best agreement at an offset that is not next to the best one."""
    offset = torch.arange(found.shape[1], device=found.device)
    return found.masked_fill((offset - found.argmax(1)[:, None]).abs() <= _BESIDE, 0).amax(1)


def local_agreement(audio: torch.Tensor, lip: torch.Tensor) -> torch.Tensor:
    """(B, T) in 0..1: the same cosine over the second around each frame, at no offset."""
    one, other = _said(audio), _said(lip)
    together, alone, other_alone = (_around((x * y).sum(-1)) for x, y in ((one, other), (one, one), (other, other)))
    return together / ((alone * other_alone).sqrt() + 0.05)


def assurance(log_probs: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """How much a head says, and how surely: (B, T, 4).

    Share of frames that are not blank and mean probability of the best token in them, over the second around each frame and
    over the utterance. Entropy alone is dominated by blank, of which every head is sure.

    Args:
        log_probs: (B, T, V), blank first.
        real: (B, T) float, 1 for frames of the stream.
    """
    said = (1 - log_probs[..., 0].exp()) * real
    best = log_probs[..., 1:].amax(-1).exp() * real
    near = torch.stack([_around(said) / (2 * _NEAR + 1), _around(best) / (_around(said) + 0.3)], -1)
    frames = real.sum(1).clamp(min=1)
    whole = torch.stack([said.sum(1) / frames, best.sum(1) / (said.sum(1) + 0.3)], -1)
    return torch.cat([near, whole[:, None].expand_as(near)], -1)


def move(x: torch.Tensor, lag: torch.Tensor) -> torch.Tensor:
    """(B, T, ...) with row b moved lag[b] frames later, its first or last frame repeated where nothing comes in."""
    frames = x.shape[1]
    source = torch.arange(frames, device=x.device)[None] - lag[:, None]
    source = source.clamp(0, frames - 1).view(*source.shape, *[1] * (x.dim() - 2))
    return x.gather(1, source.expand(-1, -1, *x.shape[2:]))


def has_moved_in(lag: torch.Tensor, frames: int) -> torch.Tensor:
    """(B, frames) bool: where `move` had a frame of the stream's own to put."""
    source = torch.arange(frames, device=lag.device)[None] - lag[:, None]
    return (source >= 0) & (source < frames)


def _said(log_probs: torch.Tensor) -> torch.Tensor:
    """(B, T, V - 1) probability of each token but blank, blurred over time; nothing where all of a row is 0, which is no
    posterior."""
    probability = log_probs.exp() * (log_probs.logsumexp(-1, keepdim=True) < 0.1)
    blurred = probability[..., 1:].transpose(1, 2)
    for _ in range(2):  # twice a flat window is a triangular one
        blurred = F.avg_pool1d(blurred, _BLUR + 1, 1, _BLUR // 2)
    return blurred.transpose(1, 2)


def _around(x: torch.Tensor) -> torch.Tensor:
    """(B, T) summed over _NEAR frames to either side."""
    width = 2 * _NEAR + 1
    return F.avg_pool1d(x[:, None], width, 1, _NEAR, count_include_pad=True)[:, 0] * width
