"""A split in small, with mouth clips, sound, word times and mouth shapes, and shards of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from avsr.lips.mouth_clip import MouthClip, save_mouth_clip
from avsr.lips.mouth_shape import save_mouth_shape
from avsr.media.audio import write_audio
from avsr.tables import write_table

WORDS = ["가나", "다라", "마바", "사아"]


def make_split(folder: Path, count: int, seed: int = 1) -> Path:
    """`count` utterances of 8 to 20 frames, two speakers, text of two words."""
    rng = np.random.default_rng(seed)
    clips = folder / "clips"
    clips.mkdir(parents=True, exist_ok=True)
    tables: dict[str, dict[str, str]] = {name: {} for name in ("text", "utt2spk", "utt2dur", "align", "video.scp", "wav.scp", "shape.scp")}
    for number in range(count):
        utt, frames = f"s{number % 2}-{folder.name}{number:04d}", int(rng.integers(8, 21))
        pictures = np.repeat(rng.integers(0, 256, (frames, 12, 12), dtype=np.uint8), 8, 1).repeat(8, 2)
        save_mouth_clip(MouthClip(pictures, rng.random(frames).astype(np.float32)), clips / f"{utt}.mp4", source={"path": "/here"})
        write_audio(clips / f"{utt}.flac", (0.3 * np.sin(np.arange(frames * 640) * rng.uniform(0.05, 0.3))).astype(np.float32))
        save_mouth_shape(rng.random((frames, 7)).astype(np.float32), clips / f"{utt}.npy")
        words = rng.choice(WORDS, 2)
        tables["text"][utt], tables["utt2spk"][utt], tables["utt2dur"][utt] = " ".join(words), utt[:2], f"{frames / 25:.3f}"
        tables["align"][utt] = f"0.000 {frames / 50:.3f} {words[0]} {frames / 50:.3f} {frames / 25:.3f} {words[1]}"
        for name, suffix in (("video.scp", "mp4"), ("wav.scp", "flac"), ("shape.scp", "npy")):
            tables[name][utt] = str(clips / f"{utt}.{suffix}")
    for name, rows in tables.items():
        write_table(folder / name, rows)
    return folder


@pytest.fixture(scope="session")
def dump(tmp_path_factory) -> Path:
    """train of 30 utterances and dev of 6."""
    folder = tmp_path_factory.mktemp("dump")
    make_split(folder / "train", 30)
    make_split(folder / "dev", 6, seed=2)
    return folder


@pytest.fixture(scope="session")
def shards(dump, tmp_path_factory) -> Path:
    """Shards of 4 utterances of that."""
    from avsr.stages.shards import main

    out = tmp_path_factory.mktemp("shards")
    assert main(["--data", str(dump), "--out", str(out), "--size", "4", "--nj", "1"]) == 0
    return out
