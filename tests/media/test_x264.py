"""The same pictures give the same bytes, whatever lay in the memory before."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from avsr.media import x264

CHILD = """
import hashlib, tempfile
from pathlib import Path
import numpy as np
from avsr.corpora.talking_heads.camera import vary
from avsr.lips.mouth_clip import MouthClip, save_mouth_clip
from avsr.media.write import write_video

clip = np.random.default_rng(1).integers(60, 200, (4, 96, 96)).astype(np.uint8)
print(hashlib.sha256(vary(clip, np.random.default_rng(934)).tobytes()).hexdigest())
rng = np.random.default_rng(3)
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "a.mp4"
    for width in range(64, 224, 32):
        large = rng.integers(40, 200, (160, 260)).astype(np.uint8)
        frames = np.stack([large[k : k + 96, k : k + width] for k in range(24)])
        write_video(path, frames, 25)
        print(hashlib.sha256(path.read_bytes()).hexdigest())
        if width == 96:
            save_mouth_clip(MouthClip(frames, np.ones(24, np.float32)), path)
            print(hashlib.sha256(path.read_bytes()).hexdigest())
"""


def test_rubbish_in_memory_changes_nothing():
    """glibc fills what it hands out with the given byte."""

    def said(rubbish: str) -> str:
        environment = os.environ | {"MALLOC_PERTURB_": rubbish}
        return subprocess.run([sys.executable, "-c", CHILD], env=environment, capture_output=True, text=True, check=True).stdout

    first = said("165")
    assert len(first.split()) == 7 and said("77") == first


@pytest.mark.parametrize(("flags", "asked"), [({"avx2", "avx512f"}, True), ({"avx2"}, False), (set(), False)])
def test_instructions_are_named_only_where_they_are(monkeypatch, flags, asked):
    monkeypatch.setattr(x264, "processor_flags", lambda: frozenset(flags))
    assert ("x264-params" in x264.steady_options()) == asked
