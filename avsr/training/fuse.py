"""Stage 8: teaches the fusion alone, on speech that the encoders have not learnt by heart: `python -m avsr.training.fuse`.

What an encoder says of clips that it was trained on is surer than it will ever be again, and a fusion that learnt there trusts
the lips too much. So the fusion's small network learns anew, with the encoders left as they are, on dev: its utterances under
many corruptions, each stream encoded once a corruption and then paired at random (stacking; Wolpert, "Stacked generalization",
1992).
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from avsr.errors import AvsrError
from avsr.lips.mouth_clip import load_mouth_clip
from avsr.media.audio import read_audio
from avsr.model.encode import SAMPLES, Said, as_stream, encode_stream
from avsr.noise import picture_faults, sound_faults
from avsr.noise.corruption import SoundCorruption, corrupt_sound
from avsr.noise.held_out import check_trainable
from avsr.noise.mix import cut_or_loop
from avsr.noise.pcm import from_pcm, to_pcm
from avsr.processes import progress
from avsr.stages.command import run_main
from avsr.tables import read_table
from avsr.training.teach_fallback import FallbackSchedule, teach_fallback

if TYPE_CHECKING:
    import torch

    from avsr.model.avsr_model import AVSRModel

AVERAGE = "valid.acc.ave.pth"  # of the best epochs, by ESPnet
WEIGHTS = "fused.pth"
UTTERANCES = 240  # of dev at the most, evenly over the list
_SOUNDS, _PICTURES = 2000, 1000  # corrupted streams in all, but so many of an utterance at the most:
_MOST = (36, 14)

SOUND = SoundCorruption(
    clean=0.2, noise=0.5, muted=0.06, dropouts=0.1, clipped=0.07, telephone=0.07, white=0.15, pink=0.15, recorded=0.3, babble=0.4,
    snr_db=(-12.0, 25.0), talkers=(1, 8), part=0.25, dropout_fraction=(0.05, 0.9),
)  # fmt: skip
_WRONG, _SHIFTED = 0.08, 0.08  # shares of sounds that are another utterance's, and out of step
_LATEST = 400.0  # ms
PICTURES = ("frozen", "occluded", "blurred", "dropped", "shrunk")
# Not `swapped`: another person's face that says something else cannot be told from another's voice, and one of the two has to
# be believed. It is the lips, for a stranger's voice over the own one is common and a stranger's mouth is not.
_WHOLE = 0.5  # chance that a fault of the picture lasts from beginning to end
_FAINT = 0.05  # CTC's loss a token of a stream that is right
_SEEN_WELL = 0.45  # share of pairs whose picture is clean


@dataclass(frozen=True)
class Utterance:
    """tokens (L,) and what each stream said under each corruption, the clean one first."""

    tokens: np.ndarray
    sounds: list[Said]
    pictures: list[Said]


@dataclass(frozen=True)
class Schedule:
    """How the fusion is taught. regret: how much more than an error it costs to be worse than the better stream alone;
    relative_regret: the same of logarithms, without which it costs next to nothing where that stream makes next to no
    errors."""

    steps: int = 700
    batch: int = 48
    rate: float = 2e-3
    weight_decay: float = 0.01
    regret: float = 3.0
    relative_regret: float = 5.0


def corrupted_streams(
    model: AVSRModel, data: Path, encode_text, noises: Sequence[np.ndarray], rng: np.random.Generator
) -> list[Utterance]:
    """Dev's utterances, each stream under many corruptions and encoded.

    Args:
        data: directory with text, wav.scp and video.scp.
        encode_text: text to token ids.
        noises: recordings in float; other voices for babble.
    """
    check_trainable(PICTURES, "the fusion's training")
    tables = [read_table(data / name, filled=True) for name in ("text", "wav.scp", "video.scp")]
    utts = sorted(set(tables[0]) & set(tables[1]) & set(tables[2]))
    if len(utts) < 2:
        raise AvsrError(f"{data}: has {len(utts)} utterances with sound and picture; the fusion needs two to learn from.")
    utts = [utts[place] for place in np.unique(np.linspace(0, len(utts) - 1, UTTERANCES).astype(int))]
    sounds = {utt: to_pcm(read_audio(tables[1][utt])[0]) for utt in utts}
    many, few = (max(2, min(most, total // len(utts))) for most, total in zip(_MOST, (_SOUNDS, _PICTURES)))
    made = []
    with progress("utterances corrupted and encoded", len(utts), 0) as advance:
        for utt in utts:
            clip = load_mouth_clip(tables[2][utt])
            length = max(-(-len(sounds[utt]) // SAMPLES), len(clip.frames))
            others = [other for other in utts if tables[0][other] != tables[0][utt]] or [utt]
            heard = [(sounds[utt],)]
            heard += [(_sound(sounds[utt], sounds[others[rng.integers(len(others))]], noises, rng),) for _ in range(many - 1)]
            seen = [(clip.frames, clip.confidence.astype(np.float32))]
            seen += [_picture(*seen[0], rng) for _ in range(few - 1)]
            streams = [
                encode_stream(model, stream, given, [length] * len(given), vectors=False)
                for stream, given in (("sound", heard), ("picture", seen))
            ]
            made.append(Utterance(np.array(encode_text(tables[0][utt]), np.int64), *streams))
            advance()
    return made


def teach(model: AVSRModel, utterances: Sequence[Utterance], seed: int, schedule: Schedule) -> list[float]:
    """Train model.fusion in place, from nothing where it is a network; the mean loss of every hundred steps."""
    import torch

    from avsr.model.avsr_model import make_fusion

    if model.config.fusion == "late":  # a constant goes on from what it was taught: it has nothing to unlearn
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model.fusion = make_fusion(model.config, model.eos + 1)
    model.eval()
    rng = np.random.default_rng([seed, 8])
    optimiser = torch.optim.AdamW(model.fusion.parameters(), schedule.rate, weight_decay=schedule.weight_decay)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimiser, schedule.rate, schedule.steps)
    told: list[float] = []
    losses: list[float] = []
    with progress("steps of the fusion", schedule.steps, 0) as advance:
        for step in range(1, schedule.steps + 1):
            loss = _loss(model, _batch(utterances, rng, schedule.batch), schedule)
            if not bool(torch.isfinite(loss)):
                raise AvsrError(f"the fusion's loss is {float(loss)} at step {step}: no model can be made of this run.")
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.fusion.parameters(), 5.0)
            optimiser.step()
            rates.step()
            losses.append(float(loss.detach()))
            if step % 100 == 0 or step == schedule.steps:
                told.append(float(np.mean(losses[-100:])))
                logging.info("step %d: loss %.3f a token", step, told[-1])
            advance()
    return told


def _batch(utterances: Sequence[Utterance], rng: np.random.Generator, size: int) -> tuple:
    chosen = [utterances[place] for place in rng.integers(len(utterances), size=size)]
    sounds = [one.sounds[rng.integers(len(one.sounds))] for one in chosen]
    pictures = [one.pictures[0 if rng.random() < _SEEN_WELL else rng.integers(1, len(one.pictures))] for one in chosen]
    return [one.tokens for one in chosen], sounds, pictures


def _loss(model: AVSRModel, batch: tuple, schedule: Schedule) -> torch.Tensor:
    """CTC of what was fused, a token, and what it costs to be over the better of the two streams alone."""
    import torch
    from torch.nn import functional as F

    tokens, sounds, pictures = batch
    (audio, lengths), (lip, _) = as_stream(sounds), as_stream(pictures)
    sizes = torch.tensor([len(one) for one in tokens])
    target = torch.from_numpy(np.concatenate(tokens))

    def ctc(log_probs: torch.Tensor) -> torch.Tensor:
        each = F.ctc_loss(log_probs.transpose(0, 1), target, lengths, sizes, reduction="none", zero_infinity=True)
        return each / sizes.clamp(min=1)

    fused = ctc(model.fuse(audio, lip, lengths).log_probs)
    with torch.no_grad():
        alone = torch.minimum(ctc(audio.log_probs), ctc(lip.log_probs))
    more = ((fused + _FAINT) / (alone + _FAINT)).log().relu()
    return (fused + schedule.regret * (fused - alone).relu() + schedule.relative_regret * more).mean()


def _sound(samples: np.ndarray, other: np.ndarray, noises: Sequence[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    draw = rng.random()
    if draw < _WRONG:
        return cut_or_loop(other, len(samples), rng) if other.any() else samples
    if draw < _WRONG + _SHIFTED:
        return to_pcm(sound_faults.shifted(from_pcm(samples), rng, ms=float(rng.uniform(-_LATEST, _LATEST))))
    mixed = corrupt_sound(from_pcm(samples), rng, noises=noises, config=SOUND)
    # Turned down, not cut off: cut-off peaks would tell the fusion of noise, and no other mixture has them.
    return to_pcm(mixed / max(1.0, float(np.abs(mixed).max(initial=0.0))))


def _picture(frames: np.ndarray, confidence: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    fraction = 1.0 if rng.random() < _WHOLE else float(rng.uniform(0.2, 0.9))
    fault = PICTURES[rng.integers(len(PICTURES))]
    options = {"blurred": {"sigma": float(rng.uniform(1.5, 6.0))}, "shrunk": {"factor": int(rng.integers(2, 6))}}.get(fault, {})
    return getattr(picture_faults, fault)(frames, confidence, rng, fraction=fraction, **options)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--exp", type=Path, required=True, help="the folder that was trained in")
    parser.add_argument("--dump", type=Path, required=True, help="what it was trained on; dev is learnt from")
    parser.add_argument("--tokens", type=Path, required=True)
    parser.add_argument("--seed", type=int, help="(default: the training's)")
    parser.add_argument("--steps", type=int, default=Schedule.steps)
    args = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    import os

    import torch

    from avsr.decoding.packed import load_trained
    from avsr.files import read_yaml, written_beside
    from avsr.training.preprocessor import Recordings
    from avsr.training.train import trained_streams

    model, tokenizer = load_trained(args.exp / "config.yaml", args.exp / AVERAGE, args.tokens)
    config = read_yaml(args.exp / "config.yaml")
    both = trained_streams(config) == {"speech", "video"}
    seed = int(config.get("seed") or 0) if args.seed is None else args.seed
    if both and model.fusion.late:
        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS") or 1))
        # What training mixed in; the corpus's own voices where the configuration names nothing else.
        named = config.get("noise_scp")
        table = Path(named) if named and Path(named).exists() else args.dump / "train" / "wav.scp"
        noises = Recordings(list(read_table(table, filled=True).values()))
        rng = np.random.default_rng([seed, 7])
        utterances = corrupted_streams(model, args.dump / "dev", tokenizer.encode, noises, rng)
        teach(model, utterances, seed, Schedule(steps=args.steps))
        if model.config.fusion == "late":
            teach_fallback(model, lambda rng, size: _batch(utterances, rng, size), seed, FallbackSchedule())
    else:
        logging.info("no two streams whose decisions could be fused: the weights stay as they are")
    with written_beside(args.exp / WEIGHTS) as temporary, open(temporary, "wb") as file:
        torch.save(model.state_dict(), file)  # to a file, for torch writes the name of a path into it
    return 0


if __name__ == "__main__":
    run_main(main)
