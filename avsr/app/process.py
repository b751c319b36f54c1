"""What a process of ours binds itself to before it opens what people send."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Iterator

_PARENT_DIED = 1  # PR_SET_PDEATHSIG of Linux
_DONT_NEED = 4  # MADV_DONTNEED of Linux
_STACK = 2 << 20  # bytes of each thread


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


def limit_data(memory: int, written: int) -> None:
    """This process may take so many bytes of memory beyond the files that it has mapped, write so many to a file, and leaves no core."""
    import resource

    for what, most in ((resource.RLIMIT_DATA, memory + _STACK * (os.cpu_count() or 1)), (resource.RLIMIT_FSIZE, written), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(what, (most, most))


def limit_worker(memory: int, written: int) -> None:
    """The same of a process with the model, which opens nothing itself; its children may be given more. What it has mapped (torch: 10 GB)
    cannot be limited, and its seconds are its supervisor's to count, since those of a process only grow."""
    import resource

    for what, most in ((resource.RLIMIT_DATA, memory), (resource.RLIMIT_FSIZE, written)):
        resource.setrlimit(what, (most, resource.getrlimit(what)[1]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def small_stacks() -> None:
    """Begin this program again, where its threads' stacks would not be small: what they might take counts as taken."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    if soft == resource.RLIM_INFINITY or soft > _STACK:
        resource.setrlimit(resource.RLIMIT_STACK, (_STACK, hard))
        os.execv(sys.executable, sys.orig_argv)


def give_memory_back(*, code: bool = False) -> None:
    """Give the system back what has been freed; with `code` also the pages of programs and libraries, which are read again from their
    files where they are wanted: `import torch` alone touches 200 MB that nothing touches again where there is no GPU."""
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "malloc_trim"):  # glibc
        library.malloc_trim(0)
    for start, stop in _untouched_code() if code else ():
        library.madvise(ctypes.c_void_p(start), ctypes.c_size_t(stop - start), _DONT_NEED)


def _untouched_code() -> Iterator[tuple[int, int]]:
    """The addresses of mapped files that cannot be written to and have not been, so that nothing is lost with their pages."""
    with open("/proc/self/smaps") as file:
        lines = file.read().splitlines()
    for line in lines:
        name, *fields = line.split()
        if not name.endswith(":"):
            place, code = name, "w" not in fields[0] and len(fields) > 4 and fields[4].startswith("/")
        elif name == "Anonymous:" and code and fields[0] == "0":
            start, stop = place.split("-")
            yield int(start, 16), int(stop, 16)
