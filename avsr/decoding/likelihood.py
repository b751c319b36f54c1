"""How likely given texts are, given a mouth clip: CTC and attention log-likelihoods, for ranking texts instead of searching."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from avsr.errors import AvsrError
from avsr.lips.mouth_clip import MouthClip
from avsr.text.tokens import SPACE, Tokenizer

if TYPE_CHECKING:
    import torch
    from espnet2.asr.decoder.abs_decoder import AbsDecoder

    from avsr.model.avsr_model import AVSRModel

_BATCH_TOKENS = 4096
"""Decoder steps in one batch: bounds the memory, (steps, vocabulary) floats and the attention's own."""


@dataclass(frozen=True)
class LipFeatures:
    """What the lips of one clip say in mode lip: memory (T, D) for the decoder, log_probs (T, V) of CTC, 25 a second.

    In mode lip the fusion gives the lips weight 1 in every frame, so that the fused posterior is the lip head's own.
    """

    memory: torch.Tensor
    log_probs: torch.Tensor

    def __len__(self) -> int:
        return len(self.log_probs)

    def lasting(self, frames: int) -> LipFeatures:
        """The same clip cut to `frames` frames, or played back and forth until it lasts so long.

        For scoring a text against a clip that it does not belong to: how many tokens fit a clip depends on its length,
        and the rate of speech shall stay what it is. What the encoder said is reflected, not the picture.
        """
        if not len(self):
            raise AvsrError("a clip without frames cannot be made to last; crop a video that holds pictures.")
        there_and_back = 2 * len(self) - 2
        places = np.arange(frames) % max(1, there_and_back)
        places = np.where(places < len(self), places, there_and_back - places)
        return LipFeatures(self.memory[places], self.log_probs[places])


@dataclass(frozen=True)
class TextScores:
    """Natural logarithms of the likelihoods of n texts, each (n,) float64; -inf where no CTC path is short enough.
    (Arrays of several clips, whatever their shape, are summed by `joint` alike.)

    ctc: of the text as it is written. ctc_unspaced: of its characters with spaces anywhere or nowhere (NaN for
    SentencePiece tokens, which hold their spaces). attention: of the text as it is written and its end.
    """

    ctc: np.ndarray
    ctc_unspaced: np.ndarray
    attention: np.ndarray

    def joint(self, ctc_weight: float) -> np.ndarray:
        """(n,) the weighted sum that decoding ranks by, without its bonus for length (Watanabe et al., 2017)."""
        if ctc_weight == 0:  # 0 times -inf is no number
            return self.attention
        return ctc_weight * self.ctc + (1 - ctc_weight) * self.attention


def lip_features(model: AVSRModel, clip: MouthClip) -> LipFeatures:
    """Encode one mouth clip in mode lip; AvsrError where it has no frames."""
    import torch

    if not len(clip.frames):
        raise AvsrError("a mouth clip without frames says nothing; crop a video that holds pictures.")
    device = next(model.parameters()).device
    video = torch.from_numpy(np.ascontiguousarray(clip.frames))[None].to(device)
    confidence = torch.from_numpy(clip.confidence.astype(np.float32, copy=False))[None].to(device)
    with torch.inference_mode():
        lengths = torch.tensor([video.shape[1]], device=device)
        encoded = model.encode(None, None, video, lengths, confidence)
    return LipFeatures(encoded.fused.memory[0], encoded.fused.log_probs[0])


def text_log_likelihood(
    model: AVSRModel, features: LipFeatures, texts: Sequence[str], tokenizer: Tokenizer
) -> TextScores:
    """Score texts given a clip.

    Args:
        model: in eval().
        features: of the clip, by the same model.
        texts: n normalised texts; what the token list lacks counts as ``<unk>``, see `unknown_tokens`.
        tokenizer: of the model.

    Raises:
        AvsrError: a text is empty.
    """
    empty = next((place for place, text in enumerate(texts) if not text.strip()), None)
    if empty is not None:
        raise AvsrError(f"text {empty + 1} of {len(texts)} is empty, so it has no likelihood; leave it out.")
    tokens = [tokenizer.encode(text) for text in texts]
    spaced = ctc_log_likelihood(features.log_probs, tokens)
    if tokenizer.token_type == "bpe":
        unspaced = np.full(len(texts), np.nan)
    else:
        bare = [tokenizer.encode(text.replace(" ", "")) for text in texts]
        log_probs = features.log_probs
        if SPACE in tokenizer.token_list:  # a corpus of single words has none
            log_probs = without_token(log_probs, tokenizer.token_list.index(SPACE))
        unspaced = ctc_log_likelihood(log_probs, bare)
    return TextScores(spaced, unspaced, attention_log_likelihood(model.decoder, features.memory, tokens, model.eos))


