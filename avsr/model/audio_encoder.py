"""The audio encoder: log-mel energies, subsampled to 25 vectors a second, then a sequence encoder of ESPnet's."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from avsr.model.padded_lstm import PaddedLSTM

SAMPLE_RATE = 16000
FRAME_RATE = 25
SAMPLES_PER_FRAME = SAMPLE_RATE // FRAME_RATE  # 640: one output vector covers exactly one picture
_MELS_PER_FRAME = 4


class LogMel(nn.Module):
    """Log-mel energies at 100 Hz, mean and variance normalised over the utterance.

    The window (25 ms) and step (10 ms) are Kaldi's. Normalising by utterance makes the level of the recording
    irrelevant; what the level tells about reliability is measured apart, in `reliability`.
    """

    def __init__(self, mels: int = 80) -> None:
        super().__init__()
        from torchaudio.transforms import MelSpectrogram

        self.mel = MelSpectrogram(
            SAMPLE_RATE, n_fft=512, win_length=400, hop_length=160, f_min=40.0, f_max=7600.0, n_mels=mels, power=2.0,
            pad_mode="constant",  # silence past the end, as where the batch goes on
        )  # fmt: skip

    def forward(self, samples: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Measure.

        Args:
            samples: (B, N) float in -1..1 at 16 kHz.
            lengths: (B,) samples that are real.

        Returns:
            (B, 4 L, mels) float, zero past each length, and the lengths (B,) as whole multiples of 4:
            4 ceil(samples / 640).
        """
        frames = torch.div(lengths + SAMPLES_PER_FRAME - 1, SAMPLES_PER_FRAME, rounding_mode="floor")
        longest = int(frames.max())
        missing = max(0, longest * SAMPLES_PER_FRAME - samples.shape[1])
        with torch.autocast(samples.device.type, enabled=False):  # energies span more than half precision holds
            power = self.mel(F.pad(samples, (0, missing)).float())[..., : _MELS_PER_FRAME * longest]
        # A floor under the logarithm at the level of a quiet room; a stream of equal numbers, as digital silence then is,
        # is not blown up by the normalisation, for 0.3 is added to the deviation.
        features = (power + 1e-6).log().transpose(1, 2)
        out_lengths = frames * _MELS_PER_FRAME
        real = (torch.arange(features.shape[1], device=features.device) < out_lengths[:, None].to(features.device))
        real = real[..., None].to(features.dtype)
        count = real.sum(dim=1, keepdim=True).clamp(min=1)
        mean = (features * real).sum(dim=1, keepdim=True) / count
        centred = (features - mean) * real
        deviation = ((centred**2).sum(dim=(1, 2), keepdim=True) / (count * features.shape[2])).sqrt()
        return centred / (deviation + 0.3), out_lengths


class AudioEncoder(nn.Module):
    """Turn 16 kHz samples into one vector for each 40 ms.

    Args:
        output_size: size D of the vectors.
        mels: log-mel channels.
        channels: feature maps of the two subsampling convolutions.
        encoder: ESPnet's `conformer`, `e_branchformer`, `transformer` or `rnn` (LSTM); the last learns from the least speech.
        encoder_conf: passed on to it.
        specaug_conf: options of ESPnet's SpecAug, used in training alone; None for no masking.
    """

    def __init__(
        self,
        output_size: int = 256,
        mels: int = 80,
        channels: int = 64,
        encoder: str = "conformer",
        encoder_conf: dict | None = None,
        specaug_conf: dict | None = None,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.features = LogMel(mels)
        if specaug_conf is None:
            self.specaug = None
        else:
            from espnet2.asr.specaug.specaug import SpecAug

            self.specaug = SpecAug(**specaug_conf)
        self.subsample = nn.Sequential(
            nn.Conv2d(1, channels, 3, stride=2, padding=1),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, stride=2, padding=1),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        )
        self.project = nn.Sequential(
            nn.Linear(channels * ((mels + 3) // 4), output_size), nn.LayerNorm(output_size), nn.Dropout(dropout)
        )
        self.encoder = _sequence_encoder(encoder, output_size, dict(encoder_conf or {}))
        self.out = nn.LayerNorm(output_size)
        self.output_size = output_size

    def forward(self, samples: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode.

        Args:
            samples: (B, N) float in -1..1 at 16 kHz.
            lengths: (B,) samples that are real.

        Returns:
            (B, L, D) float with L = ceil(N / 640), and the lengths (B,) in vectors.
        """
        x, x_lengths = self.features(samples, lengths)
        if self.training and self.specaug is not None:
            x, x_lengths = self.specaug(x, x_lengths)
        x = x.unsqueeze(1)  # (B, C, 4 L, mels), then (B, C, 2 L, mels / 2), then (B, C, L, mels / 4)
        for step, stage in ((1, self.subsample[:3]), (2, self.subsample[3:])):
            # What lies past an utterance's end is zero, as it is past a batch's: with an LSTM behind, no answer depends on what
            # else is in it (ESPnet's conformer looks over the edge by itself).
            real = torch.arange(x.shape[2], device=x.device) < x_lengths.to(x.device)[:, None] // step
            x = stage(x * real[:, None, :, None].to(x.dtype))
        x = self.project(x.transpose(1, 2).flatten(2))
        x, out_lengths, _ = self.encoder(x, x_lengths // _MELS_PER_FRAME)
        return self.out(x), out_lengths


class _Recurrent(nn.Module):
    """ESPnet's recurrent encoder, which wants the longest utterance first: pieces of random length come in any order."""

    def __init__(self, size: int, conf: dict) -> None:
        super().__init__()
        from espnet2.asr.encoder.rnn_encoder import RNNEncoder

        self.rnn = RNNEncoder(size, output_size=size, subsample=None, **conf)
        for layers in self.rnn.enc:
            lstm = getattr(layers, "nbrnn", None)
            if type(lstm) is nn.LSTM:  # the same weights under the same names, computed faster
                same = {name: getattr(lstm, name) for name in ("num_layers", "dropout", "bidirectional")}
                layers.nbrnn = PaddedLSTM(lstm.input_size, lstm.hidden_size, batch_first=True, **same)
                layers.nbrnn.load_state_dict(lstm.state_dict())

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        order = lengths.argsort(descending=True, stable=True)
        back = order.argsort()
        x, out_lengths, _ = self.rnn(x[order], lengths[order])
        return x[back], torch.as_tensor(out_lengths, device=lengths.device)[back], None


def _sequence_encoder(kind: str, size: int, conf: dict) -> nn.Module:
    if kind == "rnn":
        return _Recurrent(size, conf)
    if kind == "conformer":
        from espnet2.asr.encoder.conformer_encoder import ConformerEncoder

        return ConformerEncoder(size, output_size=size, input_layer=None, rel_pos_type="latest", **conf)
    if kind == "e_branchformer":
        from espnet2.asr.encoder.e_branchformer_encoder import EBranchformerEncoder

        return EBranchformerEncoder(size, output_size=size, input_layer=None, rel_pos_type="latest", **conf)
    if kind == "transformer":
        from espnet2.asr.encoder.transformer_encoder import TransformerEncoder

        return TransformerEncoder(size, output_size=size, input_layer=None, **conf)
    raise ValueError(f"audio_conf.encoder is {kind!r}; it can be 'conformer', 'e_branchformer', 'transformer' or 'rnn'")
