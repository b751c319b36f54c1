"""Work on the nodes of a Ray cluster: the same bytes as at home, and of what dies only its own job is done again."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from avsr.backends import Work, work_off
from avsr.corpora.talking_heads.make import make_corpus
from avsr.errors import AvsrError
from avsr.lips import folder
from avsr.lips.folder import Job, crop_folder, crop_one
from avsr.processes import KILLED
from tests.app.conftest import wait_for
from tests.app.ray_nodes import Nodes, started_nodes
from tests.corpora.talking_heads.test_make import ORDER, stand_ins  # noqa: F401 - a fixture
from tests.lips.test_folder import write_mouth

# Not pytest.importorskip: Ray reads at import what `started_nodes` sets.
pytestmark = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed (pip install 'avsr[ray]')")


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with pytest.MonkeyPatch.context() as patch:
        # Ray asks a dead node for work until it knows of its death: for 3 s, not 15.
        for name, value in {"period_ms": "1000", "failure_threshold": "3"}.items():
            patch.setenv(f"RAY_health_check_{name}", value)
        with started_nodes(2) as found:
            yield found


@pytest.fixture(scope="module")
def cropped(videos, tmp_path_factory) -> dict[str, bytes]:
    """What processes of this machine make of them."""
    out = tmp_path_factory.mktemp("local")
    crop_folder(videos, out, nj=1, mouth_only=True)
    return tree(out)


@pytest.fixture
def ray_backend(nodes):
    from avsr.ray_tasks import RayBackend

    return RayBackend()


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    """Mouths, and one file that is none."""
    place = tmp_path_factory.mktemp("videos")
    for number, name in enumerate("abcd"):
        write_mouth(place / f"{name}.mp4", 8 + number, sound=name == "a")
    (place / "e.mp4").write_bytes(b"not media at all")
    return place


def tree(out: Path) -> dict[str, bytes]:
    """Every file, hidden ones too; the folder's own name, which tables hold, is left out."""
    return {str(path.relative_to(out)): path.read_bytes().replace(bytes(out), b"") for path in out.rglob("*") if path.is_file()}


def noted(job: str, notes: Path) -> int:
    """Note that a job is begun in this process; how often it was before."""
    path = notes / job
    with path.open("a") as file:
        file.write(f"{os.getpid()}\n")
    return len(path.read_text().split()) - 1


def begun(notes: Path) -> dict[str, int]:
    return {path.name: len(path.read_text().split()) for path in notes.iterdir()}


def crop_slowly(job: Job, out: Path, mouth_only: bool) -> str | None:
    """Crops, but stops for a minute over one clip when it is first begun."""
    if noted(job.utt, out.parent / "notes") == 0 and job.utt == "b":
        time.sleep(60)
    return crop_one(job, out, mouth_only)


def obey(job: str, notes: Path) -> str | None:
    noted(job, notes)
    if job == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if job == "full":
        raise AvsrError(f"{notes}: cannot be written to; make room.")
    if job == "lost":
        raise FileNotFoundError(2, "No such file", "lost.txt")
    if job == "stubborn":
        raise Stubborn(7, what="decoder")
    return "threads " + os.environ["OPENCV_FOR_THREADS_NUM"] if job == "threads" else None


class Stubborn(Exception):
    """An error that does not survive being pickled, as some libraries' own do not."""

    def __init__(self, code: int, *, what: str) -> None:
        super().__init__(f"{what} {code}")


def on_one_node() -> None:
    """Fit is the node that asks first, once another has asked too."""
    import ray

    node = ray.get_runtime_context().get_node_id()
    try:
        os.symlink(node, "first")
    except FileExistsError:
        pass
    if os.readlink("first") != node:
        Path("second").touch()
        raise AvsrError("the pillow is missing; fetch it.")
    wait_for(Path("second").exists, "the other node to ask")


@contextmanager
def once_begun(note: Path, kill) -> Iterator[None]:
    """`kill(process)` of the process that notes there first, meanwhile."""
    thread = threading.Thread(target=lambda: kill(int(wait_for(lambda: note.exists() and note.read_text(), "the job to begin"))))
    thread.start()
    yield
    thread.join()


def test_crops_are_the_same_bytes_by_the_command(videos, cropped, tmp_path, nodes):
    command = [sys.executable, "-m", "avsr.cli", "crop", str(videos), "--out", "far", "--mouth-only", "--nj", "3"]
    root = str(Path(__file__).resolve().parents[1])
    environment = os.environ | {"PYTHONPATH": root}
    options = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True}
    done = subprocess.run([*command, "--backend", "ray", "--ray-address", nodes.address], **options)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "4 mouth clips made, 0 were there, 1 could not be used (see failed.tsv).\n" and "mouth clips 5 of 5" in done.stderr
    assert tree(tmp_path / "far") == cropped