def ctc_log_likelihood(log_probs: torch.Tensor, texts: Sequence[Sequence[int]]) -> np.ndarray:
    """log of the summed probability of all CTC paths of each text (A. Graves et al., "Connectionist temporal
    classification", ICML 2006: the forward variables of section 4.1, by torch's loss).

    Args:
        log_probs: (T, V) log posterior, blank first.
        texts: n sequences of token ids, none of them blank.

    Returns:
        (n,) float64, -inf for a text that needs more frames than there are.
    """
    import torch
    from torch.nn import functional as F

    if not len(texts):
        return np.zeros(0)
    frames, count = len(log_probs), len(texts)
    lengths = torch.tensor([len(text) for text in texts])
    labels = torch.zeros(count, max(1, int(lengths.max())), dtype=torch.long)
    for row, text in zip(labels, texts):
        row[: len(text)] = torch.tensor(list(text), dtype=torch.long)
    with torch.inference_mode():
        # float64, because differences of sums over hundreds of frames are what ranks.
        posterior = log_probs.double().cpu()[:, None].expand(-1, count, -1)
        loss = F.ctc_loss(posterior, labels, torch.full((count,), frames), lengths, reduction="none")
    return -loss.numpy()


def without_token(log_probs: torch.Tensor, token: int) -> torch.Tensor:
    """(T, V) the posterior in which `token` counts as blank: what is likely of a text then is summed over all places at
    which that token could stand, since taking it out of a path's text or out of the path is the same."""
    import torch

    merged = log_probs.double().clone()
    merged[:, 0] = torch.logaddexp(merged[:, 0], merged[:, token])
    merged[:, token] = -torch.inf
    return merged


def attention_log_likelihood(decoder: AbsDecoder, memory: torch.Tensor, texts: Sequence[Sequence[int]], eos: int) -> np.ndarray:
    """log probability of each text and its end by the attention decoder, given what it is fed at every step.

    Args:
        decoder: in eval().
        memory: (T, D).
        texts: n sequences of token ids.
        eos: id of sos/eos.

    Returns:
        (n,) float64.
    """
    import torch

    scores = np.zeros(len(texts))
    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    while order:
        length = len(texts[order[-1]]) + 1  # the longest left
        batch = [order.pop() for _ in range(min(len(order), max(1, _BATCH_TOKENS // length)))]
        steps = torch.tensor([len(texts[place]) + 1 for place in batch], device=memory.device)
        inputs = torch.full((len(batch), length), eos, device=memory.device)
        targets = inputs.clone()
        for row, place in enumerate(batch):
            ids = torch.tensor(list(texts[place]), dtype=torch.long, device=memory.device)
            inputs[row, 1 : len(ids) + 1] = targets[row, : len(ids)] = ids
        with torch.inference_mode():
            frames = torch.full((len(batch),), len(memory), device=memory.device)
            out, _ = decoder(memory.expand(len(batch), -1, -1), frames, inputs, steps)
            said = out.double().log_softmax(-1).gather(-1, targets[..., None])[..., 0]
            real = torch.arange(length, device=memory.device) < steps[:, None]
            scores[batch] = (said * real).sum(-1).cpu().numpy()
    return scores


def unknown_tokens(texts: Sequence[str], tokenizer: Tokenizer) -> dict[int, list[str]]:
    """Place in `texts` -> the tokens of it that the token list lacks, in order, each once; for the texts where there are
    any."""
    known, found = set(tokenizer.token_list), {}
    for place, text in enumerate(texts):
        lacking = [token for token in tokenizer.text2tokens(text) if token not in known]
        if lacking:
            found[place] = list(dict.fromkeys(lacking))
    return found
