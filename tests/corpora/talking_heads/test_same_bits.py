"""The same order makes the same bits: a whole corpus with shipped voices and drawn faces, by one process, and by two that
were killed on the way. Nothing stands in for anything here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import avsr
from avsr.corpora.talking_heads.corpus import Order
from avsr.corpora.talking_heads.make import make_corpus
from avsr.corpora.talking_heads.quickstart import FOLDER, INDEX
from avsr.corpora.talking_heads.utterance import RECORDS

ORDER = Order(utterances=12, speakers=4, seed=3)


@pytest.fixture(autouse=True)
def _voices_and_heads() -> None:
    if not (FOLDER / INDEX).exists():
        pytest.skip("the shipped voices are absent: avsr.corpora.talking_heads.make_quickstart makes them")
    pytest.importorskip("numba")


def killed_run(out: Path, finished: int) -> int:
    """`avsr synth` of ORDER with two processes, killed with all of them after `finished` utterances; how many there are."""
    options = ["--utterances", "12", "--speakers", "4", "--seed", "3", "--nj", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "avsr.cli", "synth", "--out", str(out), *options],
        cwd=Path(avsr.__file__).parents[1],
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 300
    try:
        while len(list((out / RECORDS).glob("*.json"))) < finished:
            assert process.poll() is None and time.monotonic() < until, "it ended, or made nothing"
            time.sleep(0.02)
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # its workers are of its group
        process.wait()
    return len(list((out / RECORDS).glob("*.json")))


def test_one_process_and_two_that_were_killed(tmp_path):
    whole = make_corpus(ORDER, tmp_path / "one", nj=1)
    there = killed_run(tmp_path / "two", 4)
    left = tmp_path / "two" / "wav" / ".v01f1-000001.99.flac"  # as a kill in the middle of writing leaves it
    left.write_bytes(b"fLaC")
    again = make_corpus(ORDER, tmp_path / "two", nj=2)
    assert (whole.made, whole.kept) == (12, 0) and (again.made, again.kept) == (12 - there, there)
    files = [{path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.suffix in (".mp4", ".flac")}
             for out in (tmp_path / "one", tmp_path / "two")]
    assert len(files[0]) == 24 and files[0] == files[1]
    assert again.hash == whole.hash and not left.exists()
