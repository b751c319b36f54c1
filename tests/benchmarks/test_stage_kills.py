"""What two runs of a recipe leave is compared file by file; and whoever asks is killed right before a write."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch

from benchmarks import kill_at_write, stage_kills
from benchmarks.same_files import compare, count
from benchmarks.stage_kills import Span, draw_kills, stage_of

ROOT = Path(__file__).resolve().parents[2]
RESULTS = "| audio-visual | 1.4 (0.4 to 2.4) | 0.68 | {} |\n| training | {} epochs, {} of wall time |\n| date | {} |\n"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def checkpoint(path: Path, weight: float, seconds: float) -> None:
    state = {"model": {"w": torch.tensor([weight, float("nan")])}, "optimizers": [{"step": torch.tensor(3.0)}]}
    torch.save(state | {"reporter": {"epoch": 1, "stats": {1: {"train": {"loss": 2.0, "train_time": seconds}}}}}, path)


def packed(path: Path, date: str, weights: bytes = b"weights") -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("meta.yaml", f"date: {date}\nrecipe: x\n")
        archive.writestr("weights.pth", weights)


@pytest.fixture
def two(tmp_path) -> tuple[Path, Path]:
    """What two runs leave that went the same way at two times."""
    for name, times in (("one", 1), ("two", 2)):
        exp = tmp_path / name / "exp" / "x"
        write(exp / "RESULTS.md", RESULTS.format(f"0.0{times}", 3, f"{times} minutes", f"2026-11-0{times}"))
        write(exp / "avsr" / ".done", json.dumps({"state": "a", "seconds": times, "ended": f"at {times}"}))
        write(exp / "avsr" / "train.log", f"took {times} s")
        write(tmp_path / name / "dump" / "x" / "train" / "text", "a-1 가\n")
        checkpoint(exp / "avsr" / "checkpoint.pth", 1.0, times)
        torch.save({"w": torch.ones(3)}, exp / "avsr" / f"{name}.pth")
        (exp / "avsr" / f"{name}.pth").rename(exp / "avsr" / "1epoch.pth")
        os.symlink("1epoch.pth", exp / "avsr" / "latest.pth")
        packed(exp / "x.zip", f"day {times}")
    return tmp_path / "one", tmp_path / "two"


def test_two_times_are_told_from_two_results(two):
    found = compare(*two)
    assert [difference.path.rpartition("/")[2] for difference in found] == ["RESULTS.md", ".done", "1epoch.pth", "checkpoint.pth", "train.log", "x.zip"]
    assert all(difference.expected for difference in found) and count(two[0]) == 8


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda at: write(at / "dump/x/train/text", "a-1 나\n"), "dump/x/train/text: differs"),
        (lambda at: write(at / "dump/x/.text.0a1b2c3d.half", "가"), "dump/x/.text.0a1b2c3d.half: is left over (3 bytes)"),
        (lambda at: (at / "dump/x/train/text").unlink(), "dump/x/train/text: is missing"),
        (lambda at: (at / "dump/x/train/text").write_bytes(b""), "dump/x/train/text: differs"),
        (lambda at: write(at / "exp/x/RESULTS.md", RESULTS.format("0.01", 2, "1 minutes", "2026-11-01")), "exp/x/RESULTS.md: differs"),
        (lambda at: write(at / "exp/x/avsr/.done", '{"state": "b"}'), "exp/x/avsr/.done: differs"),
        (lambda at: write(at / "exp/x/avsr/.done", '{"sta'), "exp/x/avsr/.done: cannot be read"),
        (lambda at: checkpoint(at / "exp/x/avsr/checkpoint.pth", 1.0000001, 1), "exp/x/avsr/checkpoint.pth: differs"),
        (lambda at: torch.save({"w": torch.zeros(3)}, at / "exp/x/avsr/1epoch.pth"), "exp/x/avsr/1epoch.pth: differs"),
        (lambda at: (at / "exp/x/avsr/1epoch.pth").write_bytes(b"PK"), "exp/x/avsr/1epoch.pth: cannot be read"),
        (lambda at: packed(at / "exp/x/x.zip", "day 1", b"others"), "exp/x/x.zip: differs"),
        (lambda at: relink(at / "exp/x/avsr/latest.pth", "2epoch.pth"), "exp/x/avsr/latest.pth: leads to 2epoch.pth, not to 1epoch.pth"),
    ],
)
def test_what_should_not_differ_is_told(two, change, said):
    change(two[1])
    (found,) = (difference for difference in compare(*two) if not difference.expected)
    assert f"{found.path}: {found.what}".startswith(said)


def relink(link: Path, to: str) -> None:
    link.unlink()
    link.symlink_to(to)


def test_a_folder_is_the_same_as_itself(two, tmp_path):
    assert compare(two[0], shutil.copytree(two[0], tmp_path / "three", symlinks=True)) == []


WRITES = """
import os, pathlib, sys
from benchmarks.kill_at_write import install
install()
at = pathlib.Path(sys.argv[1])
(at / "folder").mkdir()
(at / "beside").write_text("whole")
os.replace(at / "beside", at / "file")
(at / "file").read_text()
(at.parent / "elsewhere").write_text("not counted")
(at / "file").unlink()
"""


@pytest.mark.parametrize(
    ("before", "left"),
    [(1, {}), (2, {"folder": None, "beside": ""}), (3, {"folder": None, "beside": "whole"}), (4, {"folder": None, "file": "whole"}), (5, {"folder": None})],
)
def test_a_kill_comes_right_before_the_write_that_was_asked_for(tmp_path, before, left):
    at = tmp_path / "at"
    at.mkdir()
    given = {kill_at_write.UNDER: str(at), kill_at_write.TRACE: str(tmp_path / "trace"), kill_at_write.AT: str(before)}
    done = subprocess.run([sys.executable, "-c", WRITES, str(at)], env=os.environ | given | {"PYTHONPATH": str(ROOT)}, start_new_session=True)
    assert done.returncode == (-signal.SIGKILL if before < 5 else 0)
    assert {path.name: path.read_text() if path.is_file() else None for path in at.iterdir()} == left
    lines = (tmp_path / "trace").read_text().splitlines()
    assert [line.split()[1:] for line in lines] == [["mkdir", "folder"], ["open", "beside"], ["rename", "file"], ["remove", "file"]][:before]


def test_each_stage_is_hit_and_the_seed_draws_the_moments():
    spans = [Span(stage, 10.0 * stage, 10.0 * stage + 9, 0 if stage == 2 else 4) for stage in range(1, 10)]
    drawn = draw_kills(spans, 20, 1, range(1, 10))
    assert {kill.stage for kill in drawn} == set(range(1, 10)) and len(drawn) == 20
    assert [kill.stage for kill in drawn] == sorted(kill.stage for kill in drawn)
    assert all(kill.write is None for kill in drawn if kill.stage == 2), "it writes nothing"
    assert sum(kill.write is not None for kill in drawn) >= 8 and all(0 <= kill.after <= 9 for kill in drawn if kill.after is not None)
    assert drawn == draw_kills(spans, 20, 1, range(1, 10)) != draw_kills(spans, 20, 2, range(1, 10))
    with pytest.raises(SystemExit, match="--kills 8: give 9 or more"):
        draw_kills(spans, 8, 1, range(1, 10))


@pytest.mark.parametrize(
    ("path", "stage"),
    [
        ("data/x/train/text", 1), ("dump/x/crops/train/video.scp", 2), ("dump/x/formatted/.done", 3), ("dump/x/train/text", 4),
        ("dump/x/tokens/tokens.txt", 5), ("exp/x/avsr_stats/.done", 6), ("dump/x/shards/train/shards.json", 7), ("exp/x/avsr/latest.pth", 7),
        ("exp/x/avsr/fused.pth", 8), ("exp/x/lm.npz", 9), ("exp/x/.lm.done", 9), ("exp/x/x.zip", 10), ("exp/x/decode_av/test/text", 11), ("exp/x/RESULTS.md", 12),
    ],
)  # fmt: skip
def test_a_file_tells_its_stage(path, stage):
    assert stage_of(path) == stage


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--stages", "9"], "--stages 9: give two numbers"), (["--stages", "0-3"], "from 1 to 12"), ([], "is not empty; give a new folder")],
)
def test_a_mistake_is_one_sentence(arguments, said, tmp_path):
    (tmp_path / "there").write_text("")
    with pytest.raises(SystemExit, match=said):
        stage_kills.main(["--work", str(tmp_path), *arguments])
