"""LipNet's layouts, time units and labels, whole and broken."""

from __future__ import annotations

import tempfile
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.corpora.lipnet import read_corpus, read_label
from avsr.errors import LabelError

GRID = "0 12000 sil\n12000 18000 lay\n18000 24000 red\n24000 26000 sp\n26000 27500 by\n27500 74500 sil\n"


def _label(folder: Path, content: str | bytes, name: str = "a.align") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_ticks_and_frames_say_the_same(tmp_path):
    frames = "0 12 sil\n12 18 lay\n18 24 red\n24 26 sp\n26 28 by\n28 75 sil\n"
    ticks, counted = read_label(_label(tmp_path, GRID)), read_label(_label(tmp_path, frames))
    assert ticks.words == counted.words == ["lay", "red", "by"]
    assert ticks.text == "lay red by"
    assert ticks.times == [(0.48, 0.72), (0.72, 0.96), (1.04, 1.1)]
    assert counted.times == [(0.48, 0.72), (0.72, 0.96), (1.04, 1.12)]


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 60), st.booleans()), min_size=1, max_size=8))
def test_units_are_told_apart(pieces):
    """Words of 1 to 60 frames (0.04-2.4 s) with pauses of up to 30: both units give the same times."""
    rows, now = [], 0
    for pause, length, silence in pieces:
        rows.append((now, now + pause, "sp"))
        rows.append((now + pause, now + pause + length, "sil" if silence and len(rows) > 1 else "말"))
        now += pause + length
    labels = []
    with tempfile.TemporaryDirectory() as folder:
        for scale in (1, 1000):
            lines = "".join(f"{start * scale} {end * scale} {word}\n" for start, end, word in rows)
            labels.append(read_label(_label(Path(folder), lines)))
    assert labels[0] == labels[1]
    assert labels[0].times == [(start / 25, end / 25) for start, end, word in rows if word == "말"]


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ("sil 안 녕 하 세 요 sil", "안녕하세요"),
        ("sil 안녕 하세요 sil", "안녕 하세요"),
        ("나 는 5 0 점", "나는50점"),
        ("bin blue at f two now", "bin blue at f two now"),
        ("쌀", "쌀"),
    ],
)
def test_without_times(tmp_path, lines, text):
    label = read_label(_label(tmp_path, "\n".join(lines.split())))
    assert (label.text, label.times) == (text, None)


def test_bom_crlf_nfd_and_blank_lines_do_no_harm(tmp_path):
    content = "\ufeff" + unicodedata.normalize("NFD", "sil\r\n안\r\n녕\r\n\r\nsil")
    assert read_label(_label(tmp_path, content)).text == "안녕"


def test_the_number_of_a_repeat_is_not_spoken(tmp_path):
    _label(tmp_path, "말", "말.align")
    assert read_label(_label(tmp_path, "말\n1\n2", "말12.align")).words == ["말"]
    # Without a first recording, the number is part of the phrase.
    assert read_label(_label(tmp_path, "제\n2", "제2.align")).text == "제2"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "empty"),
        ("\ufeff\r\n \n", "empty"),
        ("\x1f\x0b\u3000", "empty"),  # white space too, for split()
        (b"\xff\xfe0\x00 ", "line 1: the text is not UTF-8"),
        ("0 1 sil\n1 2 \u0000", "line 2: holds a zero byte"),
        ("0 12000 sil\n12000 lay\n", "line 2: .* has 2 fields"),
        ("0 12000 sil\n12000 18000 lay red\n", "line 2: .* has 4 fields"),
        ("0 12000 sil\nlay\n", "line 2: .*give all lines times"),
        ("lay\n0 12000 sil\n", "line 2: .*give all lines times"),
        ("0 x sil\n", "line 1: END is 'x'"),
        ("-5 12000 sil\n", "line 1: START is '-5'"),
        ("0.00 0.48 sil\n0.48 0.72 lay\n", "line 1: START is '0.00'"),
        ("0 12000 sil\n18000 12000 lay\n", "line 2: END 12000 is before START 18000"),
        ("0 12000 sil\n12000 12000 lay\n", "line 2: 'lay' lasts no time"),
        ("0 12000 sil\n12000 18000 lay\n17000 19000 red\n", "line 3: 'red' starts at 17000"),
        ("0 480 sil\n480 720 lay\n720 960 red\n", "line 2: unknown time unit"),  # milliseconds
        ("0 74500 sil\n", "silence only"),
        ("sil\nsp\n", "silence only"),
    ],
)
def test_broken_labels_name_file_and_line(tmp_path, content, says):
    path = _label(tmp_path, content)
    with pytest.raises(ValueError, match=says) as caught:
        read_label(path)
    assert isinstance(caught.value, LabelError)
    assert str(path) in str(caught.value)


def test_missing_label_and_folder(tmp_path):
    for path in (tmp_path / "no.align", tmp_path):
        with pytest.raises(LabelError, match=str(path)):
            read_label(path)
    with pytest.raises(LabelError, match="no such folder"):
        read_corpus(tmp_path / "nothing")
    with pytest.raises(LabelError, match="no clip with an .align label"):
        read_corpus(tmp_path)


