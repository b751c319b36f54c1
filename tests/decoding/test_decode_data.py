"""The decode stage: three modes over a data directory, resumed, muted, and its faults."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from avsr.decoding.decode_data import decode_data, main
from avsr.errors import AvsrError, LabelError, ModelError
from avsr.lips.mouth_clip import MouthClip, save_mouth_clip
from avsr.media.audio import write_audio
from avsr.tables import write_lines
from tests.decoding.conftest import speech


@pytest.fixture
def data(tmp_path) -> Path:
    """Three utterances of a second with sound and mouth."""
    folder = tmp_path / "dump"
    rows: dict[str, list[str]] = {"wav.scp": [], "video.scp": []}
    for index in range(3):
        utt = f"s1-{index}"
        (folder / "wav").mkdir(parents=True, exist_ok=True)
        write_audio(folder / "wav" / f"{utt}.flac", speech(np.arange(16000) / 16000 + index * 3.3))
        frames = np.random.default_rng(index).integers(0, 255, (25, 96, 96), dtype=np.uint8)
        save_mouth_clip(MouthClip(frames, np.ones(25, np.float32)), folder / "mouth" / f"{utt}.mp4")
        rows["wav.scp"].append(f"{utt} {folder}/wav/{utt}.flac")
        rows["video.scp"].append(f"{utt} {folder}/mouth/{utt}.mp4")
    for name, lines in rows.items():
        write_lines(folder / name, lines)
    return folder


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_three_modes(packed, data, tmp_path):
    texts = {}
    for mode in ("av", "audio", "lip"):
        out = tmp_path / mode
        summary = decode_data(packed, data, mode, out)
        assert summary["utterances"] == 3 and summary["media_seconds"] == 3.0 and summary["rtf"] > 0
        assert sorted(path.name for path in out.iterdir()) == ["confidence", "decode.json", "nbest", "text", "weights"]
        assert [line.split(" ")[0] for line in lines(out / "text")] == ["s1-0", "s1-1", "s1-2"]
        texts[mode] = lines(out / "text")
        assert all(len(line.split("\t")) == 3 for line in lines(out / "nbest"))
    weights = {mode: [float(line.split()[1]) for line in lines(tmp_path / mode / "weights")] for mode in texts}
    assert weights["audio"] == [1, 1, 1] and weights["lip"] == [0, 0, 0]
    assert texts["audio"] != texts["lip"]


def test_the_lips_do_not_hear_that_the_sound_is_muted(packed, data, tmp_path):
    for mode in ("lip", "audio"):
        for mute in (False, True):
            decode_data(packed, data, mode, tmp_path / f"{mode}{mute}", mute_audio=mute)
    assert lines(tmp_path / "lipTrue/nbest") == lines(tmp_path / "lipFalse/nbest")
    assert lines(tmp_path / "audioTrue/nbest") != lines(tmp_path / "audioFalse/nbest")


def test_resumes_where_it_stopped_and_does_nothing_twice(packed, data, tmp_path, monkeypatch):
    from avsr.decoding.recognizer import Recognizer

    whole, out = tmp_path / "whole", tmp_path / "out"
    decode_data(packed, data, "av", whole)
    done: list[int] = []
    recognise = Recognizer.recognise

    def counted(self, *arguments, **options):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(1)
        return recognise(self, *arguments, **options)

    monkeypatch.setattr(Recognizer, "recognise", counted)
    with pytest.raises(KeyboardInterrupt):
        decode_data(packed, data, "av", out)
    assert not (out / "text").exists()
    with open(out / ".part.jsonl", "a") as part:
        part.write('{"utt": "torn')
    done.clear()
    decode_data(packed, data, "av", out)
    assert len(done) == 1
    assert lines(out / "nbest") == lines(whole / "nbest")
    decode_data(packed, data, "av", out)
    assert len(done) == 1
    monkeypatch.setattr(Recognizer, "recognise", recognise)
    decode_data(packed, data, "lip", out)  # other settings: all anew
    assert json.loads((out / "decode.json").read_text())["mode"] == "lip"


def test_what_is_done_is_seen_before_the_model_is_loaded(packed, data, tmp_path, monkeypatch):
    from avsr.decoding.recognizer import Recognizer

    summary = decode_data(packed, data, "lip", tmp_path / "out")

    def load(*arguments, **options):
        raise AssertionError("the model is loaded")

    monkeypatch.setattr(Recognizer, "load", load)
    assert decode_data(packed, data, "lip", tmp_path / "out") == summary
    with pytest.raises(AssertionError, match="is loaded"):
        decode_data(packed, data, "av", tmp_path / "out")
    with pytest.raises(ModelError, match="no.zip: cannot be read"):
        decode_data(tmp_path / "no.zip", data, "av", tmp_path / "out")


def test_what_the_mode_lacks_is_named(packed, data, tmp_path):
    write_lines(data / "wav.scp", lines(data / "wav.scp")[:2])
    with pytest.raises(LabelError, match="wav.scp: has no line for s1-2"):
        decode_data(packed, data, "audio", tmp_path / "out")
    assert decode_data(packed, data, "av", tmp_path / "out")["utterances"] == 3
    (data / "wav.scp").unlink()
    assert decode_data(packed, data, "av", tmp_path / "out2")["audio_weight"] == 0
    (data / "video.scp").unlink()
    with pytest.raises(LabelError, match="no utterance"):
        decode_data(packed, data, "av", tmp_path / "out")
    with pytest.raises(AvsrError, match="auto"):
        decode_data(packed, data, "auto", tmp_path / "out")


def test_the_command_line(packed, data, tmp_path, capsys):
    config = tmp_path / "decode.yaml"
    config.write_text("beam_size: 1\nctc_weight: 1.0\n")
    arguments = ["--model", str(packed), "--data", str(data), "--mode", "av", "--out", str(tmp_path / "out")]
    assert main([*arguments, "--config", str(config), "--mute-audio"]) == 0
    assert "3 utterances in mode av" in capsys.readouterr().err
    settings = json.loads((tmp_path / "out/decode.json").read_text())
    assert settings["mute_audio"] and settings["options"]["beam_size"] == 1
    config.write_text("beams: 1\n")
    assert main([*arguments, "--config", str(config)]) == 1
    assert "decode.yaml: beams is no decode option" in capsys.readouterr().err
    assert main(["--model", str(tmp_path / "no.zip"), *arguments[2:]]) == 1
    assert "no.zip" in capsys.readouterr().err
