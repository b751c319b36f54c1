"""VideoReader shows what a player shows, whatever the rate, the rotation or the start of the file."""

from __future__ import annotations

import io
from fractions import Fraction

import numpy as np
import pytest

from avsr.errors import MediaError
from avsr.media.audio import read_audio
from avsr.media.container import Inside
from avsr.media.probe import Span, probe
from avsr.media.video import VideoReader
from tests.media_maker import clock_picture, clock_time, make_video

SMALL = (160, 120)


def shown(stamps: np.ndarray, second: float) -> float:
    """The time of the picture that is on the screen."""
    return stamps[np.searchsorted(stamps, second + 1e-3, side="right") - 1]


@pytest.mark.parametrize("fps", [5, 12, 23.976, 25, 29.97, 50, 60, 120])
def test_any_rate_becomes_25(tmp_path, fps):
    path = make_video(tmp_path / "a.mp4", seconds=1.0, fps=fps, size=SMALL, audio=False)
    reader = VideoReader(path)
    frames = list(reader)
    stamps = np.arange(round(fps)) / float(Fraction(fps).limit_denominator(1001))
    assert len(frames) == pytest.approx(25, abs=1) and reader.damaged == []
    for frame in frames:
        assert frame.time == pytest.approx(frame.index / 25)
        assert not frame.damaged and frame.image.flags.c_contiguous and frame.image.shape == (120, 160, 3)
        assert clock_time(frame.image) == pytest.approx(shown(stamps, frame.time), abs=2e-3)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm"])
def test_variable_rate_goes_by_timestamp(tmp_path, suffix):
    steps = np.random.default_rng(7).uniform(0.01, 0.3, 12)
    stamps = np.round(np.concatenate([[0], np.cumsum(steps)]), 3)
    seconds = float(stamps[-1]) + 0.1
    path = make_video(tmp_path / f"a.{suffix}", seconds=seconds, timestamps=stamps, size=SMALL, audio_rate=48000)
    reader = VideoReader(path)
    for frame in reader:
        assert clock_time(frame.image) == pytest.approx(shown(stamps, frame.time), abs=2e-3)
    assert reader.damaged == []
    assert frame.time == pytest.approx(stamps[-1] + 0.1, abs=0.25)


@pytest.mark.parametrize(
    "suffix, codec", [("mkv", None), ("mov", None), ("ts", None), ("webm", None), ("avi", "mjpeg")]
)
def test_containers(tmp_path, suffix, codec):
    sound = {"audio_codec": "pcm_s16le"} if suffix == "avi" else {}
    path = make_video(tmp_path / f"a.{suffix}", seconds=1.0, size=SMALL, audio_rate=48000, video_codec=codec, **sound)
    reader = VideoReader(path)
    offsets = [clock_time(frame.image) - frame.time for frame in reader]
    assert 25 <= len(offsets) <= 26 and max(offsets) < 1e-3 and min(offsets) > -0.08 and reader.damaged == []


