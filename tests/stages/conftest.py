"""A corpus in small, made here: mouths that open and close, with sound, in LipNet's layout, and a model that learns fast."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from tests.media_maker import make_video

def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes a minute; the suite runs it, `-m 'not slow'` leaves it out")


SYLLABLES = "가나다라마바"
SECONDS = 1.2


def make_phrase(folder: Path, phrase: str) -> None:
    """One clip and its label: a syllable is a pitch and a grey, so that there is something to learn."""
    numbers = [SYLLABLES.index(syllable) for syllable in phrase]
    share = SECONDS / len(numbers)

    def number(time: float) -> int:
        return numbers[min(int(time / share), len(numbers) - 1)]

    def picture(time: float) -> np.ndarray:
        image = np.full((50, 100, 3), 40, np.uint8)
        image[10 : 40 - 4 * number(time), 20:80] = 60 + 30 * number(time)
        return image

    def sound(times: np.ndarray) -> np.ndarray:
        pitch = np.array([300 + 150 * number(time) for time in times])
        return (0.4 * np.sin(2 * np.pi * pitch * times)).astype(np.float32)

    path = folder / "video" / f"{phrase}.mp4"
    path.parent.mkdir(parents=True, exist_ok=True)
    make_video(path, seconds=SECONDS, size=(100, 50), picture=picture, sound=sound, audio_rate=16000)
    label = folder / "align" / f"{phrase}.align"
    label.parent.mkdir(parents=True, exist_ok=True)
    label.write_text("\n".join(["sil", *phrase, "sil"]) + "\n", encoding="utf-8")


@pytest.fixture(scope="session")
def mini_corpus(tmp_path_factory) -> Path:
    """28 phrases of two or three syllables, 1.2 s each, 100x50 with sound."""
    folder = tmp_path_factory.mktemp("mini_corpus")
    pairs = ["".join(pair) for pair in itertools.permutations(SYLLABLES, 2)]
    triples = ["".join(triple) for triple in itertools.permutations(SYLLABLES[:4], 3)]
    for phrase in pairs[:20] + triples[:8]:
        make_phrase(folder, phrase)
    return folder


TINY_TRAINING = """\
seed: 1
max_epoch: 1
batch_type: unsorted
batch_size: 8
valid_batch_size: 8
num_workers: 0
keep_nbest_models: 1
best_model_criterion:
- - valid
  - acc
  - max
use_matplotlib: false
use_tensorboard: false
optim: adam
optim_conf:
  lr: 0.002
model_conf:
  size: 32
  lip_conf:
    channels: [4, 8, 8]
    hidden: 16
    layers: 1
  audio_conf:
    encoder: conformer
    channels: 8
    encoder_conf:
      num_blocks: 1
      attention_heads: 2
      linear_units: 32
      cnn_module_kernel: 7
      use_flash_attn: false
  decoder_conf:
    num_blocks: 1
    attention_heads: 2
    linear_units: 32
    use_flash_attn: false
"""


@pytest.fixture
def tiny_training(tmp_path) -> Path:
    """A training configuration that takes seconds."""
    path = tmp_path / "train.yaml"
    path.write_text(TINY_TRAINING, encoding="utf-8")
    return path
