"""Rooms of the caption server: what a whole meeting is like, over the network's own loop, recognised by the real model.

    python -m benchmarks.rooms --work DIR [--people 1] [--minutes 1] [--browser webrtc] [--faults] [--breaks 0] [--pause 2] [--model ZIP] [--seed 21]

Made people's sentences are played into a room of a server of its own by the reference client's recording, or by Chromium whose camera and microphone
are that file; another participant listens. Measured: the delay of sound and pictures without recognition and how many pictures come through, as
/metrics says; how late partial lines and finals are after the words were spoken, what is taken back, and the CER beside the file's; the
memory of the server's processes over time; and, with --breaks, whether a line is lost or doubled where the connection is cut so many times;
with --faults, after how long the room is told that a microphone is dead or a camera is covered in the middle of a sentence.

How the file's seconds lie in the room's is known where the client plays it. Of a browser it is guessed: where its finals begin, against where
the sentences do, with what that guess is wrong by for the client in the same run, which is why --browser plays both in turn.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from avsr.app.live.client import Server as Door
from avsr.app.live.recording import Recording
from avsr.decoding.default_model import find_model
from avsr.decoding.live.messages import Final, Partial
from avsr.lips.mouth_clip import FPS
from avsr.media.captions import Word
from avsr.media.play import given_by
from avsr.media.probe import probe
from avsr.media.write import write_video
from avsr.stages.command import run_main
from avsr.stages.machine import describe_commit, describe_machine
from benchmarks.live import Report, fault, judged, rate
from benchmarks.made_meeting import meeting
from tests.app.conftest import BROWSER, Server, start_server

_CHUNK = 0.1  # seconds of a message with media, as the page's
_EVERY = 5.0  # seconds between two looks at /metrics and at memory
_SETTLED = 60.0  # seconds after which memory is what it will stay, if it stays: it goes up and down with the pictures that wait
_LAST = 900.0  # seconds in which the last lines must come


class Visitor:
    """Somebody with a connection: keeps all messages and when they came, in the room's seconds; comes back when it is cut."""

    def __init__(self, door: Door, room: str, name: str) -> None:
        self.messages: list[tuple[float, dict[str, Any]]] = []
        self.number, self.began = 0, 0.0  # the room's second 0, by time.monotonic
        self._door, self._room, self._name = door, room, name
        self._resume, self._seq = "", 0
        self._sockets = ExitStack()
        self.left, self.again = threading.Event(), threading.Event()
        self.connect()

    def connect(self) -> None:
        from websockets.sync.client import connect

        known = {"resume": self._resume} if self._resume else {"ticket": self._door.post(f"/api/live/rooms/{self._room}/tickets")["ticket"]}
        place = self._door.base.replace("http", "ws", 1) + f"/api/live/rooms/{self._room}/socket"
        self.socket = self._sockets.enter_context(connect(place, max_size=None, compression=None))
        self.say(type="join", name=self._name, seq=self._seq, **known)
        hello = json.loads(self.socket.recv())
        self.number, self._resume = hello["participant"], hello["resume"]
        self.began = self.began or time.monotonic() - hello["time"]
        threading.Thread(target=self._listen, args=(self.socket,), daemon=True).start()

    def say(self, **message: Any) -> None:
        self.socket.send(json.dumps(message))

    def cut(self) -> None:
        """The connection breaks, without a word."""
        self.socket.socket.close()

    def numbered(self) -> list[int]:
        """The numbers of the messages that must not be lost, as they came."""
        return [message["seq"] for _, message in self.messages if "seq" in message]

    def _listen(self, socket: Any) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            for text in socket:
                message = json.loads(text)
                self.messages.append((time.monotonic() - self.began, message))
                self._seq = max(self._seq, message.get("seq", 0))
                if message["type"] == "error":
                    print(f"{self._name}: {message['message']}", flush=True)
                    self.again.set()
        except (ConnectionClosed, OSError):
            pass
        if socket.close_code == 1000:
            self.left.set()


