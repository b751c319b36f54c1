"""The audio-visual model: two encoders, a CTC head each, late fusion, and an attention decoder on what they agree on."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from espnet2.asr.ctc import CTC
from espnet2.asr.decoder.transformer_decoder import TransformerDecoder
from espnet2.torch_utils.device_funcs import force_gatherable
from espnet2.train.abs_espnet_model import AbsESPnetModel
from espnet.nets.pytorch_backend.transformer.label_smoothing_loss import LabelSmoothingLoss
from torch import nn
from torch.nn import functional as F

from avsr.lips.mouth_shape import CHANNELS, DEVIATIONS
from avsr.model.audio_encoder import SAMPLES_PER_FRAME, AudioEncoder
from avsr.model.baselines import Concatenation, ConstantWeight, LipNetEncoder
from avsr.model.conformer_lips import Conv3dConformerLips, ResNetConformerLips
from avsr.model.fusion import Fused, LateFusion
from avsr.model.lip_encoder import LipEncoder
from avsr.model.reliability import picture_features, posterior_features, sound_features
from avsr.model.whisper_encoder import WhisperAudioEncoder

IGNORE = -1
_HELD = 3  # frames (0.12 s): by about so much sound and picture of a file end apart


@dataclass
class ModelConfig:
    """All that a model is made from; the same fields stand in the training YAML and in a packed model.

    fusion: a name of FUSIONS. lip_conf may name an `encoder` of LIP_ENCODERS beside that encoder's own fields; audio_conf is of
    `AudioEncoder`, or of `WhisperAudioEncoder` where its `encoder` is "whisper".
    """

    size: int = 256
    fusion: str = "late"
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


LIP_ENCODERS = {
    "stcnn_lstm": LipEncoder,
    "lipnet": LipNetEncoder,
    "conv3d_conformer": Conv3dConformerLips,
    "resnet_conformer": ResNetConformerLips,
}
FUSIONS = {"late": LateFusion, "constant": ConstantWeight, "concatenation": Concatenation}


def make_fusion(config: ModelConfig, vocabulary: int) -> nn.Module:
    """A fusion that has learnt nothing; ValueError for a name that is none of FUSIONS."""
    if config.fusion not in FUSIONS:
        raise ValueError(f"fusion is {config.fusion!r}; it can be {', '.join(FUSIONS)}")
    given = (config.size, vocabulary) if config.fusion == "concatenation" else ()
    return FUSIONS[config.fusion](*given, **config.fusion_conf)


def make_audio_encoder(config: ModelConfig) -> nn.Module:
    """An audio encoder that has learnt nothing, or what Whisper knows; ValueError for what there is none of."""
    if config.audio_conf.get("encoder") != "whisper":
        return AudioEncoder(output_size=config.size, **config.audio_conf)
    own = {name: value for name, value in config.audio_conf.items() if name != "encoder"}
    return WhisperAudioEncoder(output_size=config.size, **own)


def lip_encoder_name(lip_conf: dict) -> str:
    """The encoder that lip_conf names; ValueError for one that is none of LIP_ENCODERS."""
    name = lip_conf.get("encoder", "stcnn_lstm")
    if name not in LIP_ENCODERS:
        raise ValueError(f"lip_conf.encoder is {name!r}; it can be {', '.join(LIP_ENCODERS)}")
    return name


@dataclass
class Stream:
    """What one encoder and its CTC head said, T vectors a row at 25 a second, as long as the longer of the two streams.

    vectors (B, T, D), log_probs (B, T, V): zero vectors, and what the head makes of them, where this stream has ended.
    features: (B, T, 6) reliability, see `avsr.model.reliability`.
    lengths: (B,) int64, frames that are this stream's own.
    looks: (B, T', look_size) of the lip encoder before its recurrent layers, see `LipEncoder.look`; None of the sound.
    """

    vectors: torch.Tensor
    log_probs: torch.Tensor
    features: torch.Tensor
    lengths: torch.Tensor
    looks: torch.Tensor | None = None


@dataclass
class Encoded:
    """Both streams and their fusion, at 25 vectors a second.

    audio, lip: see `Stream`; None for one that was not given.
    fused: see `avsr.model.fusion.Fused`.
    lengths: (B,) int64, frames that are real.
    """

    audio: Stream | None
    lip: Stream | None
    fused: Fused
    lengths: torch.Tensor


class AVSRModel(AbsESPnetModel):
    """Trained by ESPnet's loop, read by `avsr.decoding`.

    Losses (all always on, so that each stream stays able to answer alone): CTC on each head, CTC on the fused
    posterior, attention decoder on the fused vectors (Watanabe et al., "Hybrid CTC/attention", 2017), and, where the
    corpus tells when each word was said, cross-entropy of every frame against the token spoken in it. The last one
    carries the lip encoder over the long plateau at blank that CTC alone has.

    Where the corpus knows the mouth's shape in every picture (a made one does) and `shape_weight` is above 0, the
    convolutions also learn to tell it, as a teacher of what to look at: see `shape_loss`.

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
        own = {name: value for name, value in config.lip_conf.items() if name != "encoder"}
        self.lip_encoder = LIP_ENCODERS[lip_encoder_name(config.lip_conf)](output_size=size, **own)
        self.audio_encoder = make_audio_encoder(config)
        self.audio_ctc = CTC(odim=vocabulary, encoder_output_size=size, dropout_rate=0.1)
        self.lip_ctc = CTC(odim=vocabulary, encoder_output_size=size, dropout_rate=0.1)
        self.audio_align = nn.Linear(size, vocabulary)
        self.lip_align = nn.Linear(size, vocabulary)
        self.lip_shape = nn.Linear(self.lip_encoder.look_size, len(CHANNELS)) if config.shape_weight > 0 else None
        self.fusion = make_fusion(config, vocabulary)
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
        ends = [] if video is None else [video_lengths]
        if speech is not None:
            ends.append(torch.div(speech_lengths + SAMPLES_PER_FRAME - 1, SAMPLES_PER_FRAME, rounding_mode="floor"))
        lengths = torch.stack(ends).amax(0)
        audio = None if speech is None else self.hear(speech, speech_lengths, lengths)
        lip = None if video is None else self.see(video, video_lengths, confidence, lengths)
        return Encoded(audio, lip, self.fuse(audio, lip, lengths, use), lengths)

    def hear(self, speech: torch.Tensor, speech_lengths: torch.Tensor, lengths: torch.Tensor) -> Stream:
        """The sound's stream; `lengths` (B,) are the frames of the longer stream, the rest as in `encode`."""
        frames = int(lengths.max())
        vectors, own = self.audio_encoder(speech, speech_lengths)
        vectors, log_probs = self._head(vectors, self.audio_ctc, frames)
        features = [posterior_features(log_probs), sound_features(speech, frames, lengths)]
        return Stream(vectors, log_probs, torch.cat(features, dim=-1), own)

    def see(
        self, video: torch.Tensor, video_lengths: torch.Tensor, confidence: torch.Tensor, lengths: torch.Tensor
    ) -> Stream:
        """The lips' stream; `lengths` (B,) are the frames of the longer stream, the rest as in `encode`."""
        frames = int(lengths.max())
        looks = self.lip_encoder.look(video, video_lengths)
        vectors, log_probs = self._head(self.lip_encoder.follow(looks, video_lengths), self.lip_ctc, frames)
        features = [posterior_features(log_probs), _fit(picture_features(video, confidence), frames)]
        return Stream(vectors, log_probs, torch.cat(features, dim=-1), video_lengths, looks)

    def fuse(self, audio: Stream | None, lip: Stream | None, lengths: torch.Tensor, use: torch.Tensor | None = None) -> Fused:
        """Fuse two streams of the same utterances, or what there is of them; `lengths` and `use` as above."""
        audio, lip = (None if stream is None else _held(stream, lengths) for stream in (audio, lip))
        one = audio if audio is not None else lip
        frames = one.vectors.shape[1]
        present = torch.stack([_mask(stream, frames, lengths) for stream in (audio, lip)], dim=-1)
        if use is not None:
            allowed = present & use[:, None, :].to(present.device)
            # Never neither: where the wanted stream is shorter than the other its last vectors stay in charge.
            present = torch.where(allowed.any(-1, keepdim=True), allowed, use[:, None, :].to(present.device).expand_as(present))
        pair = [stream if stream is not None else _nothing(one) for stream in (audio, lip)]
        reliability = torch.cat([stream.features for stream in pair], dim=-1)
        return self.fusion(tuple(x.vectors for x in pair), tuple(x.log_probs for x in pair), reliability, present)

    @staticmethod
    def _head(vectors: torch.Tensor, ctc: CTC, frames: int) -> tuple[torch.Tensor, torch.Tensor]:
        vectors = _fit(vectors, frames)
        # In float32: half precision has two or three digits, and CTC adds up hundreds of these.
        return vectors, ctc.ctc_lo(vectors).float().log_softmax(-1)

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
        streams = (("audio", encoded.audio, self.audio_align), ("lip", encoded.lip, self.lip_align))
        for name, stream, head in streams:
            if stream is None:
                continue
            heads.append(ctc_loss(stream.log_probs, encoded.lengths, labels, text_lengths))
            stats[f"ctc_{name}"] = heads[-1].detach()
            if align is not None and self.config.align_weight > 0:
                aligned.append(align_loss(head(stream.vectors).float(), align))
                stats[f"align_{name}"] = aligned[-1].detach()
        fused_loss = ctc_loss(encoded.fused.log_probs, encoded.lengths, labels, text_lengths)
        attention, accuracy = self._attention(encoded, text, text_lengths)
        c = self.config
        loss = c.ctc_weight * fused_loss + (1 - c.ctc_weight) * attention + c.head_weight * sum(heads)
        if aligned:
            loss = loss + c.align_weight * sum(aligned)
        if self.lip_shape is not None and shape is not None:
            shaped = shape_loss(self.lip_shape(encoded.lip.looks).float(), shape, shape_lengths)
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
        inputs, targets = between_marks(text, text_lengths, self.sos, self.eos)
        out, _ = self.decoder(encoded.fused.memory, encoded.lengths, inputs, text_lengths + 1)
        real = targets != IGNORE
        accuracy = (out.argmax(-1) == targets)[real].float().mean()
        # Summed over tokens and divided by the batch, as the CTC losses are.
        return self.attention_loss(out.float(), targets), accuracy

    def collect_feats(self, **batch: torch.Tensor) -> dict[str, torch.Tensor]:
        """Nothing is collected: the features are normalised by utterance, so no statistics of the corpus are needed."""
        lengths = batch["text_lengths"]
        return {"feats": torch.zeros(len(lengths), 1, 1), "feats_lengths": torch.ones_like(lengths)}


def between_marks(text: torch.Tensor, lengths: torch.Tensor, sos: int, eos: int) -> tuple[torch.Tensor, torch.Tensor]:
    """What a decoder reads and what it is to say: (B, L) token ids and (B,) -> sos and the text, padded with eos, and the text
    and eos, padded with IGNORE, (B, L + 1) each.

    As ESPnet's add_sos_eos, which takes a batch text by text and has a graphics card waited for at each.
    """
    place = torch.arange(text.shape[1] + 1, device=text.device)
    end = lengths.to(text.device)[:, None]
    inputs = F.pad(text, (1, 0), value=sos).masked_fill(place > end, eos)
    targets = F.pad(text, (0, 1), value=IGNORE).masked_fill(place == end, eos).masked_fill(place > end, IGNORE)
    return inputs, targets


def frames_of(samples: int) -> int:
    """How many 40 ms vectors `samples` samples at 16 kHz give."""
    return -(-samples // SAMPLES_PER_FRAME)


def _fit(x: torch.Tensor, frames: int) -> torch.Tensor:
    """Cut or zero-pad (B, T, D) to (B, frames, D)."""
    return F.pad(x, (0, 0, 0, max(0, frames - x.shape[1])))[:, :frames]


def _mask(stream: Stream | None, frames: int, lengths: torch.Tensor) -> torch.Tensor:
    """(B, frames) bool: where the stream has vectors of its own."""
    if stream is None:
        return torch.zeros(len(lengths), frames, dtype=torch.bool, device=lengths.device)
    return torch.arange(frames, device=lengths.device) < stream.lengths.to(lengths.device)[:, None]


def _held(stream: Stream, lengths: torch.Tensor) -> Stream:
    """The stream, its last frame repeated where it ends up to _HELD frames before the utterance: the other would be alone there, and
    be believed whatever it says."""
    own, lengths = (x.to(stream.vectors.device) for x in (stream.lengths, lengths))
    missing = lengths - own
    held = torch.where((missing > 0) & (missing <= _HELD) & (own > 0), lengths, own)
    frame = torch.arange(stream.vectors.shape[1], device=own.device)
    source = torch.where((frame < held[:, None]) & (frame >= own[:, None]), own[:, None] - 1, frame)[..., None]
    parts = [x.gather(1, source.expand(-1, -1, x.shape[-1])) for x in (stream.vectors, stream.log_probs, stream.features)]
    return Stream(*parts, held, stream.looks)


def _nothing(like: Stream) -> Stream:
    return Stream(*(torch.zeros_like(x) for x in (like.vectors, like.log_probs, like.features, like.lengths)))


def ctc_loss(log_probs: torch.Tensor, lengths: torch.Tensor, text: torch.Tensor, text_lengths: torch.Tensor):
    """CTC loss summed over tokens, averaged over the batch; an utterance too short for its text counts as 0."""
    loss = F.ctc_loss(log_probs.transpose(0, 1), text, lengths, text_lengths, reduction="sum", zero_infinity=True)
    return loss / len(text)


def align_loss(logits: torch.Tensor, align: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of frames, summed over an utterance's labelled frames as CTC is, averaged over the batch."""
    target = F.pad(align, (0, max(0, logits.shape[1] - align.shape[1])), value=IGNORE)[:, : logits.shape[1]]
    target = target.masked_fill(target < 0, IGNORE)
    return F.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=IGNORE, reduction="sum") / len(align)


def shape_loss(told: torch.Tensor, shape: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
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
