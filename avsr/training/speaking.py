"""Trains what tells a mouth that speaks from one that does not (avsr.lips.speaking), on made clips.

    python -m avsr.training.speaking --speech data/mini_ko/train --quiet data/quiet --out avsr/lips/speaking.pth
"""

from __future__ import annotations

import argparse
import hashlib
import io
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from avsr.corpora.labels import watched
from avsr.errors import AvsrError
from avsr.files import replace_file
from avsr.lips.mouth_clip import load_mouth_clip
from avsr.lips.mouth_shape import CHANNELS, load_mouth_shape
from avsr.lips.speaking import SIDE, SpeakingNet, halved
from avsr.processes import progress
from avsr.stages.command import run_main
from avsr.tables import read_table

_SPEAKING = CHANNELS.index("speaking")
_FRAMES = 100  # of a piece that is trained on: 4 s
_BATCH = 16
_RATE = 3e-3
_KEPT = 48  # pixels: a mouth clip at half its size, of which a piece takes SIDE
_SAVE = 250  # steps between two points that an interrupted training can go on from
_RESUME = ".speaking-training.pth"


@dataclass(frozen=True)
class Clip:
    """mouths (T, 48, 48) uint8; speaking (T,) bool."""

    mouths: np.ndarray
    speaking: np.ndarray


def read_clips(speech: Sequence[Path], quiet: Sequence[Path]) -> tuple[list[Clip], list[Clip]]:
    """Clips of data directories with shape.scp, and of folders that make_quiet wrote, which never speak.

    AvsrError where a table is missing.
    """
    talking, silent = [], []
    for folder in speech:
        videos, shapes = read_table(folder / "video.scp"), read_table(folder / "shape.scp")
        for name, path in watched(sorted(videos.items()), f"{folder.parent.name}/{folder.name}"):
            if name in shapes:
                mouths = halved(load_mouth_clip(path).frames)
                speaks = load_mouth_shape(shapes[name])[: len(mouths), _SPEAKING] > 0.5
                talking.append(Clip(mouths[: len(speaks)], speaks))
    for folder in quiet:
        for _, path in watched(sorted(read_table(folder / "video.scp").items()), folder.name):
            mouths = halved(load_mouth_clip(path).frames)
            silent.append(Clip(mouths, np.zeros(len(mouths), bool)))
    if not talking or not silent:
        raise AvsrError("both clips that speak and clips that do not are needed: give --speech and --quiet that hold some.")
    return talking, silent


