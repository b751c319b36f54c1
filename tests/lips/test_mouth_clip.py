"""A mouth clip's file: small, quick to read, near the original, and whole or not there."""

import json

import numpy as np
import pytest

from avsr.errors import MediaError
from avsr.lips.mouth_clip import MouthClip, load_mouth_clip, save_mouth_clip


def talking(total: int = 75, noise: float = 3.0) -> MouthClip:
    """A drawn mouth that opens and closes, with a camera's noise."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[0:96, 0:96]
    frames = np.empty((total, 96, 96), np.uint8)
    for index in range(total):
        opening = 4 + 10 * abs(np.sin(index / 5))
        skin = 150 + 0.4 * (x - 48) - 0.3 * (y - 46) + 8 * np.sin(x / 7 + index / 30) * np.sin(y / 5)
        lips = ((x - 48) / 34) ** 2 + ((y - 46) / (opening + 8)) ** 2
        inside = ((x - 48) / 28) ** 2 + ((y - 46) / opening) ** 2
        picture = np.where(inside < 1, 40.0, np.where(lips < 1, 105.0, skin)) + rng.normal(0, noise, (96, 96))
        frames[index] = picture.clip(0, 255)
    return MouthClip(frames, np.linspace(0, 1, total, dtype=np.float32), 1.25)


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return 10 * np.log10(255**2 / np.mean((one.astype(float) - other.astype(float)) ** 2))


def test_round_trip_is_small_and_near(tmp_path):
    clip = talking()
    save_mouth_clip(clip, tmp_path / "a.mp4", source={"path": "입.mp4"})
    read = load_mouth_clip(tmp_path / "a.mp4")
    assert read.frames.shape == clip.frames.shape and read.frames.dtype == np.uint8
    assert np.allclose(read.confidence, clip.confidence, atol=6e-4) and read.start == 1.25
    assert psnr(read.frames, clip.frames) > 36
    assert abs(read.frames.mean(dtype=float) - clip.frames.mean(dtype=float)) < 0.3  # no range was squeezed
    assert (tmp_path / "a.mp4").stat().st_size + (tmp_path / "a.json").stat().st_size <= 30_000
    assert json.loads((tmp_path / "a.json").read_text("utf-8"))["source"] == {"path": "입.mp4"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "a.mp4"]


def test_even_pure_noise_keeps_the_size(tmp_path):
    frames = np.random.default_rng(4).integers(0, 256, (75, 96, 96), np.uint8)
    save_mouth_clip(MouthClip(frames, np.ones(75, np.float32)), tmp_path / "n.mp4")
    assert (tmp_path / "n.mp4").stat().st_size <= 30_000
    assert len(load_mouth_clip(tmp_path / "n.mp4").frames) == 75


@pytest.mark.parametrize("total", [1, 2, 7])
def test_short_clips(tmp_path, total):
    clip = talking(total)
    save_mouth_clip(clip, tmp_path / "s.mp4")
    assert psnr(load_mouth_clip(tmp_path / "s.mp4").frames, clip.frames) > 33


def test_the_whole_range_of_grey_survives(tmp_path):
    ramp = np.repeat(np.linspace(0, 255, 96)[None, None], 25, 0).repeat(96, 1).astype(np.uint8)
    save_mouth_clip(MouthClip(ramp, np.ones(25, np.float32)), tmp_path / "r.mp4")
    read = load_mouth_clip(tmp_path / "r.mp4").frames
    assert read.min() <= 3 and read.max() >= 252


def test_no_frames_is_an_error(tmp_path):
    with pytest.raises(MediaError, match="without frames"):
        save_mouth_clip(MouthClip(np.zeros((0, 96, 96), np.uint8), np.zeros(0, np.float32)), tmp_path / "z.mp4")
    assert list(tmp_path.iterdir()) == []


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="96"):
        MouthClip(np.zeros((3, 88, 88), np.uint8), np.zeros(3, np.float32))
    with pytest.raises(ValueError, match="confidence"):
        MouthClip(np.zeros((3, 96, 96), np.uint8), np.zeros(4, np.float32))


def test_broken_files_are_named(tmp_path):
    with pytest.raises(MediaError, match=r"gone\.json"):
        load_mouth_clip(tmp_path / "gone.mp4")
    save_mouth_clip(talking(10), tmp_path / "b.mp4")
    whole = (tmp_path / "b.mp4").read_bytes()
    (tmp_path / "b.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MediaError, match=r"b\.mp4"):
        load_mouth_clip(tmp_path / "b.mp4")
    (tmp_path / "b.mp4").write_bytes(whole)
    beside = json.loads((tmp_path / "b.json").read_text())
    (tmp_path / "b.json").write_text(json.dumps(beside | {"confidence": [1.0] * 9}))
    with pytest.raises(MediaError, match="10 frames where its .json has 9"):
        load_mouth_clip(tmp_path / "b.mp4")