def play(visitor: Visitor, video: Path, begins: list[float], breaks: int, seconds: float) -> None:
    """Play the file into the room again and again for so many seconds; `begins` gets each time's beginning, in the room's."""
    from websockets.exceptions import ConnectionClosed

    end, cuts = time.monotonic() + seconds, []
    if breaks:
        cuts = [time.monotonic() + seconds * (one + 0.5) / breaks for one in range(breaks)]
    while time.monotonic() < end:
        recording, began = Recording(video), time.monotonic()
        begins.append(began - visitor.began)
        while not recording.over:
            try:
                visitor.again.clear()
                visitor.say(type="start", media="webm")
                for chunk in recording.chunks(began, _CHUNK):
                    if cuts and time.monotonic() > cuts[0]:
                        cuts.pop(0)
                        visitor.cut()
                    visitor.socket.send(chunk)
                    if visitor.again.is_set():
                        break
            except (ConnectionClosed, OSError):
                visitor.connect()
    visitor.say(type="leave")
    if not visitor.left.wait(_LAST):
        raise SystemExit(f"the last line did not come within {_LAST:.0f} s.")


def browse(server: Server, room: str, video: Path, work: Path, seconds: float, transport: str) -> None:
    """The same by Chromium, once."""
    from playwright.sync_api import sync_playwright

    camera, microphone = work / f"{video.stem}.y4m", work / f"{video.stem}.wav"
    if not camera.exists() or not microphone.exists():
        write_fake_devices(video, camera, microphone)
    files = [f"--use-file-for-fake-video-capture={camera}", f"--use-file-for-fake-audio-capture={microphone}%noloop"]
    fake = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=[*fake, *files])
        page = browser.new_context(permissions=["camera", "microphone"]).new_page()
        page.add_init_script("localStorage.setItem('avsr.live.faces', 'off')")  # browsers of one machine would decode each other
        page.goto(f"{server.url}/live?transport={transport}#{room}")
        page.fill("#name", "browser")
        page.press("#name", "Enter")
        page.wait_for_selector("#start")
        page.click("#start")
        page.wait_for_timeout(1000 * seconds)
        page.click("#leave")
        page.wait_for_selector("#door:not([hidden])")
        browser.close()


def write_fake_devices(video: Path, camera: Path, microphone: Path) -> None:
    """What Chromium takes for a camera, raw pictures (YUV4MPEG2), 30 a second, and for a microphone, WAV. Where Chromium reads a film too slowly it shows it slower, and
    does not skip: Motion JPEG, which it would have to decode, fell behind the sound on a busy machine."""
    import av

    shown_until = 0  # thirtieths of a second

    with av.open(str(video)) as whole, camera.open("wb") as pictures, av.open(str(microphone), "w", format="wav") as sound:
        shown, heard = whole.streams.video[0], whole.streams.audio[0]
        pictures.write(b"YUV4MPEG2 W%d H%d F30:1 Ip A1:1 C420jpeg\n" % (shown.width, shown.height))
        pcm, resampler = sound.add_stream("pcm_s16le", rate=48_000, layout="mono"), av.AudioResampler("s16", "mono", 48_000)
        for frame in whole.decode(shown, heard):
            if isinstance(frame, av.VideoFrame):
                picture = frame.to_ndarray(format="yuv420p").tobytes()
                while shown_until < 30 * (frame.time + 1 / FPS) - 0.5:
                    pictures.write(b"FRAME\n" + picture)
                    shown_until += 1
            else:
                for piece in resampler.resample(frame):
                    sound.mux(pcm.encode(piece))
        sound.mux(pcm.encode(None))


def faulty(video: Path, stream: str, start: float, end: float) -> Path:
    """The same video with that stream gone from second to second."""
    path = video.with_name(f"{video.stem}-{stream}.mp4")
    if not path.exists():
        change, pictures, samples = fault(stream, start, end), [], []
        for one in map(change, given_by(video, probe(video))):
            (pictures if one.samples is None else samples).append(one.picture if one.samples is None else one.samples)
        write_video(path, np.stack(pictures), FPS, np.concatenate(samples))
    return path


