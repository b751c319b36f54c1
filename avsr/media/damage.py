"""Finds out which pictures of a damaged video can be trusted, and holds each one back until that is known."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame

MAX_HELD = 16
"""Pictures held back at most: H.264 and HEVC reorder no further (H.264 annex A.3.1, max_dec_frame_buffering)."""

STILL = 1.0
"""Seconds without a picture after which one counts as lost where the container shows no other sign of it."""

# Packets of these make no picture at times without being damaged: VP8's hidden reference frames, and the
# "nothing coded" marks that follow packed B-frames in MPEG-4 part 2.
_HIDING_CODECS = {"vp8", "mpeg4", "msmpeg4v3", "msmpeg4v2", "h263", "flv1", "flv"}


class Clock:
    """Tells a hole in a run of timestamps from a frame rate that merely varies."""

    def __init__(self) -> None:
        self._end: float | None = None
        self._steps: deque[float] = deque(maxlen=24)

    def hole(self, start: float, duration: float, skipped: bool | None) -> float | None:
        """Where the hole before this frame (seconds) begins, or None where there is none.

        `skipped`: the container shows that something between two packets was lost; None where it cannot tell. Then a
        run of (mostly) equal steps that breaks off for more than two of them counts as a hole, as does a second
        without a frame. A frame's own duration is never a hole: MP4 writes it down, so a long still there is meant.
        """
        end, self._end = self._end, start + duration
        if end is None:
            return None
        if start <= end:
            self._steps.append(start - end + duration)
            return None
        usual = sorted(self._steps)[len(self._steps) // 2] if self._steps else duration
        if skipped is None:
            alike = sum(abs(step - usual) <= 2.5e-3 for step in self._steps)
            limit = min(STILL, 2.5 * usual) if alike >= max(4, 0.75 * len(self._steps)) else STILL
        else:
            limit = 0.5 * usual if skipped else float("inf")
        if start - end <= limit:
            self._steps.append(start - end + duration)
            return None
        return end


@dataclass
class _Group:
    """The pictures from one key picture to the next, in decoding order."""

    key_time: int | None
    previous: _Group | None = None
    broken_from: int | None = None  # decoding order of its first bad reference picture
    missing_from: int | None = None  # time of its first picture after a hole


@dataclass
class _Entry:
    order: int
    time: int
    group: _Group
    duration: int
    bad: bool = False
    shown: bool = False


@dataclass
class Picture:
    """A decoded picture or, where `frame` is None, one that is lost or cannot be trusted; times in seconds.

    `hole` is where the hole before it begins, if there is one.
    """

    start: float
    end: float
    frame: VideoFrame | None
    hole: float | None


@dataclass
class Ledger:
    """Matches packets put into a decoder with the pictures that come out of it, by presentation timestamp.

    A packet without a picture is lost, a picture that the decoder mended by guessing is bad, and so is every picture
    that may refer to either: all later ones, in decoding order, up to the next key picture. A B-picture comes out
    before the picture it refers to, so pictures are held until everything decoded earlier is known.
    """

    codec: str
    unit: float  # seconds of one tick of the stream's time base
    nominal: float  # seconds that a picture lasts where the file does not say
    zero: float  # media time zero on the stream's own clock, seconds
    _clock: Clock = field(default_factory=Clock)
    _losses: list[int] | None = None  # decoding order of recent packets before which something was lost
    _pending: Picture | None = None
    _entries: dict[int, _Entry] = field(default_factory=dict)
    _held: deque[tuple[_Entry, VideoFrame | None]] = field(default_factory=deque)
    _group: _Group = field(default_factory=lambda: _Group(None))
    _order: int = 0
    _errors: int = 0

    def packet(self, packet: Packet, skipped: bool | None) -> None:
        """Note a packet on its way into the decoder; `skipped` as in Clock.hole."""
        time = packet.pts if packet.pts is not None else packet.dts
        if packet.is_keyframe:
            self._group.previous = None  # two groups are enough, and memory must not grow
            self._group = _Group(time, previous=self._group)
        self._order += 1
        if skipped is not None:
            self._losses = [order for order in self._losses or () if order > self._order - 4 * MAX_HELD]
            self._losses += [self._order] if skipped else []
        if packet.pts is None or packet.is_discard or packet.size < 8:
            return
        entry = _Entry(self._order, time, self._group, packet.duration or 0)
        self._entries[time] = entry
        if packet.is_corrupt:
            self._spoil(entry, packet.is_disposable)

    def error(self) -> None:
        """Note that the decoder refused a packet (with threads: one of the last few)."""
        self._errors += 1
        if not self._entries and self._group.broken_from is None:  # AVI has no presentation times to go by
            self._group.broken_from = self._order

    def frame(self, frame: VideoFrame) -> Iterator[Picture]:
        """Note a picture that came out; gives those that are now known, in presentation order."""
        time = frame.pts if frame.pts is not None else frame.dts
        if time is None:
            return
        entry = self._entries.get(time) or _Entry(self._order, time, self._group, frame.duration or 0)
        entry.duration = entry.duration or frame.duration or 0
        self._lose_before(time)
        entry.shown = True
        if frame.is_corrupt:
            self._spoil(entry, disposable=False)
        self._held.append((entry, frame))
        yield from self._release()

    def finish(self) -> Iterator[Picture]:
        """Gives what is left once the decoder is empty."""
        self._lose_before(None)
        yield from self._release(everything=True)
        if self._pending is not None:
            yield self._pending

    def _spoil(self, entry: _Entry, disposable: bool) -> None:
        entry.bad = True
        group = entry.group
        if not disposable and (group.broken_from is None or entry.order < group.broken_from):
            group.broken_from = entry.order

    def _lose_before(self, time: int | None) -> None:
        """Packets whose picture should have come by now are lost (where the codec hides none, or an error was seen)."""
        for entry in sorted((e for e in self._entries.values() if time is None or e.time < time), key=lambda e: e.time):
            del self._entries[entry.time]
            hidden = self.codec in _HIDING_CODECS and not self._errors
            if not entry.shown and not hidden:
                self._errors = max(0, self._errors - 1)
                self._spoil(entry, disposable=False)
                self._held.append((entry, None))

    def _release(self, everything: bool = False) -> Iterator[Picture]:
        while self._held:
            entry, frame = self._held[0]
            waiting = any(other.order < entry.order and not other.shown for other in self._entries.values())
            if waiting and not everything and len(self._held) <= MAX_HELD:
                return
            self._held.popleft()
            yield from self._follow(entry, frame)

    def _follow(self, entry: _Entry, frame: VideoFrame | None) -> Iterator[Picture]:
        """Put the next picture on the screen; gives the one before, which is bad too where a hole cut it off."""
        start, lasting = entry.time * self.unit - self.zero, entry.duration * self.unit or self.nominal
        # Reordering may put other pictures between the packet behind a loss and the hole that it leaves.
        skipped = None if self._losses is None else any(abs(o - entry.order) <= MAX_HELD for o in self._losses)
        hole = self._clock.hole(start, lasting, skipped)
        group = entry.group
        begun = group.key_time is not None and group.key_time < entry.time
        if hole is not None and begun and group.missing_from is None:
            group.missing_from = entry.time
        if self._pending is not None:
            if hole is not None:
                self._pending.frame = None
            yield self._pending
        self._pending = Picture(start, start + lasting, None if _tainted(entry) else frame, hole)


def _tainted(entry: _Entry) -> bool:
    group = entry.group
    if entry.bad or (group.broken_from is not None and entry.order > group.broken_from):
        return True
    if group.missing_from is not None and entry.time >= group.missing_from:
        return True
    # Pictures shown before the key picture they follow in the file may refer to the group before it.
    before, leading = group.previous, group.key_time is not None and entry.time < group.key_time
    return leading and before is not None and (before.broken_from is not None or before.missing_from is not None)
