"""AudioReader gives 16 kHz mono samples that stay in time, and write_audio files that read back."""

from __future__ import annotations

import numpy as np
import pytest

from avsr.errors import MediaError
from avsr.media.audio import AudioReader, read_audio, write_audio
from avsr.media.probe import Span
from tests.media_maker import clock_sound, make_video, sound_offset


@pytest.mark.parametrize(
    "suffix, codec, rate",
    [
        ("mp4", None, 44100),
        ("mkv", None, 48000),
        ("webm", None, 48000),
        ("wav", None, 8000),
        ("flac", "flac", 22050),
        ("mp3", "mp3", 44100),
    ],
)
def test_sound_stays_in_time(tmp_path, suffix, codec, rate):
    path = make_video(tmp_path / f"a.{suffix}", seconds=3.0, video=False, audio_rate=rate, audio_codec=codec)
    samples, damaged = read_audio(path)
    assert samples.dtype == np.float32 and damaged == []
    assert len(samples) == pytest.approx(48000, abs=1000)
    assert [sound_offset(samples, at) for at in (0.3, 1.5, 2.4)] == pytest.approx([0, 0, 0], abs=1e-3)
    quiet = samples[3200:44800] - clock_sound(np.arange(3200, 44800) / 16000)
    assert np.sqrt(np.mean(quiet**2)) < 0.06


def test_stereo_is_averaged_and_loud_sound_clipped(tmp_path):
    path = make_video(tmp_path / "a.wav", seconds=1.0, video=False, channels=2)
    samples, _ = read_audio(path)
    assert np.abs(samples).max() == pytest.approx(0.4, abs=0.01)
    path = make_video(tmp_path / "b.mp4", seconds=1.0, video=False, sound=lambda t: 3 * clock_sound(t))
    assert np.abs(read_audio(path)[0]).max() <= 1.0


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_a_piece_is_that_piece_of_the_whole(tmp_path, suffix):
    path = make_video(tmp_path / f"a.{suffix}", seconds=6.0, size=(160, 120))
    whole, _ = read_audio(path)
    for start, end in [(0.0, 1.0), (3.3, 5.0), (0.1, 0.2), (4.0001, 4.5)]:
        piece, damaged = read_audio(path, start=start, end=end)
        assert len(piece) == round(end * 16000) - round(start * 16000) and damaged == []
        if suffix != "mkv":  # whole milliseconds there
            np.testing.assert_allclose(piece, whole[round(start * 16000) : round(end * 16000)], atol=1e-4)
    assert read_audio(path, start=50.0)[0].shape == (0,)


def test_late_sound_is_filled_with_zeros(tmp_path):
    path = make_video(tmp_path / "a.mp4", seconds=2.0, size=(160, 120), audio_start=0.5)
    samples, damaged = read_audio(path)
    assert damaged == [Span(0.0, pytest.approx(0.5, abs=0.03))]
    assert np.abs(samples[: round(0.45 * 16000)]).max() < 1e-4 < np.abs(samples[round(0.55 * 16000) :]).max()
    assert sound_offset(samples, 1.0) == pytest.approx(0, abs=1e-3)


def test_blocks_are_small_and_other_rates_work(tmp_path):
    path = make_video(tmp_path / "a.mp4", seconds=4.0, video=False)
    blocks = list(AudioReader(path, rate=8000))
    assert max(map(len, blocks)) < 8000 and sum(map(len, blocks)) == pytest.approx(32000, abs=400)


def test_no_sound(tmp_path):
    path = make_video(tmp_path / "a.mp4", seconds=0.4, audio=False, size=(160, 120))
    with pytest.raises(MediaError, match="a.mp4: holds no sound"):
        read_audio(path)


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_written_sound_reads_back(tmp_path, suffix):
    samples = clock_sound(np.arange(8000) / 16000)
    write_audio(tmp_path / f"a.{suffix}", samples)
    read, damaged = read_audio(tmp_path / f"a.{suffix}")
    np.testing.assert_allclose(read, samples, atol=1 / 30000)
    assert damaged == [] and [p.name for p in tmp_path.iterdir()] == [f"a.{suffix}"]


def test_what_cannot_be_written(tmp_path):
    good = np.zeros(100, np.float32)
    for name, samples, reason in [
        ("a.mp3", good, "change the suffix"),
        ("a.wav", np.full(10, np.nan), "finite mono"),
        ("a.wav", np.zeros((10, 2)), "finite mono"),
        ("a.wav", np.zeros(10, np.int16), "float samples"),
        ("no/a.wav", good, "folder does not exist"),
    ]:
        with pytest.raises(MediaError, match=reason):
            write_audio(tmp_path / name, samples)
    assert list(tmp_path.iterdir()) == []