def play_faults(door: Door, room: str, listener: Visitor, video: Path, sentences: Sequence[Sequence[Word]]) -> None:
    """A microphone cut, and a camera covered, in the middle of a sentence until it is over."""
    words = sentences[len(sentences) // 2]
    start, end = (words[0].start + words[-1].end) / 2, words[-1].end + 0.3
    for stream, mode in (("microphone", "lip"), ("camera", "audio")):
        begins: list[float] = []
        visitor = Visitor(door, room, f"without a {stream}")
        play(visitor, faulty(video, stream, start, end), begins, 0, 1.0)
        second = begins[0] + start
        found = [(at, one) for at, one in listener.messages if one["type"] == "mode" and one["participant"] == visitor.number and one["time"] > second]
        told = next((f"{one['time'] - second:.2f} s of media, {at - second:.2f} s of the clock" for at, one in found if one["mode"] == mode), "never")
        report = judged(said_by(listener, visitor.number), moved(sentences, begins[0]))
        print(f"{stream} gone in the middle of a sentence: mode {mode} after {told}; CER {report.cer:.2f} %", flush=True)


@dataclass
class Watch:
    """What /metrics and the system say every few seconds: delays and pictures a second of all sessions, and megabytes of each kind of process."""

    server: Server
    delays: list[float] = field(default_factory=list)
    pictures: list[float] = field(default_factory=list)
    memory: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        began = time.monotonic()
        while not self.over.wait(_EVERY):
            lines = httpx.get(f"{self.server.url}/metrics", timeout=60).text.splitlines()
            for name, values in (("avsr_live_delay_seconds", self.delays), ("avsr_live_pictures_per_second", self.pictures)):
                if time.monotonic() - began > 2 * _EVERY + 10:  # a model has been loaded by then
                    values += [float(line.split()[-1]) for line in lines if line.startswith(name + "{")]
            found: dict[str, float] = {}
            for kind, megabytes in resident(self.server.process.pid):
                found[kind] = found.get(kind, 0.0) + megabytes
            for kind, megabytes in found.items():
                self.memory.setdefault(kind, []).append((time.monotonic() - began, megabytes))


def resident(parent: int) -> list[tuple[str, float]]:
    """A process and all below it: which of the server's it is, and its own megabytes (proportional set size)."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            above = int(entry.read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue  # ended meanwhile
        children.setdefault(above, []).append(int(entry.parent.name))
    found, waiting = [], [parent]
    while waiting:
        process = waiting.pop()
        waiting += children.get(process, [])
        try:
            command = Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            rolled = Path(f"/proc/{process}/smaps_rollup").read_text()
        except OSError:
            continue
        kind = re.search(r"avsr\.app\.live\.(\w+)|avsr\.cli (serve)", command)
        found.append(((kind[1] or kind[2]) if kind else "other", int(re.search(r"Pss:\s+(\d+)", rolled)[1]) / 1024))
    return found


def said_by(listener: Visitor, number: int) -> list[tuple[float, Final | Partial]]:
    """What one participant said, as `benchmarks.live` has it."""
    said = []
    for at, told in listener.messages:
        if told.get("participant") != number:
            continue
        if told["type"] == "final":
            said.append((at, Final(0, told["segment"], told["text"], (), told["start"], told["end"], None, told["mode"], told["source"])))
        elif told["type"] == "partial":
            said.append((at, Partial(0, told["segment"], told["committed"], told["tail"], told["start"], None, told["mode"], told["source"])))
    return said


def moved(sentences: Sequence[Sequence[Word]], seconds: float) -> list[list[Word]]:
    """The same words, so much later."""
    return [[replace(word, start=word.start + seconds, end=word.end + seconds) for word in words] for words in sentences]


def guess_begin(said: Sequence[tuple[float, Final | Partial]], sentences: Sequence[Sequence[Word]]) -> float:
    """In which second of the room the file began, by the first final with more than half of a sentence's words."""
    found = []
    for words in sentences:
        for _, one in said:
            if isinstance(one, Final) and sum(word.text in one.text for word in words) > len(words) / 2 and words[0].text in one.text:
                found.append(one.start - words[0].start)
                break
    return statistics.median(found)


def row(what: str, report: Report, file: float) -> str:
    """One participant's line."""
    return (
        f"| {what} | {np.percentile(report.shown, 50):.2f} / {np.percentile(report.shown, 95):.2f} | {np.percentile(report.final, 50):.2f} / {np.percentile(report.final, 95):.2f} | "
        f"{report.erased:.3f}; {report.updates} | {report.changed} | {report.cer:.2f}, {file:.2f}, {report.cer / max(file, 1e-9):.2f} |"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--work", type=Path, required=True, help="folder for the videos and the server's files")
    parser.add_argument("--people", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=1.0, help="for which they play (default: %(default)s)")
    parser.add_argument("--browser", choices=("webrtc", "websocket"), help="after that, once more by Chromium, its media by that")
    parser.add_argument("--faults", action="store_true", help="after that, without a microphone and without a camera")
    parser.add_argument("--breaks", type=int, default=0, help="how many times each connection is cut")
    parser.add_argument("--sentences", type=int, default=10, help="of each person's file, which is played again and again")
    parser.add_argument("--pause", type=float, default=2.0, help="seconds between sentences, beside the 0.4 to 1 that they have (default: %(default)s)")
    parser.add_argument("--model", type=Path, help="packed model (default: as for transcribe)")
    parser.add_argument("--seed", type=int, default=21)
    args = parser.parse_args(arguments)
    from avsr.decoding.transcribe import load_recognizer

    model = args.model or find_model()
    files = [meeting(args.work, args.sentences, 1, args.seed + one, args.pause) for one in range(args.people)]
    recognizer = load_recognizer(model, "native")
    errors = [rate(sentences, recognizer.transcribe(video).text) for video, sentences in files]
    del recognizer
    server = start_server(args.work / "server", model)
    try:
        measure(args, server, files, errors)
    finally:
        server.kill()
    print(f"\n{model.name}; load {os.getloadavg()[0]:.1f}; seed {args.seed}; commit {describe_commit()}; {describe_machine()}")
    return 0


def measure(args: argparse.Namespace, server: Server, files: Sequence[tuple[Path, list[list[Word]]]], errors: Sequence[float]) -> None:
    """The meeting, and what it was like."""
    door = Door(server.url, "benchmark")
    room = door.post("/api/live/rooms")["room"]
    listener, watch = Visitor(door, room, "listener"), Watch(server)
    time.sleep(15)  # the model is loaded meanwhile
    threading.Thread(target=watch.run, daemon=True).start()
    people = [Visitor(door, room, f"person {one + 1}") for one in range(args.people)]
    begins: list[list[float]] = [[] for _ in people]
    players = [
        threading.Thread(target=play, args=(person, video, begun, args.breaks, 60 * args.minutes))
        for person, (video, _), begun in zip(people, files, begins)
    ]
    for player in players:
        player.start()
        time.sleep(1.0)
    for player in players:
        player.join()
    print("| | word shown p50 / p95, s | final p50 / p95, s | erased; updates a second | committed changed | CER live, file, ratio |\n| --- | --- | --- | --- | --- | --- |")
    wrong = 0.0
    for person, (_, sentences), begun, error in zip(people, files, begins, errors):
        said = said_by(listener, person.number)
        true = [words for begin in begun for words in moved(sentences, begin)]
        print(row(f"person {person.number}", judged(said, true), error), flush=True)
        wrong = guess_begin(said, sentences) - begun[0]
    if args.browser:
        video, sentences = files[0]
        browse(server, room, video, args.work, sentences[-1][-1].end + 3.0, args.browser)
        number = max(message["participant"] for _, message in listener.messages if message["type"] == "joined")
        wait_until_left(listener, number)
        said = said_by(listener, number)
        print(row(f"Chromium, {args.browser}", judged(said, moved(sentences, guess_begin(said, sentences) - wrong)), errors[0]), flush=True)
    watch.over.set()
    if args.faults:
        print()
        play_faults(door, room, listener, *files[0])
    told(watch, people, listener)


def wait_until_left(listener: Visitor, number: int) -> None:
    """Until the last line of somebody has come."""
    end = time.monotonic() + _LAST
    while not any(message["type"] == "left" and message["participant"] == number for _, message in listener.messages):
        if time.monotonic() > end:
            raise SystemExit(f"the last line did not come within {_LAST:.0f} s.")
        time.sleep(0.1)


def told(watch: Watch, people: Sequence[Visitor], listener: Visitor) -> None:
    """The rest."""
    dropped = [message for _, message in listener.messages if message["type"] == "dropped"]
    print(f"\ndelay without recognition: the worst of a session's p95 {max(watch.delays):.2f} s, median {statistics.median(watch.delays):.2f} s")
    print(f"pictures a second: {statistics.median(watch.pictures):.1f}, 5 % below {np.percentile(watch.pictures, 5):.1f}")
    print(f"dropped: {sum(one['sound'] for one in dropped):.1f} s of sound, {sum(one['pictures'] for one in dropped):.1f} s of pictures")
    for kind, values in watch.memory.items():
        settled = [megabytes for at, megabytes in values if at > _SETTLED] or [values[-1][1]]
        fifth = -(-len(settled) // 5)
        early, late = statistics.median(settled[:fifth]), statistics.median(settled[-fifth:])
        print(f"memory of {kind}: medians of the first and the last fifth {early:.0f} and {late:.0f} MB ({late - early:+.0f}), at most {max(settled):.0f}")
    everything = listener.numbered()
    for person in people:
        got = person.numbered()
        seen = [seq for seq in everything if got and got[0] <= seq <= got[-1]]
        print(f"lines of {person.number}: {len(got)} numbered messages, lost {len(set(seen) - set(got))}, doubled {len(got) - len(set(got))}")


if __name__ == "__main__":
    run_main(main)
