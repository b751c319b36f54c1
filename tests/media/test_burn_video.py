"""A video with captions in its pictures: in their time, upright, with the sound as it was."""

from __future__ import annotations

import av
import numpy as np
import pytest

from avsr.errors import MediaError
from avsr.media.burn_video import burn_video
from avsr.media.captions import Cue
from avsr.media.probe import probe
from avsr.media.video import VideoReader
from avsr.media.write import write_video
from tests.media_maker import make_video

pytest.importorskip("pylopdf_fonts_ko", reason="the captions' font is not installed: run tools/install.sh")

CUES = [Cue(0.6, 1.4, "안녕하세요"), Cue(1.2, 2.0, "반갑습니다")]


def images(path) -> dict[float, np.ndarray]:
    return {round(frame.time, 2): frame.image.astype(int) for frame in VideoReader(path)}


def sound_bytes(path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def test_captions_are_on_in_their_time_and_the_sound_is_copied(tmp_path):
    frames = np.full((75, 240, 320, 3), 90, np.uint8)
    write_video(tmp_path / "a.mp4", frames, 25.0, np.sin(np.arange(48000) / 9).astype(np.float32))
    told: list[float] = []
    path = burn_video(tmp_path / "a.mp4", CUES, tmp_path / "out" / "한글", told.append)
    assert path == tmp_path / "out" / "한글.mp4" and told == sorted(told) and told[-1] > 1.9
    shown = images(path)
    assert len(shown) == 75
    heights = {time: int((np.abs(image - 90) > 60).any((1, 2)).sum()) for time, image in shown.items()}
    assert heights[0.56] == 0 and heights[2.0] == 0 and 5 < heights[0.6] < 30 and heights[1.28] > 1.5 * heights[0.6]
    assert (np.abs(shown[1.0][:150] - 90) < 8).all(), "nothing but the captions is drawn"
    assert sound_bytes(path) == sound_bytes(tmp_path / "a.mp4")
    assert probe(path).duration == pytest.approx(3.0, abs=0.1)
    assert [other.name for other in path.parent.iterdir()] == [path.name]


def test_odd_sizes_and_no_sound(tmp_path):
    path = burn_video(make_video(tmp_path / "a.mkv", seconds=1.0, size=(161, 121), video_codec="ffv1", audio=False), CUES, tmp_path / "b")
    assert images(path)[0.8].shape == (120, 160, 3) and probe(path).audio is None


def test_other_sound_goes_into_matroska(tmp_path):
    source = make_video(tmp_path / "a.mkv", seconds=1.0, size=(160, 120), audio_codec="pcm_s16le")
    path = burn_video(source, CUES, tmp_path / "b")
    assert path.suffix == ".mkv" and sound_bytes(path) == sound_bytes(source)


def test_a_turned_video_is_captioned_upright_and_late_sound_stays_late(tmp_path):
    source = make_video(tmp_path / "a.mp4", seconds=2.0, size=(320, 240), rotation=90, audio_start=0.5)
    path = burn_video(source, CUES, tmp_path / "b")
    assert images(path)[0.2].shape == (320, 240, 3)
    assert probe(path).audio.start == pytest.approx(probe(source).audio.start, abs=0.03) and probe(path).audio.start > 0.3


def test_without_a_picture_nothing_is_left(tmp_path):
    from avsr.media.audio import write_audio

    write_audio(tmp_path / "a.flac", np.zeros(16000, np.float32))
    with pytest.raises(MediaError, match="holds no video"):
        burn_video(tmp_path / "a.flac", CUES, tmp_path / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["a.flac"]
