"""Archives as AI-Hub delivers them, read where they lie: zip or tar, whole or in parts, in folders, never unpacked.

AI-Hub's download tool leaves a large archive in parts, each named after the byte that it begins with: ``VS1.zip.part0``,
``VS1.zip.part1073741824``, ... They are read as the one file that they were. Source: AI-Hub's guide to ``aihubshell``, by
which the person joins them; here nobody has to.
"""

from __future__ import annotations

import errno
import io
import os
import re
import shutil
import struct
import tarfile
import tempfile
import zipfile
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from avsr.errors import LabelError
from avsr.files import files_under

_SUFFIXES = (".zip", ".tar")
_PART = re.compile(r"(.+\.(?:zip|tar))\.part(\d+)", re.IGNORECASE)
_LOCAL_HEADER = struct.Struct("<4s22xHH")  # of a zip's member: signature, length of the name, of what is extra
_BUFFER = 1 << 20
_AGAIN = "fetch it from AI-Hub again."
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError, OSError)


@dataclass(frozen=True)
class Archive:
    """An archive, in one file or several; `path` is its name without `.part...`."""

    path: Path
    parts: tuple[Path, ...]

    def __str__(self) -> str:
        return str(self.path)

    def open(self) -> BinaryIO:
        """All of its bytes, seekable; LabelError where a part is missing."""
        return io.BufferedReader(_Joined(self.parts, _offsets(self)), _BUFFER)


@dataclass(frozen=True)
class Member:
    """A file of an archive, or one that lies in a folder (`archive` None, `name` its path).

    `offset` is where it lies in the archive as it is (in a zip where its header does), None where it is packed; `crc` is what a zip
    says of its `size` bytes.
    """

    archive: Archive | None
    name: str
    size: int
    offset: int | None = None
    crc: int | None = None

    def __str__(self) -> str:
        return f"{self.archive}: {self.name}" if self.archive else self.name

    @property
    def file_name(self) -> str:
        """Its name without folders."""
        return self.name.replace("\\", "/").rsplit("/", 1)[-1]

    @property
    def state(self) -> str:
        """What tells it from another: an archive that was copied elsewhere has the same members."""
        where = f"{self.archive.path.name}:{self.name}" if self.archive else self.name
        return f"{where} {self.size} {'' if self.crc is None else f'{self.crc:08x}'}".rstrip()

    def read(self) -> bytes:
        """All of it; LabelError, naming archive and member, where it cannot be had or is not what was packed."""
        with self._named(), self._stream() as stream:
            return stream.read()

    def check(self) -> None:
        """Read it through; LabelError where the checksum is not the archive's (only a zip has any)."""
        if self.crc is not None:
            with self._named(), self._stream() as stream:
                while stream.read(_BUFFER):
                    pass

    @contextmanager
    def seekable(self, spool: Path) -> Iterator[Callable[[], BinaryIO]]:
        """A function that opens it, seekable, as often as is wanted meanwhile.

        Where it lies in the archive as it is nothing is written; what is packed is unpacked into a file of the folder `spool`,
        which has no name, so that nothing is left of it whatever ends the process. LabelError as with `read`.
        """
        if self.archive is None:
            yield partial(open, self.name, "rb")
        elif self.offset is not None:
            yield self._slice
        else:
            with tempfile.TemporaryFile(dir=spool) as file:
                with self._named(), self._stream() as stream:
                    shutil.copyfileobj(stream, file, _BUFFER)
                file.flush()
                yield lambda: io.BufferedReader(_Slice(partial(os.pread, file.fileno()), 0, self.size), _BUFFER)

    def _slice(self) -> BinaryIO:
        file = self.archive.open()
        first = self.offset if self.crc is None else _data_offset(self, file)

        def read_at(count: int, position: int) -> bytes:
            file.seek(position)
            return file.read(count)

        return io.BufferedReader(_Slice(read_at, first, self.size), _BUFFER)

    @contextmanager
    def _stream(self) -> Iterator[BinaryIO]:
        if self.archive is None:
            with open(self.name, "rb") as file:
                yield file
        elif self.crc is None:
            with self._slice() as file:
                yield file
        else:
            with self.archive.open() as whole, zipfile.ZipFile(whole) as packed, packed.open(self.name) as file:
                yield file

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except LabelError:
            raise
        except _BROKEN as error:
            if getattr(error, "errno", None) in NO_ROOM:  # where it is unpacked; the archive has no part in that
                raise
            raise LabelError(f"{self}: cannot be read ({_why(error)}); {_AGAIN}") from None


