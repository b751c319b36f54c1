"""Two folders file by file: what is in one alone, what differs, and whether that was to be expected of two runs at two times.

Expected is what tells times (stamps, logs, RESULTS.md's date and seconds, a checkpoint's report of how long a step took) and what is made of
the time at which a file was written. Of torch's files the tensors are compared, bit by bit: a file that was saved under another
name has other bytes, as the name is in it.
"""

from __future__ import annotations

import io
import json
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from avsr.files import digest

_TIMES = {"seconds", "ended", "date", "training_seconds", "decode_seconds", "rtf"}  # of stamps, meta.yaml and decode.json
_WRITTEN = {"source"}  # of shards.json: a hash with the time in it at which clips were written
_TIMED = {"state", "model", "data"}  # hashes of what holds a date itself: a packed model, stage 1's stamp
_REPORT = re.compile(r"time$|_mem_GB$")  # of an epoch in ESPnet's reporter: time, forward_time, ..., gpu_max_cached_mem_GB
_MODE = re.compile(r"^(\| (?:audio|lip).*\| )[\d.]+ \|$", re.M)  # a line of RESULTS.md, whose last cell is seconds a second
_TOLD = re.compile(r"^\| date \| .*$|(?<=epochs, )(?:\d+ minutes|\d+ s)(?= of wall time)", re.M)


@dataclass(frozen=True)
class Difference:
    """path: below the folders; what: how they differ; expected: so do any two runs."""

    path: str
    what: str
    expected: bool


def compare(alone: Path, other: Path) -> list[Difference]:
    """Every file and link below the two folders, by path."""
    one, two = (dict(_files(folder)) for folder in (alone, other))
    found = []
    for path in sorted(one.keys() | two.keys()):
        if path not in two:
            found.append(Difference(path, "is missing", False))
        elif path not in one:
            found.append(Difference(path, f"is left over ({two[path].lstat().st_size} bytes)", False))
        elif difference := _difference(path, one[path], two[path]):
            found.append(difference)
    return found


def count(folder: Path) -> int:
    """How many files and links `compare` looks at."""
    return sum(1 for _ in _files(folder))


def _files(root: Path) -> Iterator[tuple[str, Path]]:
    for folder, folders, files in os.walk(root):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in [*files, *links]:
            path = Path(folder, name)
            yield str(path.relative_to(root)), path


def _difference(path: str, one: Path, two: Path) -> Difference | None:
    links = [os.readlink(file) if file.is_symlink() else None for file in (one, two)]
    if links != [None, None]:
        return None if links[0] == links[1] else Difference(path, f"leads to {links[1]}, not to {links[0]}", False)
    if digest(one) == digest(two):
        return None
    for pattern, content, why in _KINDS:
        if re.search(pattern, path):
            if content is None:
                return Difference(path, why, True)
            try:
                same = content(one) == content(two)
            except (ValueError, KeyError, OSError, EOFError, RuntimeError, UnpicklingError, zipfile.BadZipFile) as error:
                return Difference(path, f"cannot be read ({' '.join(str(error).split())[:100]})", False)
            return Difference(path, why if same else "differs", same)
    return Difference(path, "differs", False)


def _note(path: Path) -> dict[str, Any]:
    return _without(json.loads(path.read_text("utf-8")), _TIMES | _WRITTEN)


def _of_dated(path: Path) -> dict[str, Any]:
    return _without(_note(path), _TIMED)


def _without(told: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name not in names}


def _results(path: Path) -> str:
    return _TOLD.sub("", _MODE.sub(r"\1", path.read_text("utf-8")))


def _tensors(path: Path) -> object:
    import torch

    told = torch.load(path, map_location="cpu", weights_only=False)
    if isinstance(told, dict) and "reporter" in told:
        told["reporter"] = {
            epoch: {phase: {name: value for name, value in stats.items() if not _REPORT.search(name)} for phase, stats in phases.items()}
            for epoch, phases in told["reporter"]["stats"].items()
        } | {"epoch": told["reporter"]["epoch"]}
    return _plain(told)


def _plain(value: object) -> object:
    """Nested values in a form that `==` compares to the bit, NaN being equal to itself."""
    import numpy as np
    import torch

    if isinstance(value, torch.Tensor):
        value = value.detach().contiguous()
        return str(value.dtype), tuple(value.shape), value.flatten().view(torch.uint8).numpy().tobytes() if value.numel() else b""
    if isinstance(value, np.ndarray):
        return str(value.dtype), value.shape, value.tobytes()
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value if isinstance(value, (str, bytes, int, type(None))) else repr(getattr(value, "__dict__", value))


def _packed(path: Path) -> dict[str, object]:
    import yaml

    with zipfile.ZipFile(path) as archive:
        members: dict[str, object] = {name: archive.read(name) for name in archive.namelist()}
    if "meta.yaml" in members:
        members["meta.yaml"] = _without(yaml.safe_load(io.BytesIO(members["meta.yaml"])), _TIMES)  # type: ignore[arg-type]
    return members


_KINDS: list[tuple[str, Callable[[Path], object] | None, str]] = [
    (r"\.log$", None, "a log"),
    (r"(^|/)(crops/\.done|decode_\w+/\w+/\.done|\.score\.done)$", _of_dated, "a stamp: times, and the hash of what holds a date"),
    (r"(^|/)\.(\w+\.)?(done|begun)$", _note, "a stamp: times alone"),
    (r"(^|/)decode\.json$", _of_dated, "times, and the hash of a model that holds its date"),
    (r"(^|/)shards\.json$", _note, "the times at which clips were written"),
    (r"(^|/)RESULTS\.md$", _results, "the date and seconds alone"),
    (r"(^|/)checkpoint\.(earlier\.)?pth$", _tensors, "times alone: weights, optimizer and schedule are the same"),
    (r"\.pth$", _tensors, "the archive's bytes: every tensor is the same"),
    (r"\.zip$", _packed, "meta.yaml's date and seconds alone"),
]
