"""The benchmarks run with tiny settings and print a figure for each alternative; what they measure is not judged here."""

from __future__ import annotations

import re
import types

import pytest

from avsr.lips import extract
from avsr.lips.folder import crop_folder
from avsr.media.video import VideoReader
from avsr.tables import write_table
from benchmarks import compression, frame_search, lips, long, lstm, measure, prefix_score, synth, time_left, training_step, transcribe
from tests.corpora.talking_heads.test_head import needs_head
from tests.decoding.conftest import DrawnFace, packed, run  # noqa: F401  (fixtures)
from tests.media_maker import clock_time, make_video


def test_prefix_score(capsys):
    prefix_score.main(["--seconds", "0.4", "--vocabulary", "9", "--beam", "3", "--runs", "1"])
    said = capsys.readouterr().out
    assert "the same by both" in said and "medians of 1 runs" in said
    assert len(re.findall(r"prefix scorer of \w+: \d+ ms, \d+ of them", said)) == 2


def test_frame_search(capsys):
    frame_search.main(["--seconds", "0.4", "--vocabulary", "9", "--beam", "20", "--token_beam", "3", "--runs", "1"])
    said = capsys.readouterr().out
    assert "the same by both" in said and len(re.findall(r"^[^:\n]+: \d+ ms$", said, re.M)) == 4


def test_lstm(capsys):
    lstm.main(["--units", "8", "--batch", "2", "--frames", "6", "--runs", "1"])
    assert re.search(r"2 sequences of 3 to 6:\npadded \d+ ms, torch's packed \d+ ms", capsys.readouterr().out)


def test_training_step(capsys):
    with pytest.raises(SystemExit, match="there is no such file"):
        training_step.main(["--config", "nowhere.yaml"])
    training_step.main(["--batch", "2", "--frames", "9", "--runs", "1"])
    assert re.search(r"2 utterances of 3 to 9 frames:\nbfloat16 \d+ ms, float32 \d+ ms: [\d.]+ times", capsys.readouterr().out)


def test_lips(capsys, monkeypatch):
    monkeypatch.setattr(extract, "FaceDetector", DrawnFace)
    lips.main(["--seconds", "0.4", "--runs", "1"])
    assert len(re.findall(r"[\d.]+ frames a second", capsys.readouterr().out)) == 2
    assert extract.STRIDE == 2


@needs_head
def test_transcribe(capsys, face_model, packed):  # noqa: F811
    transcribe.main(["--model", str(packed), "--seconds", "0.6", "--runs", "1"])
    assert len(re.findall(r"mode (?:av|audio|lip): [\d.]+ s a second of video, [\d.]+ times", capsys.readouterr().out)) == 3


def test_the_drawn_face_is_one(face_model):
    from avsr.lips.landmarks import FaceDetector

    with FaceDetector() as detector:
        found = [detector.detect(measure.face_picture(i / 25, (640, 480)), i / 25) for i in range(5)]
    assert all(len(faces) == 1 for faces in found)


def test_what_cannot_be_measured_is_told(tmp_path):
    with pytest.raises(SystemExit, match="holds no video"):
        lips.main(["--clips", str(tmp_path)])
    with pytest.raises(SystemExit, match="give 1 or more"):
        measure.medians({}, 0)
    with pytest.raises(SystemExit, match="absent.zip"):
        transcribe.main(["--model", str(tmp_path / "absent.zip"), "--seconds", "0.2"])


def test_compression(capsys, packed, tmp_path):  # noqa: F811
    media = tmp_path / "media"
    media.mkdir()
    make_video(media / "a.mp4", seconds=0.6, size=(96, 96))
    crop_folder(media, tmp_path / "dump", nj=1, mouth_only=True)
    write_table(tmp_path / "data" / "media.scp", {"a": str(media / "a.mp4")})
    write_table(tmp_path / "dump" / "text", {"a": "내일 또 만나요"})
    where = ["--data", str(tmp_path / "data"), "--dump", str(tmp_path / "dump")]
    compression.main(["--model", str(packed), *where, "--mouth_only"])
    said = capsys.readouterr().out
    assert "1 utterances" in said and all(f"{name}: WER" in said for name in ("fresh", "stored"))
    assert float(re.search(r"at ([\d.]+) dB", said)[1]) > 30


def test_synth(capsys, monkeypatch):
    """What is made is another test's; here nothing is, and the alternatives are told apart."""
    made = []

    def make(order, folder, *, nj):
        made.append((order.domain, order.full_face, folder.name, nj))
        return types.SimpleNamespace(seconds=60.0)

    failed: list = []
    monkeypatch.setattr(synth, "make_corpus", make)
    monkeypatch.setattr(synth, "crop_folder", lambda folder, out, nj: types.SimpleNamespace(failed=failed))
    synth.main(["--utterances", "12", "--runs", "1", "--nj", "3"])
    assert len(re.findall(r"[\d.]+ s of speech a second \(60 s in", capsys.readouterr().out)) == 3
    turn = [("daily", False), ("command", False), ("command", True)]
    assert [entry[:2] for entry in made] == turn + turn and len({entry[2] for entry in made}) == 6
    failed.append(("a", "a.mp4", "no face"))
    with pytest.raises(SystemExit, match="1 whole faces were not cropped: no face"):
        synth.main(["--utterances", "12"])
    with pytest.raises(SystemExit, match="give 12 or more"):
        synth.main(["--utterances", "2"])


def test_time_left(tmp_path):
    said = [(1.0, None), (2.5, 7.0), (4.9, 5.1), (5.5, 9.0), (9.0, 1.5)]
    rows = time_left.tenths(10.0, said)
    assert rows[1] == (9.0, None) and rows[2] == (7.5, 7.0) and rows[4] == (pytest.approx(5.1), 5.1) and rows[8] == (1.0, 1.5)
    line = time_left.report("audio", 10.0, 90.0, rows)
    assert line.startswith("| audio | 10 s for 1.5 minutes | none | none | -7 % | -7 % | +0 % | +100 %")
    assert line.endswith("| 50 %, 100 %, none at 1 of 8 |")


def test_videos_are_joined(tmp_path):
    sources = [make_video(tmp_path / f"{name}.mp4", seconds=seconds, size=(96, 64), audio_rate=16000) for name, seconds in (("a", 1.2), ("b", 0.6))]
    begins = long.join([sources[0], sources[1], sources[0]], tmp_path / "c.mkv")
    assert begins == [0.0, pytest.approx(1.28), pytest.approx(1.92)]
    times = {round(frame.time, 2): frame.image for frame in VideoReader(tmp_path / "c.mkv", fps=25)}
    shown = [clock_time(times[round(begin + 0.4, 2)]) for begin in begins]
    assert shown == [pytest.approx(shown[0], abs=0.002)] * 3 and shown[0] == pytest.approx(0.4, abs=0.1), "Matroska begins with its first packet"
