"""Look-alikes: letters by their place, groups of what is thought possible for each other, and models that cannot be asked."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avsr.decoding.packed import load_packed, pack, read_meta, write_with_meta
from avsr.errors import AvsrError
from avsr.lips.mouth_clip import MouthClip, save_mouth_clip
from avsr.stages.look_alikes import Table, groups, letter, main, measure, report, textbook
from avsr.tables import write_table
from tests.decoding.conftest import DECODE, SENTENCES, write_run


@given(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3))
def test_every_jamo_of_a_syllable_is_a_letter_in_its_place(syllable):
    kinds = [letter(jamo) for jamo in unicodedata.normalize("NFD", syllable)]
    assert [kind for kind, _ in kinds] == ["onset", "vowel", "coda"][: len(kinds)]
    # Both forms have the same compatibility letter.
    for jamo, (_, name) in zip(unicodedata.normalize("NFD", syllable), kinds):
        assert unicodedata.name(name).rpartition(" ")[2] == unicodedata.name(jamo).rpartition(" ")[2]


def test_what_is_no_conjoining_jamo_is_no_letter():
    assert [letter(token) for token in ("<space>", "<blank>", "ㄱ", "a", "가")] == [None] * 5


def test_letters_that_are_thought_possible_for_each_other_are_one_group():
    shares = np.array([[0.6, 0.3, 0.05, 0.05], [0.4, 0.5, 0.05, 0.05], [0.0, 0.1, 0.5, 0.4], [0.1, 0.0, 0.3, 0.6]])
    table = Table("onset", ["ㅁ", "ㅂ", "ㅅ", "ㅈ"], np.array([20, 20, 20, 20]), shares)
    found = groups(table, 2)
    assert found[0] == found[1] != found[2] == found[3]
    assert textbook(table) == ["ㅁ", "ㅁ", "ㅅ", "ㅅ"]
    rows, said = report([table])
    assert rows[1].split("\t")[:3] == ["onset", "ㅁ", "20"] and rows[1].endswith("ㅂ 0.300 ㅅ 0.050 ㅈ 0.050")
    assert "ㅁㅂ ㅅㅈ" in said[0] and "index 1.00" in said[0]
    assert groups(Table("coda", ["ㄴ"], np.array([9]), np.ones((1, 1))), 3) == [1]


def test_a_model_is_asked_about_its_data(tmp_path, capsys):
    pack(*write_run(tmp_path / "run"), tmp_path / "m.zip", {"decode": DECODE})
    rng = np.random.default_rng(1)
    texts, videos = {}, {}
    for number in range(12):
        path = tmp_path / "clips" / f"{number}.mp4"
        save_mouth_clip(MouthClip(rng.integers(0, 255, (60, 96, 96), dtype=np.uint8), np.ones(60, np.float32)), path)
        texts[f"u{number:02}"], videos[f"u{number:02}"] = SENTENCES[number % 3], str(path)
    texts["u99"] = SENTENCES[0] * 9  # too long for its clip
    videos["u99"] = videos["u00"]
    write_table(tmp_path / "data" / "text", texts)
    write_table(tmp_path / "data" / "video.scp", videos)
    tables = measure(load_packed(tmp_path / "m.zip"), tmp_path / "data")
    assert [table.kind for table in tables] == ["onset", "vowel", "coda"] and "ㅇ" in tables[0].names
    for table in tables:
        assert table.shares.sum(1) == pytest.approx(1) and (table.times >= 10).all()
    arguments = ["--model", str(tmp_path / "m.zip"), "--data", str(tmp_path / "data"), "--out", str(tmp_path / "t.tsv")]
    assert main(arguments) == 0 and "adjusted Rand index" in capsys.readouterr().out
    assert (tmp_path / "t.tsv").read_text("utf-8").startswith("kind\tletter\ttimes\t")
    write_with_meta(tmp_path / "m.zip", tmp_path / "deaf.zip", read_meta(tmp_path / "m.zip") | {"streams": ["sound"]})
    with pytest.raises(AvsrError, match="reads lips"):
        measure(load_packed(tmp_path / "deaf.zip"), tmp_path / "data")
