"""What the fusion and the lip encoder are measured against: a constant weight, concatenated features, LipNet."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from avsr.model.fusion import Fused, combine
from avsr.model.lip_encoder import LipEncoder


class ConstantWeight(nn.Module):
    """Late fusion with one weight for all frames of all utterances, learnt like everything else."""

    late = True

    def __init__(self) -> None:
        super().__init__()
        self.balance = nn.Parameter(torch.zeros(1))  # logit of the sound's weight
        self.sharpness = nn.Parameter(torch.zeros(1))  # as a logarithm

    def forward(
        self,
        vectors: tuple[torch.Tensor, torch.Tensor],
        log_probs: tuple[torch.Tensor, torch.Tensor],
        reliability: torch.Tensor,
        present: torch.Tensor,
    ) -> Fused:
        """As `avsr.model.fusion.LateFusion.forward`, of which only `present` changes the weights."""
        both = present.all(-1, keepdim=True)
        weights = torch.where(both, torch.cat([self.balance, -self.balance]).sigmoid(), _shares(present))
        sharpness = torch.where(both, self.sharpness.exp(), torch.ones_like(self.sharpness))
        return combine(vectors, log_probs, weights, sharpness)


class Concatenation(nn.Module):
    """Feature fusion: both vectors side by side through a perceptron of four times their size, then a CTC head of its own, as in
    Ma, Petridis and Pantic, "End-to-end audio-visual speech recognition with conformers" (2021).

    Args:
        size: D of the encoders' vectors.
        vocabulary: tokens V.
    """

    late = False

    def __init__(self, size: int, vocabulary: int) -> None:
        super().__init__()
        # Where their batch normalisation is, a layer's: padding and the other utterances of a batch change nothing.
        self.net = nn.Sequential(nn.Linear(2 * size, 4 * size), nn.LayerNorm(4 * size), nn.ReLU(), nn.Linear(4 * size, size))
        self.head = nn.Linear(size, vocabulary)

    def forward(
        self,
        vectors: tuple[torch.Tensor, torch.Tensor],
        log_probs: tuple[torch.Tensor, torch.Tensor],
        reliability: torch.Tensor,
        present: torch.Tensor,
    ) -> Fused:
        """As `avsr.model.fusion.LateFusion.forward`; vectors that are not present are zeros, and there are no weights to tell:
        equal ones stand in their place."""
        memory = self.net(torch.cat([x * present[..., i, None] for i, x in enumerate(vectors)], -1))
        # In float32, as the single streams' heads.
        told = self.head(memory).float().log_softmax(-1)
        return Fused(memory, told, _shares(present), torch.zeros(len(memory), dtype=torch.int64))


class LipNetEncoder(LipEncoder):
    """LipNet's own encoder: Assael et al., "LipNet: end-to-end sentence-level lipreading" (2016).

    Three spatio-temporal convolutions of 32, 64 and 96 channels, each with dropout of a frame's channels and a pooling layer, and
    two bidirectional GRUs of 256 on their features: no batch normalisation, no projection. A linear layer brings the GRUs'
    vectors to the size that the rest of this model has. Clips are prepared as for `LipEncoder`, without `change`.

    Args:
        pool: how many pixels the picture is reduced by in each direction before the first convolution.
        output_size: size D of the vectors that come out.
        dropout: of channels after each convolution (0.5 there).
        crop_size: the middle square of the mouth clip that is looked at, in pixels.
    """

    def __init__(self, pool: int = 1, output_size: int = 256, dropout: float = 0.5, crop_size: int = 88) -> None:
        nn.Module.__init__(self)  # LipEncoder's layers are other ones
        self.pool, self.crop_size, self.change, self.output_size = pool, crop_size, False, output_size
        blocks, side = [], (crop_size // pool + 1) // 2
        for before, width, kernel, stride in ((1, 32, 5, 2), (32, 64, 5, 1), (64, 96, 3, 1)):
            layer = nn.Conv3d(before, width, (3, kernel, kernel), (1, stride, stride), (1, kernel // 2, kernel // 2))
            blocks.append(nn.Sequential(layer, nn.ReLU(inplace=True), _ChannelDropout(dropout), nn.MaxPool3d((1, 2, 2))))
            side //= 2
        if not side:
            raise ValueError(f"pool is {pool}: {crop_size // pool} pixels are too few for three pooling layers")
        self.convolutions = nn.ModuleList(blocks).to(memory_format=torch.channels_last_3d)
        self.channel_dropout = nn.Identity()
        self.look_size = width * side * side
        self.gru = nn.GRU(self.look_size, 256, 2, batch_first=True, bidirectional=True)
        self.out = nn.Linear(512, output_size)

    def look(self, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """What the convolutions show: (B, T, H, W) and lengths (B,) -> (B, T, look_size)."""
        return self.convolve(self.normalise(frames, lengths), lengths).flatten(2)

    def follow(self, looks: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """The clip as a whole: (B, T, look_size) of `look` -> (B, T, D)."""
        packed = pack_padded_sequence(looks, lengths.cpu(), batch_first=True, enforce_sorted=False)
        return self.out(pad_packed_sequence(self.gru(packed)[0], batch_first=True, total_length=looks.shape[1])[0])


class _ChannelDropout(nn.Dropout2d):
    """Dropout of whole channels, drawn for each frame: `LipEncoder.convolve` lays the clips of a batch behind one another, where
    Dropout3d would draw once for all of them."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(1, C, N, h, w) -> the same."""
        return super().forward(x[0].transpose(0, 1)).transpose(0, 1)[None]


def _shares(present: torch.Tensor) -> torch.Tensor:
    """(B, T, 2) float: equal weights of the streams that are present, of both where neither is."""
    there = torch.where(present.any(-1, keepdim=True), present, torch.ones_like(present)).float()
    return there / there.sum(-1, keepdim=True)
