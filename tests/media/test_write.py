"""Pictures and sound written here are found again, at their times, by the project's own readers."""

import numpy as np
import pytest

from avsr.errors import MediaError
from avsr.media.audio import read_audio
from avsr.media.video import VideoReader
from avsr.media.write import write_video
from tests.media_maker import clock_picture, clock_sound, clock_time


def test_pictures_and_sound_are_at_their_times(tmp_path):
    frames = np.stack([clock_picture(index / 25, (320, 240)) for index in range(40)])
    samples = clock_sound(np.arange(25600) / 16000)
    write_video(tmp_path / "new" / "a.mp4", frames, 25, samples)
    shown = [clock_time(frame.image) for frame in VideoReader(tmp_path / "new" / "a.mp4", fps=25)]
    assert shown == pytest.approx([index / 25 for index in range(40)])
    heard, _ = read_audio(tmp_path / "new" / "a.mp4")
    assert len(heard) == 25600
    assert np.corrcoef(heard[1000:-1000], samples[1000:-1000])[0, 1] > 0.98, "a shift of a sample or two would show"
    write_video(tmp_path / "b.mp4", frames, 25, samples)
    assert (tmp_path / "b.mp4").read_bytes() == (tmp_path / "new" / "a.mp4").read_bytes()


def test_grey_pictures_without_sound(tmp_path):
    write_video(tmp_path / "a.mp4", np.full((10, 96, 96), 77, np.uint8), 30)
    frames = list(VideoReader(tmp_path / "a.mp4", fps=30))
    assert len(frames) == 10 and frames[5].image.mean() == pytest.approx(77, abs=3)


@pytest.mark.parametrize("shape", [(0, 96, 96), (4, 95, 96), (4, 96)])
def test_what_cannot_be_written_is_a_sentence(tmp_path, shape):
    with pytest.raises(MediaError):
        write_video(tmp_path / "a.mp4", np.zeros(shape, np.uint8), 25)
    assert not list(tmp_path.iterdir())
