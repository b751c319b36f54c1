"""Corpora that are added to another one's train."""

from __future__ import annotations

from pathlib import Path

import pytest

from avsr.stages.combine import combine, main
from avsr.corpora.datadir import Utterance, read_data_dir, write_data_dir
from avsr.errors import LabelError
from avsr.tables import read_table, write_table


def make(folder: Path, texts: dict[str, list[str]], *, sound: bool = True, shape: bool = True, clips: bool = True) -> Path:
    """A corpus of one speaker a split, as avsr synth leaves it; no file that its tables name is there."""
    for number, (split, lines) in enumerate(texts.items()):
        rows = [
            Utterance(f"v{number}f1-{place:03d}", f"v{number}f1", folder / f"{split}{place}.mp4", text, words=[(0.1, 0.5, "말")])
            for place, text in enumerate(lines)
        ]
        write_data_dir(folder / split, rows)
        for name, wanted in (("video.scp", clips), ("utt2dur", clips), ("utt2face", clips), ("wav.scp", sound), ("shape.scp", shape)):
            if wanted:
                write_table(folder / split / name, {row.utt_id: f"{folder.name}/{row.utt_id}" for row in rows})
    return folder


FIRST = {"train": ["하나 둘", "셋 넷"], "dev": ["물을 마셨다"], "test": ["집에 갔다"]}


def test_added_to_train_alone_and_without_what_is_tested_on(tmp_path, capsys):
    first = make(tmp_path / "a", FIRST)
    more = make(tmp_path / "b", {"train": ["다섯", "집에  갔다.", "여섯"], "dev": ["일곱"]})
    assert main([str(first), str(more), "--out", str(tmp_path / "out")]) == 0
    assert "4 utterances to train on, 1 of the added ones left out" in capsys.readouterr().out
    train = read_data_dir(tmp_path / "out" / "train")
    assert [(row.utt_id, row.speaker, row.text) for row in train] == [
        ("c2v0f1-000", "c2v0f1", "다섯"), ("c2v0f1-002", "c2v0f1", "여섯"), ("v0f1-000", "v0f1", "하나 둘"), ("v0f1-001", "v0f1", "셋 넷"),
    ]
    assert train[0].words == [(0.1, 0.5, "말")] and train[0].media == more / "train0.mp4"
    for name in ("video.scp", "wav.scp", "shape.scp", "utt2dur"):
        assert read_table(tmp_path / "out" / "train" / name)["c2v0f1-002"] == "b/v0f1-002"
    for split in ("dev", "test"):
        for name in ("text", "media.scp", "video.scp", "wav.scp"):
            assert (tmp_path / "out" / split / name).read_bytes() == (first / split / name).read_bytes()


def test_clips_without_sound_are_there_to_look_at(tmp_path):
    first, silent = make(tmp_path / "a", FIRST), make(tmp_path / "b", {"train": ["다섯"]}, sound=False)
    assert combine(first, [silent], tmp_path / "out").dropped == ()
    assert set(read_table(tmp_path / "out/train/video.scp")) - set(read_table(tmp_path / "out/train/wav.scp")) == {"c2v0f1-000"}


def test_shapes_are_for_all_or_none(tmp_path):
    first, other = make(tmp_path / "a", FIRST), make(tmp_path / "b", {"train": ["다섯"]}, shape=False)
    combine(first, [first], tmp_path / "out")
    assert "shape.scp" in str(combine(first, [other], tmp_path / "out"))
    assert not list((tmp_path / "out").rglob("shape.scp"))


def test_corpora_that_do_not_go_together(tmp_path):
    first, other = make(tmp_path / "a", FIRST), make(tmp_path / "b", {"train": ["다섯"]}, clips=False)
    with pytest.raises(LabelError, match="only one of them has utt2dur; crop"):
        combine(first, [other], tmp_path / "out")
    with pytest.raises(LabelError, match="has no train/media.scp"):
        combine(tmp_path / "nothing", [other], tmp_path / "out")
    assert not (tmp_path / "out").exists()
