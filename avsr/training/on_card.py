"""Trains the lips alone with every picture held on the graphics card, where nothing but the card's own work takes time.

    python -m avsr.training.on_card --config conf/train_lips.yaml --data dump/daily_ko --tokens DIR --exp EXP --epochs 60

ESPnet's loop has loader processes decode, move and light each clip anew; a small model's card then waits for them. Here clips are
decoded once, the card moves and lights them, and batches are filled up to one size. What comes out, EXP/last.pth, is a state that
--init_param of a training of both takes. The configuration's scheduler and max_epoch are ESPnet's: here --epochs counts, and the rate
falls along a cosine. For corpora that fit: a picture is 9 KB, an hour of mouths 0.8 GB.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader

from avsr.errors import AvsrError
from avsr.files import read_yaml, written_beside
from avsr.lips.crop import SIDE
from avsr.lips.mouth_clip import FPS
from avsr.model.avsr_model import AVSRModel, ModelConfig, align_loss, between_marks, ctc_loss, shape_loss
from avsr.processor import multiplies_bfloat16
from avsr.stages.command import run_main
from avsr.text.scores import ErrorCount, cer
from avsr.text.tokens import Tokenizer, load_tokenizer
from avsr.training.initial import check_frozen
from avsr.training.held import HeldClips, Views, hold_clips, lay_together, plain_view
from avsr.training.task import check_parts, make_augmentation, make_config

ROOM = 8192  # pictures and gaps in a batch
STATE = "state.pth"  # weights, optimiser, clips and steps: what a training goes on from
WEIGHTS = "last.pth"
PROGRESS = "progress.tsv"
_EVERY = 60.0  # seconds between two states, or
_SHARE = 10  # times as long as a look at dev takes, where that is more,
_LONGEST = 900.0  # but no longer: a process that was stopped for a while has taken long over one
_SHOWN = 10.0  # seconds between two lines
_WARM = 0.03  # of the training, in which the learning rate rises
_HEARD = ("audio_", "fusion")  # parts of the model that no sound comes to here
_LOOKED_AT = 100  # clips of dev at once


@dataclass(frozen=True)
class Plan:
    """How long and how: epochs, the highest learning rate, and the rest of a training configuration's optim_conf and grad_clip."""

    epochs: float
    lr: float
    weight_decay: float = 0.01
    grad_clip: float = 5.0
    seed: int = 1

    def rate(self, done: float) -> float:
        """The learning rate when `done` of all, 0 to 1, is behind: up in a line at first, then down to nothing along a cosine."""
        if done < _WARM:
            return self.lr * max(done / _WARM, 0.02)
        return self.lr * 0.5 * (1 + float(np.cos(np.pi * min(1.0, (done - _WARM) / (1 - _WARM)))))


def seen(frames: torch.Tensor, batch: Mapping[str, torch.Tensor], crop_size: int, pool: int = 1) -> torch.Tensor:
    """The pictures that a batch shows, as `avsr.training.augment` would have made them, up to its rounding.

    With `pool` above 1 they are made as small as `LipEncoder.reduce` makes them, without ever being large, which saves a fifth of a step's time on a
    processor: each pixel is the mean of 2 x 2 places, lit and hidden when it is small.

    Args:
        frames: (N, side, side) uint8, all that are held.
        batch: see `avsr.training.held.lay_together`.

    Returns:
        (M, crop_size // pool, crop_size // pool) float32, 0 to 255.
    """
    kind = torch.float16 if frames.is_cuda else torch.float32
    clip = torch.repeat_interleave(torch.arange(len(batch["lengths"])), batch["lengths"]).to(frames.device)
    side, places = crop_size // pool, 1 if pool == 1 else 2
    shown = side * pool / crop_size  # what the last pixel would not fill is left out, at the right and below
    warp = batch["warp"].float()
    warp = torch.cat([warp[:, :, :2] * shown, warp[:, :, 2:] - (1 - shown) * warp[:, :, :2].sum(2, keepdim=True)], 2)
    grid = F.affine_grid(warp[clip], [len(clip), 1, side * places, side * places], align_corners=False)
    pictures = frames[batch["rows"]][:, None].to(kind)
    pictures = F.grid_sample(pictures, grid.to(kind), padding_mode="border", align_corners=False).float()
    pictures = F.avg_pool2d(pictures, places)[:, 0]
    gamma, gain, offset = (batch["light"][clip, place, None, None] for place in range(3))
    pictures = (255 * (pictures / 255) ** gamma * gain + offset).clamp(0, 255)
    pictures = pictures.masked_fill((batch["lost"] == 1)[:, None, None], 0.0)
    mean = pictures.new_zeros(len(batch["lengths"])).index_add_(0, clip, pictures.mean((1, 2)))
    mean = (mean / batch["lengths"].to(frames.device))[clip, None, None]
    middle = pool * (torch.arange(side, device=frames.device) + 0.5)
    top, bottom, left, right = (batch["blank"][clip, edge, None] for edge in range(4))
    blank = ((middle >= top) & (middle < bottom))[:, :, None] & ((middle >= left) & (middle < right))[:, None, :]
    return torch.where(blank | (batch["lost"] == 2)[:, None, None], mean, pictures)


