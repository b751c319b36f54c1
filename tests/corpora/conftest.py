"""Small real clips and labels, made by the tests themselves, for every corpus layout."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest


def _encode(path: Path, seconds: float) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for index in range(round(seconds * 25)):
            image = np.full((32, 32, 3), index % 250, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


@pytest.fixture(scope="session")
def make_clip(tmp_path_factory) -> Callable[..., Path]:
    """make_clip(path, seconds=3.0): a real video of that length; each length is encoded once and copied."""
    store = tmp_path_factory.mktemp("clips")

    def make(path: Path, seconds: float = 3.0) -> Path:
        made = store / f"{seconds}.mp4"
        if not made.exists():
            _encode(made, seconds)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(made, path)
        return path

    return make


@pytest.fixture
def session() -> dict:
    """A session label's object, in AI-Hub's form, of two sentences and three frames of boxes."""
    return {
        "dataSet": {"version": 1.0},
        "Video_info": {
            "video_Name": "lip_T_1_M_03_C900_A_001.mp4",
            "video_Format": "MP4",
            "video_Duration": "0:00:08",
            "FPS": 30,
            "Resolution": "1920*1080",
        },
        "Audio_info": {"Audio_Name": "lip_T_1_M_03_C900_A_001.wav", "Sampling_rate": "48Khz", "Channel(s)": 2},
        "Sentence_info": [
            {"ID": 1, "topic": "t", "sentence_text": "나무가 자란다.", "start_time": 1.0, "end_time": 3.0},
            {"ID": 2, "topic": "t", "sentence_text": "물이 흐른다.", "start_time": 4.0, "end_time": 7.0},
        ],
        "Audio_env": {"Noise": 2},
        "Video_env": {"env": "indoor_light", "Angle": "A"},
        "speaker_info": {"speaker_ID": "C900", "Specificity": "C", "Gender": "M", "Age": 3, "Accent": "N"},
        "Bounding_box_info": {
            "Face_bounding_box": {"xtl_ytl_xbr_ybr": [[225, 687, 879, 1341]] * 3},
            "Lip_bounding_box": {"xtl_ytl_xbr_ybr": [[500, 905, 730, 1135]] * 3},
        },
    }


@pytest.fixture
def write_session(tmp_path) -> Callable[..., Path]:
    """write_session(object, folder=tmp_path): the label as AI-Hub writes it, UTF-8 with a byte order mark."""

    def write(label: object, folder: Path = tmp_path, name: str = "lip_T_1_M_03_C900_A_001.json") -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        path.write_text(json.dumps([label], ensure_ascii=False), encoding="utf-8-sig")
        return path

    return write
