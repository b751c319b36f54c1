"""The benchmarks of the loader and of a million utterances, in small."""

from __future__ import annotations

import json

import pytest

from avsr.files import read_yaml
from avsr.shards.pack import pack_split
from avsr.tables import read_table
from avsr.text.tokens import build_token_list
from benchmarks import loader, manifest, training_step


@pytest.fixture
def lists(tmp_path):
    manifest.make_tables(tmp_path / "train", 1200)
    manifest.make_index(tmp_path / "shards" / "train", 1200)
    return tmp_path


@pytest.mark.parametrize("part", manifest.PARTS)
def test_each_part_tells_its_time_and_memory(lists, part, capsys):
    manifest.main(["--work", str(lists), "--part", part])
    assert json.loads(capsys.readouterr().out).keys() == {"seconds", "cpu", "mb"}
    if part == "statistics":
        assert len(read_table(lists / "stats" / "video_shape")) == 1200
    if part == "sort a table":
        assert list(read_table(lists / "sorted")) == sorted(read_table(lists / "train" / "unsorted"))


def test_files_and_shards_give_the_same_clips_and_each_step_is_timed(tmp_path):
    data = loader.make_clips(tmp_path, 2, 8)
    for name, raw in loader.SHARDS.items():
        pack_split(data, tmp_path / name / "train", size=4, raw=raw)
    tokenizer = build_token_list([" ".join(loader.WORDS)], "jamo", out_dir=tmp_path / "tokens")
    made = loader.loaders(data, tmp_path, tokenizer, read_yaml(loader._CONFIG), 4, 0)
    profile = loader.Profile()
    with profile.watch(loader.WATCHED):
        clips = {name: sorted(utt for names, _ in build(1) for utt in names) for name, build in made.items()}
    assert clips["files"] == clips["shards"] == clips["raw_shards"] and len(clips["files"]) == 8
    assert {"read", "decode pictures", "decode sound", "collate"} <= profile.seconds.keys()


def test_olkavss_architecture_takes_turns_with_ours(capsys):
    training_step.main(["--batch", "1", "--frames", "9", "--runs", "1", "--olkavs"])
    assert "s of video a second" in (said := capsys.readouterr().out) and "times as many (bar 1.5)" in said