def by_clip(rows: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Clips behind one another (M, ...) laid side by side, (B, T, ...), zero past each length; lengths (B,) on the CPU."""
    longest = int(lengths.max())
    places = (torch.arange(longest) < lengths[:, None]).flatten().nonzero()[:, 0].to(rows.device)
    padded = rows.new_zeros(len(lengths) * longest, *rows.shape[1:])
    return padded.index_copy(0, places, rows).unflatten(0, (len(lengths), longest))


def lip_losses(
    model: AVSRModel, pictures: torch.Tensor, batch: Mapping[str, torch.Tensor], shapes: torch.Tensor | None, room: int = 0
) -> dict[str, torch.Tensor]:
    """What `AVSRModel.forward` computes of a batch without sound, and no more than that.

    Args:
        pictures: (M, h, w) float, of `LipEncoder.reduce`, the clips behind one another.
        batch: see `avsr.training.held.lay_together`; lengths and text_lengths on the CPU, text and align where the model is.
        shapes: (M, 7) float, or None.
        room: see `LipEncoder.convolve`.

    Returns:
        loss, ctc, attention, and align and shape where there are such.
    """
    encoder, config, lengths = model.lip_encoder, model.config, batch["lengths"]
    looks = encoder.project(encoder.convolve(encoder.level(by_clip(pictures, lengths), lengths), lengths, room).flatten(2))
    vectors = encoder.follow(looks, lengths)
    log_probs = model.lip_ctc.ctc_lo(vectors).float().log_softmax(-1)
    text, text_lengths = batch["text"], batch["text_lengths"]
    losses = {"ctc": ctc_loss(log_probs, lengths, text.clamp(min=0), text_lengths)}
    inputs, targets = between_marks(text, text_lengths, model.sos, model.eos)
    out, _ = model.decoder(vectors, lengths, inputs, text_lengths + 1)
    losses["attention"] = model.attention_loss(out.float(), targets)
    # The head's own and that of the fusion, which has nothing else to go by.
    loss = (config.ctc_weight + config.head_weight) * losses["ctc"] + (1 - config.ctc_weight) * losses["attention"]
    if config.align_weight > 0:
        losses["align"] = align_loss(model.lip_align(vectors).float(), batch["align"])
        loss = loss + config.align_weight * losses["align"]
    if model.lip_shape is not None and shapes is not None:
        losses["shape"] = shape_loss(model.lip_shape(looks).float(), by_clip(shapes, lengths), lengths)
        loss = loss + config.shape_weight * losses["shape"]
    return {"loss": loss} | losses


class CardTraining:
    """A model, the clips that it learns from where it computes, and how far it is.

    Args:
        model: with an STCNN-LSTM for the lips; it is trained, apart from what hears and fuses.
        clips, dev: what is learnt from, and what shows how well.
        exp: folder of STATE, WEIGHTS and PROGRESS; a training that was cut off there goes on.
    """

    def __init__(self, model: AVSRModel, clips: HeldClips, dev: HeldClips, tokenizer: Tokenizer, exp: Path, plan: Plan, device: torch.device) -> None:
        self.model, self.dev, self.tokenizer, self.exp, self.plan, self.device = model.to(device), dev, tokenizer, exp, plan, device
        try:
            self.frames = torch.from_numpy(clips.frames).to(device)
        except torch.OutOfMemoryError as error:
            raise AvsrError(f"the card has no room for {clips.frames.nbytes / 1e9:.1f} GB of pictures: hold smaller ones (--side 48 is a quarter).") from error
        self.shapes = None if clips.shapes is None else torch.from_numpy(clips.shapes).to(device)
        self.parameters = [rows for name, rows in model.named_parameters() if not name.startswith(_HEARD)]
        self.optimiser = torch.optim.AdamW(self.parameters, lr=plan.lr, weight_decay=plan.weight_decay, fused=True)
        self.wanted = round(plan.epochs * len(clips.names))
        self.clips = self.steps = 0
        if (exp / STATE).exists():
            state = torch.load(exp / STATE, map_location=device, weights_only=True)
            self.model.load_state_dict(state["model"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.clips, self.steps = state["clips"], state["steps"]

    def learn(self, batch: Mapping[str, torch.Tensor], room: int) -> dict[str, torch.Tensor]:
        """One step on a batch; its losses."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.plan.rate(self.clips / self.wanted)
        on_cpu = {"lengths", "text_lengths"}
        batch = {name: rows if name in on_cpu else rows.to(self.device, non_blocking=True) for name, rows in batch.items()}
        with torch.no_grad():
            pictures = seen(self.frames, batch, self.model.lip_encoder.crop_size, self.model.lip_encoder.pool)
        shapes = None if self.shapes is None else self.shapes[batch["rows"]].float()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda" or multiplies_bfloat16()):
            losses = lip_losses(self.model, pictures, batch, shapes, room)
        self.optimiser.zero_grad(set_to_none=True)
        losses["loss"].backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, self.plan.grad_clip, foreach=True)
        self.optimiser.step()
        self.clips += len(batch["lengths"])
        self.steps += 1
        return {name: value.detach() for name, value in losses.items()}

    def run(self, batches: Iterable[Mapping[str, torch.Tensor]], room: int) -> None:
        """All that is left, a line now and then, a state and a look at dev a minute."""
        self.model.train()
        began = shown = saved = time.monotonic()
        first, count, sums, every = self.clips, 0, {}, _EVERY
        for batch in batches:
            if self.clips >= self.wanted:
                break
            losses = self.learn(batch, room)
            count, sums = count + 1, {name: sums.get(name, 0) + value for name, value in losses.items()}
            now = time.monotonic()
            if now - shown > _SHOWN or self.clips >= self.wanted:
                told = ", ".join(f"{name} {float(value) / count:.2f}" for name, value in sums.items())
                left = (self.wanted - self.clips) * (now - began) / (self.clips - first)
                pace = 1000 * (now - shown) / count
                say(f"step {self.steps}, epoch {self.clips / self.wanted * self.plan.epochs:.2f} of {self.plan.epochs:g}, {told}, {pace:.0f} ms a step, {left:.0f} s left")
                shown, count, sums = now, 0, {}
            if now - saved > every:
                self.save()
                saved = time.monotonic()
                every = min(_LONGEST, max(_EVERY, _SHARE * (saved - now)))
        self.save()

    def save(self) -> None:
        """STATE and WEIGHTS, each whole or as it was, and a line of PROGRESS."""
        wrong, loss = self.look()
        say(f"dev: CER {wrong:.1f} % of the lips' head alone, CTC {loss:.2f}")
        self.exp.mkdir(parents=True, exist_ok=True)
        with open(self.exp / PROGRESS, "a", encoding="utf-8") as lines:
            lines.write(f"{self.steps}\t{self.clips}\t{wrong:.2f}\t{loss:.3f}\n")
        weights = self.model.state_dict()
        state = {"model": weights, "optimiser": self.optimiser.state_dict(), "clips": self.clips, "steps": self.steps}
        for name, what in ((STATE, state), (WEIGHTS, weights)):
            with written_beside(self.exp / name) as path:
                torch.save(what, path)

    @torch.no_grad()
    def look(self) -> tuple[float, float]:
        """Of dev, by the lips' head alone and the best token of each frame: CER in percent, and CTC's loss a clip."""
        self.model.eval()
        encoder, dev, errors, loss = self.model.lip_encoder, self.dev, ErrorCount(0, 0), 0.0
        for first in range(0, len(dev.names), _LOOKED_AT):
            numbers = range(first, min(len(dev.names), first + _LOOKED_AT))
            texts = [self.tokenizer.encode(dev.texts[number]) for number in numbers]
            batch = lay_together([plain_view(dev, number, encoder.crop_size, text) for number, text in zip(numbers, texts, strict=True)])
            frames = torch.from_numpy(dev.frames[int(batch["rows"][0]) : int(batch["rows"][-1]) + 1]).to(self.device)
            batch = {name: rows if "lengths" in name else rows.to(self.device) for name, rows in batch.items()} | {"rows": torch.arange(len(frames))}
            pictures = by_clip(seen(frames, batch, encoder.crop_size, encoder.pool), batch["lengths"])
            looks = encoder.project(encoder.convolve(encoder.level(pictures, batch["lengths"]), batch["lengths"]).flatten(2))
            log_probs = self.model.lip_ctc.ctc_lo(encoder.follow(looks, batch["lengths"])).float().log_softmax(-1)
            loss += float(ctc_loss(log_probs, batch["lengths"], batch["text"].clamp(min=0), batch["text_lengths"])) * len(texts)
            for row, length, number in zip(log_probs.argmax(-1).cpu(), batch["lengths"], numbers, strict=True):
                said = self.tokenizer.decode(token for token in torch.unique_consecutive(row[:length]).tolist() if token)
                errors += cer(dev.texts[number], said)
        self.model.train()
        return errors.rate, loss / len(dev.names)


