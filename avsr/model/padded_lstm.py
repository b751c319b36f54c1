"""An LSTM over sequences of different lengths that computes as fast as one over equal lengths."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence


class PaddedLSTM(nn.LSTM):
    """torch's LSTM, weights and results alike, for a PackedSequence.

    On a CPU torch takes packed sequences step by step, and only padded ones go to oneDNN: a training step of recipes/mini_ko
    takes a quarter less time for it (`benchmarks/lstm.py` times the layers alone); on an H200 a step of recipes/daily_ko's
    lips, 316 clips, takes 107 ms for 136. So the sequences are padded, and the
    backward direction reads each one turned round by its own length: padding then comes last in both directions, and no
    real step sees it.

    On a card it computes in float32 whatever is asked for: there autocast would give it float16, whose gradients vanish
    where nothing scales the loss.
    """

    def forward(self, sequences: PackedSequence, hx: None = None) -> tuple[PackedSequence, None]:  # type: ignore[override]
        """Run all layers.

        Args:
            sequences: of `input_size` values a step, at least one step each.
            hx: None; there is no state to go on from.

        Returns:
            The outputs, packed in the same order, and None: the last states are not kept.
        """
        if hx is not None or self.proj_size or not self.bias:
            raise ValueError("PaddedLSTM begins with empty states, and has biases and no projection.")
        if sequences.data.is_cuda and torch.is_autocast_enabled("cuda"):
            with torch.autocast("cuda", enabled=False):
                return self.forward(PackedSequence(sequences.data.float(), *sequences[1:]))
        x, lengths = pad_packed_sequence(sequences, batch_first=True)
        step = torch.arange(x.shape[1])[None]
        turned = torch.where(step < lengths[:, None], lengths[:, None] - 1 - step, step)[..., None].to(x.device)  # its own inverse
        for layer in range(self.num_layers):
            if layer:
                x = F.dropout(x, self.dropout, self.training)
            ways = [self._one_way(x, f"l{layer}")]
            if self.bidirectional:
                back = self._one_way(x.gather(1, turned.expand_as(x)), f"l{layer}_reverse")
                ways.append(back.gather(1, turned.expand_as(back)))
            x = torch.cat(ways, -1)
        return pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False), None

    def _one_way(self, x: torch.Tensor, name: str) -> torch.Tensor:
        """(B, T, C) -> (B, T, hidden_size) by the weights of one layer and direction."""
        weights = [getattr(self, f"{kind}_{name}") for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        empty = x.new_zeros(1, len(x), self.hidden_size)
        return torch.lstm(x, (empty, empty), weights, True, 1, 0.0, self.training, False, True)[0]
