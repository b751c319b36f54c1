"""Tables of path, speaker and text."""

from __future__ import annotations

import tempfile
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.corpora.plain import read_corpus, read_label
from avsr.errors import LabelError


def _table(folder: Path, content: str | bytes, name: str = "table.tsv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_tsv_with_bom_crlf_and_columns_in_any_order(tmp_path, make_clip):
    make_clip(tmp_path / "a/one.mp4")
    make_clip(tmp_path / "two.mp4")
    spoken = unicodedata.normalize("NFD", '"왜"  물어?')
    rows = f"{spoken}\ta/one.mp4\tkim\t3\r\n\r\n네\ttwo.mp4\tkim\t3\r\n"
    table = _table(tmp_path, "\ufefftext\tpath\tspeaker\tage\r\n" + rows)
    first, second = read_corpus(table)
    assert (first.utt_id, first.speaker, first.media) == ("kim-a_one", "kim", tmp_path / "a/one.mp4")
    assert (first.text, second.text) == ('"왜" 물어?', "네")


def test_a_csv_quotes_and_may_give_absolute_paths(tmp_path, make_clip):
    clip = make_clip(tmp_path / "elsewhere/one.mp4")
    table = _table(tmp_path, f'path,speaker,text\n{clip},kim,"""왜"", 물어?"\n', "table.csv")
    (utterance,) = read_corpus(table)
    assert (utterance.media, utterance.text) == (clip, '"왜", 물어?')


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "empty"),
        ("path\ttext\n", "line 1: must name the column 'speaker'"),
        ("path\tspeaker\ttext\ttext\n", "line 1: must name the column 'text' once"),
        ("path,speaker,text\n", "line 1: must name the column 'path'"),
        ("path\tspeaker\ttext\na.mp4\tkim\n", "line 2: has 2 fields"),
        ("path\tspeaker\ttext\na.mp4\tkim\t네\t\n", "line 2: has 4 fields"),
        ("path\tspeaker\ttext\n\na.mp4\t \t네\n", "line 3, speaker: is empty"),
        ("path\tspeaker\ttext\na.mp4\tkim\t\n", "line 2, text: is empty"),
        (b"path\tspeaker\ttext\n\xb0\xa1\tkim\tx\n", "line 2: the text is not UTF-8"),
    ],
)
def test_broken_tables_name_line_and_column(tmp_path, content, says):
    table = _table(tmp_path, content)
    with pytest.raises(LabelError, match=says) as caught:
        read_label(table)
    assert str(table) in str(caught.value)


def test_an_open_quote(tmp_path):
    with pytest.raises(LabelError, match="mend its quotes"):
        read_label(_table(tmp_path, 'path,speaker,text\na.mp4,kim,"네\n', "table.csv"))


def test_files_that_are_missing_or_given_twice(tmp_path, make_clip):
    make_clip(tmp_path / "a.mp4")
    rows = [f"{path}\tkim\t네" for path in ("a.mp4", "gone.mp4", "a.mp4", "..", "x" * 300)]
    table = _table(tmp_path, "\n".join(["path\tspeaker\ttext", *rows, "a.mp4\tkim"]))
    failures = []
    assert [utterance.text for utterance in read_corpus(table, failures=failures)] == ["네"]
    reasons = "\n".join(failure.reason for failure in failures)
    assert len(failures) == 5
    for says in ("line 3, path: there is no file", "line 4, path:", "line 5, path:", "line 6, path:", "line 7: has 2"):
        assert says in reasons
    with pytest.raises(LabelError, match="line 7"):
        read_corpus(table)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=80), st.sampled_from(["t.tsv", "t.csv"]))
def test_any_rows_give_a_table_or_a_label_error(rows, name):
    separator = "," if name.endswith("csv") else "\t"
    with tempfile.TemporaryDirectory() as folder:
        content = separator.join(("path", "speaker", "text")) + "\n" + rows
        table = _table(Path(folder), content.encode("utf-8", "surrogatepass"), name)
        failures = []
        try:
            assert read_corpus(table, failures=failures) == []
        except LabelError as error:
            assert str(table) in str(error)
        else:
            pytest.fail("there is no file, so nothing can be usable")
