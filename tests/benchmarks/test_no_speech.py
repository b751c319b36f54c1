"""Measuring what is read where nobody speaks: counts add up and the table says so."""

from __future__ import annotations

import json

import numpy as np
import pytest

from avsr.lips.mouth_clip import MouthClip, save_mouth_clip
from avsr.lips.mouth_shape import CHANNELS, save_mouth_shape
from avsr.tables import write_table
from benchmarks import no_speech
from tests.corpora.talking_heads.test_head import needs_head


@needs_head
def test_pieces_and_missed_frames_are_counted(tmp_path, capsys, monkeypatch):
    pytest.importorskip("numba", reason="numba, which compiles the drawing, is not installed")
    speech = tmp_path / "corpus" / "test"
    shape = np.zeros((50, len(CHANNELS)))
    shape[10:40, -1] = 1.0
    save_mouth_clip(MouthClip(np.full((50, 96, 96), 90, np.uint8), np.ones(50, np.float32)), tmp_path / "a.mp4")
    save_mouth_shape(shape, tmp_path / "a.npy")
    write_table(speech / "video.scp", {"a": str(tmp_path / "a.mp4")})
    write_table(speech / "shape.scp", {"a": str(tmp_path / "a.npy")})
    monkeypatch.setattr(no_speech, "QuietOrder", lambda clips, seed: real(clips, 1.0, seed))
    real = no_speech.make_quiet.__globals__["QuietOrder"]
    out = tmp_path / "counts.json"
    arguments = ["--work", str(tmp_path / "work"), "--speech", str(speech), "--clips", "3", "--seed", "5", "--json", str(out)]
    assert no_speech.main(arguments) == 0
    found = json.loads(out.read_text())
    assert sum(minutes for _, minutes in found["pieces"].values()) == pytest.approx(3 / 60)
    assert found["missed"] == {"corpus/test": [30, 30]}, "a grey picture does not speak"
    said = capsys.readouterr().out
    assert "| all | 0.1 | 0 | 0.00 |" in said and "| corpus/test | 30 | 100.0 % |" in said
