"""What benchmarks.live makes of messages, and that it plays a clip both ways."""

from __future__ import annotations

import numpy as np
import pytest

from avsr.decoding.live.messages import Final, ModeSwitch, Partial
from avsr.decoding.recognizer import Recognizer
from avsr.media.captions import Word
from avsr.media.play import Given
from benchmarks import live
from tests.decoding.conftest import packed, run, speech  # noqa: F401  (fixtures)
from tests.media_maker import make_video

TRUE = [[Word(1.0, 1.5, "오늘"), Word(1.5, 2.0, "날씨가")], [Word(6.0, 6.5, "네")]]


def final(segment: int, text: str, start: float, end: float) -> Final:
    return Final(0, segment, text, (), start, end, None, "av", "both")


def test_delays_and_what_was_taken_back():
    said = [
        (1.8, Partial(0, 1, "", "오늘 날", 0.8, None, "av", "both")),
        (2.4, Partial(0, 1, "오늘", "날씨", 0.8, None, "av", "both")),
        (3.2, final(1, "오늘 날씨가", 0.8, 2.3)),
        (7.5, final(2, "내", 5.8, 6.9)),
    ]
    found = live.judged(said, TRUE)
    assert np.allclose(found.shown, [0.3, 1.2]) and np.allclose(found.committed, [0.9, 1.2])
    assert np.allclose(found.final, [1.2, 1.0])
    assert found.erased == 0.0 and found.changed == 0 and found.updates == 2
    assert found.cer == pytest.approx(100 / 6)
    said[1] = (2.4, Partial(0, 1, "어제", "날씨", 0.8, None, "av", "both"))
    worse = live.judged(said, TRUE)
    assert worse.changed == 1 and worse.erased > 0.5


def test_when_the_mode_switched():
    said = [(0.4, ModeSwitch(0, 0.3, "av", "started", 0.0)), (3.6, ModeSwitch(0, 3.4, "lip", "microphone_silent", 3.1))]
    assert live.switch_after(said, "lip", 3.0) == pytest.approx((0.4, 0.6))
    assert live.switch_after(said, "audio", 3.0) is None


def test_faults():
    sound = live.fault("microphone", 1.05, 1.2)(Given(1.0, 1.1, samples=np.ones(1600, np.float32)))
    assert sound.samples[:800].all() and not sound.samples[800:].any()
    dark = live.fault("camera", 1.0, 2.0)
    picture = np.ones((2, 2, 3), np.uint8)
    assert not dark(Given(1.0, 1.0, picture=picture)).picture.any() and dark(Given(2.0, 2.0, picture=picture)).picture.all()


@pytest.mark.parametrize("play", [live.in_real_time, live.by_own_work])
def test_a_clip_is_played(play, packed, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(live, "LiveRecognizer", lambda *given, **named: kept(*given, mode="audio", **named))
    from avsr.decoding.live.recognizer import LiveRecognizer as kept

    clip = make_video(tmp_path / "clip.mp4", seconds=1.5, video=False, sound=speech, audio_rate=16000)
    said = play(clip, Recognizer.load(packed), live.unchanged)
    assert any(isinstance(message, Final) for _, message in said)
    assert [at for at, _ in said] == sorted(at for at, _ in said)
