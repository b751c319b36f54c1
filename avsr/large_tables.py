"""Kaldi-style tables of a million lines: what avsr.tables reads into a dictionary, left on disk until it is asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from avsr.errors import LabelError

_BLOCK = 1 << 24  # bytes looked through at a time
_ROWS = 1 << 16  # lines compared at a time
_USUAL = 48  # bytes of an id; longer ones take longer
_NEWLINE, _SPACE = ord("\n"), ord(" ")


class LargeTable(Mapping[str, str]):
    """`utt value` on each line, as `avsr.tables.read_table` reads it; a few bytes of memory a line.

    Iterates in the order of the ids, which is that of the lines in what `write_table` writes.

    LabelError names the file, and the id that is there twice; the ones that are not UTF-8 when they are asked for.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        try:
            # Read, not mapped: what is mapped counts as this process's memory, and a file that is cut off meanwhile would end it.
            self._file = open(self.path, "rb", buffering=0)
            self._size = self._file.seek(0, os.SEEK_END)
        except FileNotFoundError:
            raise LabelError(f"{path} is missing: run the stages before this one first.") from None
        except OSError as error:
            raise LabelError(f"{path} cannot be read ({error.strerror}): check the path and its permissions.") from None
        at = range(0, self._size, _BLOCK)
        blocks = (np.flatnonzero(np.frombuffer(self._read(first, first + _BLOCK), np.uint8) == _NEWLINE) + first for first in at)
        ends = np.concatenate([np.zeros(0, np.int64), *blocks])
        if self._size and (not len(ends) or ends[-1] != self._size - 1):
            ends = np.append(ends, self._size)
        starts = np.concatenate([[0], ends[:-1] + 1]).astype(np.int64) if len(ends) else ends
        self._starts, self._ends = starts[ends > starts], ends[ends > starts]
        self._as_filed = True  # rows come in the order of the lines
        self._next = 0  # the row after the one that was looked up last
        self._key_ends = self._starts + np.concatenate([np.zeros(0, np.int64), *map(self._key_lengths, self._parts())])
        if (self._key_ends == self._starts).any():
            row = int(np.flatnonzero(self._key_ends == self._starts)[0])
            raise LabelError(f"{path}, line {row + 1}: begins with a space; run the stage that writes it again.")
        self.width = int((self._key_ends - self._starts).max(initial=1))
        self._sort()

    def _read(self, start: int, stop: int) -> bytes:
        return os.pread(self._file.fileno(), int(stop) - int(start), int(start))

    def _parts(self) -> Iterator[np.ndarray]:
        """All rows, some at a time."""
        return (np.arange(first, min(first + _ROWS, len(self))) for first in range(0, len(self), _ROWS))

    def _letters(self, rows: np.ndarray, width: int) -> np.ndarray:
        """(n, width) uint8: the first bytes of each row, and what follows it."""
        if not self._as_filed:
            pieces = (self._read(start, start + width) for start in self._starts[rows])
            return np.frombuffer(b"".join(piece.ljust(width, b"\0") for piece in pieces), np.uint8).reshape(-1, width).copy()
        first = self._starts[rows[0]]
        data = np.frombuffer(self._read(first, self._ends[rows[-1]]) + bytes(width), np.uint8)
        return np.lib.stride_tricks.sliding_window_view(data, width)[self._starts[rows] - first]

    def _key_lengths(self, rows: np.ndarray) -> np.ndarray:
        """(n,) int64: bytes before the first space, or the line's end."""
        lengths = self._ends[rows] - self._starts[rows]
        spaces = (self._letters(rows, _USUAL) == _SPACE) & (np.arange(_USUAL) < lengths[:, None])
        found = np.where(spaces.any(1), spaces.argmax(1), lengths)
        for place in np.flatnonzero(~spaces.any(1) & (lengths > _USUAL)).tolist():
            start, end = int(self._starts[rows[place]]), int(self._ends[rows[place]])
            found[place] = len(self._read(start, end).partition(b" ")[0])
        return found

    def keys_of(self, rows: np.ndarray, width: int) -> np.ndarray:
        """(n,) bytes, the ids of rows, which are in the order of code points, as UTF-8 is; `width` is that of the longest or more."""
        letters = self._letters(rows, width)
        letters[np.arange(width) >= (self._key_ends[rows] - self._starts[rows])[:, None]] = 0
        return letters.view(f"S{width}")[:, 0]

    def _sort(self) -> None:
        last = b""
        for rows in self._parts():
            keys = self.keys_of(rows, self.width)
            if keys[0] <= last or (keys[1:] <= keys[:-1]).any():
                break
            last = keys[-1]
        else:
            return
        keys = np.concatenate([self.keys_of(rows, self.width) for rows in self._parts()])
        order = np.argsort(keys, kind="stable")
        twice = np.flatnonzero(keys[order[1:]] == keys[order[:-1]])
        if len(twice):
            row = int(order[twice[0] + 1])
            name = self._text(self._starts[row], self._key_ends[row])
            raise LabelError(f"{self.path}, line {row + 1}: {name} is there twice; run the stage that writes it again.")
        self._starts, self._ends, self._key_ends = self._starts[order], self._ends[order], self._key_ends[order]
        self._as_filed = False

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[str]:
        return (key for key, _ in self.items())

    def key(self, row: int) -> str:
        """The id of a row, counted from 0 in the order of ids."""
        return self._text(self._starts[row], self._key_ends[row])

    def value(self, row: int) -> str:
        """What stands beside it."""
        return self._text(self._key_ends[row], self._ends[row]).strip()

    def items(self) -> Iterator[tuple[str, str]]:  # type: ignore[override]
        """All rows, each read once."""
        if not self._as_filed:
            yield from ((self.key(row), self.value(row)) for row in range(len(self)))
            return
        for rows in self._parts():
            first, span = int(self._starts[rows[0]]), slice(rows[0], rows[-1] + 1)
            data = self._read(first, self._ends[rows[-1]])
            places = ((part[span] - first).tolist() for part in (self._starts, self._key_ends, self._ends))
            for start, key_end, end in zip(*places, strict=True):
                yield self.decoded(data[start:key_end], first + start), self.decoded(data[key_end:end], first + key_end).strip()

    def __getitem__(self, key: str) -> str:
        row = self._find(key)
        if row is None:
            raise KeyError(key)
        return self.value(row)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._find(key) is not None

    def _key(self, row: int) -> bytes:
        return self._read(self._starts[row], self._key_ends[row])

    def _find(self, key: str) -> int | None:
        wanted, low, high = key.encode(), 0, len(self)
        if self._next < high and self._key(self._next) == wanted:
            low = high = self._next  # most are asked for one after the other
        while low < high:
            middle = (low + high) // 2
            if self._key(middle) < wanted:
                low = middle + 1
            else:
                high = middle
        if low == len(self) or self._key(low) != wanted:
            return None
        self._next = low + 1
        return low

    def _text(self, start: int, end: int) -> str:
        return self.decoded(self._read(start, end), int(start))

    def starts(self, rows: np.ndarray) -> list[int]:
        """Where the lines of these rows begin in the file."""
        return self._starts[rows].tolist()

    def decoded(self, data: bytes, start: int) -> str:
        """The text of bytes that stand at `start` of the file."""
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise LabelError(f"{self.path} is not UTF-8 (byte {start + error.start}): run the stage that writes it again.") from None


def common_keys(tables: Sequence[LargeTable]) -> Iterator[str]:
    """The ids that all of the tables have, in their order; each table is gone through once."""
    width, count = max(table.width for table in tables), len(tables[0])
    done = 0
    while all(len(table) == count for table in tables) and done < count:  # and mostly all have the same
        rows = np.arange(done, min(done + _ROWS, count))
        keys = tables[0].keys_of(rows, width)
        if any((table.keys_of(rows, width) != keys).any() for table in tables[1:]):
            break
        yield from map(tables[0].decoded, keys.tolist(), tables[0].starts(rows))
        done += len(rows)
    places = [done] * len(tables)
    while all(place < len(table) for place, table in zip(places, tables, strict=True)):
        found = [table.key(place) for place, table in zip(places, tables, strict=True)]
        last = max(found)
        same = found.count(last) == len(found)
        if same:
            yield last
        # All go on where they agree, else those that are behind.
        places = [place + (key < last or same) for place, key in zip(places, found, strict=True)]