def test_label_past_its_clip(tmp_path):
    path = _label(tmp_path, GRID)
    assert read_label(path, duration=2.9).words
    with pytest.raises(LabelError, match=r"line 6: ends at 2\.98 s, but the clip lasts 1\.00 s"):
        read_label(path, duration=1.0)


LABEL_LIKE = st.text(st.sampled_from("0123456789. -\n\rsilp말x\ufeff\t"), max_size=60).map(str.encode)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | LABEL_LIKE)
def test_any_bytes_give_a_label_or_a_label_error(content):
    with tempfile.TemporaryDirectory() as folder:
        path = _label(Path(folder), content)
        try:
            label = read_label(path)
        except LabelError as error:
            assert str(path) in str(error) and "\n" not in str(error)
        else:
            assert label.words and label.text
            assert label.times is None or len(label.times) == len(label.words)


@pytest.mark.parametrize(
    ("clip", "label", "utt_id"),
    [
        ("s3/a.mp4", "s3/a.align", "s3-a"),
        ("s3/video/a.mp4", "s3/align/a.align", "s3-a"),
        ("video/s3/a.mp4", "align/s3/a.align", "s3-a"),
        ("video/a.mp4", "align/a.align", "some_corpus-a"),
        ("a.mpg", "a.align", "some_corpus-a"),
        ("kim lee/a.mp4", "kim lee/a.align", "kim_lee-a"),
        ("video/s3/a b.MP4", "align/s3/a b.align", "s3-a_b"),
        ("s3/video/" + unicodedata.normalize("NFD", "말.mp4"), "s3/align/말.align", "s3-말"),
    ],
)
def test_layouts(tmp_path, make_clip, clip, label, utt_id):
    root = tmp_path / "some corpus"
    made = make_clip(root / clip)
    _label(root, GRID, label)
    (utterance,) = read_corpus(root)
    assert (utterance.utt_id, utterance.media, utterance.text) == (utt_id, made, "lay red by")
    assert utterance.words == [(0.48, 0.72, "lay"), (0.72, 0.96, "red"), (1.04, 1.1, "by")]
    assert (utterance.start, utterance.end) == (None, None)


@pytest.mark.parametrize("folder", ["s7", "grid_s7"])
def test_the_folder_itself_may_be_the_speaker(tmp_path, make_clip, folder):
    make_clip(tmp_path / folder / "video/a.mp4")
    _label(tmp_path / folder, GRID, "align/a.align")
    assert [utterance.utt_id for utterance in read_corpus(tmp_path / folder)] == ["s7-a"]


def test_speakers_behind_links_and_a_link_that_loops(tmp_path, make_clip):
    make_clip(tmp_path / "disk/s1/a.mp4")
    _label(tmp_path / "disk/s1", GRID)
    root = tmp_path / "corpus"
    root.mkdir()
    (root / "s1").symlink_to(tmp_path / "disk/s1")
    (root / "s1/up").symlink_to(root)
    assert [utterance.utt_id for utterance in read_corpus(root)] == ["s1-a"]


def test_what_cannot_be_used_is_collected(tmp_path, make_clip):
    for name in ("good", "broken", "short", "unlabelled"):
        make_clip(tmp_path / f"s1/{name}.mp4", 1.0 if name == "short" else 3.0)
    for name in ("good", "broken", "short", "clipless"):
        _label(tmp_path / "s1", "0 1 2 3 4" if name == "broken" else GRID, f"{name}.align")
    (tmp_path / "s1/torn.mp4").write_bytes(b"no video")  # for cropping to find, not the corpus reader
    _label(tmp_path / "s1", GRID, "torn.align")
    failures = []
    assert [utterance.name for utterance in read_corpus(tmp_path, failures=failures)] == ["good", "torn"]
    assert [failure.name for failure in failures] == ["broken", "clipless", "short", "unlabelled"]
    assert all(str(failure.path) in failure.reason for failure in failures)
    with pytest.raises(LabelError, match="broken.align, line 1"):
        read_corpus(tmp_path)


def test_two_clips_of_one_name(tmp_path, make_clip):
    make_clip(tmp_path / "s1/a.mp4")
    make_clip(tmp_path / "s1/video/a.mp4")
    _label(tmp_path / "s1", GRID)
    with pytest.raises(LabelError, match="speaker s1 has two clips named a"):
        read_corpus(tmp_path)


def test_real_corpora(shared_data):
    grid = read_corpus(shared_data / "grid_s1")
    assert {utterance.speaker for utterance in grid} == {"s1"}
    assert len({utterance.text for utterance in grid}) == len(grid) >= 500
    assert all(len(utterance.words) == 6 and utterance.words[-1][1] < 3 for utterance in grid)
    korean = {utterance.name: utterance.text for utterance in read_corpus(shared_data / "lipnet_ko")}
    assert all(" " not in text for text in korean.values())
    assert korean["말2"] == korean["말"] == "말"
    assert all(text == name.rstrip("2") for name, text in korean.items())
