"""The bar on stderr that shows what `avsr transcribe` does, how much of it is done, and how long it will take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from avsr.decoding.time_left import TimeLeft


class Bar:
    """Called with what is being done, the media seconds there are (or None), those done, and what knows the time left."""

    def __init__(self, bar, task) -> None:
        self._bar, self._task = bar, task
        self.time_left: TimeLeft | None = None

    def __call__(self, what: str, total: float | None, done: float, time_left: TimeLeft | None = None) -> None:
        from rich.markup import escape

        self.time_left = time_left
        if total is not None:
            done = min(done, total)
        self._bar.update(self._task, description=escape(what), total=total, completed=done, left=self._left)

    def _left(self) -> float | None:
        return None if self.time_left is None else self.time_left.left()

    def say(self, line: str) -> None:
        """A line that stays."""
        self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def progress_bar() -> Iterator[Bar]:
    """A bar, for as long as it is needed; it leaves nothing behind but what was said."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.text import Text

    class Left(ProgressColumn):
        """What TimeLeft says, which goes down while nothing is told; rich's own knows only the speed of what was told."""

        def render(self, task) -> Text:
            seconds = task.fields["left"]()
            return Text("-:--:-- left" if seconds is None else f"{clock_time(seconds)} left", style="progress.remaining")

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f} s"), TimeElapsedColumn(), Left())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield Bar(bar, bar.add_task("", total=None, left=lambda: None))


def clock_time(seconds: float) -> str:
    """Seconds as 1:02:03, rounded."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
