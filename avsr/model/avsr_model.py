"""The audio-visual model: two encoders, a CTC head each, late fusion, and an attention decoder on what they agree on."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from espnet2.asr.ctc import CTC
from espnet2.asr.decoder.transformer_decoder import TransformerDecoder
from espnet2.torch_utils.device_funcs import force_gatherable
from espnet2.train.abs_espnet_model import AbsESPnetModel
from espnet.nets.pytorch_backend.transformer.add_sos_eos import add_sos_eos
from espnet.nets.pytorch_backend.transformer.label_smoothing_loss import LabelSmoothingLoss
from torch import nn
from torch.nn import functional as F

from avsr.lips.mouth_shape import CHANNELS, DEVIATIONS
from avsr.model.audio_encoder import SAMPLES_PER_FRAME, AudioEncoder
from avsr.model.fusion import Fused, LateFusion
from avsr.model.lip_encoder import LipEncoder
from avsr.model.reliability import picture_features, posterior_features, sound_features

IGNORE = -1


@dataclass
class ModelConfig:
    """All that a model is made from; the same fields stand in the training YAML and in a packed model."""

    size: int = 256
    lip_conf: dict = field(default_factory=dict)
    audio_conf: dict = field(default_factory=dict)
    fusion_conf: dict = field(default_factory=dict)
    decoder_conf: dict = field(default_factory=dict)
    ctc_weight: float = 0.5
    head_weight: float = 0.5
    align_weight: float = 0.5
    shape_weight: float = 0.0
    label_smoothing: float = 0.1
    keep_both: float = 0.5
    keep_lip: float = 0.25


@dataclass
class Encoded:
    """Both streams and their fusion, at 25 vectors a second.

    fused: see `avsr.model.fusion.Fused`.
    vectors, log_probs: what each encoder and its CTC head said, (audio, lip); None for a stream that was not given.
    lengths: (B,) int64, frames that are real.
    looks: (B, T', D) of the lip encoder before its LSTM, T' the clip's own frames, see `LipEncoder.look`; None without one.
    """

    fused: Fused
    vectors: tuple[torch.Tensor | None, torch.Tensor | None]
    log_probs: tuple[torch.Tensor | None, torch.Tensor | None]
    lengths: torch.Tensor
    looks: torch.Tensor | None


class AVSRModel(AbsESPnetModel):
    """Trained by ESPnet's loop, read by `avsr.decoding`.

    Losses (all always on, so that each stream stays able to answer alone): CTC on each head, CTC on the fused
    posterior, attention decoder on the fused vectors (Watanabe et al., "Hybrid CTC/attention", 2017), and, where the
    corpus tells when each word was said, cross-entropy of every frame against the token spoken in it. The last one
    carries the lip encoder over the long plateau at blank that CTC alone has.

    Where the corpus knows the mouth's shape in every picture (a made one does) and `shape_weight` is above 0, the
    convolutions also learn to tell it, as a teacher of what to look at: see `_shape_loss`.

    Args:
        vocabulary: tokens in the list; blank is 0, sos/eos the last.
        config: see `ModelConfig`. keep_both and keep_lip are the shares of training utterances that are fused and that
            the lips read alone; the rest goes to the sound alone (modality dropout).
    """

    def __init__(self, vocabulary: int, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.sos = self.eos = vocabulary - 1
        size = config.size
        self.lip_encoder = LipEncoder(output_size=size, **config.lip_conf)
        self.audio_encoder = AudioEncoder(output_size=size, **config.audio_conf)
        self.audio_ctc = CTC(odim=vocabulary, encoder_output_size=size, dropout_rate=0.1)
        self.lip_ctc = CTC(odim=vocabulary, encoder_output_size=size, dropout_rate=0.1)
        self.audio_align = nn.Linear(size, vocabulary)
        self.lip_align = nn.Linear(size, vocabulary)
        self.lip_shape = nn.Linear(size, len(CHANNELS)) if config.shape_weight > 0 else None
        self.fusion = LateFusion(**config.fusion_conf)
        self.decoder = TransformerDecoder(vocabulary, size, **config.decoder_conf)
        self.attention_loss = LabelSmoothingLoss(vocabulary, IGNORE, config.label_smoothing, normalize_length=False)

    def encode(
        self,
        speech: torch.Tensor | None,
        speech_lengths: torch.Tensor | None,
        video: torch.Tensor | None,
        video_lengths: torch.Tensor | None,
        confidence: torch.Tensor | None,
        use: torch.Tensor | None = None,
    ) -> Encoded:
        """Encode what is given and fuse it.

        Args:
            speech: (B, N) float in -1..1 at 16 kHz, or None.
            speech_lengths: (B,) in samples.
            video: (B, T, H, W) uint8 or float 0..255, mouth clip at 25 fps, or None.
            video_lengths: (B,) in frames.
            confidence: (B, T) float, from the crop.
            use: (B, 2) bool, which streams each utterance may use; None for all that are given.

        Raises:
            ValueError: neither stream is given.
        """
        if speech is None and video is None:
            raise ValueError("neither sound nor mouth clip is given")
        audio = None if speech is None else self.audio_encoder(speech, speech_lengths)
        looks = None if video is None else self.lip_encoder.look(video, video_lengths)
        lip = None if looks is None else (self.lip_encoder.follow(looks, video_lengths), video_lengths)
        lengths = torch.stack([x[1] for x in (audio, lip) if x is not None]).amax(0)
        frames = int(lengths.max())
        device = (speech if speech is not None else video).device
        present = torch.stack([_mask(x, lengths, frames, device) for x in (audio, lip)], dim=-1)
        if use is not None:
            allowed = present & use[:, None, :].to(device)
            # Never neither: where the wanted stream is shorter than the other its last vectors stay in charge.
            present = torch.where(allowed.any(-1, keepdim=True), allowed, use[:, None, :].to(device).expand_as(present))
        vectors, log_probs, features = [], [], []
        for stream, ctc in ((audio, self.audio_ctc), (lip, self.lip_ctc)):
            x = None if stream is None else _fit(stream[0], frames)
            vectors.append(x)
            # In float32: half precision has two or three digits, and CTC adds up hundreds of these.
            log_probs.append(None if x is None else ctc.ctc_lo(x).float().log_softmax(-1))
        features.append(self._audio_features(speech, log_probs[0], lengths, frames))
        features.append(self._lip_features(video, confidence, log_probs[1], lengths, frames))
        known = [x if x is not None else torch.zeros_like(y) for x, y in (vectors, vectors[::-1])]
        known_probs = [x if x is not None else torch.zeros_like(y) for x, y in (log_probs, log_probs[::-1])]
        fused = self.fusion(tuple(known), tuple(known_probs), torch.cat(features, -1), present)
        return Encoded(fused, tuple(vectors), tuple(log_probs), lengths, looks)

    @staticmethod
    def _audio_features(speech, log_probs, lengths, frames):
        if speech is None:
            return torch.zeros(len(lengths), frames, 6, device=lengths.device)
        return torch.cat([posterior_features(log_probs), sound_features(speech, frames, lengths)], dim=-1)

    @staticmethod
    def _lip_features(video, confidence, log_probs, lengths, frames):
        if video is None:
            return torch.zeros(len(lengths), frames, 6, device=lengths.device)
        return torch.cat([posterior_features(log_probs), _fit(picture_features(video, confidence), frames)], dim=-1)

    def forward(
        self,
        text: torch.Tensor,
        text_lengths: torch.Tensor,
        speech: torch.Tensor | None = None,
        speech_lengths: torch.Tensor | None = None,
        video: torch.Tensor | None = None,
        video_lengths: torch.Tensor | None = None,
        confidence: torch.Tensor | None = None,
        confidence_lengths: torch.Tensor | None = None,
        align: torch.Tensor | None = None,
        align_lengths: torch.Tensor | None = None,
        shape: torch.Tensor | None = None,
        shape_lengths: torch.Tensor | None = None,
        **_: object,
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor | None], torch.Tensor]:
        """Loss of a batch, in ESPnet's form.

        Args:
            text: (B, L) token ids, padded with any negative number.
            speech, video, confidence: see `encode`.
            align: (B, T) token spoken in each frame, 0 for silence, negative where unknown.
            shape, shape_lengths: (B, T, 7) for the CHANNELS of avsr.lips.mouth_shape, and (B,) its frames.

        Returns:
            The loss, what TensorBoard shows, and the batch size, one element each (1,).
        """
        text = text[:, : text_lengths.max()]
        batch = len(text)
        use = self._choose_streams(batch, speech is not None, video is not None, text.device)
        encoded = self.encode(speech, speech_lengths, video, video_lengths, confidence, use)
        labels = text.masked_fill(text < 0, 0)
        stats: dict[str, torch.Tensor | None] = {}
        heads, aligned = [], []
        streams = (("audio", self.audio_align), ("lip", self.lip_align))
        for (name, head), vectors, log_probs in zip(streams, encoded.vectors, encoded.log_probs):
            if vectors is None:
                continue
            heads.append(_ctc_loss(log_probs, encoded.lengths, labels, text_lengths))
            stats[f"ctc_{name}"] = heads[-1].detach()
            if align is not None and self.config.align_weight > 0:
                aligned.append(_align_loss(head(vectors).float(), align))
                stats[f"align_{name}"] = aligned[-1].detach()
        fused_loss = _ctc_loss(encoded.fused.log_probs, encoded.lengths, labels, text_lengths)
        attention, accuracy = self._attention(encoded, text, text_lengths)
        c = self.config
        loss = c.ctc_weight * fused_loss + (1 - c.ctc_weight) * attention + c.head_weight * sum(heads)
        if aligned:
            loss = loss + c.align_weight * sum(aligned)
        if self.lip_shape is not None and shape is not None:
            shaped = _shape_loss(self.lip_shape(encoded.looks).float(), shape, shape_lengths)
            loss = loss + c.shape_weight * shaped
            stats["shape"] = shaped.detach()
        stats.update(ctc=fused_loss.detach(), attention=attention.detach(), acc=accuracy, loss=loss.detach())
        if speech is not None and video is not None:
            # NaN, which ESPnet leaves out, where no utterance is fused: processes that train together must report alike.
            stats["audio_weight"] = encoded.fused.weights[use.all(-1)][..., 0].mean().detach()
        # One element each, not none: what processes that train together add up.
        return force_gatherable((loss, stats, torch.tensor(float(batch))), loss.device)

    def _choose_streams(self, batch: int, sound: bool, picture: bool, device: torch.device) -> torch.Tensor:
        use = torch.tensor([[sound, picture]], device=device).repeat(batch, 1)
        if self.training and sound and picture:
            draw = torch.rand(batch, device=device)
            lip_alone = (draw >= self.config.keep_both) & (draw < self.config.keep_both + self.config.keep_lip)
            audio_alone = draw >= self.config.keep_both + self.config.keep_lip
            use[lip_alone, 0] = False
            use[audio_alone, 1] = False
        return use

    def _attention(self, encoded: Encoded, text: torch.Tensor, text_lengths: torch.Tensor):
        inputs, targets = add_sos_eos(text.masked_fill(text < 0, IGNORE), self.sos, self.eos, IGNORE)
        out, _ = self.decoder(encoded.fused.memory, encoded.lengths, inputs, text_lengths + 1)
        real = targets != IGNORE
        accuracy = (out.argmax(-1) == targets)[real].float().mean()
        # Summed over tokens and divided by the batch, as the CTC losses are.
        return self.attention_loss(out.float(), targets), accuracy

    def collect_feats(self, **batch: torch.Tensor) -> dict[str, torch.Tensor]:
        """Nothing is collected: the features are normalised by utterance, so no statistics of the corpus are needed."""
        lengths = batch["text_lengths"]
        return {"feats": torch.zeros(len(lengths), 1, 1), "feats_lengths": torch.ones_like(lengths)}


def frames_of(samples: int) -> int:
    """How many 40 ms vectors `samples` samples at 16 kHz give."""
    return -(-samples // SAMPLES_PER_FRAME)


def _fit(x: torch.Tensor, frames: int) -> torch.Tensor:
    """Cut or zero-pad (B, T, D) to (B, frames, D)."""
    return F.pad(x, (0, 0, 0, max(0, frames - x.shape[1])))[:, :frames]


def _mask(stream, lengths: torch.Tensor, frames: int, device: torch.device) -> torch.Tensor:
    """(B, frames) bool: where the stream has vectors."""
    if stream is None:
        return torch.zeros(len(lengths), frames, dtype=torch.bool, device=device)
    return torch.arange(frames, device=device) < stream[1].to(device)[:, None]


def _ctc_loss(log_probs: torch.Tensor, lengths: torch.Tensor, text: torch.Tensor, text_lengths: torch.Tensor):
    """CTC loss summed over tokens, averaged over the batch; an utterance too short for its text counts as 0."""
    loss = F.ctc_loss(log_probs.transpose(0, 1), text, lengths, text_lengths, reduction="sum", zero_infinity=True)
    return loss / len(text)


def _align_loss(logits: torch.Tensor, align: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of frames, summed over an utterance's labelled frames as CTC is, averaged over the batch."""
    target = F.pad(align, (0, max(0, logits.shape[1] - align.shape[1])), value=IGNORE)[:, : logits.shape[1]]
    target = target.masked_fill(target < 0, IGNORE)
    return F.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=IGNORE, reduction="sum") / len(align)


def _shape_loss(told: torch.Tensor, shape: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Squared error of the mouth's shape, in deviations, summed over frames, averaged over channels and the batch.

    Both are taken less their mean over the utterance: how far this face's lips are apart at rest cannot be told from a
    few pictures of it, and learning it is learning faces by heart.

    Args:
        told, shape: (B, T, 7); lengths: (B,) frames that are real.
    """
    real = (torch.arange(shape.shape[1], device=shape.device) < lengths.to(shape.device)[:, None])[..., None].to(told.dtype)
    wrong = (told[:, : shape.shape[1]] - shape / shape.new_tensor(DEVIATIONS)) * real
    wrong = (wrong - wrong.sum(1, keepdim=True) / real.sum(1, keepdim=True)) * real
    return (wrong**2).sum() / (len(shape) * shape.shape[-1])
