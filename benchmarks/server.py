"""The caption server under load: kills, many uploads at once, a large upload, and what it takes beyond recognising.

    python -m benchmarks.server --work DIR [--model ZIP] [--kills 50] [--seed 1]

A made person's sentences are cut to 10 s. Measured: kills of server or worker at random moments while videos are worked
off, and whether a job is lost, done twice or stuck, or a file left over; 20 uploads at once and the answer to one more than is taken; how
much the server's memory grows with an upload of 1 GB; and the seconds from the last byte to the captions, beside those of the recogniser
alone in a process that has the model already, and those of burning and of soft captions; and the most memory that each process has had
resident while hostile files came, pictures as large as are taken among them, and while the clip was captioned.
"""

from __future__ import annotations

import argparse
import os
import statistics
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np

from avsr.decoding.default_model import find_model
from avsr.stages.command import run_main
from avsr.stages.machine import describe_commit, describe_machine
from benchmarks.measure import talking_video
from tests.app.conftest import Server, ended, free_port, start_server, upload, wait_for
from tests.app.test_kills import check_whole, kill_at_random, workers_of

_CLIP = 10.0  # seconds
_PATIENCE = 1800.0


def ten_seconds(source: Path, path: Path) -> Path:
    """The packets of the first 10 s."""
    import av

    with av.open(str(source)) as whole, av.open(str(path), "w", format="mp4") as out:
        copies = {stream.index: out.add_stream_from_template(stream) for stream in (whole.streams.video[0], whole.streams.audio[0])}
        for packet in whole.demux(*(whole.streams[index] for index in copies)):
            if packet.dts is not None and float(packet.dts * packet.time_base) < _CLIP:
                packet.stream = copies[packet.stream_index]
                out.mux(packet)
    return path


