"""ESPnet's trainer, made safe against being killed while it saves (`avsr.training.checkpoint`), with AMP on a CPU too."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import torch
from espnet2.train.trainer import Trainer, TrainerOptions

from avsr.processor import multiplies_bfloat16
from avsr.training.checkpoint import is_whole, keep_earlier


class SafeTrainer(Trainer):
    """ESPnet validates an epoch, writes checkpoint.pth, then {epoch}epoch.pth; either may be cut off."""

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
        if not distributed_option.distributed or distributed_option.dist_rank == 0:
            keep_earlier(Path(options.output_dir))

    @staticmethod
    def resume(*, checkpoint: str | Path, model: torch.nn.Module, reporter, **others) -> None:
        """As ESPnet's; then write the epoch's weights, which averaging may want, where the kill came before they were."""
        Trainer.resume(checkpoint=checkpoint, model=model, reporter=reporter, **others)
        weights = Path(checkpoint).with_name(f"{reporter.get_epoch()}epoch.pth")
        if not is_whole(weights):
            temporary = weights.with_name(f".{weights.name}.{os.getpid()}")  # one for each process of a distributed run
            torch.save(model.state_dict(), temporary)
            os.replace(temporary, weights)
