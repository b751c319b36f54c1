"""Whether the mouth of a clip speaks, frame by frame: a small network that was trained on made faces.

Not a threshold on movement: who chews, yawns or laughs moves the mouth as much as who speaks.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from avsr.errors import ModelError

WEIGHTS = Path(__file__).parent / "speaking.pth"  # written by avsr.training.speaking
SIDE = 44  # pixels of the picture that the network looks at: the middle 88 of a mouth clip's 96, halved
REACH = 45  # frames before and after that a frame's answer depends on
_SEES, _JUDGES = 15, 30  # of these, frames that what is seen in a frame depends on, and those around it that its answer goes by
_EDGE = 2  # halved pixels that are left out on each side
_AROUND = 25  # frames that a picture is compared with the mean of
_MOVED = 4.0  # a movement changes a picture by a quarter of its deviation, or less
_CHUNK = 1500  # frames worked on at once: a minute, 160 MB


class SpeakingNet(nn.Module):
    """(B, T, 44, 44) mouths, 25 a second -> (B, T) logits of speaking.

    Convolutions in space and a little in time, then dilated ones over time (as in temporal convolutional networks, Lea et
    al. 2017), which see `REACH` frames to either side: long enough for two strokes of a jaw that chews.
    """

    def __init__(self, channels: tuple[int, ...] = (12, 24, 40), width: int = 64, dropout: float = 0.2) -> None:
        super().__init__()
        blocks, previous, side = [], 2, SIDE
        for count in channels:
            convolution = nn.Conv3d(previous, count, 3, stride=(1, 2, 2), padding=1, bias=False)
            blocks.append(nn.Sequential(convolution, nn.BatchNorm3d(count), nn.ReLU()))
            previous, side = count, (side + 1) // 2
        self.look = nn.Sequential(*blocks)
        self.project = nn.Sequential(nn.Linear(previous * side * side, width), nn.ReLU(), nn.Dropout(dropout))
        self.over_time = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(width, width, 5, padding=2 * step, dilation=step, bias=False),
                nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(dropout),
            )
            for step in (1, 2, 4, 8)
        )  # fmt: skip
        self.out = nn.Conv1d(width, 1, 1)

    def forward(self, mouths: torch.Tensor) -> torch.Tensor:
        """`mouths` float, of any scale: each picture's own brightness and contrast are taken out."""
        return self.judge(self.see(mouths))

    def see(self, mouths: torch.Tensor) -> torch.Tensor:
        """(B, width, T): what is seen in each frame."""
        hidden = self.look(_channels(mouths))
        return self.project(hidden.transpose(1, 2).flatten(2)).transpose(1, 2)

    def judge(self, seen: torch.Tensor) -> torch.Tensor:
        """(B, T) logits by what was seen."""
        for block in self.over_time:
            seen = seen + block(seen)
        return self.out(seen).squeeze(1)


def _channels(mouths: torch.Tensor) -> torch.Tensor:
    """(B, T, H, W) -> (B, 2, T, H, W): each picture, and how it differs from the mean of the second around it."""
    mean, deviation = mouths.mean((2, 3), keepdim=True), mouths.std((2, 3), keepdim=True)
    pictures = (mouths - mean) / (deviation + 1.0)
    batch, frames, height, width = pictures.shape
    flat = pictures.flatten(2).transpose(1, 2)
    around = F.avg_pool1d(flat, _AROUND, 1, _AROUND // 2, count_include_pad=False).transpose(1, 2)
    change = pictures - around.reshape(batch, frames, height, width)
    # By a fixed factor: what lies further than REACH away must not count, and noise not be blown up.
    return torch.stack([pictures, (_MOVED * change).clamp(-4.0, 4.0)], dim=1)


def small_mouths(frames: np.ndarray) -> np.ndarray:
    """(T, 96, 96) uint8 mouth clip -> (T, 44, 44) uint8: the middle at half its size."""
    return halved(frames)[:, _EDGE:-_EDGE, _EDGE:-_EDGE]


def halved(frames: np.ndarray) -> np.ndarray:
    """(T, 96, 96) uint8 -> (T, 48, 48) uint8, by means of four."""
    pairs = frames[:, ::2].astype(np.uint16) + frames[:, 1::2]
    return ((pairs[:, :, ::2] + pairs[:, :, 1::2] + 2) // 4).astype(np.uint8)


def speaking_probability(frames: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """How likely it is that the person is speaking in each frame.

    Args:
        frames: (T, 96, 96) uint8 mouth clip.
        confidence: (T,), 0 where no mouth is seen.

    Returns:
        (T,) float32 in 0..1, exactly 0 where no mouth is seen. ModelError where the network's file is damaged.
    """
    network, found = _network(), np.zeros(len(frames), np.float32)
    mouths = small_mouths(frames)
    for start in range(0, len(frames), _CHUNK):
        first, stop = max(0, start - REACH), min(len(frames), start + _CHUNK + REACH)
        with torch.inference_mode():
            logits = network(torch.from_numpy(mouths[first:stop]).float()[None])[0]
        end = min(len(frames), start + _CHUNK)
        found[start:end] = torch.sigmoid(logits[start - first : end - first]).numpy()
    return np.where(confidence > 0, found, np.float32(0.0))


class SpeakingStream:
    """`speaking_probability` of a clip that grows, asked again and again of its last frames.

    What the network sees in a frame, nearly all of its work, changes no more once `_SEES` frames have come after it, and is kept.
    """

    def __init__(self) -> None:
        self._first = 0  # the frame that what is kept begins with
        self._seen: torch.Tensor | None = None  # (width, T)

    def tell(self, first: int, end: int, begin: int, mouths: Callable[[int, int], np.ndarray]) -> np.ndarray:
        """How likely it is that the person is speaking in the last frames.

        Args:
            first, end: the frames asked for; `end` is how many there are so far.
            begin: the first of which there still is a mouth, the clip's own first or `REACH` before `first`.
            mouths: gives those of frames .. up to another, (T, 96, 96) uint8.

        Returns:
            (end - first,) float32 in 0..1, whether a mouth is seen there or not.
        """
        network, needed = _network(), max(begin, first - _JUDGES)
        known = self._first if self._seen is None else self._first + self._seen.shape[1]
        kept = self._seen[:, needed - self._first :] if self._seen is not None and self._first <= needed <= known else None
        start = needed if kept is None else known
        look = max(begin, start - _SEES)
        with torch.inference_mode():
            pictures = torch.from_numpy(small_mouths(mouths(look, end))).float()
            seen = network.see(pictures[None])[0, :, start - look :]
            seen = seen if kept is None else torch.cat([kept, seen], dim=1)
            logits = network.judge(seen[None])[0, first - needed :]
        self._first, self._seen = needed, seen[:, : max(0, end - _SEES - needed)].clone()
        return torch.sigmoid(logits).numpy()


@lru_cache(maxsize=1)
def _network() -> SpeakingNet:
    try:
        state = torch.load(io.BytesIO(WEIGHTS.read_bytes()), map_location="cpu", weights_only=True)
        network = SpeakingNet()
        network.load_state_dict({name: value.float() if value.is_floating_point() else value for name, value in state.items()})
    except (OSError, RuntimeError, ValueError, KeyError, AttributeError, EOFError, pickle.UnpicklingError) as error:
        what = " ".join(str(error).split())[:120] or type(error).__name__
        raise ModelError(f"{WEIGHTS}: cannot be used ({what}); install the project again.") from error
    return network.eval()
