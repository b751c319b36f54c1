"""Training what tells speaking mouths: an interrupted run goes on to the same weights; wrong folders are told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from avsr.errors import AvsrError
from avsr.lips.mouth_clip import MouthClip, save_mouth_clip
from avsr.lips.mouth_shape import CHANNELS, save_mouth_shape
from avsr.tables import write_table
from avsr.training import speaking
from avsr.training.speaking import Clip, main, piece, train


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> tuple[Path, Path]:
    """Noise that speaks by flickering, and noise that stands still."""
    root, rng = tmp_path_factory.mktemp("clips"), np.random.default_rng(1)
    for name, lively in (("speech", True), ("quiet", False)):
        videos, shapes = {}, {}
        for number in range(4):
            frames = np.repeat(rng.integers(0, 255, (1, 96, 96), dtype=np.uint8), 50, axis=0)
            if lively:
                frames[:, 40:60, 30:70] = rng.integers(0, 255, (50, 1, 1), dtype=np.uint8)
            path = root / name / f"a-{number}.mp4"
            save_mouth_clip(MouthClip(frames, np.ones(50, np.float32)), path)
            shape = np.zeros((50, len(CHANNELS)))
            shape[5:45, -1] = 1.0
            save_mouth_shape(shape, path.with_suffix(".npy"))
            videos[f"a-{number}"], shapes[f"a-{number}"] = str(path), str(path.with_suffix(".npy"))
        write_table(root / name / "video.scp", videos)
        if lively:
            write_table(root / name / "shape.scp", shapes)
    return root / "speech", root / "quiet"


def test_an_interrupted_training_gives_the_same_weights(folders, tmp_path, monkeypatch, capsys):
    speech, quiet = folders
    whole, broken = tmp_path / "whole" / "a.pth", tmp_path / "broken" / "a.pth"
    monkeypatch.setattr(speaking, "_BATCH", 4)
    monkeypatch.setattr(speaking, "_SAVE", 2)
    train([speech], [quiet], whole, steps=5, seed=3)
    taken = iter(range(3))

    def stop_early(loss):
        next(taken)  # StopIteration would be swallowed by nobody: the fourth step fails
        return loss

    with monkeypatch.context() as patch:
        real = torch.nn.utils.clip_grad_norm_
        patch.setattr(torch.nn.utils, "clip_grad_norm_", lambda *args: (stop_early(0), real(*args))[1])
        with pytest.raises(StopIteration):
            train([speech], [quiet], broken, steps=5, seed=3)
    assert not broken.exists()
    assert main(["--speech", str(speech), "--quiet", str(quiet), "--out", str(broken), "--steps", "5", "--seed", "3"]) == 0
    assert "5 steps" in capsys.readouterr().out
    one, two = (torch.load(path, weights_only=True) for path in (whole, broken))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert [path.name for path in broken.parent.iterdir()] == ["a.pth"]


def test_what_is_left_of_another_training_is_refused(folders, tmp_path):
    speech, quiet = folders
    torch.save({"order": {"steps": 9}, "step": 1}, tmp_path / ".speaking-training.pth")
    with pytest.raises(AvsrError, match="another training"):
        train([speech], [quiet], tmp_path / "a.pth", steps=2)


def test_wrong_folders_are_told(folders, tmp_path):
    speech, quiet = folders
    with pytest.raises(AvsrError, match="video.scp is missing"):
        train([tmp_path], [quiet], tmp_path / "a.pth")
    write_table(tmp_path / "video.scp", {})
    with pytest.raises(AvsrError, match="clips that do not"):
        train([speech], [tmp_path], tmp_path / "a.pth")
    with pytest.raises(AvsrError, match="steps 0"):
        train([speech], [quiet], tmp_path / "a.pth", steps=0)


@pytest.mark.parametrize("frames", [2, 40, 75, 300])
def test_a_piece_is_as_long_whatever_the_clip(frames):
    rng = np.random.default_rng(frames)
    clip = Clip(rng.integers(0, 255, (frames, 48, 48), dtype=np.uint8), np.ones(frames, bool))
    for _ in range(20):
        mouths, spoken = piece(clip, rng)
        assert mouths.shape == (100, 44, 44) and spoken.shape == (100,)
        assert 0 <= mouths.min() and mouths.max() <= 255
        assert spoken.sum() <= min(100, frames * 1.5 + 2), "held pictures are not speech"
