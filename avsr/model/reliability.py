"""What can be told about how far each stream is to be trusted, 25 times a second."""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F

from avsr.model.audio_encoder import SAMPLES_PER_FRAME

AUDIO_FEATURES = ("entropy", "margin", "level", "snr", "clipping", "silence")
LIP_FEATURES = ("entropy", "margin", "confidence", "sharpness", "motion", "missing")


def posterior_features(log_probs: torch.Tensor) -> torch.Tensor:
    """Entropy (as a share of its maximum) and margin of the best over the second, of a CTC head's posterior.

    Args:
        log_probs: (B, T, V).

    Returns:
        (B, T, 2), each in 0..1. No gradient: the heads are trained to be right, not to look sure.
    """
    log_probs = log_probs.detach()
    entropy = -(log_probs.exp() * log_probs).sum(-1) / math.log(log_probs.shape[-1])
    best = log_probs.topk(2, dim=-1).values.exp()
    return torch.stack([entropy, best[..., 0] - best[..., 1]], dim=-1)


def sound_features(samples: torch.Tensor, frames: int, lengths: torch.Tensor) -> torch.Tensor:
    """Level, estimated SNR, clipping and silence of the sound.

    The SNR is the level over the utterance's own floor (its 10th percentile), as in Martin's minimum statistics
    (2001) in its simplest form.

    Args:
        samples: (B, N) float in -1..1 at 16 kHz.
        frames: T, how many 40 ms pieces to answer for; missing samples count as digital silence.
        lengths: (B,) how many of them are the utterance's; the rest, which only fills the batch up, is no floor.

    Returns:
        (B, T, 4): level in units of 40 dB over -60 dBFS, SNR in units of 20 dB, share of clipped samples, 1 where
        all samples are (nearly) zero.
    """
    wanted = frames * SAMPLES_PER_FRAME
    samples = F.pad(samples, (0, max(0, wanted - samples.shape[1])))[:, :wanted]
    pieces = samples.unflatten(1, (frames, SAMPLES_PER_FRAME))
    decibels = 10 * ((pieces**2).mean(-1) + 1e-9).log10()  # -90 where silent
    filled_up = torch.arange(frames, device=samples.device) >= lengths.to(samples.device)[:, None]
    floor = decibels.masked_fill(filled_up, math.nan).nanquantile(0.1, dim=1, keepdim=True)
    peak = pieces.abs().amax(dim=(1, 2)).clamp(min=1e-3)[:, None, None]
    clipped = (pieces.abs() > 0.985 * peak).float().mean(-1)
    silent = (pieces.abs().amax(-1) < 1e-4).float()
    return torch.stack([(decibels + 60) / 40, (decibels - floor) / 20, clipped * 10, silent], dim=-1)


def picture_features(frames: torch.Tensor, confidence: torch.Tensor) -> torch.Tensor:
    """Confidence, sharpness and motion of the mouth clip.

    Args:
        frames: (B, T, H, W) uint8 or float, 0 to 255.
        confidence: (B, T) in 0..1, from the crop; 0 where no face was found.

    Returns:
        (B, T, 4): confidence; logarithm of the mean absolute Laplacian; logarithm of the mean absolute change since the
        frame before; 1 where the confidence is 0.
    """
    small = F.avg_pool2d(frames.float(), 2)
    centre = small[..., 1:-1, 1:-1]
    around = small[..., :-2, 1:-1] + small[..., 2:, 1:-1] + small[..., 1:-1, :-2] + small[..., 1:-1, 2:]
    sharpness = (around / 4 - centre).abs().mean((-2, -1)).add(1e-2).log()
    change = (small[:, 1:] - small[:, :-1]).abs().mean((-2, -1))
    motion = F.pad(change, (1, 0)).add(1e-2).log()
    return torch.stack([confidence, sharpness / 2, motion / 2, (confidence <= 0).float()], dim=-1)
