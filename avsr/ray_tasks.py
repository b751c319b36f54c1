"""Work on the nodes of a Ray cluster, any of which may die; `avsr.ray_cluster` connects to it first."""

from __future__ import annotations

import os
import pickle
import secrets
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import LocalRayletDiedError, NodeDiedError, RayError, RayTaskError, RuntimeEnvSetupError

from avsr import __version__
from avsr.backends import Work
from avsr.errors import AvsrError
from avsr.files import replace_file
from avsr.processes import KILLED, ONE_THREAD
from avsr.ray_nodes import Barred, Unfit, check_mark, check_version, last_line, unfit

_MARK = ".ray-mark"  # a file by which a node knows that its folder is this command's
_CRASH, _LOST, _LIMIT = 4, 1, 12  # what its process's death, and its node's, count for a job; and what is too much: three crashes
_LOOK = 5.0  # seconds between looks for nodes that are left
_PATIENCE = 60.0  # seconds to be without any
_END = 10.0  # seconds in which what is given up has to end


@dataclass(frozen=True)
class Needs:
    """What a node has to have: the mark in the folder `out`, what is read as it is here, this package's version.

    cwd: the folder of the command, by which its relative paths go. read: path, bytes and time of change of each.
    """

    out: Path
    mark: str
    read: tuple[tuple[Path, int, int], ...]
    version: str
    cwd: str

    def check(self) -> None:
        """Unfit where this node lacks one of them; else it stands in the command's folder."""
        check_version(self.version)
        try:
            os.chdir(self.cwd)
        except OSError as error:
            raise unfit(f"the folder {self.cwd} cannot be used there ({error.strerror}); start the command in one that is there too.") from None
        check_mark(self.out / _MARK, self.mark, "this command's")
        for path, *here in self.read:
            if _state(path) != tuple(here):
                raise unfit(f"{path} is not there what it is here; mount its folder at the same path, for the same user.")


@dataclass(frozen=True)
class _Raised:
    """What a job's function raised, and where."""

    error: Exception
    where: str


class RayBackend:
    """A task a job, each for one CPU of whatever node has it free; what a dead process or node was at is done again, and nothing else."""

    def run(self, work: Work, jobs: Sequence[Any], nj: int) -> Iterator[tuple[int, str | None]]:
        if not jobs:
            return
        with _marked(work) as needs:
            yield from _Run(work, jobs, nj, needs).outcomes()