@pytest.mark.parametrize("rotation", [90, 180, -90])
@pytest.mark.parametrize("flip", [False, True])
def test_rotation_and_mirroring(tmp_path, rotation, flip):
    stored = np.zeros((120, 160, 3), np.uint8)
    stored[:60, :80], stored[:60, 80:], stored[60:, :80] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    path = make_video(
        tmp_path / "a.mp4", seconds=0.2, size=SMALL, audio=False, rotation=rotation, flip=flip, picture=lambda _: stored
    )
    image = next(iter(VideoReader(path))).image
    upright = np.rot90(stored, rotation // 90)
    upright = upright[:, ::-1] if flip else upright
    assert image.shape == upright.shape and image.flags.c_contiguous
    assert np.abs(image.astype(int) - upright).mean() < 8


def test_a_piece_is_that_piece(tmp_path):
    path = make_video(tmp_path / "a.mp4", seconds=5.0, size=SMALL, gop=40, audio=False)
    for start, end in [(0.0, 1.0), (3.32, 4.0), (4.96, None), (0.04, 0.08)]:
        frames = list(VideoReader(path, start=start, end=end))
        assert len(frames) == round(((end or 5.0) - start) * 25)
        assert [frame.time for frame in frames] == pytest.approx([start + i / 25 for i in range(len(frames))])
        assert all(clock_time(frame.image) == pytest.approx(frame.time, abs=2e-3) for frame in frames)
    assert list(VideoReader(path, start=9.0)) == []
    assert len(list(VideoReader(path, fps=10, end=1.0))) == 10
    with pytest.raises(MediaError, match="0 <= start < end"):
        VideoReader(path, start=2.0, end=1.0)


def test_late_video_starts_with_its_first_picture(tmp_path):
    for suffix in ("mp4", "mkv"):
        reader = VideoReader(make_video(tmp_path / f"a.{suffix}", seconds=1.5, size=SMALL, video_start=0.52))
        frames = list(reader)
        assert [frame.damaged for frame in frames] == [frame.time < 0.5 for frame in frames]
        assert clock_time(frames[0].image) == clock_time(frames[12].image) == 0.52
        assert clock_time(frames[20].image) == pytest.approx(0.8, abs=0.041)
        assert reader.damaged == [Span(0.0, pytest.approx(0.52, abs=2e-3))]


def test_transport_stream_clock_starts_at_the_file(tmp_path):
    path = make_video(tmp_path / "a.ts", seconds=1.0, size=SMALL, audio=False)  # its own clock starts at 1.4 s
    assert [clock_time(frame.image) for frame in VideoReader(path)] == pytest.approx(np.arange(25) / 25, abs=2e-3)


def test_wide_pixels_become_square(tmp_path):
    import av

    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(3, 2)
        frame = av.VideoFrame.from_ndarray(clock_picture(0, SMALL))
        container.mux([*stream.encode(frame), *stream.encode(None)])
    assert next(iter(VideoReader(path))).image.shape == (120, 240, 3)


def test_no_video(tmp_path):
    path = make_video(tmp_path / "a.wav", seconds=0.5, video=False)
    with pytest.raises(MediaError, match="a.wav: holds no video"):
        VideoReader(path)


def test_memory_does_not_grow_with_length(tmp_path):
    """1,400 frames of 640x480 would be 1.3 GB; measured in a process of its own, whose peak no other test has set."""
    import subprocess
    import sys

    still = clock_picture(0, (640, 480))
    path = tmp_path / "a.mp4"
    make_video(path, seconds=60, fps=5, size=(640, 480), audio=False, picture=lambda _: still)
    program = (
        "import resource, sys; from avsr.media.video import VideoReader\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "frames = iter(VideoReader(sys.argv[1])); [next(frames) and None for _ in range(100)]; before = peak()\n"
        "print(sum(1 for _ in frames), peak() - before)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    count, grown_kb = map(int, done.stdout.split())
    assert count == 1400 and grown_kb < 30_000


def test_grey_is_the_brightness_of_the_colours(tmp_path):
    import cv2

    path = make_video(tmp_path / "a.mp4", seconds=0.4, size=SMALL, rotation=90, audio=False)
    for colour, grey in zip(VideoReader(path), VideoReader(path, grey=True), strict=True):
        expected = cv2.cvtColor(colour.image, cv2.COLOR_RGB2GRAY)
        assert grey.image.shape == expected.shape == (160, 120) and grey.image.flags.c_contiguous
        assert np.abs(grey.image.astype(int) - expected).max() <= 2


def test_media_inside_something_larger_reads_like_a_file(tmp_path):
    path = make_video(tmp_path / "a.mp4", seconds=1.0, size=SMALL)
    inside = Inside("box: a.mp4", lambda: io.BytesIO(path.read_bytes()))
    assert probe(inside).duration == probe(path).duration
    for start in (0.0, 0.52):
        pairs = zip(VideoReader(path, start=start), VideoReader(inside, start=start), strict=True)
        assert all(np.array_equal(one.image, other.image) and one.time == other.time for one, other in pairs)
        assert np.array_equal(read_audio(path, start=start)[0], read_audio(inside, start=start)[0])
    with pytest.raises(MediaError, match="^box: b: cannot be read as media"):
        probe(Inside("box: b", lambda: io.BytesIO(b"no media")))


def test_a_playlist_inside_something_larger_reads_no_other_file(tmp_path):
    make_video(tmp_path / "a.ts", seconds=0.4, size=SMALL)
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{tmp_path / 'a.ts'}\n#EXT-X-ENDLIST\n".encode()
    with pytest.raises(MediaError, match="cannot be read as media"):
        probe(Inside("box: list", lambda: io.BytesIO(playlist)))
