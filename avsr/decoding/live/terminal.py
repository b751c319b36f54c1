"""`avsr live`: captions in the terminal of what a camera and a microphone give, or a file in their place."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from avsr.decoding.bar import clock_time
from avsr.decoding.cues import MARKS, name_of
from avsr.decoding.live.messages import REASONS, Dropped, Final, Message, ModeSwitch, Partial
from avsr.decoding.result import Alternative, Result, Segment

if TYPE_CHECKING:
    from avsr.media.capture import Source

_POLL = 0.05  # seconds between two looks at what has come
_MODES = {"av": "sound and lips", "audio": "sound alone", "lip": "lips alone", "none": "neither sound nor a face"}


def caption_live(camera: str, *, model: Path | None, ear: str, mode: str, out: Path | None) -> int:
    """Show what is said, until the file ends or Ctrl-C is pressed; with `out` a folder, leave captions there, rewritten with every line.

    Args:
        camera: a camera's number, or a file that is played in real time in its place.
        model, ear, mode: as for `avsr.decoding.transcribe.transcribe_files`.

    Returns:
        The exit code, 0.

    Raises:
        AvsrError: the camera or file, the model or the ear cannot be used.
    """
    from avsr.decoding.default_model import find_model
    from avsr.decoding.first_use import opening_words
    from avsr.decoding.live.recognizer import LiveRecognizer
    from avsr.decoding.transcribe import load_recognizer

    with _screen() as screen, _opened(camera, screen, mode) as source:
        found = model or find_model()
        screen.status = "loading the model"
        screen.refresh()
        recognizer = load_recognizer(found, ear)
        for words in opening_words(recognizer.packed.meta, None if model else found):
            screen.say(words)
        with LiveRecognizer(recognizer, mode=mode) as live:
            live.warm_up()
            kept = Transcript(Path(camera), found.name, mode, out and out / f"{source.name}-{time.strftime('%Y%m%d-%H%M%S')}")

            def show(messages: list[Message]) -> None:
                for message in messages:
                    screen.show(message)
                    kept.take(message)

            screen.status = ""
            try:
                source.start(live.add_sound, live.add_picture)
                while not source.over:
                    show(live.poll(source.now()))
                    screen.refresh()
                    time.sleep(_POLL)
            except KeyboardInterrupt:
                pass
            source.stop()
            screen.status = "finishing"
            screen.refresh()
            show(live.finish())
            kept.write()
            if kept.target is not None:
                screen.say(f"-> {kept.target}.srt, .vtt, .txt, .json")
    return 0


@contextmanager
def _opened(camera: str, screen: Screen, mode: str) -> Iterator[Source]:
    from avsr.media.capture import CameraSource, FileSource

    source = CameraSource(int(camera)) if camera.isdigit() else FileSource(Path(camera))
    try:
        if source.lack and mode != "lip":
            screen.say(source.lack)
        yield source
    finally:
        source.stop()


@dataclass
class Transcript:
    """The finals so far; written to `target` + .srt, .vtt, .txt and .json, if there is one, whenever there is one more."""

    path: Path
    model: str
    mode: str
    target: Path | None
    finals: list[Final] = field(default_factory=list)

    def take(self, message: Message) -> None:
        """Keep a final."""
        if isinstance(message, Final) and message.text:
            self.finals.append(message)
            self.write()

    def write(self) -> None:
        """Write them, if they are wanted."""
        if self.target is not None:
            from avsr.decoding.transcribe import write_result

            write_result(self.result(), self.target)

    def result(self) -> Result:
        """As of a file; nothing is known of the sound's weight. Who was alone before others came is person 1."""
        told_apart = min((one.start for one in self.finals if one.speaker is not None), default=0.0)
        segments = [
            Segment(
                one.start, one.end, one.text, list(one.words), one.mode, 0.5, [Alternative(one.text, 0.0)], one.source,
                1 if one.speaker is None and one.start < told_apart else one.speaker,
            )
            for one in sorted(self.finals, key=lambda one: one.start)
        ]  # fmt: skip
        modes = {one.mode for one in self.finals}
        mode = self.mode if self.mode != "auto" else modes.pop() if len(modes) == 1 else "av"
        duration = max((one.end for one in self.finals), default=0.0)
        return Result(self.path, duration, mode, "", segments, {"sound": [], "picture": [], "lips": []}, self.model)


class Screen:
    """What is committed and what may change, below the lines that stay."""

    def __init__(self, live) -> None:
        self._live = live
        self.status = ""
        self._partials: dict[int, Partial] = {}
        self._mode = ""

    def show(self, message: Message) -> None:
        """One message."""
        if isinstance(message, Partial):
            self._partials[message.segment] = message
        elif isinstance(message, Final):
            self._partials.pop(message.segment, None)
            if message.text:
                mark = f"{MARKS['lips']} " if message.source == "lips" else ""
                self.say(f"{clock_time(message.start)} {mark}{_whose(message)}{message.text}")
        elif isinstance(message, ModeSwitch):
            self._mode = _MODES[message.mode]
            why = "" if message.reason == "started" else f", because {REASONS[message.reason]}"
            self.say(f"{clock_time(message.time)} {self._mode}{why}", style="dim")
        elif isinstance(message, Dropped):
            lost = [f"{seconds:.1f} s of {what}" for what, seconds in (("sound", message.sound), ("pictures", message.pictures)) if seconds]
            self.say(f"{clock_time(message.time)} this machine cannot follow: {' and '.join(lost)} dropped", style="yellow")

    def say(self, line: str, style: str = "") -> None:
        """A line that stays."""
        self._live.console.print(line, markup=False, highlight=False, soft_wrap=True, style=style)

    def refresh(self) -> None:
        """Draw what changes."""
        self._live.update(self.text(), refresh=True)

    def text(self):
        """What is shown below the lines: each segment that goes on, committed text bright and the tail dim, and the mode."""
        from rich.text import Text

        parts = Text()
        for partial in self._partials.values():
            parts.append(f"{clock_time(partial.start)} {_whose(partial)}", "dim")
            parts.append(partial.committed, "bold")
            parts.append(" " if partial.committed and partial.tail else "")
            parts.append(f"{partial.tail}\n", "dim")
        parts.append(self.status or self._mode, "cyan")
        return parts


def _whose(message: Partial | Final) -> str:
    return "" if message.speaker is None else f"{name_of(message.speaker, {})}: "


@contextmanager
def _screen() -> Iterator[Screen]:
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(), auto_refresh=False, transient=True) as live:
        yield Screen(live)