def test_a_corpus_is_the_same_bytes_and_is_gone_on_with_anywhere(stand_ins, ray_backend):  # noqa: F811
    local = make_corpus(ORDER, stand_ins / "local", nj=1)
    far = make_corpus(ORDER, stand_ins / "far", nj=2, backend=ray_backend)
    assert far == local and tree(stand_ins / "far") == tree(stand_ins / "local")
    lost = sorted((stand_ins / "far" / ".made").iterdir())[3]
    lost.unlink()
    assert make_corpus(ORDER, stand_ins / "far", nj=2, backend=ray_backend).made == 1
    assert tree(stand_ins / "far") == tree(stand_ins / "local")


@pytest.mark.parametrize("what", ["process", "node"])
def test_what_is_killed_costs_its_own_job_alone(videos, cropped, tmp_path, nodes, ray_backend, monkeypatch, what):
    monkeypatch.setattr(folder, "crop_one", crop_slowly)
    notes = tmp_path / "notes"
    notes.mkdir()
    kill = nodes.kill_node_of if what == "node" else lambda process: os.kill(process, signal.SIGKILL)
    with once_begun(notes / "b", kill):
        report = crop_folder(videos, tmp_path / "far", nj=2, mouth_only=True, backend=ray_backend)
    assert report.made == 4 and begun(notes) == {"a": 1, "b": 2, "c": 1, "d": 1, "e": 1}
    assert tree(tmp_path / "far") == cropped
    if what == "node":
        nodes.add()


def test_outcomes_are_those_of_processes(tmp_path, ray_backend):
    jobs = ["kill", "one", "threads", "two"]
    work = Work("orders", obey, (tmp_path,), tmp_path)
    assert list(work_off(work, jobs, nj=2, backend=ray_backend)) == [("kill", KILLED), ("one", None), ("threads", "threads 1"), ("two", None)]
    assert begun(tmp_path) == {"kill": 3, "one": 1, "threads": 1, "two": 1}


def test_what_a_job_raises_comes_back_as_it_is_and_is_not_tried_again(tmp_path, ray_backend):
    work = Work("orders", obey, (tmp_path,), tmp_path)
    with pytest.raises(AvsrError) as said:
        list(work_off(work, ["full"], nj=1, backend=ray_backend))
    assert type(said.value) is AvsrError and str(said.value) == f"{tmp_path}: cannot be written to; make room."
    with pytest.raises(FileNotFoundError) as lost:
        list(work_off(work, ["lost"], nj=1, backend=ray_backend))
    assert lost.value.filename == "lost.txt" and "in obey" in str(lost.value.__cause__)
    with pytest.raises(RuntimeError, match="Stubborn: decoder 7") as stubborn:
        list(work_off(work, ["stubborn"], nj=1, backend=ray_backend))
    assert "in obey" in str(stubborn.value.__cause__)
    assert begun(tmp_path) == {"full": 1, "lost": 1, "stubborn": 1}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("__version__", "0", "avsr is .* there and 0 here; install the same"),
        ("replace_file", lambda path, data: path.write_bytes(b"another's"), "is not this command's folder there"),
        ("_state", lambda path: (1, 1), "videos.* is not there what it is here; mount its folder"),
    ],
    ids=["version", "folder", "videos"],
)
def test_nodes_that_lack_something_are_refused(videos, tmp_path, ray_backend, monkeypatch, capsys, name, value, said):
    from avsr import ray_tasks

    monkeypatch.setattr(ray_tasks, name, value)
    with pytest.raises(AvsrError, match=f"no node of the cluster can do this work: node .*{said}"):
        crop_folder(videos, tmp_path, nj=2, mouth_only=True, backend=ray_backend)
    assert not list((tmp_path / "mouth").iterdir()) and capsys.readouterr().err.count("Its work goes to other nodes.") == 2


def test_a_cluster_without_a_node_that_works_is_a_sentence(tmp_path, ray_backend, monkeypatch):
    from avsr import ray_tasks

    monkeypatch.setattr(ray_tasks, "_able_nodes", set)
    with pytest.raises(AvsrError, match="no node of the cluster has a CPU to give; start one"):
        list(work_off(Work("orders", obey, (tmp_path,), tmp_path), ["one"], nj=1, backend=ray_backend))
    assert not list(tmp_path.iterdir())


def test_the_other_node_does_it_all(tmp_path, ray_backend, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    jobs = [f"job {number}" for number in range(6)]
    notes = tmp_path / "notes"
    notes.mkdir()
    run = ray_backend.run(Work("orders", obey, (notes,), tmp_path, ready=on_one_node), jobs, 3)
    assert sorted(run) == [(number, None) for number in range(6)]
    assert set(begun(notes).values()) == {1}
    assert capsys.readouterr().err.count("the pillow is missing; fetch it. Its work goes to other nodes.") == 1
