"""Teaches the choice that follows the fusion (`avsr.model.fallback`), on the streams that the fusion was taught on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from rapidfuzz.distance import Levenshtein

from avsr.model.encode import as_stream
from avsr.model.fallback import CHOICES, Fallback, Told
from avsr.processes import progress

if TYPE_CHECKING:
    import torch

    from avsr.model.avsr_model import AVSRModel

Draw = Callable[[np.random.Generator, int], tuple[list[np.ndarray], list, list]]
_COUNTS = (1.0, 1.0, 0.3)  # of the scores by the sound, the lips and both, before anything is known better


@dataclass(frozen=True)
class FallbackSchedule:
    """How the choice is taught. pairs: of a sound and a picture that are drawn. regret: how much more than an error it costs to be worse
    than the better stream alone."""

    pairs: int = 9600
    drawn: int = 48
    steps: int = 800
    batch: int = 256
    rate: float = 3e-3
    weight_decay: float = 0.1
    regret: float = 1.0


def teach_fallback(model: AVSRModel, draw: Draw, seed: int, schedule: FallbackSchedule) -> np.ndarray:
    """Train model.fusion.fallback in place: the least expected cost of what is chosen, in errors of the best token of each frame.

    Args:
        draw: of a generator and a number, tokens (L,) and what was said of the sound and of the picture, so many of each.

    Returns:
        (4,) errors a token, in percent: of the sound, the lips, both, and what is chosen.
    """
    import torch

    rng = np.random.default_rng([seed, 9])
    model.eval()
    fallback = model.fusion.fallback
    fallback.taught.fill_(False)
    fallback.learning = True
    parts = []
    batches = -(-schedule.pairs // schedule.drawn)
    with progress("batches of pairs read", batches, 0) as advance:
        for _ in range(batches):
            parts.append(_read(model, *draw(rng, schedule.drawn)))
            advance()
    fallback.learning = False
    features, against, errors = (torch.cat(part) for part in zip(*parts))
    told = Told(features, against)
    with torch.no_grad():
        fallback.mean.copy_(told.features.mean(0))
        fallback.deviation.copy_(told.features.std(0) + 1e-4)
    cost = errors + schedule.regret * (errors - errors[:, :2].amin(1, keepdim=True)).relu()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        _learn(fallback, told, cost, schedule)
    fallback.taught.fill_(True)
    with torch.no_grad():
        chosen = fallback(told).argmax(-1)
    found = torch.cat([errors.mean(0), errors.gather(1, chosen[:, None]).mean(0)]).mul(100).numpy()
    counts = torch.bincount(chosen, minlength=len(CHOICES)).tolist()
    each = ", ".join(f"{name} {count}" for name, count in zip(CHOICES, counts, strict=True))
    logging.info("errors a token: sound %.1f, lips %.1f, both %.1f, chosen %.1f %% (%s)", *found, each)
    return found


def _learn(fallback: Fallback, told: Told, cost: torch.Tensor, schedule: FallbackSchedule) -> None:
    import torch

    for layer in fallback.net:
        if isinstance(layer, torch.nn.Linear):
            layer.reset_parameters()
    torch.nn.init.zeros_(fallback.net[-1].weight)
    fallback.net[-1].bias.data.copy_(torch.tensor([1.0] * len(CHOICES) + list(_COUNTS)).log())
    fallback.requires_grad_(True)
    fallback.train()
    optimiser = torch.optim.AdamW(fallback.parameters(), schedule.rate, weight_decay=schedule.weight_decay)
    rates = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, schedule.steps)
    for _ in range(schedule.steps):
        rows = torch.randint(len(cost), (schedule.batch,))
        loss = (fallback(Told(told.features[rows], told.against[rows])).softmax(-1) * cost[rows]).sum(-1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rates.step()
    fallback.eval()
    fallback.requires_grad_(False)


def _read(model: AVSRModel, tokens: list[np.ndarray], sounds: list, pictures: list) -> tuple[torch.Tensor, ...]:
    """(B, features) and (B, 3, 3) of `Told`, and (B, 3) errors a token of each of CHOICES."""
    import torch

    (audio, lengths), (lip, _) = as_stream(sounds), as_stream(pictures)
    sizes = torch.tensor([len(one) for one in tokens])
    with torch.inference_mode():
        fused = model.fuse(audio, lip, lengths)
        alone = [model.fuse(*pair, lengths).log_probs for pair in ((audio, None), (None, lip))]
        wrong = [_errors(one, lengths, tokens) for one in (*alone, fused.log_probs)]
    errors = torch.tensor(wrong, dtype=torch.float32).T / sizes.clamp(min=1)[:, None]
    return fused.overall.features.clone(), fused.overall.against.clone(), errors


def _errors(log_probs: torch.Tensor, lengths: torch.Tensor, tokens: Sequence[np.ndarray]) -> list[int]:
    """Of the best token of each frame, CTC's way."""
    found = []
    for row, frames, wanted in zip(log_probs, lengths.tolist(), tokens, strict=True):
        path = row[:frames].argmax(-1).unique_consecutive()
        found.append(Levenshtein.distance(path[path != 0].tolist(), wanted.tolist()))
    return found
