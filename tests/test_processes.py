"""Work in processes: all of it is done, and a job that takes its process down fails alone."""

import os
from pathlib import Path

from avsr.processes import KILLED, LogLines, in_processes, progress


def write_name(name: str, folder: Path) -> str | None:
    if name == "bad":
        os._exit(3)  # as a fault in a decoder's C code would
    if name == "odd":
        return "it is odd"
    (folder / name).touch()
    return None


def test_a_job_that_kills_its_process_fails_alone(tmp_path):
    names = ["a", "bad", "odd", *"bcdefghijk"]
    outcomes = dict(in_processes(names, write_name, (tmp_path,), 2))
    assert outcomes.pop("bad") == KILLED and outcomes.pop("odd") == "it is odd"
    assert set(outcomes) == {path.name for path in tmp_path.iterdir()} == set("abcdefghijk")
    assert set(outcomes.values()) == {None}


def test_a_log_gets_a_line_a_minute_and_the_last_one(capsys):
    now = [0.0]
    lines = LogLines("clips", 10, 2, clock=lambda: now[0])
    for _ in range(8):
        now[0] += 25.0
        lines.advance()
    assert capsys.readouterr().err.splitlines() == ["clips 5 of 10, 2:05 left", "clips 8 of 10, 0:50 left", "clips 10 of 10, 3:20 taken"]


def test_what_is_no_terminal_gets_lines(capsys):
    with progress("clips", 2, 0) as advance:
        advance()
        advance()
    assert capsys.readouterr().err == "clips 2 of 2, 0:00 taken\n"
