"""Encodes one stream of many utterances in batches, and keeps what was said apart for each, to be fused later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

    from avsr.model.avsr_model import AVSRModel, Stream

SAMPLES = 640  # of a 40 ms frame
_BATCH_FRAMES = 1600  # in one batch: bounds the memory


@dataclass(frozen=True)
class Said:
    """One utterance's `avsr.model.avsr_model.Stream`, float32 without its batch: log_probs (T, V), features (T, 6), vectors
    (T, D) or, where they were not wanted, (T, 0). own: frames that are the stream's own."""

    log_probs: np.ndarray
    features: np.ndarray
    vectors: np.ndarray
    own: int


def encode_stream(
    model: AVSRModel, stream: str, given: Sequence[tuple], frames: Sequence[int], *, vectors: bool
) -> list[Said]:
    """Encode in batches of about equal length, in the order of `given`.

    Rounding depends on the batch in the last digits: the same lengths make the same batches, whatever is in them.

    Args:
        stream: "sound", given as (samples (n,) int16 at 16 kHz,), or "picture", given as (frames (t, H, W) uint8,
            confidence (t,) float32).
        frames: T of each utterance, that of its longer stream.
        vectors: keep what the decoder attends to.
    """
    import torch

    said: dict[int, Said] = {}
    order = sorted(range(len(given)), key=lambda place: frames[place])
    while order:
        size = 1
        while size < len(order) and (size + 1) * frames[order[size]] <= _BATCH_FRAMES:
            size += 1
        batch, order = order[:size], order[size:]
        lengths = torch.tensor([frames[place] for place in batch])
        with torch.inference_mode():
            heard = _encode(model, stream, [given[place] for place in batch], lengths)
        for row, place in enumerate(batch):
            arrays = [x[row, : frames[place]].float().numpy() for x in (heard.log_probs, heard.features, heard.vectors)]
            kept = arrays[2] if vectors else np.zeros((frames[place], 0), np.float32)
            said[place] = Said(arrays[0], arrays[1], kept, int(heard.lengths[row]))
    return [said[place] for place in range(len(given))]


def as_stream(said: Sequence[Said]) -> tuple[Stream, torch.Tensor]:
    """Several utterances in one batch again, and how long each is (B,); zeros fill up what is shorter, and vectors where they
    were not kept are (B, T, 0)."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    from avsr.model.avsr_model import Stream

    padded = [
        pad_sequence([torch.from_numpy(getattr(one, name)) for one in said], batch_first=True)
        for name in ("vectors", "log_probs", "features")
    ]
    own, lengths = torch.tensor([one.own for one in said]), torch.tensor([len(one.log_probs) for one in said])
    return Stream(*padded, own), lengths


def _encode(model: AVSRModel, stream: str, batch: list[tuple], lengths: torch.Tensor) -> Stream:
    import torch
    from torch.nn.utils.rnn import pad_sequence

    first, *rest = (pad_sequence([torch.from_numpy(np.ascontiguousarray(x)) for x in xs], batch_first=True) for xs in zip(*batch))
    own = torch.tensor([len(one[0]) for one in batch])
    if stream == "sound":
        return model.hear(first.float() / 32768, own, lengths)
    return model.see(first, own, *rest, lengths)
