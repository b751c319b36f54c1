"""Keeps a training that is killed while it saves from losing its place: ESPnet writes checkpoint.pth over itself."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

CHECKPOINT = "checkpoint.pth"
EARLIER = "checkpoint.earlier.pth"  # of the epoch before
TORN = "checkpoint.torn.pth"


def is_whole(path: Path) -> bool:
    """Whether a file of torch.save was written to its end: the directory of its zip comes last. False where there is none."""
    return zipfile.is_zipfile(path)


def keep_earlier(exp: Path) -> None:
    """Move the checkpoint away from where the next is about to be written; call it right before that."""
    if is_whole(exp / CHECKPOINT):
        os.replace(exp / CHECKPOINT, exp / EARLIER)


def mend_checkpoint(exp: Path) -> tuple[str, list[str]]:
    """Before a training starts or goes on, see to it that the checkpoint in `exp` is whole or absent.

    A torn one makes way for the epoch before; without that, training begins anew: from the newest epoch's weights where there are
    any, the torn one being set aside, else from nothing, and it goes.

    Returns:
        What was done, in a sentence, "" where all is well; and what ESPnet is to be told besides.
    """
    checkpoint, earlier = exp / CHECKPOINT, exp / EARLIER
    if is_whole(checkpoint) or not (checkpoint.exists() or earlier.exists()):
        return "", []
    said = f"{checkpoint} was not written to its end, as training was stopped meanwhile"
    if is_whole(earlier):
        os.replace(earlier, checkpoint)
        return f"{said}: training goes on from the epoch before.", []
    weights = [path for path in exp.glob("*epoch.pth") if path.name.removesuffix("epoch.pth").isdigit() and is_whole(path)]
    if not weights:
        checkpoint.unlink(missing_ok=True)
        return f"{said}: training begins anew.", []
    if checkpoint.exists():
        os.replace(checkpoint, exp / TORN)
    newest = max(weights, key=lambda path: int(path.name.removesuffix("epoch.pth")))
    # Optimizer and schedule are lost with the checkpoint; the weights are not.
    return f"{said}, and there is none before it: epochs begin anew, from the weights of {newest.name}.", ["--init_param", str(newest)]