def resident(process: int) -> float:
    """Megabytes."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def measure_kills(work: Path, model: Path, clip: bytes, kills: int, seed: int) -> list[str]:
    """Kill until `kills` have been made and all is done; videos are added so that there is always something to do."""
    rng = np.random.default_rng(seed)
    server = start_server(work / "kills", model, port=free_port())
    ids, made, slowest = [], {"server": 0, "worker": 0}, 0.0
    try:
        while sum(made.values()) < kills:
            with server.client("owner") as client:
                videos = client.get("/api/videos").json()["videos"]
                while sum(video["state"] != "done" for video in videos) < 2:
                    ids.append(upload(client, clip).id)
                    videos = client.get("/api/videos").json()["videos"]
            # Now and then long enough for the model to be loaded and something to be read.
            server, what = kill_at_random(server, rng, model, longest=float(rng.choice([2.0, 20.0])))
            made[what] += 1
            slowest = max(slowest, _until_taken_up(server))
        server_kills = f"{made['server']} of the server, {made['worker']} of a worker"
        found = check_whole_patiently(server, ids)
        texts = {tuple(cue["text"] for cue in video["cues"]) for video in found}
        return [
            f"kills: {kills} ({server_kills}); {len(ids)} videos, all done once, no file left over; {len(texts)} different captions of the one "
            f"clip; longest until a job was at work again {slowest:.1f} s",
        ]
    finally:
        server.kill()


def _until_taken_up(server: Server) -> float:
    """Seconds until a job is at work, where one waits."""
    began = time.monotonic()
    with server.client("owner") as client:
        wait_for(
            lambda: (states := [video["state"] for video in client.get("/api/videos").json()["videos"]])
            and ("running" in states or "queued" not in states),
            "a job to be taken up", 120.0,
        )  # fmt: skip
    return time.monotonic() - began


def check_whole_patiently(server: Server, ids: list[str]) -> list[dict]:
    with server.client("owner") as client:
        for id in ids:
            ended(client, id, _PATIENCE)
    return check_whole(server, ids, "owner")


def measure_burst(work: Path, model: Path, clip: bytes) -> list[str]:
    """20 at once, where 20 are taken, and one more."""
    server = start_server(work / "burst", model)
    try:
        server.kill()
        server = _start_small(work / "burst", model, 20)
        began = time.monotonic()
        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda n: upload(server.client("owner"), clip, f"{n}.mp4"), range(20)))
        sent = time.monotonic() - began
        with server.client("owner") as client:
            more = client.post("/api/uploads", headers={"Upload-Length": "1000"})
            positions = [video["progress"]["position"] for video in client.get("/api/videos").json()["videos"]]
            states = [ended(client, answer.id, _PATIENCE)["state"] for answer in answers]
        waits = sorted(position for position in positions if position)
        return [
            f"20 uploads at once: sent in {sent:.1f} s, {states.count('done')} done after {time.monotonic() - began:.0f} s; positions shown "
            f"{waits[0]} to {waits[-1]}; one more: {more.status_code}, Retry-After {more.headers.get('retry-after')}",
        ]
    finally:
        server.kill()


def _start_small(data: Path, model: Path, waiting: int) -> Server:
    return start_server(data, model, "--max-waiting", str(waiting))


def measure_large(work: Path, model: Path) -> list[str]:
    """1 GB of zeros by tus, in one request: it is refused in the end, which plays no part."""
    server = start_server(work / "large", model)
    try:
        process, size, block = server.process.pid, 1 << 30, bytes(1 << 20)
        before = peak = resident(process)

        def body():
            nonlocal peak
            for number in range(size // len(block)):
                if number % 16 == 0:
                    peak = max(peak, resident(process))
                yield block

        with httpx.Client(base_url=server.url, headers={"Authorization": "Bearer owner"}, timeout=300.0) as client:
            place = client.post("/api/uploads", headers={"Upload-Length": str(size)}).headers["location"]
            began = time.monotonic()
            kind = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
            answer = client.patch(place, content=body(), headers=kind)
        spent = time.monotonic() - began
        return [f"1 GB uploaded in {spent:.1f} s: the server grew from {before:.0f} by {peak - before:.1f} MB (answer {answer.status_code}, no media)"]
    finally:
        server.kill()


def measure_overhead(work: Path, model: Path, clip: Path) -> list[str]:
    """Five times from the last byte to the captions, the burned and the soft video, and the recogniser alone."""
    from avsr.decoding.recognizer import Recognizer
    from avsr.runtime import limit_threads

    limit_threads()
    recognizer = Recognizer.load(model)
    server = start_server(work / "overhead", model)
    whole, alone, burned, soft = [], [], [], []
    try:
        with server.client("owner") as client:
            ended(client, upload(client, clip.read_bytes()).id)  # the worker has its model by now
            for _ in range(5):
                id = _timed(whole, lambda: _captioned(client, clip))
                _timed(alone, lambda: recognizer.transcribe(clip, faces=4))
                _timed(burned, lambda: _burned(client, id))
                _timed(soft, lambda: client.get(f"/api/videos/{id}/soft.mp4").raise_for_status())
            memory = max(map(resident, workers_of(server)))
        middle = [statistics.median(times) for times in (whole, alone, burned, soft)]
        overhead = middle[0] - middle[1]
        return [
            f"10 s clip, medians of 5: upload to captions {middle[0]:.2f} s, of which recognising takes {middle[1]:.2f}; beyond that "
            f"{overhead:.2f} s ({overhead / _CLIP:.3f} of the duration), with soft captions {(overhead + middle[3]) / _CLIP:.3f}, burned "
            f"{(overhead + middle[2]) / _CLIP:.3f}; the worker holds {memory:.0f} MB",
        ]
    finally:
        server.kill()


class Watch:
    """The most memory, megabytes, that the processes of a server have had: name -> (resident, its share of what several have)."""

    _NAMES = (b"avsr.app.worker", b"avsr.app.reading", b"avsr.app.child")

    def __init__(self, server: Server) -> None:
        self._server, self._ended = server, threading.Event()
        self.most: dict[str, tuple[int, int]] = {}
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.02):
            self._add("server", self._server.process.pid)
            self._under(self._server.process.pid, "")

    def _under(self, parent: int, name: str) -> None:
        try:
            found = [number for task in Path(f"/proc/{parent}/task").iterdir() for number in (task / "children").read_text().split()]
            for process in map(int, found):
                command = Path(f"/proc/{process}/cmdline").read_bytes()
                own = next((one.decode() for one in self._NAMES if one in command), None)
                if own is not None:
                    own = f"{own}, for a file" if own == name else own
                    self._add(own, process)
                    self._under(process, own)
        except OSError:
            pass  # it has ended

    def _add(self, name: str, process: int) -> None:
        try:
            told = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        except OSError:
            return
        sizes = {line.split()[0]: int(line.split()[1]) >> 10 for line in told[1:]}
        most = self.most.get(name, (0, 0))
        self.most[name] = max(most[0], sizes["Rss:"]), max(most[1], sizes["Pss:"])

    def said(self) -> str:
        return "; ".join(f"{name} {resident} ({share})" for name, (resident, share) in sorted(self.most.items()))


def measure_memory(work: Path, model: Path, clip: Path) -> list[str]:
    """Hostile files one after the other, then the clip three times."""
    from tests.app.test_hostile import hostile_files, large_files

    server = start_server(work / "memory", model)
    lines = []
    try:
        with server.client("owner") as client:
            wait_for(lambda: workers_of(server) and resident(workers_of(server)[0]) > 300, "the model")
            (work / "hostile").mkdir(exist_ok=True)
            files = {name: data for name, (data, _) in hostile_files(work / "hostile").items()} | large_files()
            with Watch(server) as watch:
                answers = [upload(client, data, "x.mp4") for data in files.values()]
                states = [ended(client, answer.id, _PATIENCE)["state"] for answer in answers]
            lines.append(f"{len(files)} hostile files ({states.count('failed')} failed), most MB resident (shared out): {watch.said()}")
            with Watch(server) as watch:
                for _ in range(3):
                    id = _captioned(client, clip)
                    client.get(f"/api/videos/{id}/soft.mp4").raise_for_status()
            lines.append(f"captions and soft captions, 3 times: {watch.said()}")
            with Watch(server) as watch:
                _burned(client, id)
            lines.append(f"burning: {watch.said()}")
        return lines
    finally:
        server.kill()


def _timed(times: list[float], what):
    began = time.perf_counter()
    found = what()
    times.append(time.perf_counter() - began)
    return found


def _captioned(client: httpx.Client, clip: Path) -> str:
    id = upload(client, clip.read_bytes()).id
    ended(client, id)
    return id


def _burned(client: httpx.Client, id: str) -> None:
    client.post(f"/api/videos/{id}/burn").raise_for_status()
    wait_for(lambda: client.get(f"/api/videos/{id}").json()["burn"]["state"] == "done", "burning")
    client.get(f"/api/videos/{id}/burned.mp4").raise_for_status()


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for the clip and the servers' files")
    parser.add_argument("--model", type=Path, help="packed model; the usual one if left out")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1, help="of the kills' moments")
    parser.add_argument("--only", choices=("kills", "burst", "large", "overhead", "memory"), help="one of the five")
    args = parser.parse_args(argv)
    model = args.model or find_model()
    args.work.mkdir(parents=True, exist_ok=True)
    clip = ten_seconds(talking_video(args.work, seconds=_CLIP), args.work / "clip.mp4")
    data = clip.read_bytes()
    print(f"{describe_machine()}; {describe_commit()}; {model.name}; seed {args.seed}", flush=True)
    parts = {
        "overhead": lambda: measure_overhead(args.work, model, clip),
        "memory": lambda: measure_memory(work=args.work, model=model, clip=clip),
        "large": lambda: measure_large(args.work, model),
        "burst": lambda: measure_burst(args.work, model, data),
        "kills": lambda: measure_kills(args.work, model, data, args.kills, args.seed),
    }
    for name, measure in parts.items():
        if args.only in (None, name):
            print("\n".join(measure()), flush=True)
    return 0


if __name__ == "__main__":
    run_main(main)