class _Run:
    """Jobs that wait and those under way, some of them again."""

    def __init__(self, work: Work, jobs: Sequence[Any], nj: int, needs: Needs) -> None:
        self._work, self._jobs, self._nj, self._needs = work, jobs, nj, needs
        self._waiting = list(range(len(jobs) - 1, -1, -1))
        threads = {"env_vars": dict.fromkeys(ONE_THREAD, "1")}  # the cores are shared out by process, as at home
        self._task = ray.remote(num_cpus=1, max_retries=0, enable_task_events=False, runtime_env=threads)(_do)
        self._running: dict[ray.ObjectRef, int] = {}
        self._deaths: dict[int, int] = {}
        self._barred = Barred()
        self._why: dict[str, str] = {}  # by node
        self._seen = time.monotonic()  # a node that can do it

    def outcomes(self) -> Iterator[tuple[int, str | None]]:
        self._look_for_nodes()
        try:
            while self._waiting or self._running:
                while self._waiting and len(self._running) < self._nj:
                    self._start(self._waiting.pop())
                ended, _ = ray.wait(list(self._running), timeout=_LOOK)
                if not ended:
                    self._look_for_nodes()
                for task in ended:
                    place = self._running.pop(task)
                    again, reason = self._outcome(task, place)
                    if again:
                        self._waiting.append(place)
                    else:
                        yield place, reason
        finally:  # also when interrupted: what is under way ends, and leaves nothing half-written
            with suppress(RayError):  # Ray itself may have ended, which is said already
                for task in self._running:
                    ray.cancel(task)
                if self._running:
                    ray.wait(list(self._running), num_returns=len(self._running), timeout=_END)

    def _start(self, place: int) -> None:
        work = self._work
        task = self._task.options(name=work.what, **self._barred.options())
        self._running[task.remote(self._jobs[place], work.function, work.arguments, work.ready, self._needs)] = place

    def _outcome(self, task: ray.ObjectRef, place: int) -> tuple[bool, str | None]:
        """Whether the job is to be done again, else what came of it."""
        try:
            found = ray.get(task)
        except RayTaskError as error:  # not the function's own, which comes as a value
            raise AvsrError(f"the node {error.ip} cannot do this work ({last_line(error)}); install avsr there as here.") from error
        except RuntimeEnvSetupError as error:
            raise AvsrError(f"Ray cannot start processes ({last_line(error)}); see its logs on the nodes.") from error
        except LocalRayletDiedError as error:
            raise AvsrError("this machine is no node of the Ray cluster any more; what is finished is kept, run the same command again.") from error
        except RayError as error:  # its process was killed (by Ray too, where memory gets short), or its node is gone
            self._deaths[place] = self._deaths.get(place, 0) + (_LOST if isinstance(error, NodeDiedError) else _CRASH)
            return self._deaths[place] < _LIMIT, KILLED
        if isinstance(found, Unfit):
            self._bar(found)
            return True, None
        if isinstance(found, _Raised):
            raise found.error from RuntimeError(found.where)
        return False, found

    def _bar(self, found: Unfit) -> None:
        self._barred.add(found.node)
        if self._why.get(found.node) != found.why:
            self._why[found.node] = found.why
            print(found.why, file=sys.stderr)
        self._look_for_nodes()

    def _look_for_nodes(self) -> None:
        """AvsrError where no node is left that can do the work."""
        now, able = time.monotonic(), _able_nodes()
        fit = able - self._barred.now()
        if fit:
            self._seen = now
        elif able:
            raise AvsrError(f"no node of the cluster can do this work: {self._why[min(able & self._why.keys())]}")
        elif now - self._seen > _PATIENCE or not self._running:
            raise AvsrError("--backend ray: no node of the cluster has a CPU to give; start one with ray start --address HOST:PORT.")


def _do(job: Any, function: Callable[..., str | None], arguments: tuple[Any, ...], ready: Callable[[], object] | None, needs: Needs) -> object:
    """Runs on a node: what the function returned, or Unfit, or _Raised."""
    try:
        needs.check()
        if ready is not None:
            _make_ready(ready)
    except Unfit as error:
        return error
    try:
        return function(job, *arguments)
    except Exception as error:  # to be raised where the person is
        return _Raised(_sendable(error), traceback.format_exc())


def _sendable(error: Exception) -> Exception:
    """The same, or one that tells it where it does not survive being pickled: some libraries' own do not."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # whatever its parts raise
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


@lru_cache(maxsize=8)
def _make_ready(ready: Callable[[], object]) -> None:
    try:
        ready()
    except AvsrError as error:
        raise unfit(str(error)) from error


@contextmanager
def _marked(work: Work) -> Iterator[Needs]:
    mark = work.out / _MARK
    work.out.mkdir(parents=True, exist_ok=True)
    needs = Needs(work.out, secrets.token_hex(16), tuple((path, *_state(path)) for path in work.reads), __version__, os.getcwd())
    replace_file(mark, needs.mark.encode())
    try:
        yield needs
    finally:
        mark.unlink(missing_ok=True)


def _state(path: Path) -> tuple[int, int]:
    """Bytes (none of a folder, which file systems measure differently) and time of change; (-1, -1) where there is nothing."""
    try:
        found = os.stat(path)
    except OSError:
        return -1, -1
    return (found.st_size if path.is_file() else 0), found.st_mtime_ns


def _able_nodes() -> set[str]:
    return {node["NodeID"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1}
