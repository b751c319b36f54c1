"""Files: found under a folder, written whole or not at all, and those of YAML read."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from avsr.errors import AvsrError, LabelError

VIDEO_SUFFIXES = frozenset(".mp4 .m4v .mov .mkv .webm .avi .mpg .mpeg .ts .mts .m2ts .3gp".split())

_HALF = re.compile(r"\..+\.[a-z0-9_]{8}\.half", re.S)  # a temporary name


def replace_file(path: Path, data: bytes) -> None:
    """Write `data` beside the final name, then take that name: nothing half-written is ever found under it."""
    handle, temporary = _open_beside(path)
    try:
        with open(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, 0o644)  # mkstemp makes files that only their owner may read
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


@contextmanager
def written_beside(path: Path) -> Iterator[str]:
    """A temporary name in the folder of `path` for what something else writes; it takes that name where all went well, and goes where not.

    OSError where the folder cannot be made or written to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = _open_beside(path)
    os.close(handle)
    try:
        yield temporary
        os.chmod(temporary, 0o644)  # mkstemp makes files that only their owner may read
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _open_beside(path: Path) -> tuple[int, str]:
    return tempfile.mkstemp(prefix=f".{path.name[:80]}.", suffix=".half", dir=path.parent)


def remove_half_written(folder: Path) -> None:
    """Remove what `replace_file` and `written_beside` were writing in `folder`, and in the folders in it, when a process was killed.

    No other process may be writing there: what it has begun goes too.
    """
    folders = [folder, *(path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())] if folder.is_dir() else []
    for path in (path for inner in folders for path in inner.iterdir() if _HALF.fullmatch(path.name)):
        path.unlink(missing_ok=True)


def files_under(root: Path, suffixes: frozenset[str] | None) -> list[Path]:
    """Files with one of the `suffixes` (lower case), or all, sorted; through links, but without hidden and `__MACOSX` ones.

    LabelError when `root` is no folder.
    """
    if not root.is_dir():
        raise LabelError(f"{root}: there is no such folder; check the path of the corpus.")
    found, visited = [], set()
    # Large corpora are often a folder of links to disks, which Path.rglob would leave out.
    for folder, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in visited:  # a link back up
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__MACOSX")
        found += [Path(folder, name) for name in files if not name.startswith(".")]
    return sorted(path for path in found if suffixes is None or path.suffix.lower() in suffixes)


def read_yaml(path: Path, *, error: type[AvsrError] = AvsrError) -> dict[str, Any]:
    """A YAML file that is a table of names and values; an `error`, one sentence, where it cannot be read or is none."""
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise error(f"{path}: there is no such file; check the path, or run the stage that writes it.") from None
    except OSError as fault:
        raise error(f"{path}: cannot be read ({fault.strerror}); check the path and its permissions.") from fault
    return parse_yaml(data, path, error=error)


def parse_yaml(data: bytes, where: object, *, error: type[AvsrError] = AvsrError) -> dict[str, Any]:
    """The same of what has been read already, named `where` in the sentence."""
    import yaml

    try:
        value = yaml.safe_load(data)
    except (yaml.YAMLError, UnicodeDecodeError) as fault:
        raise error(f"{where}: is not YAML ({' '.join(str(fault).split())}); correct it.") from fault
    if not isinstance(value, dict):
        raise error(f"{where}: is not a table of names and values; correct it.")
    return value


def digest(path: Path) -> str:
    """Hash of an input: a file's bytes, or the names, sizes and times of all files below a folder.

    A corpus may hold a terabyte, so a folder's files are not read; what is made from it is compared by content.

    Raises AvsrError where there is no such file or folder.
    """
    path = Path(path)
    total = hashlib.sha256()
    if path.is_dir():
        for folder, folders, files in os.walk(path):
            folders.sort()
            for name in sorted(files):
                state = os.stat(os.path.join(folder, name))
                inner = os.path.relpath(os.path.join(folder, name), path)
                total.update(f"{inner!a} {state.st_size} {state.st_mtime_ns}\n".encode())
        return total.hexdigest()
    try:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                total.update(block)
    except FileNotFoundError:
        raise AvsrError(f"{path} is missing: run the stages before this one first, or check the path.") from None
    return total.hexdigest()


def is_noted(note: Path, asked: Mapping[str, object]) -> bool:
    """Whether the JSON file `note` says that its folder holds what is `asked`; False where there is no such file.

    AvsrError where it says something else, or nothing that can be read.
    """
    if not note.exists():
        return False
    try:
        same = json.loads(note.read_bytes()) == asked
    except ValueError:
        same = False
    if not same:
        raise AvsrError(f"{note.parent} holds clips of another order ({note}); give another --out, or remove it.")
    return True
