"""The lip encoder: 3-D convolutions over space and time, then a bidirectional LSTM (STCNN-LSTM, as in LipNet)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from avsr.model.padded_lstm import PaddedLSTM

# Added to the deviation of what changes in a clip, in deviations of its pictures: a still clip's noise is not blown up.
_STILL = 0.05


class LipEncoder(nn.Module):
    """Turn a mouth clip into one vector a frame, 25 a second.

    The layout follows Assael et al., "LipNet" (2016): spatio-temporal convolutions with dropout of whole channels,
    then recurrent layers over time. Two things always differ: batch normalisation, without which the small corpora that
    this toolkit starts from stay at blank for tens of epochs, and a stride instead of a pooling layer, which halves
    the time on a CPU.

    Args:
        channels: output channels of the convolutions, one entry a layer; each halves height and width.
        pool: how many pixels the picture is reduced by in each direction before the first convolution.
        hidden: LSTM units in each direction.
        layers: LSTM layers.
        output_size: size D of the vectors that come out.
        dropout: on the features and between LSTM layers.
        channel_dropout: probability that a whole feature map is dropped.
        crop_size: the middle square of the mouth clip that is looked at, in pixels.
        change: look also at how each picture differs from the mean of the clip's pictures. A stabilised crop's mean is the
            person's face at rest, so that what is left is the movement, which looks alike on all faces.
    """

    empty = 1  # frames laid between two clips: half of what the longest kernel sees of time

    def __init__(
        self,
        channels: tuple[int, ...] = (24, 48, 96),
        pool: int = 2,
        hidden: int = 224,
        layers: int = 2,
        output_size: int = 256,
        dropout: float = 0.3,
        channel_dropout: float = 0.1,
        crop_size: int = 88,
        change: bool = False,
    ) -> None:
        super().__init__()
        self.pool = pool
        self.crop_size = crop_size
        self.change = change
        blocks = []
        previous, side = 2 if change else 1, crop_size // pool
        for i, width in enumerate(channels):
            kernel, padding = ((3, 5, 5), (1, 2, 2)) if i == 0 else ((3, 3, 3), (1, 1, 1))
            convolution = nn.Conv3d(previous, width, kernel, stride=(1, 2, 2), padding=padding, bias=False)
            blocks.append(nn.Sequential(convolution, nn.BatchNorm3d(width), nn.ReLU(inplace=True)))
            previous, side = width, (side + 1) // 2
        self.convolutions = nn.ModuleList(blocks).to(memory_format=torch.channels_last_3d)
        self.channel_dropout = nn.Dropout2d(channel_dropout)
        self.project = nn.Sequential(
            nn.Linear(previous * side * side, output_size), nn.LayerNorm(output_size), nn.ReLU()
        )
        self.dropout = nn.Dropout(dropout)
        between = dropout if layers > 1 else 0.0
        self.lstm = PaddedLSTM(output_size, hidden, layers, batch_first=True, bidirectional=True, dropout=between)
        self.out = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * hidden, output_size), nn.LayerNorm(output_size))
        self.look_size = self.output_size = output_size

    def normalise(self, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Give each clip zero mean and unit variance, so that light and skin tone do not reach the convolutions.

        Args:
            frames: (B, T, H, W) uint8 or float, 0 to 255; H and W at least `crop_size` (the middle is taken).
            lengths: (B,) frames that are real.

        Returns:
            (B, C, T, crop_size / pool, crop_size / pool) float, C 2 with `change`, else 1; 0 past the length.
        """
        return self.level(self.reduce(frames), lengths)

    def reduce(self, frames: torch.Tensor) -> torch.Tensor:
        """The middle of the pictures, `pool` times smaller: (..., T, H, W) -> (..., T, crop_size / pool, crop_size / pool) float."""
        top, left = ((n - self.crop_size) // 2 for n in frames.shape[-2:])
        frames = frames[..., top : top + self.crop_size, left : left + self.crop_size].float()
        return F.avg_pool2d(frames, self.pool) if self.pool > 1 else frames

    def level(self, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """What `normalise` does to pictures that `reduce` has made smaller: (B, T, h, w) float and (B,) -> (B, C, T, h, w)."""
        real = torch.arange(frames.shape[1], device=frames.device) < lengths.to(frames.device)[:, None]
        real = real[:, :, None, None].to(frames.dtype)
        count = real.sum(dim=(1, 2, 3), keepdim=True).clamp(min=1) * frames.shape[2] * frames.shape[3]
        mean = (frames * real).sum(dim=(1, 2, 3), keepdim=True) / count
        centred = (frames - mean) * real
        deviation = ((centred**2).sum(dim=(1, 2, 3), keepdim=True) / count).sqrt()
        pictures = centred / (deviation + 1.0)
        if not self.change:
            return pictures.unsqueeze(1)
        mean = pictures.sum(1, keepdim=True) / real.sum(1, keepdim=True).clamp(min=1)
        change = (pictures - mean) * real
        spread = ((change**2).sum(dim=(1, 2, 3), keepdim=True) / count).sqrt()
        return torch.stack([change / (spread + _STILL), pictures], dim=1)

    def convolve(self, frames: torch.Tensor, lengths: torch.Tensor, room: int = 0) -> torch.Tensor:
        """Run the convolutions over the real frames alone.

        The clips of the batch are laid behind one another with `empty` frames between them, which are emptied again
        after each layer: what a clip's edge sees is then the same as zero padding, clips of any length go together
        without computing on padding, and the batch normalisation measures real frames.

        Args:
            frames: (B, C, T, h, w) float, from `normalise`.
            lengths: (B,) int64. Where they lie on the CPU, a graphics card is not waited for.
            room: frames and gaps are filled up to so many with empty ones, where they are fewer: cuDNN looks for a way to convolve
                for each shape that it meets, which takes longer than the convolution.

        Returns:
            (B, T, C', h', w') float, zero past each length.
        """
        batch, longest, device = len(frames), frames.shape[2], frames.device
        lengths = lengths.cpu()
        frame = torch.arange(longest + self.empty)
        real, kept = frame < lengths[:, None], frame < lengths[:, None] + self.empty
        laid = kept.flatten().nonzero()[:, 0]
        inside = real[kept]
        if room > len(laid):
            gap = int(lengths[0])  # an empty frame
            laid, inside = (F.pad(x, (0, room - len(laid)), value=fill) for x, fill in ((laid, gap), (inside, False)))
        x = F.pad(frames.transpose(1, 2), (0, 0, 0, 0, 0, 0, 0, self.empty)).flatten(0, 1)[laid.to(device)]  # (N, C, h, w)
        x = x.transpose(0, 1)[None].contiguous(memory_format=torch.channels_last_3d)
        mask = inside.to(device)[None, None, :, None, None]
        for convolution in self.convolutions:
            x = convolution(x)
            x = x * mask.to(x.dtype)  # half precision stays half
        x = self.by_picture(x[0].transpose(0, 1)[inside.nonzero()[:, 0].to(device)])  # (N, C, h', w')
        out = x.new_zeros(batch * longest, *x.shape[1:])
        out[real[:, :longest].flatten().nonzero()[:, 0].to(device)] = x
        return out.unflatten(0, (batch, longest))

    def by_picture(self, x: torch.Tensor) -> torch.Tensor:
        """What is done to each real frame by itself after the convolutions: (N, C, h, w) -> (N, ...)."""
        return self.channel_dropout(x)

    def look(self, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """What a picture and its few neighbours show: (B, T, H, W) and lengths (B,) -> (B, T, D), before the LSTM."""
        return self.project(self.convolve(self.normalise(frames, lengths), lengths).flatten(2))

    def follow(self, looks: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """The clip as a whole: (B, T, D) of `look` -> (B, T, D)."""
        packed = pack_padded_sequence(self.dropout(looks), lengths.cpu(), batch_first=True, enforce_sorted=False)
        x, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=looks.shape[1])
        return self.out(x)

    def forward(self, frames: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode.

        Args:
            frames: (B, T, H, W) uint8 or float, 0 to 255.
            lengths: (B,) int64.

        Returns:
            (B, T, D) float and the lengths unchanged.
        """
        return self.follow(self.look(frames, lengths), lengths), lengths
