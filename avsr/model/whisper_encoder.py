"""Whisper's encoder as the audio encoder: ESPnet's own class, brought to 25 vectors a second and to this model's size."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from avsr.errors import AvsrError
from avsr.model.audio_encoder import SAMPLES_PER_FRAME

LONGEST = 30.0  # seconds: as many positions as Whisper has
_MELS = 80
_OF_128_MELS = {"large", "large-v3", "large-v3-turbo", "turbo"}  # ESPnet's class is of those with 80


class WhisperAudioEncoder(nn.Module):
    """Turn 16 kHz samples into one vector for each 40 ms with an encoder that has heard 680,000 hours (Radford et al., 2022).

    Its two vectors for each frame are laid side by side and projected. It needs the package openai-whisper
    (`AVSR_EXTRAS=whisper tools/install.sh`), and the weights it was published with, which that package loads from
    `encoder_conf.download_dir`, and fetches where they are not there.

    It attends to padding as to silence, as it was taught to: what it says of an utterance depends a little on how long the
    others of a batch are.

    Args:
        output_size: size D of the vectors.
        encoder_conf: of ESPnet's OpenAIWhisperEncoder: whisper_model ("small"), download_dir, dropout_rate, use_specaug, ...
        dropout: after the projection.

    AvsrError: openai-whisper is not installed, or has no model of this name.
    """

    def __init__(self, output_size: int = 256, encoder_conf: dict | None = None, dropout: float = 0.1) -> None:
        super().__init__()
        from espnet2.asr.encoder.whisper_encoder import OpenAIWhisperEncoder

        conf = encoder_conf or {}
        try:
            import whisper
        except ImportError:
            raise AvsrError(
                "audio_conf.encoder is 'whisper', which needs openai-whisper: install it by "
                "AVSR_EXTRAS=whisper tools/install.sh, or name another encoder."
            ) from None
        name, known = conf.get("whisper_model", "small"), [one for one in whisper.available_models() if one not in _OF_128_MELS]
        if name not in known:
            raise AvsrError(f"audio_conf.encoder_conf.whisper_model is {name!r}; it can be {', '.join(known)}.")
        # ESPnet's class asks for it, and openai-whisper has none any more since some of its models have 128.
        whisper.audio.N_MELS = getattr(whisper.audio, "N_MELS", _MELS)
        self.encoder = OpenAIWhisperEncoder(**conf)
        self.project = nn.Sequential(
            nn.Linear(2 * self.encoder.output_size(), output_size), nn.LayerNorm(output_size), nn.Dropout(dropout)
        )
        self.output_size = output_size

    def forward(self, samples: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode.

        Args:
            samples: (B, N) float in -1..1 at 16 kHz.
            lengths: (B,) samples that are real.

        Returns:
            (B, L, D) float with L = ceil(N / 640), and the lengths (B,) in vectors.

        AvsrError: an utterance is longer than LONGEST.
        """
        frames = torch.div(lengths + SAMPLES_PER_FRAME - 1, SAMPLES_PER_FRAME, rounding_mode="floor")
        longest = int(frames.max())
        if longest * SAMPLES_PER_FRAME > LONGEST * 16000:
            seconds = longest * SAMPLES_PER_FRAME / 16000
            raise AvsrError(f"an utterance of {seconds:.1f} s: Whisper's encoder takes {LONGEST:.0f} s; filter with --max_seconds 30.")
        samples = F.pad(samples, (0, max(0, longest * SAMPLES_PER_FRAME - samples.shape[1])))[:, : longest * SAMPLES_PER_FRAME]
        vectors, _, _ = self.encoder(samples, frames * SAMPLES_PER_FRAME)  # (B, 2 L, C)
        return self.project(vectors.unflatten(1, (longest, 2)).flatten(2)), frames
