"""The look ahead at a file's sound: it finds the speech that the recogniser will find, in any file, and fails none."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from avsr.decoding import look_ahead as looking
from avsr.decoding.checkpoint import Checkpoint
from avsr.decoding.look_ahead import look_ahead
from avsr.decoding.time_left import TimeLeft
from avsr.decoding.transcribe import transcribe_files
from avsr.errors import MediaError
from avsr.media.audio import write_audio
from tests.decoding.conftest import speech
from tests.media_maker import make_video


def now_and_then(times: np.ndarray) -> np.ndarray:
    """Speech from second 70 to 85 and from 130 to 140 before a quiet room."""
    room = 3e-4 * np.random.default_rng(1).standard_normal(len(times)).astype(np.float32)
    said = ((times >= 70) & (times < 85)) | ((times >= 130) & (times < 140))
    return (speech(times) * said + room).astype(np.float32)


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "a.flac"
    write_audio(path, now_and_then(np.arange(150 * 16000) / 16000))
    return path


def test_it_finds_speech_where_it_is(recording):
    told = []
    found = look_ahead(recording, 0.0, told.append)
    assert told == [60.0, 120.0, pytest.approx(150.0)] and found.end == pytest.approx(150.0) and len(found.spoken) == 150
    assert found.spoken[:68].sum() == 0 and found.spoken[87:128].sum() == 0
    assert found.spoken[70:85].sum() > 12 and found.spoken[130:140].sum() > 8
    assert found.after(0.0) == pytest.approx(found.spoken.sum()) and found.after(100.0) == pytest.approx(found.spoken[100:].sum())
    assert found.after(150.0) == found.after(400.0) == 0.0 and found.took > 0
    later = look_ahead(recording, 120.0, told.append)
    assert later.start == 120.0 and len(later.spoken) == 30 and later.after(120.0) == pytest.approx(found.after(120.0), abs=0.5)


def test_quiet_is_not_asked_for_voices(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(looking, "voice_probability", lambda samples: asked.append(len(samples)) or np.zeros(-(-len(samples) // 640)))
    write_audio(tmp_path / "a.wav", 1e-3 * np.random.default_rng(1).standard_normal(16000 * 90).astype(np.float32))
    found = look_ahead(tmp_path / "a.wav", 0.0)
    assert max(asked) <= 640 and found.spoken.sum() == 0 and found.took is None and found.end == pytest.approx(90.0)


def test_the_recogniser_finds_as_much_as_was_foreseen(recognizer, recording):
    class Told(TimeLeft):
        planned, ahead = 0.0, None

        def expect(self, ahead, done):
            self.ahead = ahead
            super().expect(ahead, done)

        def cut(self, seconds, until=None):
            self.planned += seconds
            super().cut(seconds, until)

    left = Told(150.0)
    recognizer.transcribe(recording, "audio", time_left=left)
    assert left.planned == pytest.approx(left.ahead.after(0.0), rel=0.05) and left.left() == 0.0


def test_a_file_without_sound_or_with_sound_that_cannot_be_read_has_none(tmp_path, recording):
    silent = make_video(tmp_path / "a.mp4", seconds=1, size=(160, 120), audio=False)
    assert look_ahead(silent, 0.0) is None
    (tmp_path / "b.flac").write_bytes(recording.read_bytes()[:200] + bytes(1000))
    assert look_ahead(tmp_path / "b.flac", 0.0) is None


def test_half_a_file_is_heard_to_where_it_ends(tmp_path, recording):
    data = recording.read_bytes()
    (tmp_path / "a.flac").write_bytes(data[: len(data) * 2 // 3])
    found = look_ahead(tmp_path / "a.flac", 0.0)
    assert 80 < found.end < 140 and found.after(0.0) > 12


def test_a_look_ahead_that_fails_costs_nothing_but_the_answer(recognizer, face, video, monkeypatch):
    class Broken:
        def __init__(self, *_, **__):
            pass

        def __iter__(self):
            yield np.zeros(16000 * 200, np.float32)
            raise MediaError("it has holes.")

    whole = recognizer.transcribe(video)
    monkeypatch.setattr(looking, "AudioReader", Broken)
    assert look_ahead(video, 0.0) is None
    assert recognizer.transcribe(video, time_left=TimeLeft(2.0)).segments == whole.segments


def test_what_is_told_of_it_may_end_it(recognizer, video):
    class Lost(Exception):
        pass

    def lost(second):
        raise Lost

    with pytest.raises(Lost):
        recognizer.transcribe(video, "audio", time_left=TimeLeft(2.0), looking=lost)


def test_it_begins_where_an_interrupted_run_goes_on(recognizer, recording, tmp_path, monkeypatch):
    from avsr.decoding.recognizer import Recognizer

    class Killed(BaseException):
        pass

    real, looked = Recognizer.recognise_piece, []

    def dying(self, window, piece, mode):
        if window.start + piece.first / 25 > 120:
            raise Killed
        return real(self, window, piece, mode)

    monkeypatch.setattr(Recognizer, "recognise_piece", dying)
    with pytest.raises(Killed):
        recognizer.transcribe(recording, "audio", checkpoint=Checkpoint(tmp_path / "part", "x"))
    monkeypatch.setattr(Recognizer, "recognise_piece", real)
    monkeypatch.setattr("avsr.decoding.look_ahead.look_ahead", lambda path, start, *rest: looked.append(start) or look_ahead(path, start, *rest))
    recognizer.transcribe(recording, "audio", checkpoint=Checkpoint(tmp_path / "part", "x"), time_left=TimeLeft(150.0))
    assert looked == [60.0], "where the last window but one began"


def test_the_bar_says_so_and_then_begins_anew(packed, recording, tmp_path, monkeypatch):
    from contextlib import contextmanager

    said = []

    @contextmanager
    def bar():
        yield show

    def show(what, total, done, time_left=None):
        said.append((what, total, done))

    show.say = lambda line: None
    monkeypatch.setattr("avsr.decoding.transcribe.progress_bar", bar)
    assert transcribe_files([recording], model=packed, mode="audio", out=tmp_path) == 0
    told = [(done, total) for what, total, done in said if "listening for speech" in what]
    assert told == [(second, pytest.approx(150.0)) for second in (60.0, 120.0, pytest.approx(150.0))]
    after = [one for one in said if one[0] == "a.flac"]
    assert after[0][2] == after[1][2] == 0.0 and after[-1][2] == pytest.approx(150.0)


def test_a_recording_without_a_length_in_its_header_gets_a_time_left(recognizer, tmp_path):
    path = make_video(tmp_path / "a.mkv", seconds=8, video=False, sound=speech, container_options={"live": "1"})
    from avsr.media.probe import probe

    assert probe(path).duration == 0.0
    clock = SimpleNamespace(now=0.0)
    left = TimeLeft(0.0, clock=lambda: clock.now)
    told = []

    def progress(second):
        clock.now += 1.0
        told.append((second, left.total, left.left()))

    recognizer.transcribe(path, "audio", time_left=left, progress=progress)
    assert left.total == pytest.approx(8.0, abs=0.1) and told[-1][2] is not None
