"""Larger lip encoders: a 3-D convolution or a ResNet looks at the pictures, ESPnet's Conformer follows them over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from avsr.model.lip_encoder import LipEncoder

if TYPE_CHECKING:
    from espnet2.asr.encoder.conformer_encoder import ConformerEncoder


class Conv3dConformerLips(LipEncoder):
    """The convolutions of `LipEncoder`, then a Conformer in the place of its LSTM.

    Args:
        encoder_conf: of ESPnet's ConformerEncoder; what goes in and out is set here.
        channels, pool, output_size, dropout, channel_dropout, crop_size, change: see `LipEncoder`.
    """

    def __init__(
        self,
        channels: tuple[int, ...] = (32, 64, 96),
        pool: int = 1,
        output_size: int = 256,
        dropout: float = 0.1,
        channel_dropout: float = 0.1,
        crop_size: int = 88,
        change: bool = False,
        encoder_conf: dict | None = None,
    ) -> None:
        super().__init__(channels, pool, 1, 1, output_size, dropout, channel_dropout, crop_size, change)
        del self.lstm, self.out
        self.conformer = _conformer(output_size, encoder_conf)

    def follow(self, looks: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """The clip as a whole: (B, T, D) of `look` -> (B, T, D)."""
        return _followed(self.conformer, self.dropout(looks), lengths)


class ResNetConformerLips(LipEncoder):
    """A convolution over space and time and a ResNet-18 of each picture, then a Conformer.

    The front end of Stafylakis and Tzimiropoulos, "Combining residual networks with LSTMs for lipreading" (2017), followed as in Ma,
    Petridis and Pantic, "End-to-end audio-visual speech recognition with conformers" (2021); the layers are those of ESPnet's
    AV-HuBERT.

    Args:
        relu: "prelu" or "relu", of the ResNet.
        pool: how many pixels the picture is reduced by in each direction before the first convolution.
        output_size: size D of the vectors that come out.
        dropout: before the Conformer.
        crop_size: the middle square of the mouth clip that is looked at, in pixels.
        encoder_conf: of ESPnet's ConformerEncoder; what goes in and out is set here.
    """

    empty = 2

    def __init__(
        self,
        relu: str = "prelu",
        pool: int = 1,
        output_size: int = 256,
        dropout: float = 0.1,
        crop_size: int = 88,
        encoder_conf: dict | None = None,
    ) -> None:
        from espnet2.asr.encoder.avhubert_encoder import ResEncoder

        nn.Module.__init__(self)  # LipEncoder's layers are other ones
        self.pool, self.crop_size, self.change = pool, crop_size, False
        resnet = ResEncoder(relu, None)
        self.convolutions, self.resnet = nn.ModuleList([resnet.frontend3D]), resnet.trunk
        self.project = nn.Sequential(nn.Linear(resnet.backend_out, output_size), nn.LayerNorm(output_size))
        self.dropout = nn.Dropout(dropout)
        self.conformer = _conformer(output_size, encoder_conf)
        self.look_size = self.output_size = output_size

    def by_picture(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 64, h, w) -> (N, 512)."""
        return self.resnet(x)

    def follow(self, looks: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """The clip as a whole: (B, T, D) of `look` -> (B, T, D)."""
        return _followed(self.conformer, self.dropout(looks), lengths)


def _conformer(size: int, conf: dict | None) -> ConformerEncoder:
    from espnet2.asr.encoder.conformer_encoder import ConformerEncoder

    return ConformerEncoder(size, output_size=size, input_layer=None, rel_pos_type="latest", **(conf or {}))


def _followed(conformer: ConformerEncoder, looks: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    followed, _, _ = conformer(looks[:, : int(lengths.max())], lengths.to(looks.device))
    return nn.functional.pad(followed, (0, 0, 0, looks.shape[1] - followed.shape[1]))
