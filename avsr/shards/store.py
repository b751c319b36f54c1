"""Where shards lie: a folder, or the address of an object store, from which they are fetched whole, checked, and kept for a while."""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import logging
import os
import re
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from avsr.errors import AvsrError, LabelError
from avsr.shards.index import INDEX, MANIFEST, Index, Manifest, Shard, parse_index, parse_manifest

TRIES = 5
_WAIT = 1.0  # seconds before the second try, doubled before each further one
_BLOCK = 1 << 20
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+:")


class ShardStore:
    """The shards of a split.

    Args:
        where: the folder that holds the split's, a path or file:PATH; http(s)://ADDRESS of such a folder; or pipe:COMMAND, whose {}
            stands for a file's name and which writes that file to its standard output (pipe:aws s3 cp s3://BUCKET/PATH/{} -).
        split: the folder's name in there.
        cache: where what is fetched is kept; a folder of this machine, which the processes that train on it share.
        limit: bytes that are kept there; what was used longest ago goes first.

    AvsrError: nothing can be fetched from there, or it is not what its manifest says.
    """

    def __init__(self, where: str, split: str, *, cache: Path | None = None, limit: int = 20 << 30) -> None:
        self.where, self.split, self.limit = where, split, limit
        self.folder = _folder(where)
        if self.folder is None and cache is None:
            raise AvsrError(f"{where}: shards that are fetched need a folder to be kept in; give --shard_cache DIR.")
        self.cache = None if cache is None or self.folder is not None else Path(cache) / split
        self.manifest: Manifest = parse_manifest(self._small(MANIFEST), self.name(MANIFEST))
        self._index: Index | None = None

    def name(self, file: str) -> str:
        """What errors call a file of the split."""
        return self.where.replace("{}", f"{self.split}/{file}") if "{}" in self.where else f"{self.where}/{self.split}/{file}"

    @property
    def index(self) -> Index:
        """Read once."""
        if self._index is None:
            self._index = parse_index(self._small(INDEX), self.name(INDEX), self.manifest)
        return self._index

    def open(self, number: int) -> int:
        """A descriptor of `path`, which another process may remove, to make room, in the moment between."""
        while True:
            try:
                return os.open(self.path(number), os.O_RDONLY)
            except FileNotFoundError:
                if self.cache is None:
                    raise

    def path(self, number: int) -> Path:
        """A file of this machine that holds the shard: the shard itself, or what was fetched of it, once by all processes."""
        shard = self.manifest.shards[number]
        if self.folder is not None:
            path = self.folder / self.split / shard.name
            if not path.is_file() or path.stat().st_size != shard.bytes:
                raise LabelError(f"{path}: is not there, or not of {shard.bytes} bytes as {MANIFEST} says; pack or copy the shards again.")
            return path
        path = self.cache / f"{shard.sha256[:16]}-{shard.name}"
        while True:
            if not path.exists():
                with _alone(path.with_name(f".{path.name}.lock")):
                    if not path.exists():
                        self._fetch_shard(shard, path)
            try:
                os.utime(path)  # what was used longest ago goes first
                return path
            except FileNotFoundError:
                continue

    def _small(self, file: str) -> bytes:
        """A file that is read whole and not kept."""
        if self.folder is not None:
            try:
                return (self.folder / self.split / file).read_bytes()
            except OSError as error:
                where = self.folder / self.split / file
                raise LabelError(f"{where}: cannot be read ({error.strerror}); give a folder that avsr.stages.shards wrote.") from None
        with tempfile.TemporaryFile() as target:
            self._fetch(file, target)
            target.seek(0)
            return target.read()

    def _fetch_shard(self, shard: Shard, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._make_room(shard.bytes, path)
        temporary = path.with_name(f".{path.name}.new")  # one process alone is here
        with open(temporary, "wb") as target:
            self._fetch(shard.name, target, shard)
        os.replace(temporary, path)

    def _make_room(self, wanted: int, path: Path) -> None:
        if wanted > self.limit:
            raise AvsrError(f"{path}: has {wanted} bytes where {self.limit} are allowed; give a larger --shard_cache_gb.")
        with _alone(self.cache / ".room.lock"):
            states = {file: file.stat() for file in self.cache.glob("*-shard-*.tar")}
            kept = sorted(states, key=lambda file: states[file].st_mtime)
            while kept and sum(states[file].st_size for file in kept) + wanted > self.limit:
                kept.pop(0).unlink(missing_ok=True)  # whoever reads it has it open

    def _fetch(self, file: str, target: IO[bytes], shard: Shard | None = None) -> None:
        """Write a file into `target`, tried again where the network failed; AvsrError with the last reason."""
        reason = ""
        for attempt in range(TRIES):
            if attempt:
                logging.warning("%s: %s; trying again", self.name(file), reason)
                time.sleep(_WAIT * 2 ** (attempt - 1))
            target.seek(0)
            target.truncate()
            total = hashlib.sha256()
            try:
                with _opened(self.where, f"{self.split}/{file}") as source:
                    while block := source.read(_BLOCK):
                        total.update(block)
                        target.write(block)
            except (OSError, http.client.HTTPException, _CommandFailed) as error:
                reason = str(error) or type(error).__name__
                continue
            if shard is None or total.hexdigest() == shard.sha256:
                return
            reason = f"{target.tell()} of {shard.bytes} bytes came, or others than were packed"
        raise AvsrError(f"{self.name(file)}: cannot be fetched ({reason}), tried {TRIES} times; check the address, and that it is all there.")


class _CommandFailed(Exception):
    pass


def _folder(where: str) -> Path | None:
    """The folder of this machine that is meant; None for an address. AvsrError for one that cannot be used."""
    if where.startswith("file:"):
        return Path(re.sub(r"^file:(//)?", "", where))
    if where.startswith("pipe:"):
        if "{}" not in where:
            raise AvsrError(f"{where}: names no {{}}, in whose place a file's name is put; give pipe:COMMAND {{}}.")
        return None
    if where.startswith(("http://", "https://")):
        return None
    if _SCHEME.match(where):
        raise AvsrError(f"{where}: give a folder, file:PATH, http(s)://ADDRESS or pipe:COMMAND (pipe:aws s3 cp s3://... -).")
    return Path(where)


@contextmanager
def _opened(where: str, name: str) -> Iterator[IO[bytes]]:
    if not where.startswith("pipe:"):
        with urllib.request.urlopen(f"{where.rstrip('/')}/{name}", timeout=60) as answer:
            yield answer
        return
    # A shell, as the person who gave the command expects; names are checked to be nothing but names (avsr.shards.index).
    with subprocess.Popen(where.removeprefix("pipe:").replace("{}", name), shell=True, stdout=subprocess.PIPE) as process:
        yield process.stdout
        process.stdout.close()
        if process.wait():
            raise _CommandFailed(f"the command ended with {process.returncode}")


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process of this machine at a time; the lock of one that was killed is free again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
