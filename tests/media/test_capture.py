"""A file is given as a camera would give it, in real time; a camera and a microphone as far as can be told without them."""

from __future__ import annotations

import sys
import time
import types

import numpy as np
import pytest

from avsr.errors import MediaError
from avsr.media import capture
from avsr.media.play import given_by
from avsr.media.probe import probe
from tests.media_maker import clock_time, make_video, sound_offset


class Taken:
    """What was given, and when it came."""

    def __init__(self) -> None:
        self.sounds, self.pictures = [], []
        self.began = time.monotonic()

    def sound(self, at: float, samples: np.ndarray) -> None:
        self.sounds.append((time.monotonic() - self.began, at, samples))

    def picture(self, at: float, image: np.ndarray) -> None:
        self.pictures.append((time.monotonic() - self.began, at, image))


def wait(source: capture.Source) -> None:
    while not source.over:
        time.sleep(0.01)


@pytest.fixture
def clip(tmp_path):
    return make_video(tmp_path / "a clip.mp4", seconds=1.2)


def test_everything_of_a_file_comes_in_the_order_of_its_times(clip):
    given = list(given_by(clip, probe(clip)))
    assert [one.due for one in given] == sorted(one.due for one in given)
    pictures = [one for one in given if one.picture is not None]
    assert len(pictures) == 30 and all(abs(clock_time(one.picture) - one.time) < 0.002 for one in pictures)
    sound = np.concatenate([one.samples for one in given if one.samples is not None])
    assert abs(sound_offset(sound, 0.3)) < 0.005


def test_a_file_is_played_in_real_time(clip):
    source, taken = capture.FileSource(clip), Taken()
    taken.began = time.monotonic()
    source.start(taken.sound, taken.picture)
    wait(source)
    source.stop()
    assert source.name == "a clip" and not source.lack
    assert len(taken.pictures) == 30 and sum(len(samples) for *_, samples in taken.sounds) >= 1.15 * 16000
    assert all(came >= at - 0.002 for came, at, _ in taken.pictures)
    assert all(came >= at + len(samples) / 16000 - 0.002 for came, at, samples in taken.sounds)
    assert taken.pictures[-1][0] < 5


def test_a_file_can_be_stopped(clip):
    source, taken = capture.FileSource(clip), Taken()
    source.start(taken.sound, taken.picture)
    source.stop()
    assert source.over and len(taken.pictures) < 30


def test_no_file_and_no_camera_are_one_sentence(tmp_path):
    with pytest.raises(MediaError, match="no such file"):
        capture.FileSource(tmp_path / "nothing.mp4")
    with pytest.raises(MediaError, match="camera 97: cannot be opened"):
        capture.CameraSource(97)


class Film:
    """Stands in for OpenCV's camera: three pictures, all blue, then none."""

    def __init__(self, number: int) -> None:
        self.left, self.released = 3, False

    def isOpened(self) -> bool:
        return True

    def read(self):
        time.sleep(0.02)
        self.left -= 1
        return self.left >= 0, np.full((4, 6, 3), (255, 0, 0), np.uint8)

    def release(self) -> None:
        self.released = True


class Stream:
    """Stands in for PortAudio's: two callbacks that come late and at once."""

    def __init__(self, rate, blocksize, channels, dtype, callback) -> None:
        self.size, self.callback = blocksize, callback

    def start(self) -> None:
        time.sleep(0.1)
        for level in (0.1, 0.2):
            self.callback(np.full((self.size, 1), level, np.float32), self.size, None, None)

    def close(self) -> None:
        pass


def test_a_camera_gives_rgb_and_a_microphone_what_follows_on(monkeypatch):
    monkeypatch.setattr("cv2.VideoCapture", Film)
    monkeypatch.setitem(sys.modules, "sounddevice", types.SimpleNamespace(InputStream=Stream, PortAudioError=RuntimeError))
    source, taken = capture.CameraSource(0), Taken()
    source.start(taken.sound, taken.picture)
    with pytest.raises(MediaError, match="no picture any more"):
        wait(source)
    source.stop()
    assert source.name == "camera0" and not source.lack
    assert len(taken.pictures) == 3 and (taken.pictures[0][2] == (0, 0, 255)).all()
    (_, first, one), (_, second, other) = taken.sounds
    assert abs(second - first - 0.1) < 1e-6 and one[0] == np.float32(0.1) and other.shape == (1600,)


def test_without_a_microphone_there_is_a_sentence(monkeypatch):
    def fails(*_, **__):
        raise RuntimeError("no default input device")

    monkeypatch.setattr("cv2.VideoCapture", Film)
    monkeypatch.setitem(sys.modules, "sounddevice", types.SimpleNamespace(InputStream=fails, PortAudioError=RuntimeError))
    assert capture.CameraSource(0).lack == "no microphone can be opened (no default input device)."
