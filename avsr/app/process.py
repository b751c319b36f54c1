"""What a process of ours binds itself to before it opens what people send."""

from __future__ import annotations

import ctypes
import signal
import sys

_PARENT_DIED = 1  # PR_SET_PDEATHSIG of Linux


def follow_parent() -> None:
    """Be killed when the server is: of two workers none has the other's job, and nothing is written that nobody waits for."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DIED, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's to answer


def limit_process(memory: int, seconds: int, written: int) -> None:
    """This process may take so many bytes of addresses, seconds of processor time, and bytes a file, and leaves no core."""
    import resource

    for what, most in (
        (resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, seconds), (resource.RLIMIT_FSIZE, written), (resource.RLIMIT_CORE, 0),
    ):  # fmt: skip
        resource.setrlimit(what, (most, most))
