"""ESPnet's trainer, made safe against being killed while it saves (`avsr.training.checkpoint`), with AMP on a CPU too."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from pathlib import Path

import torch
from espnet2.train.distributed_utils import DistributedOption
from espnet2.train.reporter import Reporter
from espnet2.train.trainer import Trainer, TrainerOptions

from avsr.processor import multiplies_bfloat16
from avsr.training.checkpoint import CHECKPOINT, is_whole, keep_earlier


class SafeTrainer(Trainer):
    """ESPnet validates an epoch, writes checkpoint.pth, then {epoch}epoch.pth and the links to it; a kill may come anywhere in between."""

    @classmethod
    def run(cls, *, trainer_options: TrainerOptions, distributed_option: DistributedOption, **others) -> None:
        """As ESPnet's; what a kill left undone of the last epoch is done first, and a training that was at its end stays there."""
        checkpoint = Path(trainer_options.output_dir) / CHECKPOINT
        if trainer_options.resume and is_whole(checkpoint):
            trainer_options = _caught_up(checkpoint, trainer_options, first=_is_first(distributed_option))
        super().run(trainer_options=trainer_options, distributed_option=distributed_option, **others)

    @classmethod
    def train_one_epoch(cls, *, model: torch.nn.Module, options: TrainerOptions, **others) -> bool:
        """As ESPnet's, whose `use_amp` is for graphics cards: here a CPU takes bfloat16 too, where that is faster."""
        lower = options.use_amp and options.ngpu == 0 and multiplies_bfloat16()
        if options.use_amp and options.ngpu == 0:
            logging.info("use_amp on this CPU: %s", "bfloat16" if lower else "it has no instructions for bfloat16, so float32")
        if lower:
            # Around each forward by itself. Autocast keeps its copies of the weights until the outermost one is left: around
            # the epoch, all steps would be computed with the weights of the first.
            model.forward = torch.autocast("cpu", torch.bfloat16)(model.forward)
        try:
            return super().train_one_epoch(model=model, options=options, **others)
        finally:
            if lower:
                del model.forward

    @classmethod
    def validate_one_epoch(cls, *, options, distributed_option, **others) -> None:
        """As ESPnet's; what comes next is the writing of the checkpoint."""
        super().validate_one_epoch(options=options, distributed_option=distributed_option, **others)
        if _is_first(distributed_option):
            keep_earlier(Path(options.output_dir))


def _is_first(distributed_option: DistributedOption) -> bool:
    """Whether this process is the one that writes."""
    return not distributed_option.distributed or distributed_option.dist_rank == 0


def _caught_up(checkpoint: Path, options: TrainerOptions, *, first: bool) -> TrainerOptions:
    """The options to go on with from a whole checkpoint, whose epoch is finished where this process is the first."""
    states, reporter = torch.load(checkpoint, map_location="cpu", weights_only=False), Reporter()
    reporter.load_state_dict(states["reporter"])
    if first:
        finish_epoch(checkpoint.parent, states["model"], reporter, options)
    # ESPnet asks for early stopping after an epoch alone, and would train one more than it did when nothing came in between.
    if options.patience is not None and reporter.check_early_stopping(options.patience, *options.early_stopping_criterion):
        return dataclasses.replace(options, max_epoch=reporter.get_epoch())
    return options


def finish_epoch(exp: Path, weights: Mapping, reporter: Reporter, options: TrainerOptions) -> None:
    """What ESPnet does of an epoch once its checkpoint is written: its weights, the links to the latest and the best, and the removal
    of weights that are not kept. After the last epoch nothing else would do it."""
    epoch = reporter.get_epoch()
    if not is_whole(exp / f"{epoch}epoch.pth"):
        # Under its own name, which torch writes into the file; one that is torn by a kill is written again.
        torch.save(weights, exp / f"{epoch}epoch.pth")
    links, kept = {"latest.pth": epoch}, {epoch}
    most = options.keep_nbest_models if isinstance(options.keep_nbest_models, int) else max(options.keep_nbest_models, default=1)
    for phase, name, mode in options.best_model_criterion:
        if reporter.has(phase, name):
            best = reporter.sort_epochs(phase, name, mode)
            links[f"{phase}.{name}.best.pth"] = best[0]
            kept |= set(best[:most])
    for name, number in links.items():
        (exp / name).unlink(missing_ok=True)
        (exp / name).symlink_to(f"{number}epoch.pth")
    for path in exp.glob("*epoch.pth"):
        number = path.name.removesuffix("epoch.pth")
        if number.isdigit() and int(number) < epoch and int(number) not in kept:
            path.unlink()
