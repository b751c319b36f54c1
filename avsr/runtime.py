"""What surrounds recognising in a process: how many threads it takes, and that libraries keep quiet at import."""

from __future__ import annotations

import io
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

_THREADS = 2


@contextmanager
def quiet_imports() -> Iterator[None]:
    """Nothing that a library prints, logs or warns about while it is imported here reaches the person.

    ESPnet's attention prints that it lacks Flash Attention, and logs through the root logger, which gives that a
    handler for good; both are undone. Errors are raised as ever.
    """
    root = logging.getLogger()
    handlers, level, disabled = list(root.handlers), root.level, root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        for handler in [handler for handler in root.handlers if handler not in handlers]:
            root.removeHandler(handler)
        root.setLevel(level)


def limit_threads() -> int:
    """Let torch take OMP_NUM_THREADS threads, or 2 where that is not set: more gain little on one utterance at a time."""
    import torch

    wanted = os.environ.get("OMP_NUM_THREADS", "")
    threads = int(wanted) if wanted.isdigit() and int(wanted) else _THREADS
    torch.set_num_threads(threads)
    return threads


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch in one thread meanwhile: a beam search is thousands of small operations, at which a second thread doubles the
    work of a free machine and, waiting for its turn on a busy one, multiplies the time by ten."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
