"""`avsr live-client` plays a made clip into a real server with the tiny model: lines come, breaks lose none, and what ends is said."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from avsr.app.live.client import Server as Api
from avsr.app.live.client import Guest
from avsr.app.live.recording import Recording
from tests.app.conftest import wait_for
from tests.app.live.test_live_hostile import enter, make_room, until


def processes(server, name: str) -> list[int]:
    """Of a server: those of that module below it."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if f"avsr.app.live.{name}".encode() in (path / "cmdline").read_bytes() and _below(int(path.name), server.process.pid):
                found.append(int(path.name))
        except OSError:
            pass
    return found


def _below(process: int, parent: int) -> bool:
    while process > 1:
        if process == parent:
            return True
        process = int((Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()[1])
    return False


def test_a_file_is_played_and_its_lines_are_printed(live_server, live_clip):
    room = make_room(live_server)
    with enter(live_server, room, "듣는 사람") as listener:
        command = [sys.executable, "-m", "avsr.cli", "live-client", str(live_clip), "--url", f"{live_server.url}/live#{room}", "--name", "민지"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=os.environ | {"OMP_NUM_THREADS": "1"})
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        assert sum(line.startswith("final ") for line in lines) == 2
        # Where the model is loaded only when all has come, the last that is known is that there is neither face nor sound.
        assert any(line.startswith("mode ") and line.split()[3] in ("audio", "none") for line in lines)
        assert lines[-1].startswith("left ")
        first = until(listener, "final")
        assert first["name"] == "민지" and f"민지: {first['text']}" in done.stdout
        assert set(first) == {"type", "seq", "segment", "text", "start", "end", "speaker", "mode", "source", "participant", "name"}
    assert not processes(live_server, "decoding")


class Broken(Guest):
    """Loses its line in the middle of what is said, as one does whose network is gone."""

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self.seen: list[dict] = []

    def _meet(self, message: dict) -> None:
        before = self._seq
        super()._meet(message)
        if message["type"] == "hello" or self._seq > before:
            self.seen.append(message)


def test_a_line_that_breaks_twice_loses_and_doubles_nothing(live_server, live_clip, capsys):
    room = make_room(live_server)
    with enter(live_server, room, "듣는 사람") as listener:
        guest = Broken(Api(live_server.url, "somebody"), room, "민지")
        playing = threading.Thread(target=guest.play, args=(Recording(live_clip),))
        playing.start()
        for count in (1, 2):
            wait_for(lambda: sum(one["type"] == "hello" for one in guest.seen) == count, "the guest to be there")
            time.sleep(1.5)
            guest._socket.socket.shutdown(2)
        playing.join(120)
        heard = []
        while not heard or heard[-1]["type"] != "left":
            heard.append(json.loads(listener.recv(60)))
    finals = [(one["seq"], one["text"]) for one in heard if one["type"] == "final"]
    assert finals == [(one["seq"], one["text"]) for one in guest.seen if one["type"] == "final"]
    assert finals  # what is said while nobody listens is lost, and how much that is the machine decides
    assert sum(one["type"] == "hello" for one in guest.seen) == 3
    assert [one["seq"] for one in guest.seen if one["type"] != "hello"] == [one["seq"] for one in heard if "seq" in one]


def test_the_end_of_what_recognises_is_said_and_it_begins_anew(live_server, live_clip):
    room = make_room(live_server)
    with enter(live_server, room) as socket:
        socket.send('{"type": "start", "media": "webm"}')
        (recognising,) = wait_for(lambda: processes(live_server, "recognising"), "the process that recognises")
        os.kill(recognising, signal.SIGKILL)
        assert until(socket, "error")["code"] == "begin_again"
        guest = Guest(Api(live_server.url, "somebody"), room, "민지")
        guest.play(Recording(live_clip))
        assert until(socket, "final")["name"] == "민지"
    assert live_server.client().get("/healthz").status_code == 200


def test_who_watches_alone_takes_part_without_media(live_server):
    room = make_room(live_server)
    with enter(live_server, room) as socket:
        socket.send(b"bytes before a start are of no recording")
        socket.send('{"type": "leave"}')
        assert until(socket, "left")["name"] == "가"
