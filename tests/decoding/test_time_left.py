"""The time left: no answer before there can be one, then close to what the rest takes, whatever a file holds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.decoding import streams
from avsr.decoding.bar import clock_time, progress_bar
from avsr.decoding.look_ahead import SpeechAhead
from avsr.decoding.time_left import RECOGNISING, TimeLeft
from tests.decoding.conftest import speech
from tests.media_maker import make_video


class Work:
    """Time that passes only while something is done: `reads` seconds a media second, `recognises` seconds a second of a piece."""

    def __init__(self, total: float, reads: float = 0.2, recognises: float = 0.1, **options) -> None:
        self.now, self.reads, self.recognises = 100.0, reads, recognises
        self.left = TimeLeft(total, clock=lambda: self.now, **options)
        self.said: list[tuple[float, float | None]] = []

    def passes(self, seconds: float) -> None:
        for _ in range(10):
            self.now += seconds / 10
            self.said.append((self.now, self.left.left()))

    def read(self, start: float, stop: float) -> None:
        for second in np.arange(start + 1, stop + 0.5):
            self.passes(self.reads)
            self.left.read(float(second))

    def window(self, start: float, stop: float, pieces: list[float]) -> None:
        self.read(start, stop)
        self.left.cut(sum(pieces))
        for piece in pieces:
            self.passes(self.recognises * piece)
            self.left.recognised(piece)

    def errors(self, first: float) -> list[float]:
        """By what share of the truth it was off, from that share of the run on; AssertionError where it had no answer."""
        begun, end = self.said[0][0], self.now
        late = [(end - moment, told) for moment, told in self.said if begun + first * (end - begun) <= moment < begun + 0.9 * (end - begun)]
        assert late and all(told is not None for _, told in late)
        return [abs(told - true) / true for true, told in late]


def test_no_answer_until_something_is_recognised_and_then_the_right_one():
    work = Work(180)
    work.left.read(0.0)
    work.read(0, 60)
    assert {told for _, told in work.said} == {None}
    work.left.cut(20.0)
    assert work.left.left() is None, "how long a piece takes is not known"
    work.passes(1.0)
    work.left.recognised(10.0)
    assert work.left.left() == pytest.approx(1.0 + 2 * (12.0 + 2.0))
    work.now += 0.4
    assert work.left.left() == pytest.approx(28.6), "it goes down while nothing is told"
    work.now += 99.0
    assert work.left.left() == 0.0


def test_where_as_much_is_said_in_every_minute_it_is_exact():
    work = Work(300)
    work.left.read(0.0)
    for start in range(0, 300, 60):
        work.window(start, start + 60, [8.0, 12.0, 5.0])
    assert max(work.errors(0.2)) < 0.02


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(15, 30), min_size=5, max_size=15), st.floats(0.2, 0.4))
def test_of_a_video_it_is_right_within_a_quarter_from_a_fifth_on(said, reads):
    """Reading takes several times what recognising does, and as long in every minute, so what is said in each matters little."""
    work = Work(60.0 * len(said), reads)
    work.left.read(0.0)
    for number, seconds in enumerate(said):
        work.window(60.0 * number, 60.0 * number + 60, [9.0, seconds - 9.0])
    assert max(work.errors(0.21)) <= 0.25


def test_minutes_without_speech_give_an_answer_too():
    work = Work(180)
    work.left.read(0.0)
    for start, pieces in ((0, []), (60, []), (120, [6.0])):
        work.window(start, start + 60, pieces)
    assert max(work.errors(0.4)) < 0.25


def test_a_guess_answers_until_it_is_known():
    reads, work = 0.2, Work(180, guesses=True)
    work.left.read(0.0)
    work.read(0, 20)
    whole = 180 * reads * (1 + RECOGNISING)
    assert work.left.left() == pytest.approx(whole - 20 * reads)
    work.read(20, 60)
    work.left.cut(36.0)  # as much as where it was measured
    assert work.left.left() == pytest.approx(whole - 60 * reads)
    work.passes(2.0)
    work.left.recognised(10.0)
    guess = RECOGNISING * reads / 0.6
    pace = (2.0 + 10.0 * guess) / 20.0
    assert work.left.left() == pytest.approx(120 * reads + (26 + 72) * pace), "one piece is not sure to be like all others"


def ahead(spoken: list[float], start: float = 0.0, took: float | None = None) -> SpeechAhead:
    return SpeechAhead(start, start + len(spoken), np.array(spoken), took)


def test_what_is_said_in_minutes_to_come_is_known_from_the_sound():
    """Found by benchmarks.time_left: of sound alone the time left was up to 40 % off, for some minutes hold more speech than others."""
    said = [50.0, 5.0, 0.0, 55.0, 10.0]
    work = Work(300, reads=0.001, recognises=0.1)
    work.left.expect(ahead([seconds / 60 for seconds in said for _ in range(60)]), 0.0)
    work.left.read(0.0)
    for number, seconds in enumerate(said):
        work.window(60.0 * number, 60.0 * number + 60, [seconds / 5] * 5 if seconds else [])
    assert max(work.errors(0.2)) < 0.03


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(0, 55), min_size=3, max_size=15), st.floats(0.0, 0.4))
def test_it_is_right_within_a_quarter_whatever_is_said_when(said, reads):
    """The end of each window waits for the next one, and lips speak in some moments in which no voice is heard."""
    said = [20.0, *said]
    work = Work(60.0 * len(said), reads + 0.001)
    spoken = [0.0] * 60 * len(said)
    for number, seconds in enumerate(said):
        for second in range(60):
            spoken[60 * number + second] = min(1.0, max(0.0, seconds - second))
        spoken[60 * number + 59] = 1.0
    work.left.expect(ahead(spoken), 0.0)
    work.left.read(0.0)
    waits = 0.0
    for number, seconds in enumerate(said):
        last = number == len(said) - 1
        work.read(60.0 * number, 60.0 * number + 60)
        pieces = [waits, *[seconds / 5] * 5, *([1.0] if last else [])]
        work.left.cut(1.02 * sum(pieces), None if last else 60.0 * number + 58.9)
        for piece in pieces:
            work.passes(1.02 * 0.1 * piece)
            work.left.recognised(1.02 * piece)
        waits = 1.0
    assert max(work.errors(0.25)) <= 0.25


def test_where_no_voice_is_heard_pieces_come_as_before():
    work = Work(300)
    work.left.expect(ahead([0.0] * 300), 0.0)
    work.left.read(0.0)
    for start in range(0, 300, 60):
        work.window(start, start + 60, [8.0, 12.0, 5.0])  # read from the lips
    assert max(work.errors(0.25)) < 0.02


def test_what_finding_voices_took_says_what_recognising_will_take():
    work = Work(300, reads=0.001, guesses=True)
    work.left.expect(ahead([0.5] * 300, took=0.002), 0.0)
    work.left.read(0.0)
    work.read(0, 60)
    assert work.left.left() == pytest.approx(240 * 0.001 + 150 * 0.1, rel=0.01)


def test_a_header_without_a_length_is_made_up_for_by_the_sound():
    work = Work(0)
    work.left.expect(ahead([1 / 3] * 180), 0.0)
    work.left.read(0.0)
    work.window(0, 60, [20.0])
    assert work.left.total == 180.0 and work.left.left() == pytest.approx(120 * 0.2 + 40 * 0.1)


def test_an_interrupted_run_expects_no_more_than_is_left():
    for heard in (ahead([0.5] * 120, start=60.0), None):
        work = Work(180)
        work.left.expect(heard, 100.0)
        work.left.read(60.0)
        work.read(60, 120)
        work.left.cut(10.0)
        work.passes(0.5)
        work.left.recognised(5.0)
        assert work.left.left() == pytest.approx(0.5 + 60 * 0.2 + 30 * 0.1)


def test_what_was_done_before_does_not_count():
    work = Work(180)
    work.left.read(120.0)
    work.window(120, 150, [10.0])
    assert work.left.left() == pytest.approx(30 * 0.2 + 1.0)


def test_without_recognising_and_without_a_length():
    work = Work(100, recognises=0.0)
    work.left = TimeLeft(100, recognises=False, clock=lambda: work.now)
    assert work.left.left() is None
    work.left.read(0.0)
    work.read(0, 20)
    assert work.left.left() == pytest.approx(16.0)
    unknown = Work(0)
    unknown.left.read(0.0)
    unknown.window(0, 60, [10.0])
    assert unknown.left.left() is None


def test_a_machine_that_grows_busy_shows():
    work = Work(3600)
    work.left.read(0.0)
    for number in range(60):
        work.reads = 0.1 if number < 20 else 0.3
        work.window(60.0 * number, 60.0 * number + 60, [20.0])
    moment = work.said[0][0] + 20 * 8.0 + 20 * 20.0  # of 60 minutes 40 are done
    told = next(told for second, told in work.said if second >= moment)
    assert told == pytest.approx(20 * 20.0, rel=0.25)


def test_all_that_is_done_of_a_file_is_told(recognizer, face, tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "WINDOW", 4.0)

    class Told(TimeLeft):
        def __init__(self):
            super().__init__(11.0)
            self.seconds, self.plans, self.pieces = [], [], []

        def read(self, second):
            self.seconds.append(second)
            super().read(second)

        def cut(self, seconds, until=None):
            self.plans.append(seconds)
            super().cut(seconds, until)

        def recognised(self, seconds):
            self.pieces.append(seconds)
            super().recognised(seconds)

    path = make_video(tmp_path / "a.mp4", seconds=11, size=(160, 120), sound=speech)
    for faces in (1, 3):
        left, done = Told(), []
        recognizer.transcribe(path, faces=faces, time_left=left, progress=done.append)
        assert left.seconds[0] == 0.0 and left.seconds == sorted(left.seconds) and left.seconds[-1] == pytest.approx(11, abs=0.1)
        assert len(left.seconds) > 10, "every second, not every window"
        assert sum(left.plans) == pytest.approx(sum(left.pieces)) and left.pieces and len(left.plans) == 3, "once a window"
        assert done == sorted(done) and done[-1] == pytest.approx(11, abs=0.1)
        assert left.left() == pytest.approx(0.0, abs=0.01)


def test_the_bar_shows_it(capsys):
    assert [clock_time(seconds) for seconds in (0.4, 59.6, 3725.0)] == ["0:00:00", "0:01:00", "1:02:05"]
    with progress_bar() as bar:
        assert bar.time_left is None
        bar("a [b].mp4", 10.0, 12.0, TimeLeft(10.0))
        assert bar.time_left.left() is None
        bar.say("[done]")
    assert "[done]" in capsys.readouterr().err