def piece(clip: Clip, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(100, 44, 44) uint8 and (100,) float32 out of a clip: another tempo, place, size, light and sharpness each time."""
    import cv2

    tempo = float(np.exp(rng.uniform(-0.35, 0.35)))
    index = (np.arange(_FRAMES) * tempo + rng.uniform(0, max(0.0, len(clip.mouths) - 1 - _FRAMES * tempo))).astype(int)
    if index[-1] >= len(clip.mouths):  # shorter than the piece: its first and last pictures are held
        index = index - index[0] - rng.integers(0, max(1, round((_FRAMES * tempo - len(clip.mouths)))) + 1)
    held = (index < 0) | (index >= len(clip.mouths))
    index = index.clip(0, len(clip.mouths) - 1)
    if rng.random() < 0.15:  # pictures that a slow camera or a bad line repeats
        step = int(rng.integers(2, 4))
        index = index[np.arange(_FRAMES) // step * step]
    mouths, speaking = clip.mouths[index], clip.speaking[index] & ~held
    turn = cv2.getRotationMatrix2D((_KEPT / 2, _KEPT / 2), rng.normal(0, 4), float(np.exp(rng.normal(0, 0.08))))
    turn[:, 2] += rng.normal(0, 1.2, 2) + (SIDE - _KEPT) / 2
    if rng.random() < 0.5:
        turn[0] = -turn[0]
        turn[0, 2] += SIDE - 1
    blur, noise = abs(rng.normal(0, 0.5)), abs(rng.normal(0, 2.0))
    gamma = np.exp(rng.normal(0, 0.3))
    table = (255 * (np.arange(256) / 255) ** gamma + 0.5).astype(np.uint8)
    tremble = rng.normal(0, rng.uniform(0, 0.2), (_FRAMES, 2))
    result = np.empty((_FRAMES, SIDE, SIDE), np.float32)
    for number, mouth in enumerate(mouths):
        shaken = turn.copy()
        shaken[:, 2] += tremble[number]
        warped = cv2.warpAffine(mouth, shaken, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        result[number] = cv2.LUT(warped if blur < 0.3 else cv2.GaussianBlur(warped, (0, 0), blur), table)
    result += noise * rng.standard_normal(result.shape, dtype=np.float32)
    return result.clip(0, 255), speaking.astype(np.float32)


def batches(
    talking: list[Clip], silent: list[Clip], steps: range, seed: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """(16, 100, 44, 44) and (16, 100) a step, half of clips that speak; a step's depend on its number alone."""
    for step in steps:
        rng = np.random.default_rng([seed, step])
        chosen = [talking[rng.integers(len(talking))] for _ in range(_BATCH // 2)]
        chosen += [silent[rng.integers(len(silent))] for _ in range(_BATCH - _BATCH // 2)]
        mouths, speaking = zip(*(piece(clip, rng) for clip in chosen), strict=True)
        yield torch.from_numpy(np.stack(mouths)), torch.from_numpy(np.stack(speaking))


def train(speech: Sequence[Path], quiet: Sequence[Path], out: Path, *, steps: int = 3000, seed: int = 1) -> float:
    """Train and write the weights in half precision; goes on where an interrupted run of the same command stopped.

    Returns the mean loss of the last hundred steps.
    """
    for name, value, least in (("steps", steps, 1), ("seed", seed, 0)):
        if value < least:
            raise AvsrError(f"{name} {value}: give {least} or more.")
    talking, silent = read_clips(speech, quiet)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = SpeakingNet().train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps + 1, pct_start=0.1)
    parts = {"network": network, "optimizer": optimizer, "schedule": schedule}
    order = {"steps": steps, "seed": seed, "clips": _digest(talking + silent)}
    kept = out.with_name(_RESUME)
    begun, losses = _resumed(kept, order, parts)
    with progress("steps", steps, begun) as advance:
        for step, (mouths, speaking) in enumerate(batches(talking, silent, range(begun, steps), seed), begun + 1):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed * 1_000_003 + step)  # dropout's: an interrupted run gives the same weights
                loss = F.binary_cross_entropy_with_logits(network(mouths), speaking)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            losses = [*losses[-99:], loss.item()]
            if step % _SAVE == 0 and step < steps:
                state = {name: part.state_dict() for name, part in parts.items()}
                _save({"order": order, "step": step, "losses": losses, **state}, kept)
            advance()
    weights = {name: value.half() if value.is_floating_point() else value for name, value in network.state_dict().items()}
    _save(weights, out)
    kept.unlink(missing_ok=True)
    return float(np.mean(losses))


def _digest(clips: list[Clip]) -> str:
    total = hashlib.sha256()
    for clip in clips:
        total.update(clip.mouths.tobytes() + clip.speaking.tobytes())
    return total.hexdigest()


def _resumed(kept: Path, order: dict, parts: dict) -> tuple[int, list[float]]:
    if not kept.exists():
        return 0, []
    try:
        state = torch.load(kept, weights_only=True)
        same = state["order"] == order
    except (OSError, RuntimeError, ValueError, LookupError, TypeError, EOFError, pickle.UnpicklingError):
        same = False
    if not same:
        raise AvsrError(f"{kept} belongs to another training; remove it, or run the command that it belongs to.")
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return state["step"], state["losses"]


def _save(state: dict, path: Path) -> None:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, buffer.getvalue())


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--speech", type=Path, required=True, nargs="+", help="data directories with video.scp and shape.scp")
    parser.add_argument("--quiet", type=Path, required=True, nargs="+", help="what talking_heads.make_quiet made")
    parser.add_argument("--out", type=Path, required=True, help="the weights to write")
    parser.add_argument("--steps", type=int, default=3000, help="batches of 16 pieces of 4 s (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="(default: %(default)s)")
    args = parser.parse_args(arguments)
    loss = train(args.speech, args.quiet, args.out, steps=args.steps, seed=args.seed)
    print(f"{args.out}: {args.steps} steps, loss {loss:.3f}")
    return 0


if __name__ == "__main__":
    run_main(main)
