"""Where on the mouth, and when, a lip reader looked for each word that it read: gradients of what it said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from avsr.decoding.align import token_spans, word_groups, word_times
from avsr.errors import AvsrError
from avsr.lips.mouth_clip import MouthClip
from avsr.media.captions import Word

if TYPE_CHECKING:
    import torch

    from avsr.decoding.recognizer import Recognizer

AROUND = 8  # frames before and after a word whose pictures are kept
_COPIES = 6  # of the clip, each with its own noise
_NOISE = 6.0  # grey levels: a few per cent of a picture's range, as SmoothGrad recommends
_BLUR = 1.5  # pixels


@dataclass(frozen=True)
class WordSaliency:
    """A word; `course` (T,) how much each frame of the clip counted for it, sum 1; `maps` (n, 96, 96) float32 how much each
    pixel of the frames `first` .. `first + n` did."""

    word: Word
    course: np.ndarray
    maps: np.ndarray
    first: int


@dataclass(frozen=True)
class Saliency:
    """Of a clip's words; `total` (T, 96, 96) float32 is the sum over them, each word counting the same."""

    words: list[WordSaliency]
    total: np.ndarray


def saliency(recognizer: Recognizer, mouth: MouthClip, *, seed: int = 0) -> Saliency:
    """Read the clip by the lips alone, and trace each word back to the pixels.

    For each word the absolute gradient of its tokens' CTC log posteriors, in the frames of the likeliest path, with respect
    to the grey levels, averaged over copies of the clip with noise (SmoothGrad: Smilkov et al., 2017; saliency: Simonyan et
    al., 2013; Assael et al., "LipNet", 2016, show the same of theirs by guided backpropagation).

    AvsrError where the model has not learnt to read lips.
    """
    import torch

    from avsr.decoding.search import search

    packed = recognizer.packed
    if "lips" not in packed.streams:
        raise AvsrError(f"{packed.path}: was trained on sound alone, so there is nothing to explain of lips; use another model.")
    video = torch.from_numpy(np.ascontiguousarray(mouth.frames)).to(recognizer.device).float()
    confidence = torch.from_numpy(mouth.confidence.astype(np.float32)).to(recognizer.device)[None]
    with torch.inference_mode():
        fused = packed.model.encode(None, None, video[None], torch.tensor([len(video)], device=video.device), confidence).fused
        found = search(packed.model.decoder, fused.memory[0], fused.log_probs[0], recognizer.options, recognizer.language)
    tokens, log_probs = found[0].tokens, fused.log_probs[0]
    groups = word_groups(tokens, packed.tokenizer)
    total = np.zeros(mouth.frames.shape, np.float32)
    if not groups or len(tokens) + sum(a == b for a, b in zip(tokens, tokens[1:])) > len(log_probs):
        return Saliency([], total)  # no path of CTC goes through what the decoder said
    spans = token_spans(tokens, log_probs)
    words, _ = word_times(tokens, log_probs, packed.tokenizer, mouth.start)
    copies, noisy = _said(packed.model, video, confidence, seed)
    results = []
    for word, (_, places) in zip(words, groups, strict=True):
        said = sum(copies[:, spans[place][0] : spans[place][1], tokens[place]].sum() for place in places)
        (gradient,) = torch.autograd.grad(said, noisy, retain_graph=True)
        maps = _blurred(gradient.abs().mean(0).cpu().numpy())
        maps /= max(float(maps.sum()), 1e-12)
        total += maps
        first = max(0, spans[places[0]][0] - AROUND)
        stop = min(len(maps), spans[places[-1]][1] + AROUND)
        results.append(WordSaliency(word, maps.sum((1, 2)), maps[first:stop].copy(), first))
    return Saliency(results, total)


def _said(
    model, video: torch.Tensor, confidence: torch.Tensor, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """(copies, T, V) log posteriors of noisy copies of the clip, and the copies (copies, T, 96, 96) that they come from."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn((_COPIES, *video.shape), generator=generator).to(video.device)
    noisy = (video + _NOISE * noise).requires_grad_()
    lengths = torch.full((_COPIES,), len(video), device=video.device)
    with torch.backends.cudnn.flags(enabled=False):  # its LSTM has no gradient but in training
        stream = model.see(noisy, lengths, confidence.expand(_COPIES, -1), lengths)
    return stream.log_probs, noisy


def _blurred(maps: np.ndarray) -> np.ndarray:
    """(T, 96, 96) without the pattern that strides of convolutions leave."""
    import cv2

    return np.stack([cv2.GaussianBlur(picture, (0, 0), _BLUR) for picture in maps])
