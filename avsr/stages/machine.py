"""What a result was made with: the machine, the versions of what matters, the commit."""

from __future__ import annotations

import os
import platform
import re
import shlex
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from avsr.files import replace_file

_ROOT = Path(__file__).resolve().parents[2]
_NOTE = ".machine"  # in a folder that was made, perhaps on a cluster: where


def describe_machine() -> str:
    """One line: processor, cores that may be used, memory, graphics card. No name by which the machine is known."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parts = [f"{_processor()}, {cores} cores"]
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        parts.append(f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB")
    return ", ".join([*parts, *_graphics_cards()])


def note_machine(folder: Path) -> None:
    """Leave in `folder` where this process makes it: whoever asked for it may do so from another machine, by SLURM."""
    nodes = int(os.environ.get("SLURM_STEP_NUM_NODES", "1"))
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / _NOTE, (f"{nodes} machines of " * (nodes > 1) + f"{describe_machine()}\n").encode())


def noted_machine(folder: Path) -> str | None:
    """What `note_machine` left there last; None where it was never called."""
    note = folder / _NOTE
    return note.read_text(encoding="utf-8").strip() if note.is_file() else None


def describe_versions() -> str:
    """One line: Python and the packages on which figures depend."""
    names = ("torch", "espnet", "numpy", "av", "mediapipe")
    return ", ".join([f"Python {platform.python_version()}", *(f"{name} {_version(name)}" for name in names)])


def describe_commit() -> str:
    """The checkout's commit, and whether tracked files differ from it; says so where there is no git."""
    commit = _run("git", "-C", str(_ROOT), "rev-parse", "HEAD")
    if commit is None:
        return "unknown (not a git checkout)"
    changed = _run("git", "-C", str(_ROOT), "status", "--porcelain", "--untracked-files=no")
    return f"{commit} with uncommitted changes" if changed else commit


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.M)
    except OSError:  # no Linux
        found = None
    return " ".join(found.group(1).split()) if found else platform.processor() or platform.machine()


def _graphics_cards() -> list[str]:
    names = _run("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
    return [line.strip() for line in names.splitlines() if line.strip()] if names else []


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def _run(*command: str) -> str | None:
    """What a command prints, None where it is not there or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def without_home(command: str) -> str:
    """Where things lie on the machine is nobody's business: absolute paths keep their last part."""
    return re.sub(r"(?<=[\s=])/\S*/(?=[^/\s])", ".../", f" {command}").strip()


def typed_command(words: Sequence[str]) -> str:
    """As it would be typed, absolute paths cut down to their last part, whatever letters they are in."""
    short = [re.sub(r"(^|=)/(?:[^/]*/)+(?=[^/])", r"\1.../", word) for word in words]
    return shlex.join(short)
