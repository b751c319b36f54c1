"""How many streams of events may be open: each takes a line and asks the tables again and again, for as long as somebody likes."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

from fastapi import Request

# Of one owner, which is more tabs than a browser has lines to one server (6, HTTP/1.1), and of all: a browser can make itself a new owner.
_OWN, _ALL = 16, 256
_RETRY = "10"  # seconds after which to ask again


class TooMany(Exception):
    """There are as many streams as there may be; `retry` seconds later there may be room."""

    retry = _RETRY


class Lines:
    """Those that are open, by owner. Of one event loop."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    async def take(self, request: Request) -> AsyncIterator[None]:
        """A dependency of FastAPI, which goes on behind the `yield` when the answer has ended, however that was; TooMany where there is no
        room for one more."""
        owner = request.scope["owner"]
        if self._open[owner] >= _OWN or self._open.total() >= _ALL:
            raise TooMany
        self._open[owner] += 1
        try:
            yield
        finally:
            self._open[owner] -= 1
            if not self._open[owner]:
                del self._open[owner]
