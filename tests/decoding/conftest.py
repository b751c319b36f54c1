"""A tiny model with random weights, packed as a real one is, and videos with a drawn face that a stand-in detector knows."""

from __future__ import annotations

from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from tests.media_maker import make_video

SENTENCES = ["안녕하세요 반갑습니다", "오늘 날씨가 좋네요", "내일 또 만나요"]
TINY = {
    "size": 32,
    "lip_conf": {"channels": [4, 8, 8], "pool": 4, "hidden": 16, "layers": 1},
    "audio_conf": {"channels": 4, "encoder_conf": {"num_blocks": 1, "linear_units": 32, "attention_heads": 2}},
    "decoder_conf": {"num_blocks": 1, "linear_units": 32, "attention_heads": 2},
}
DECODE = {"beam_size": 4, "ctc_weight": 0.5, "nbest": 3, "maxlenratio": 0.2}


def write_run(folder: Path, *, seed: int = 1) -> tuple[Path, Path, Path]:
    """(config.yaml, weights, token folder) as a training run leaves them."""
    import torch
    import yaml

    from avsr.runtime import quiet_imports
    from avsr.text.tokens import build_token_list

    with quiet_imports():
        from avsr.model.avsr_model import AVSRModel, ModelConfig

        tokenizer = build_token_list(SENTENCES, "jamo", out_dir=folder / "tokens")
        config = ModelConfig(**TINY)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = AVSRModel(len(tokenizer), config)
            for head in (model.audio_ctc.ctc_lo, model.lip_ctc.ctc_lo):
                # So that something is said, and what is said depends on what is given.
                head.weight.data *= 20
                head.bias.data[0] = -5
    (folder / "config.yaml").write_text(yaml.safe_dump({"model_conf": asdict(config), "seed": 1}), encoding="utf-8")
    torch.save(model.state_dict(), folder / "valid.acc.ave.pth")
    return folder / "config.yaml", folder / "valid.acc.ave.pth", folder / "tokens"


@pytest.fixture(scope="session")
def run(tmp_path_factory) -> tuple[Path, Path, Path]:
    """A training run's files."""
    return write_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="session")
def packed(run, tmp_path_factory) -> Path:
    """The packed model of that run."""
    from avsr.decoding.packed import pack

    out = tmp_path_factory.mktemp("packed") / "tiny.zip"
    pack(*run, out, {"name": "tiny", "what": "random weights, for tests", "decode": DECODE})
    return out


@pytest.fixture(scope="session")
def recognizer(packed):
    from avsr.decoding.recognizer import Recognizer

    return Recognizer.load(packed)


@lru_cache(maxsize=1)
def _said() -> np.ndarray:
    from avsr.corpora.talking_heads.quickstart import load_quickstart

    samples = next(iter(load_quickstart())).load().samples
    return samples[np.flatnonzero(np.abs(samples) > 0.02)[0] :]


def speech(times: np.ndarray) -> np.ndarray:
    """(n,) float32: what a made voice says, over and over, so that a detector of voices hears one."""
    return _said()[np.round(times * 16000).astype(int) % len(_said())]


@pytest.fixture(scope="session")
def video(tmp_path_factory) -> Path:
    """2 s of picture and sound."""
    return make_video(tmp_path_factory.mktemp("video") / "a clip.mp4", seconds=2.0, sound=speech)


class DrawnFace:
    """Stands in for the face model: a face in the middle of every picture brighter than nothing; counts its looks."""

    shown = True

    def __init__(self, max_faces: int = 1) -> None:
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def detect(self, image: np.ndarray, time: float) -> list:
        from avsr.lips.crop import TEMPLATE
        from avsr.lips.landmarks import Face

        if not self.shown or not image.any():
            return []
        height, width = image.shape[:2]
        points = (TEMPLATE - (48, 46)) * 0.6 + (width / 2, height / 2)
        return [Face(points, np.array([width / 2 - 50, height / 2 - 90, width / 2 + 50, height / 2 + 40]))]


@pytest.fixture
def face(monkeypatch):
    """The stand-in, in place, for whom every mouth that is seen speaks; `face.shown = False` hides the face."""
    from avsr.lips import extract, speaking

    monkeypatch.setattr(extract, "FaceDetector", DrawnFace)
    monkeypatch.setattr(speaking, "speaking_probability", lambda frames, confidence: (confidence > 0).astype(np.float32))
    monkeypatch.setattr(speaking.SpeakingStream, "tell", lambda stream, first, end, *_: np.ones(end - first, np.float32))
    monkeypatch.setattr(DrawnFace, "shown", True)
    return DrawnFace
