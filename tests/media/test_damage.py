"""What is damaged is said in seconds, and what is not said to be damaged is right."""

from __future__ import annotations

import numpy as np
import pytest

from avsr.errors import MediaError
from avsr.media.audio import read_audio
from avsr.media.damage import Clock
from avsr.media.probe import Span, add_span
from avsr.media.video import VideoReader
from tests.media_maker import clock_time, cut, jump_clock, make_video, packet_places, sound_offset, spoil

SIZE = (160, 120)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Four seconds, a key picture each second, the index in front."""
    path = tmp_path_factory.mktemp("damage") / "a.mp4"
    return make_video(path, seconds=4.0, size=SIZE, container_options={"movflags": "faststart"})


def check_video(path, tolerance=1e-3):
    """The frames and spans; every frame not marked shows its own time, and marks and spans agree."""
    reader = VideoReader(path)
    frames = list(reader)
    for frame in frames:
        inside = any(span.start - 1e-3 <= frame.time < span.end - 1e-3 for span in reader.damaged)
        assert frame.damaged == inside
        if not frame.damaged:
            assert clock_time(frame.image) == pytest.approx(frame.time, abs=tolerance)
    return frames, reader.damaged


@pytest.mark.parametrize("length", [None, 40])
def test_pictures_are_lost_up_to_the_next_key_picture(clip, length):
    frames, damaged = check_video(spoil(clip, "video", 1.6, 1.7, length=length))
    assert len(frames) == 100
    assert damaged == [Span(pytest.approx(1.6, abs=0.09), pytest.approx(2.0, abs=1e-3))]
    last_good = max(frame.index for frame in frames if frame.time < 1.8 and not frame.damaged)
    assert all(clock_time(frame.image) == last_good / 25 for frame in frames if frame.damaged)
    assert read_audio(clip.with_name(f"spoiled_{clip.name}"))[1] == []  # the sound is whole


def test_sound_is_lost_only_where_it_is_damaged(clip):
    whole, _ = read_audio(clip)
    spoiled = spoil(clip, "audio", 1.6, 2.0)
    samples, damaged = read_audio(spoiled)
    assert damaged == [Span(pytest.approx(1.6, abs=0.03), pytest.approx(2.0, abs=0.06))]
    assert len(samples) == len(whole)
    low, high = round(damaged[0].start * 16000), round(damaged[0].end * 16000)
    assert np.abs(samples[low + 400 : high - 400]).max() < 1e-4
    np.testing.assert_allclose(samples[: low - 400], whole[: low - 400], atol=1e-3)
    # FFmpeg fills the noise bands of AAC at random.
    np.testing.assert_allclose(samples[high + 400 :], whole[high + 400 :], atol=5e-3)
    assert check_video(spoiled)[1] == []


def test_bad_start_and_bad_end(clip):
    frames, damaged = check_video(spoil(clip, "video", 0.0, 0.1))
    assert damaged == [Span(0.0, pytest.approx(1.0))] and clock_time(frames[0].image) == 1.0
    frames, damaged = check_video(spoil(clip, "video", 3.5, 9.0))
    assert len(frames) == 100 and damaged == [Span(pytest.approx(3.5, abs=0.09), pytest.approx(4.0))]
    samples, damaged = read_audio(spoil(clip, "audio", 3.5, 9.0))
    assert damaged == [Span(pytest.approx(3.5, abs=0.03), pytest.approx(4.0, abs=0.03))] and len(samples) >= 63000


def test_nothing_good_is_an_error(clip):
    with pytest.raises(MediaError, match="not one good picture"):
        list(VideoReader(spoil(clip, "video", 0.0, 9.0)))
    with pytest.raises(MediaError, match="none of its sound"):
        read_audio(spoil(clip, "audio", 0.0, 9.0))


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "webm"])
def test_truncated_files_give_what_is_there(tmp_path, suffix):
    options = {"movflags": "faststart"} if suffix == "mp4" else {}
    path = make_video(tmp_path / f"a.{suffix}", seconds=4.0, size=SIZE, audio_rate=48000, container_options=options)
    reader = VideoReader(cut(path, 0.6))
    frames = list(reader)
    samples, lost = read_audio(cut(path, 0.6))
    assert 1.5 < len(frames) / 25 < 3.5 and 1.5 < len(samples) / 16000 < 3.5
    assert all(abs(clock_time(frame.image) - frame.time) < 0.09 for frame in frames if not frame.damaged)
    if suffix != "ts":  # which promises nothing
        assert reader.damaged[-1].end == pytest.approx(4.0, abs=0.05) and lost[-1].end == pytest.approx(4.0, abs=0.05)


@pytest.mark.parametrize("suffix", ["mkv", "ts"])
def test_zeros_over_part_of_a_file(tmp_path, suffix):
    path = make_video(tmp_path / f"a.{suffix}", seconds=5.0, size=SIZE, audio_rate=48000)
    data = bytearray(path.read_bytes())
    low, high = int(len(data) * 0.4), int(len(data) * 0.45)
    data[low:high] = bytes(high - low)
    path.write_bytes(data)
    frames, damaged = check_video(path, tolerance=0.09)
    assert len(frames) >= 125 and damaged and 1.5 < damaged[0].start < 2.5 and damaged[-1].end < 4.1
    samples, lost = read_audio(path)
    assert lost and 1.5 < lost[0].start < 2.5
    assert sound_offset(samples, 4.2) == pytest.approx(0.021 if suffix == "ts" else 0, abs=2e-3)


def test_joined_recordings_follow_on_each_other(tmp_path):
    path = make_video(tmp_path / "a.ts", seconds=3.0, size=SIZE)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(path.read_bytes() * 2)
    frames = list(VideoReader(joined))
    samples, _ = read_audio(joined)
    assert len(frames) / 25 == pytest.approx(6, abs=0.2) and len(samples) / 16000 == pytest.approx(6, abs=0.2)
    assert clock_time(frames[110].image) == pytest.approx(1.4, abs=0.15)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "webm"])
def test_noise_anywhere_never_breaks_the_reader(tmp_path, suffix):
    """A quick fuzz: it ends, with a MediaError or with frames on their grid."""
    path = make_video(tmp_path / f"a.{suffix}", seconds=2.0, size=SIZE, audio_rate=48000)
    data = path.read_bytes()
    for seed in range(8):
        rng = np.random.default_rng(seed)
        noisy = bytearray(data)
        for _ in range(3):
            count = int(rng.choice([1, 30, 600]))
            at = int(rng.integers(0, len(data) - count))
            noisy[at : at + count] = rng.integers(0, 256, count, dtype=np.uint8).tobytes()
        path.write_bytes(noisy)
        try:
            frames = [(frame.index, frame.time) for frame in VideoReader(path, end=10.0)]
            samples, _ = read_audio(path, end=10.0)
        except MediaError as error:
            assert "\n" not in str(error) and str(path) in str(error)
        else:
            assert frames == [(i, pytest.approx(i / 25)) for i in range(len(frames))]
            assert len(samples) <= 160_000 and np.isfinite(samples).all()


def test_a_clock_that_jumps_by_over_an_hour_leaves_what_was_before(tmp_path):
    path = make_video(tmp_path / "a.mkv", seconds=6, size=SIZE, audio_rate=48000)
    samples, damaged = read_audio(jump_clock(path, tmp_path / "b.mkv", 3.0, 4000.0))
    assert len(samples) / 16000 == pytest.approx(3, abs=0.1) and sound_offset(samples, 2.0) == pytest.approx(0, abs=2e-3)
    assert damaged == [Span(pytest.approx(3, abs=0.1), pytest.approx(4006, abs=0.1))]
    samples, damaged = read_audio(tmp_path / "b.mkv", start=3990.0, end=4004.0)
    assert len(samples) == 14 * 16000 and not samples[: 12 * 16000].any() and samples[-8000:].any()
    assert damaged == [Span(3990.0, pytest.approx(4003, abs=0.1))]


def test_clock_tells_holes_from_a_varying_rate():
    clock = Clock()
    assert [clock.hole(i / 25, 0.04, None) for i in range(8)] == [None] * 8
    assert clock.hole(0.6, 0.04, None) == pytest.approx(0.32)
    webcam = Clock()
    stamps = np.cumsum(np.random.default_rng(0).uniform(0.02, 0.3, 50))
    assert all(webcam.hole(stamp, 0.033, None) is None for stamp in stamps)
    assert webcam.hole(stamps[-1] + 1.5, 0.033, None) is not None
    assert webcam.hole(stamps[-1] + 9.5, 0.033, False) is None


def test_spans_are_cut_to_the_range_and_joined():
    spans: list[Span] = []
    for start, end in [(0.0, 1.0), (1.0, 1.5), (2.0, 2.5), (5.0, 6.0)]:
        add_span(spans, start, end, 0.5, 2.2)
    assert spans == [Span(0.5, 1.5), Span(2.0, 2.2)]


def test_packets_of_the_maker_lie_where_it_says(clip):
    places = packet_places(clip, "video")
    assert len(places) == 100 and clip.stat().st_size > max(position + size for _, position, size in places)
