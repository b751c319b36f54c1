"""Teaches the choice that follows the fusion (`avsr.model.fallback`), on the streams that the fusion was taught on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from rapidfuzz.distance import Levenshtein

from avsr.model.encode import as_stream
from avsr.model.fallback import CHOICES
from avsr.processes import progress

if TYPE_CHECKING:
    import torch

    from avsr.model.avsr_model import AVSRModel

Draw = Callable[[np.random.Generator, int], tuple[list[np.ndarray], list, list]]
_FAINT = 0.05  # CTC's loss a token of a posterior that is right


@dataclass(frozen=True)
class FallbackSchedule:
    """How the choice is taught. pairs: of a sound and a picture that are drawn. regret: how much more than an error it costs to be worse
    than the better stream alone. likelihood: what CTC's loss, as a logarithm, counts beside an error a token, of which there are few."""

    pairs: int = 9600
    drawn: int = 48
    steps: int = 3000
    batch: int = 256
    rate: float = 3e-3
    weight_decay: float = 0.1
    regret: float = 1.0
    likelihood: float = 0.1


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
    parts = []
    batches = -(-schedule.pairs // schedule.drawn)
    with progress("batches of pairs read", batches, 0) as advance:
        for _ in range(batches):
            parts.append(_costs(model, *draw(rng, schedule.drawn)))
            advance()
    features, errors, likelihood = (torch.cat(part) for part in zip(*parts))
    with torch.no_grad():
        fallback.mean.copy_(features.mean(0))
        fallback.deviation.copy_(features.std(0) + 1e-4)
    cost = _regretted(errors, schedule) + schedule.likelihood * _regretted((likelihood + _FAINT).log(), schedule)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        _learn(fallback, features, cost, schedule)
    fallback.taught.fill_(True)
    with torch.no_grad():
        chosen = fallback(features).argmax(-1)
    found = torch.cat([errors.mean(0), errors.gather(1, chosen[:, None]).mean(0)]).mul(100).numpy()
    counts = torch.bincount(chosen, minlength=len(CHOICES)).tolist()
    told = ", ".join(f"{name} {count}" for name, count in zip(CHOICES, counts, strict=True))
    logging.info("errors a token: sound %.1f, lips %.1f, both %.1f, chosen %.1f %% (%s)", *found, told)
    return found


def _learn(fallback, features: torch.Tensor, cost: torch.Tensor, schedule: FallbackSchedule) -> None:
    import torch

    for layer in fallback.net:
        if isinstance(layer, torch.nn.Linear):
            layer.reset_parameters()
    torch.nn.init.constant_(fallback.net[-1].bias[CHOICES.index("both") :], 2.0)  # what is right most often, until it is known better
    fallback.requires_grad_(True)
    fallback.train()
    optimiser = torch.optim.AdamW(fallback.parameters(), schedule.rate, weight_decay=schedule.weight_decay)
    rates = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, schedule.steps)
    for _ in range(schedule.steps):
        rows = torch.randint(len(features), (schedule.batch,))
        loss = (fallback(features[rows]).softmax(-1) * cost[rows]).sum(-1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rates.step()
    fallback.eval()
    fallback.requires_grad_(False)


def _regretted(cost: torch.Tensor, schedule: FallbackSchedule) -> torch.Tensor:
    return cost + schedule.regret * (cost - cost[:, :2].amin(1, keepdim=True)).relu()


def _costs(model: AVSRModel, tokens: list[np.ndarray], sounds: list, pictures: list) -> tuple[torch.Tensor, ...]:
    """(B, features), and (B, 3) errors and CTC's loss a token of each of CHOICES."""
    import torch
    from torch.nn import functional as F

    from avsr.model.agreement import move

    (audio, lengths), (lip, _) = as_stream(sounds), as_stream(pictures)
    sizes = torch.tensor([len(one) for one in tokens])
    target = torch.from_numpy(np.concatenate(tokens))
    with torch.inference_mode():
        fused = model.fuse(audio, lip, lengths)
        alone = [model.fuse(*pair, lengths).log_probs for pair in ((audio, None), (None, lip))]
        three = (alone[0], move(alone[1], fused.lag), fused.log_probs)
        losses = [
            F.ctc_loss(one.transpose(0, 1), target, lengths, sizes, reduction="none", zero_infinity=True) / sizes.clamp(min=1)
            for one in three
        ]
        wrong = [_errors(one, lengths, tokens) for one in three]
    errors = torch.tensor(wrong, dtype=torch.float32).T / sizes.clamp(min=1)[:, None]
    return fused.overall.clone(), errors, torch.stack(losses, -1).clone()


def _errors(log_probs: torch.Tensor, lengths: torch.Tensor, tokens: Sequence[np.ndarray]) -> list[int]:
    """Of the best token of each frame, CTC's way."""
    found = []
    for row, frames, wanted in zip(log_probs, lengths.tolist(), tokens, strict=True):
        path = row[:frames].argmax(-1).unique_consecutive()
        found.append(Levenshtein.distance(path[path != 0].tolist(), wanted.tolist()))
    return found
