"""Work that is shared out: each job's outcome in the jobs' order, wherever and in whatever order it is done."""

from __future__ import annotations

import time
import types
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avsr import backends
from avsr.backends import Work, open_backend, witnesses, work_off
from avsr.errors import AvsrError


def nap(seconds: float, folder: Path) -> str | None:
    time.sleep(seconds)
    (folder / f"{seconds}").touch()
    return None if seconds else "it was not tired"


def full(job: int, folder: Path) -> str | None:
    raise AvsrError(f"{folder}: no room for {job}; make some.")


def absent() -> None:
    raise AvsrError("the pillow is missing; fetch it.")


class AnyOrder:
    """A backend that ends jobs in the order that it is given."""

    def __init__(self, order: list[int]) -> None:
        self._order = order

    def run(self, work, jobs, nj):
        yield from ((place, work.function(jobs[place], *work.arguments)) for place in self._order)


@given(st.integers(0, 12).flatmap(lambda count: st.permutations(range(count))))
def test_outcomes_have_the_order_of_the_jobs(order):
    jobs = [f"job {place}" for place in range(len(order))]
    work = Work("jobs", lambda job, said: f"{job} {said}", ("ended",), Path("nowhere"))
    assert list(work_off(work, jobs, nj=3, backend=AnyOrder(order))) == [(job, f"{job} ended") for job in jobs]


def test_processes_of_this_machine(tmp_path, capsys):
    naps = [0.3, 0.0, 0.1]
    found = list(work_off(Work("naps", nap, (tmp_path,), tmp_path), naps, nj=2, kept=4))
    assert found == [(0.3, None), (0.0, "it was not tired"), (0.1, None)]
    assert {path.name for path in tmp_path.iterdir()} == {"0.3", "0.0", "0.1"} and "naps 7 of 7" in capsys.readouterr().err
    with pytest.raises(AvsrError, match="no room for 1; make some"):
        list(work_off(Work("naps", full, (tmp_path,), tmp_path), [1], nj=1))


def test_what_cannot_be_begun_is_a_sentence(tmp_path):
    work = Work("naps", nap, (tmp_path,), tmp_path, ready=absent)
    with pytest.raises(AvsrError, match="the pillow is missing"):
        work_off(work, [0.0], nj=1)
    assert list(work_off(work, [], nj=1)) == [], "where nothing is to be done nothing is wanted for it"
    with pytest.raises(AvsrError, match="nj is 0; give the number of processes"):
        work_off(work, [], nj=0)
    with pytest.raises(AvsrError, match="--ray-address: only --backend ray works with a cluster"):
        with open_backend("local", "127.0.0.1:6379", nj=1, out=tmp_path):
            pass


def test_one_file_of_each_file_system_stands_for_the_others(monkeypatch):
    disks = {"/a/1": 1, "/a/2": 1, "/b": 2, ".": 3}

    def stat(folder):
        if folder not in disks:
            raise FileNotFoundError(folder)
        return types.SimpleNamespace(st_dev=disks[folder])

    monkeypatch.setattr(backends, "os", types.SimpleNamespace(stat=stat, path=backends.os.path))
    paths = ["/gone/v.mp4", "/a/1/v.mp4", "/a/1/w.mp4", "/a/2/v.mp4", "/b/v.mp4", "v.mp4"]
    assert witnesses(paths) == (Path("/a/1/v.mp4"), Path("/b/v.mp4"), Path("v.mp4"))
