"""A Ray cluster beside processes: the caption server's workers, a node of theirs that is killed, and the cropping of clips.

    python -m benchmarks.cluster --work DIR [--model ZIP] [--only PART]

The clip is that of `benchmarks.server`. First a server with processes and one with a Ray cluster of this machine alone caption it in turn; then a
cluster of two nodes on this machine loses the one on which it is read, five times. Last (`--only tasks`) copies of the clip are cropped by two processes
and by two nodes in turn.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import httpx

from avsr.decoding.default_model import find_model
from avsr.stages.command import run_main
from avsr.stages.machine import describe_commit, describe_machine
from benchmarks.measure import talking_video
from benchmarks.server import resident, ten_seconds
from tests.app.conftest import ended, start_server, upload, wait_for
from tests.app.test_kills import check_whole

_CLIP = 10.0  # seconds
_PATIENCE = 1800.0  # seconds
_COPIES, _TURNS = 24, 3  # of the clip, to crop; and how often all of them are


def _below(process: int) -> list[int]:
    """Process numbers of all that were started by a process, or by one of those."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = [process]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found[1:]


def measure_turns(work: Path, model: Path, clip: bytes) -> list[str]:
    """From the last byte to the captions by a server with processes and by one with Ray, nine times in turn."""
    began = time.monotonic()
    servers = {backend: start_server(work / backend, model, "--backend", backend) for backend in ("ray", "local")}
    up = time.monotonic() - began
    times: dict[str, list[float]] = {backend: [] for backend in servers}
    try:
        for server in servers.values():
            with server.client("owner") as client:
                _captioned(client, clip)  # the worker has its model by now
        for _ in range(9):
            for backend, server in servers.items():
                with server.client("owner") as client:
                    began = time.perf_counter()
                    _captioned(client, clip)
                    times[backend].append(time.perf_counter() - began)
        more = [ray - local for ray, local in zip(times["ray"], times["local"])]
        held = {backend: sum(map(resident, _below(server.process.pid))) for backend, server in servers.items()}
        return [
            f"10 s clip, in turn, medians of {len(more)}: upload to captions {statistics.median(times['local']):.2f} s with processes and "
            f"{statistics.median(times['ray']):.2f} with Ray; Ray less processes, clip by clip, {statistics.median(more):.2f} ({min(more):.2f} to "
            f"{max(more):.2f}); memory besides the server's {held['local']:.0f} and {held['ray']:.0f} MB; both up after {up:.1f} s",
        ]
    finally:
        for server in servers.values():
            server.process.terminate()
            server.process.wait(30)


def measure_nodes(work: Path, model: Path, clip: bytes) -> list[str]:
    """Five times: two nodes, a video, and the node that it is worked on is killed while it is read."""
    from tests.app.ray_nodes import started_nodes, the_actor

    waits: dict[str, list[float]] = {"queued": [], "running": [], "reading": []}
    with started_nodes(2) as nodes:
        server = start_server(work / "nodes", model, "--backend", "ray", "--ray-address", nodes.address)
        try:
            with server.client("owner") as client:
                ids = []
                for _ in range(5):
                    ids.append(upload(client, clip).id)
                    _seen(client, ids[-1], "reading")
                    nodes.kill_node_of(the_actor(nodes, "RayWorker"))
                    began = time.monotonic()
                    for what, seconds in waits.items():
                        _seen(client, ids[-1], what)
                        seconds.append(time.monotonic() - began)
                    nodes.add()
                    ended(client, ids[-1], _PATIENCE)
            texts = {tuple(cue["text"] for cue in video["cues"]) for video in check_whole(server, ids, "owner")}
        finally:
            server.kill()
    told = "; ".join(f"{what} {statistics.median(seconds):.1f} s (at most {max(seconds):.1f})" for what, seconds in waits.items())
    return [f"a node killed while a 10 s clip is read, {len(ids)} times: all done once, {len(texts)} different captions; after the kill {told}"]


def measure_tasks(work: Path, model: Path, clip: bytes) -> list[str]:
    """The clip's copies cropped by two processes and on two nodes of one CPU each, in turn; the first turn, in which workers load, is told apart."""
    from avsr.backends import LOCAL, Backend
    from avsr.lips.folder import crop_folder
    from tests.app.ray_nodes import started_nodes

    videos = work / "copies"
    videos.mkdir(exist_ok=True)
    for number in range(_COPIES):
        (videos / f"{number:02d}.mp4").write_bytes(clip)

    def seconds(name: str, backend: Backend) -> float:
        shutil.rmtree(work / name, ignore_errors=True)
        began = time.perf_counter()
        report = crop_folder(videos, work / name, nj=2, backend=backend)
        assert report.made == _COPIES, report
        return time.perf_counter() - began

    with started_nodes(2):
        from avsr.ray_tasks import RayBackend

        backends: dict[str, Backend] = {"local": LOCAL, "ray": RayBackend()}
        first = {name: seconds(name, backend) for name, backend in backends.items()}
        times = {name: [] for name in backends}
        for _ in range(_TURNS):
            for name, backend in backends.items():
                times[name].append(seconds(name, backend))
    clips = [sorted((path.name, path.read_bytes()) for path in (work / name / "mouth").iterdir()) for name in backends]
    ratios = [ray / local for local, ray in zip(times["local"], times["ray"])]
    return [
        f"{_COPIES} copies of the {_CLIP:.0f} s clip cropped, two at once, medians of {_TURNS} turns: processes {statistics.median(times['local']):.1f} s, Ray "
        f"{statistics.median(times['ray']):.1f}, ratio {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}); the first turn {first['local']:.1f} "
        f"and {first['ray']:.1f}; the clips are {'the same bytes' if clips[0] == clips[1] else 'DIFFERENT'}",
    ]


def _seen(client: httpx.Client, id: str, what: str) -> None:
    """Wait for a state of a video, or a step of what is done with it."""

    def there() -> bool:
        video = client.get(f"/api/videos/{id}").json()
        return what in (video["state"], (video["progress"] or {}).get("step"))

    wait_for(there, what)


def _captioned(client: httpx.Client, clip: bytes) -> None:
    ended(client, upload(client, clip).id, _PATIENCE)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for the clip and the servers' files")
    parser.add_argument("--model", type=Path, help="packed model; the usual one if left out")
    parser.add_argument("--only", choices=("turns", "nodes", "tasks"), help="one of the three")
    args = parser.parse_args(argv)
    model = args.model or find_model()
    args.work.mkdir(parents=True, exist_ok=True)
    clip = ten_seconds(talking_video(args.work, seconds=_CLIP), args.work / "clip.mp4").read_bytes()
    print(f"{describe_machine()}; {describe_commit()}; {model.name}", flush=True)
    for name, measure in {"turns": measure_turns, "nodes": measure_nodes, "tasks": measure_tasks}.items():
        if args.only in (None, name):
            print("\n".join(measure(args.work, model, clip)), flush=True)
    return 0


if __name__ == "__main__":
    run_main(main)
