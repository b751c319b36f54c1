"""Kaldi-style tables of a million lines: what avsr.tables reads into a dictionary, left on disk until it is asked for."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from avsr.errors import LabelError

_BLOCK = 1 << 24  # bytes looked through at a time
_ROWS = 1 << 16  # keys compared at a time
_NEWLINE, _SPACE = ord("\n"), ord(" ")


class LargeTable(Mapping[str, str]):
    """`utt value` on each line, as `avsr.tables.read_table` reads it; a few bytes of memory a line.

    Iterates in the order of the ids, which is that of the lines in what `write_table` writes.

    LabelError names the file, and the id that is there twice; the ones that are not UTF-8 when they are asked for.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._map: mmap.mmap | bytes = b""
        try:
            with open(self.path, "rb") as file:
                if file.seek(0, 2):
                    self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except FileNotFoundError:
            raise LabelError(f"{path} is missing: run the stages before this one first.") from None
        except OSError as error:
            raise LabelError(f"{path} cannot be read ({error.strerror}): check the path and its permissions.") from None
        self._bytes = np.frombuffer(self._map, np.uint8)
        ends = self._places(_NEWLINE)
        if len(self._bytes) and (not len(ends) or ends[-1] != len(self._bytes) - 1):
            ends = np.append(ends, len(self._bytes))
        starts = np.concatenate([[0], ends[:-1] + 1]).astype(np.int64) if len(ends) else ends
        spaces = np.append(self._places(_SPACE), len(self._bytes))
        first_space = spaces[np.searchsorted(spaces, starts)] if len(starts) else starts
        kept = ends > starts
        self._starts, self._ends, self._key_ends = starts[kept], ends[kept], np.minimum(first_space, ends)[kept]
        if (self._key_ends == self._starts).any():
            row = int(np.flatnonzero(self._key_ends == self._starts)[0])
            raise LabelError(f"{path}, line {row + 1}: begins with a space; run the stage that writes it again.")
        self._sort()

    def _places(self, byte: int) -> np.ndarray:
        blocks = (np.flatnonzero(self._bytes[at : at + _BLOCK] == byte) + at for at in range(0, len(self._bytes), _BLOCK))
        return np.concatenate([np.zeros(0, np.int64), *blocks])

    def _keys(self, rows: np.ndarray, width: int) -> np.ndarray:
        """The ids of rows as bytes, which are in the order of code points, as UTF-8 is."""
        at = self._starts[rows, None] + np.arange(width)
        letters = self._bytes[np.minimum(at, len(self._bytes) - 1)]
        letters[at >= self._key_ends[rows, None]] = 0
        return np.ascontiguousarray(letters).view(f"S{width}")[:, 0]

    def _sort(self) -> None:
        count = len(self._starts)
        if not count:
            return
        width = int((self._key_ends - self._starts).max())
        rows = np.arange(count)
        parts = [rows[first : first + _ROWS + 1] for first in range(0, count, _ROWS)]
        if all((keys[1:] > keys[:-1]).all() for keys in (self._keys(part, width) for part in parts)):
            return
        keys = np.concatenate([self._keys(rows[first : first + _ROWS], width) for first in range(0, count, _ROWS)])
        order = np.argsort(keys, kind="stable")
        twice = np.flatnonzero(keys[order[1:]] == keys[order[:-1]])
        if len(twice):
            row = int(order[twice[0] + 1])
            raise LabelError(f"{self.path}, line {row + 1}: {self._text(self._starts[row], self._key_ends[row])} is there twice; "
                             "run the stage that writes it again.")
        self._starts, self._ends, self._key_ends = self._starts[order], self._ends[order], self._key_ends[order]

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[str]:
        return map(self.key, range(len(self)))

    def key(self, row: int) -> str:
        """The id of a row, counted from 0 in the order of ids."""
        return self._text(self._starts[row], self._key_ends[row])

    def value(self, row: int) -> str:
        """What stands beside it."""
        return self._text(self._key_ends[row], self._ends[row]).strip()

    def items(self) -> Iterator[tuple[str, str]]:  # type: ignore[override]
        """All rows, each read once."""
        return ((self.key(row), self.value(row)) for row in range(len(self)))

    def __getitem__(self, key: str) -> str:
        row = self._find(key)
        if row is None:
            raise KeyError(key)
        return self.value(row)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._find(key) is not None

    def _find(self, key: str) -> int | None:
        wanted, low, high = key.encode(), 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self._map[self._starts[middle] : self._key_ends[middle]] < wanted:
                low = middle + 1
            else:
                high = middle
        return low if low < len(self) and self._map[self._starts[low] : self._key_ends[low]] == wanted else None

    def _text(self, start: int, end: int) -> str:
        try:
            return self._map[start:end].decode("utf-8")
        except UnicodeDecodeError as error:
            raise LabelError(f"{self.path} is not UTF-8 (byte {start + error.start}): run the stage that writes it again.") from None


def common_keys(tables: Sequence[LargeTable]) -> Iterator[str]:
    """The ids that all of the tables have, in their order; each table is gone through once."""
    places = [0] * len(tables)
    while all(place < len(table) for place, table in zip(places, tables, strict=True)):
        keys = [table.key(place) for place, table in zip(places, tables, strict=True)]
        last = max(keys)
        if keys.count(last) == len(keys):
            yield last
        # All go on where they agree, else those that are behind.
        places = [place + (key < last or keys.count(last) == len(keys)) for place, key in zip(places, keys, strict=True)]
