"""Work in processes: all of it is done, and a job that takes its process down fails alone."""

import os
from pathlib import Path

from avsr.processes import KILLED, in_processes


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