def make_model(config: Mapping, tokenizer: Tokenizer, init: Path | None) -> AVSRModel:
    """The model of a training configuration, from a .pth of `init` where it has the same names and sizes."""
    conf = make_config(ModelConfig, config.get("model_conf") or {}, "model_conf")
    check_parts(conf)
    if conf.lip_conf.get("encoder", "stcnn_lstm") != "stcnn_lstm":
        raise AvsrError(f"model_conf.lip_conf.encoder is {conf.lip_conf['encoder']}: on the card only stcnn_lstm is trained.")
    model = AVSRModel(len(tokenizer), conf)
    if init is not None:
        given, own = torch.load(init, map_location="cpu", weights_only=True), model.state_dict()
        fitting = {name: rows for name, rows in given.items() if name in own and own[name].shape == rows.shape}
        lacking = sorted(name for name in own if name not in fitting and not name.startswith(_HEARD))
        if lacking:
            raise AvsrError(f"--init {init}: it has no {lacking[0]} of this model's size; give a state of the same lip_conf and tokens.")
        model.load_state_dict(fitting, strict=False)
    return model


def say(line: str) -> None:
    """On the standard error, at once."""
    print(line, file=sys.stderr, flush=True)


def check_numbers(args: argparse.Namespace) -> None:
    """AvsrError names a number that cannot be."""
    for name, least, most in (("epochs", 1e-3, 1e5), ("room", 10, 10**6), ("side", 8, SIDE), ("nj", 1, 1024)):
        value = getattr(args, name)
        if not least <= value <= most:
            raise AvsrError(f"--{name} {value}: give {least:g} to {most:g}.")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--config", type=Path, required=True, help="training YAML, for example recipes/daily_ko/avsr1/conf/train_lips.yaml")
    parser.add_argument("--data", type=Path, required=True, help="directory with the tables of train/ and dev/")
    parser.add_argument("--tokens", type=Path, required=True, help="directory of the tokens stage")
    parser.add_argument("--exp", type=Path, required=True, help="where state.pth, last.pth and progress.tsv go")
    parser.add_argument("--epochs", type=float, required=True, help="how often each clip is seen")
    parser.add_argument("--init", type=Path, help="a .pth to begin with, as this program or ESPnet wrote it")
    parser.add_argument("--freeze", nargs="+", default=[], help="parts that stay as they are, for example the decoder, which the sound's encoder is used to")
    parser.add_argument("--room", type=int, default=ROOM, help="pictures in a batch (default: %(default)s)")
    parser.add_argument("--side", type=int, default=SIDE, help="pixels that a picture is held with, %(default)s or fewer (default: %(default)s)")
    parser.add_argument("--nj", type=int, default=os.cpu_count() or 1, help="processes that read, and draw (default: one a core)")
    args = parser.parse_args(arguments)
    check_numbers(args)
    config = read_yaml(args.config)
    optim = config.get("optim_conf") or {}
    plan = Plan(args.epochs, float(optim.get("lr", 0.002)), float(optim.get("weight_decay", 0.01)), float(config.get("grad_clip", 5.0)), int(config.get("seed", 1)))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(plan.seed)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    tokenizer = load_tokenizer(args.tokens)
    model = make_model(config, tokenizer, args.init)
    check_frozen(args.freeze, dict(model.named_parameters()))
    for name, weights in model.named_parameters():
        weights.requires_grad_(not name.startswith(tuple(f"{part}." for part in args.freeze)))
    augmentation = make_augmentation(config.get("augment_conf") or {})
    clips, dev = (hold_clips(args.data / split, side=args.side, nj=args.nj) for split in ("train", "dev"))
    training = CardTraining(model, clips, dev, tokenizer, args.exp, plan, device)
    say(f"{len(clips.names)} clips of {len(clips.frames) / FPS / 3600:.2f} hours on {device}, {training.clips} seen already")
    left_out = [name for name in ("occluded", "blurred") if getattr(augmentation.picture, name) > 0]
    if left_out:
        say(f"augment_conf.picture: {' and '.join(left_out)} pictures are not drawn here; those clips stay as they are")
    views = Views(clips, tokenizer, augmentation, seed=(plan.seed, training.clips), room=args.room)
    training.run(DataLoader(views, batch_size=None, num_workers=args.nj, pin_memory=device.type == "cuda", prefetch_factor=8), args.room)
    return 0


if __name__ == "__main__":
    run_main(main)