def find_archives(root: Path) -> tuple[list[Archive], list[Path]]:
    """The archives under `root` in order of their names, those in parts joined; and the other files there.

    LabelError where `root` is no folder.
    """
    whole: list[Archive] = []
    parts: dict[Path, list[tuple[int, Path]]] = {}
    others = []
    for path in files_under(root, None):
        if match := _PART.fullmatch(path.name):
            parts.setdefault(path.with_name(match[1]), []).append((int(match[2]), path))
        elif path.suffix.lower() in _SUFFIXES:
            whole.append(Archive(path, (path,)))
        else:
            others.append(path)
    there = {archive.path for archive in whole}  # one that was joined, with its parts still beside it
    joined = [Archive(path, tuple(part for _, part in sorted(found))) for path, found in parts.items() if path not in there]
    return sorted(whole + joined, key=lambda archive: str(archive)), others


def list_members(archive: Archive) -> list[Member]:
    """What an archive holds. LabelError, naming it, where it is cut short, lacks a part or is none."""
    try:
        with archive.open() as file:
            if archive.path.suffix.lower() == ".tar":
                return list(_tar_members(archive, file))
            return list(_zip_members(archive, file))
    except LabelError:
        raise
    except _BROKEN as error:
        raise LabelError(f"{archive}: is no whole archive ({_why(error)}); {_AGAIN}") from None


def _zip_members(archive: Archive, file: BinaryIO) -> Iterator[Member]:
    with zipfile.ZipFile(file) as packed:
        for info in packed.infolist():
            if info.is_dir():
                continue
            if info.flag_bits & 1:
                raise LabelError(f"{archive}: {info.filename} is locked with a password; {_AGAIN}")
            stored = info.compress_type == zipfile.ZIP_STORED
            yield Member(archive, info.filename, info.file_size, info.header_offset if stored else None, info.CRC)


def _data_offset(member: Member, file: BinaryIO) -> int:
    """Where a zip's stored member's bytes begin: behind its own header, whose length only itself tells."""
    file.seek(member.offset)
    header = file.read(_LOCAL_HEADER.size)
    if len(header) < _LOCAL_HEADER.size or header[:4] != b"PK\3\4":
        raise LabelError(f"{member}: is not where the archive says; {_AGAIN}")
    _, name, extra = _LOCAL_HEADER.unpack(header)
    return member.offset + _LOCAL_HEADER.size + name + extra


def _tar_members(archive: Archive, file: BinaryIO) -> Iterator[Member]:
    with tarfile.open(fileobj=file, mode="r:") as packed:
        for info in packed:
            if info.isreg():
                yield Member(archive, info.name, info.size, info.offset_data)
        end = file.seek(0, io.SEEK_END)
        if packed.offset > end:  # tarfile takes a cut for the end
            raise LabelError(f"{archive}: is cut short; {_AGAIN}")


def _offsets(archive: Archive) -> list[int]:
    """Where each part begins, and the end. LabelError where their names say that one is missing or cut short."""
    offsets = [0]
    for part in archive.parts:
        match = _PART.fullmatch(part.name)
        if match and int(match[2]) != offsets[-1]:
            wanted = f"{archive.path.name}.part{offsets[-1]}"
            raise LabelError(f"{archive}: after byte {offsets[-1]} comes {part.name}, so {wanted} is missing or the part before is cut; {_AGAIN}")
        offsets.append(offsets[-1] + part.stat().st_size)
    return offsets


def _why(error: Exception) -> str:
    return " ".join(str(getattr(error, "strerror", None) or error or type(error).__name__).split())


class _Joined(io.RawIOBase):
    """Files one after the other, read as one."""

    def __init__(self, parts: Sequence[Path], offsets: Sequence[int]) -> None:
        self._parts, self._offsets = parts, offsets
        self._position, self._open, self._file = 0, -1, None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = _sought(offset, whence, self._position, self._offsets[-1])
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer) -> int:
        if self._position >= self._offsets[-1]:
            return 0
        number = bisect_right(self._offsets, self._position) - 1
        if number != self._open:
            self._close_part()
            self._file, self._open = open(self._parts[number], "rb", buffering=0), number
        self._file.seek(self._position - self._offsets[number])
        count = self._file.readinto(memoryview(buffer)[: self._offsets[number + 1] - self._position])
        self._position += count
        return count

    def close(self) -> None:
        self._close_part()
        super().close()

    def _close_part(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file, self._open = None, -1


class _Slice(io.RawIOBase):
    """Bytes `first` to `first + size` of what `read_at(count, position)` reads, as a file of their own."""

    def __init__(self, read_at: Callable[[int, int], bytes], first: int, size: int) -> None:
        self._read_at, self._first, self._size, self._position = read_at, first, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = _sought(offset, whence, self._position, self._size)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer) -> int:
        count = max(0, min(len(buffer), self._size - self._position))
        data = self._read_at(count, self._first + self._position) if count else b""
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def _sought(offset: int, whence: int, position: int, size: int) -> int:
    sought = offset + (0, position, size)[whence]
    if sought < 0:
        raise OSError("a position before the start")
    return sought
