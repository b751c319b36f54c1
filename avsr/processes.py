"""Processes of this machine: jobs in, what came of each as it ends; and the bar that is shown meanwhile."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, TypeVar

Job = TypeVar("Job")

KILLED = "killed its process"
ONE_THREAD = ("OPENCV_FOR_THREADS_NUM", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_LINE = 60.0  # seconds between two lines in a log
_AHEAD = 4  # jobs handed out for each worker, so that none waits and no queue of a million is pickled


def in_processes(
    jobs: Sequence[Job], work: Callable[..., str | None], arguments: tuple[Any, ...], nj: int
) -> Iterator[tuple[Job, str | None]]:
    """Call `work(job, *arguments)` in `nj` processes; each job, as it ends, with what that returned.

    `work` is a function of a module and returns None, or why it could not do the job. Libraries may end a process
    instead of raising (decoders are C), which takes the whole pool along: those under way then are tried again one by
    one, each in a process of its own, and only the one that kills again comes back with KILLED.
    """
    queue = list(reversed(jobs))
    while queue:
        suspects = []
        for job, reason in _one_pool(queue, work, arguments, nj):
            if reason == KILLED:
                suspects.append(job)
            else:
                yield job, reason
        for job in suspects:
            yield from _one_pool([job], work, arguments, 1)


def _one_pool(
    queue: list[Job], work: Callable[..., str | None], arguments: tuple[Any, ...], nj: int
) -> Iterator[tuple[Job, str | None]]:
    """Works off `queue` from its end with `nj` processes, until it is empty or one of them dies; see `in_processes`."""
    pool = ProcessPoolExecutor(nj, get_context("spawn"))
    running: dict[Future, Job] = {}
    whole = True
    try:
        while running or (queue and whole):
            try:
                while whole and queue and len(running) < nj * _AHEAD:
                    with _for_worker():
                        future = pool.submit(work, queue[-1], *arguments)
                    running[future] = queue.pop()
            except BrokenProcessPool:
                whole = False
                if not running:
                    yield queue.pop(), KILLED
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                job, killed = running.pop(future), isinstance(future.exception(), BrokenProcessPool)
                whole = whole and not killed
                yield job, KILLED if killed else future.result()
    finally:  # also when interrupted: what is under way is finished, what waits is not begun
        pool.shutdown(cancel_futures=True)


@contextmanager
def _for_worker() -> Iterator[None]:
    """What a worker that is started now inherits: the cores are shared out by process, so that a library must not take
    all of them again; and it never hears of Ctrl-C, which is the parent's to answer (here it waits meanwhile)."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    interrupts = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        signal.pthread_sigmask(signal.SIG_SETMASK, interrupts)


@contextmanager
def progress(what: str, total: int, finished: int) -> Iterator[Callable[[], None]]:
    """A bar on stderr over all of `what` (a word for what is counted), or, where that is no terminal but a log, a line a minute and one at
    the end; gives the function that advances it by one."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield LogLines(what, total, finished).advance
        return
    columns = [TextColumn(what), BarColumn(), MofNCompleteColumn(), TextColumn("left"), TimeRemainingColumn()]
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=total, completed=finished)
        yield lambda: bar.advance(task)


class LogLines:
    """What is done of all, as lines on stderr. `clock`: seconds."""

    def __init__(self, what: str, total: int, finished: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._what, self._total, self._before, self._done, self._clock = what, total, finished, finished, clock
        self._began = self._told = clock()

    def advance(self) -> None:
        """One more is done."""
        self._done += 1
        now = self._clock()
        if self._done < self._total and now - self._told < _LINE:
            return
        self._told = now
        taken = now - self._began
        left = taken / (self._done - self._before) * (self._total - self._done)
        when = f"{_minutes(left)} left" if left else f"{_minutes(taken)} taken"
        print(f"{self._what} {self._done} of {self._total}, {when}", file=sys.stderr, flush=True)


def _minutes(seconds: float) -> str:
    return f"{round(seconds) // 60}:{round(seconds) % 60:02}"
