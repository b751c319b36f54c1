"""Shards hold what the tables name, in WebDataset's layout; the same bytes however often it was interrupted."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile

import numpy as np
import pytest

from avsr.errors import AvsrError, LabelError
from avsr.shards import pack
from avsr.shards.index import INDEX, MANIFEST, make_index, parse_index, parse_manifest
from avsr.shards.pack import pack_split
from avsr.stages.shards import main
from avsr.tables import read_table
from tests.shards.conftest import make_split


def hashes(folder) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir()) if path.is_file()}


def test_every_utterance_is_there_once_as_the_tables_have_it(dump, shards):
    manifest = parse_manifest((shards / "train" / MANIFEST).read_bytes(), "x")
    index = parse_index((shards / "train" / INDEX).read_bytes(), "x", manifest)
    text, video = read_table(dump / "train" / "text"), read_table(dump / "train" / "video.scp")
    assert sorted(index.name(row) for row in range(len(index))) == sorted(text)
    assert manifest.utterances == 30 and [shard.utterances for shard in manifest.shards] == [4] * 7 + [2]
    assert manifest.streams == ["speech", "video", "align", "shape"]
    row = 0
    for shard in manifest.shards:
        with tarfile.open(shards / "train" / shard.name) as archive:
            members = archive.getmembers()
            assert all(member.mtime == 0 and member.uname == "" for member in members)
            for member in members:
                if not member.name.endswith(".json"):
                    continue
                about = json.load(archive.extractfile(member))
                utt = index.name(row)
                assert about["utt"] == utt and about["text"] == text[utt] and "/here" not in json.dumps(about)
                clip = archive.extractfile(member.name.replace(".json", ".mp4")).read()
                with open(video[utt], "rb") as file:
                    assert clip == file.read()
                row += 1
    assert row == 30


def test_webdataset_reads_them(shards):
    webdataset = pytest.importorskip("webdataset", reason="webdataset is not installed (it comes with the extra test)")
    found = list(webdataset.WebDataset(str(shards / "train" / "shard-000000.tar"), shardshuffle=False))
    assert len(found) == 4
    assert all({"__key__", "json", "mp4", "flac", "npy"} <= sample.keys() for sample in found)


@pytest.mark.parametrize("nj", [1, 2])
def test_killed_it_goes_on_to_the_same_bytes(dump, shards, tmp_path, monkeypatch, nj):
    done, real = [], pack.work_off

    def killed(work, jobs, **options):
        for result in real(work, jobs, **options):
            done.append(result)
            yield result
            if len(done) == 3:
                raise KeyboardInterrupt

    monkeypatch.setattr(pack, "work_off", killed)
    with pytest.raises(KeyboardInterrupt):
        pack_split(dump / "train", tmp_path / "train", size=4)
    assert not (tmp_path / "train" / MANIFEST).exists()
    (tmp_path / "train" / "shard-000099.tar").write_bytes(b"of a run with smaller shards")
    (tmp_path / "train" / ".shard-000003.tar.abcd_123.half").write_bytes(b"what kill -9 left")
    begun = []

    def watched(work, jobs, **options):
        begun.extend(jobs)
        assert {path.suffix for path in work.reads} > {""}, "where it is done there have to be clips, and not the tables alone"
        return real(work, jobs, **options)

    monkeypatch.setattr(pack, "work_off", watched)
    pack_split(dump / "train", tmp_path / "train", size=4, nj=nj)
    assert 0 < (count := len(begun)) <= 5, "what was finished is not packed again"
    assert hashes(tmp_path / "train") == hashes(shards / "train")
    (tmp_path / "train" / ".parts" / "x").mkdir(parents=True)  # killed right after the manifest
    pack_split(dump / "train", tmp_path / "train", size=4)
    assert len(begun) == count and not (tmp_path / "train" / ".parts").exists()


def test_another_text_or_clip_is_packed_again(dump, tmp_path):
    data = shutil.copytree(dump / "dev", tmp_path / "dev")
    one = pack_split(data, tmp_path / "out", size=4)
    (data / "text").write_text((data / "text").read_text("utf-8").replace("가나", "나나"), "utf-8")
    two = pack_split(data, tmp_path / "out", size=4)
    assert one.source != two.source and one.shards != two.shards


def test_what_cannot_be_packed_is_left_out_and_listed(tmp_path, capsys):
    data = make_split(tmp_path / "data" / "dev", 5)
    clips = sorted((data / "clips").glob("*.mp4"))
    clips[0].with_suffix(".json").write_text("{}")
    clips[1].with_suffix(".flac").write_bytes(b"no sound")
    clips[2].unlink()
    assert main(["--data", str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--splits", "dev", "--nj", "1", "--size", "1"]) == 0
    assert "2 utterances" in (said := capsys.readouterr().out) and "3 left out" in said
    listed = (tmp_path / "out" / "dev" / "failed.tsv").read_text("utf-8")
    assert all(reason in listed for reason in ("not the confidence", "no sound can be read", "cannot be read (No such file"))
    manifest = parse_manifest((tmp_path / "out" / "dev" / MANIFEST).read_bytes(), "x")
    assert len(manifest.shards) == 2 == len(list((tmp_path / "out" / "dev").glob("*.tar")))
    for clip in clips:
        clip.unlink(missing_ok=True)
    with pytest.raises(AvsrError, match="no utterance could be packed; see .*failed.tsv"):
        pack_split(data, tmp_path / "none", size=2)


def test_a_manifest_that_is_none_is_a_sentence(shards):
    whole = json.loads((shards / "dev" / MANIFEST).read_bytes())
    for wrong in (b"{", b"[]", b'{"format": 1}', json.dumps(whole | {"more": 1}).encode()):
        with pytest.raises(LabelError, match="^here: is no list of shards"):
            parse_manifest(wrong, "here")
    for change, said in (
        ({"format": 2}, "its format is 2, this program reads 1"),
        ({"utterances": 7}, "do not hold the 7 utterances"),
        ({"shards": [whole["shards"][0] | {"name": "x; rm -rf .tar"}]}, "no name of what this program packs"),
        ({"streams": ["smell"]}, "no name of what this program packs"),
    ):
        with pytest.raises(LabelError, match=said):
            parse_manifest(json.dumps(whole | change).encode(), "here")
    with pytest.raises(LabelError, match="is not the index that shards.json names"):
        parse_index(b"", "here", parse_manifest(json.dumps(whole).encode(), "here"))
    with pytest.raises(LabelError, match="is no index of shards"):
        parse_index(b"PK", "here")


def test_names_of_any_letters_come_back():
    rows = [(0, 512 * n, 512, n, 640 * n, name) for n, name in enumerate(["가-1", "a", "b c/d", "é"])]
    index = parse_index(make_index(rows).to_bytes(), "x")
    assert [index.name(row) for row in range(4)] == [row[5] for row in rows]
    assert index.lengths().tolist() == [0, 1, 2, 3] and np.array_equal(index.complete({"video"}), [1, 2, 3])
