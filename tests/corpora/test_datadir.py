"""The data directory gives back what was put into it, sorted for Kaldi, and refuses what it cannot hold."""

from __future__ import annotations

import tempfile
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.corpora.datadir import Utterance, check_disjoint, read_data_dir, write_data_dir
from avsr.corpora.labels import utterance_id
from avsr.errors import LabelError

WORD = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Z")), min_size=1, max_size=6)
NAMES = st.text(st.sampled_from("abs12가힣é_-. "), min_size=1, max_size=5).filter(lambda name: name.strip())


@st.composite
def utterances(draw) -> list[Utterance]:
    """Utterances with any speakers, texts, file names (spaces, too) and times in whole milliseconds."""
    made = {}
    for index, (speaker, name) in enumerate(draw(st.lists(st.tuples(NAMES, NAMES), min_size=1, max_size=8))):
        utt_id = utterance_id(speaker, f"{name}_{index}")
        text = [unicodedata.normalize("NFC", word) for word in draw(st.lists(WORD, min_size=1, max_size=4))]
        span, words = (None, None), None
        if draw(st.booleans()):
            start = draw(st.integers(0, 10**6))
            span = (start / 1000, (start + draw(st.integers(1, 10**6))) / 1000)
        if draw(st.booleans()):
            words = [(index * 0.5, index * 0.5 + 0.25, word) for index, word in enumerate(text)]
        path = Path("/corpus") / f"{draw(NAMES)} {index}.mp4"
        made[utt_id] = Utterance(utt_id, utterance_id(speaker, "x")[:-2], path, " ".join(text), *span, words)
    return list(made.values())


@settings(max_examples=60, deadline=None)
@given(utterances())
def test_round_trip(made):
    with tempfile.TemporaryDirectory() as folder:
        write_data_dir(Path(folder), made)
        assert read_data_dir(Path(folder)) == sorted(made, key=lambda utterance: utterance.utt_id)
        lines = (Path(folder) / "utt2spk").read_bytes().splitlines()
        assert lines == sorted(lines)
        speakers = [line.split()[1] for line in lines]
        assert speakers == sorted(speakers), "sorting by utterance must sort by speaker"
        assert sorted(path.name for path in Path(folder).iterdir() if path.name.startswith(".")) == []


def _one(tmp_path: Path, **changes) -> Utterance:
    values = {"utt_id": "s1-a", "speaker": "s1", "media": tmp_path / "a.mp4", "text": "말"} | changes
    return Utterance(**values)


def test_text_is_nfc_and_one_line(tmp_path):
    write_data_dir(tmp_path / "d", [_one(tmp_path, text=unicodedata.normalize("NFD", "한국\n 말"))])
    assert (tmp_path / "d/text").read_text(encoding="utf-8") == "s1-a 한국 말\n"


def test_a_former_runs_times_do_not_stay(tmp_path):
    write_data_dir(tmp_path / "d", [_one(tmp_path, words=[(0.0, 0.5, "말")])])
    assert (tmp_path / "d/align").read_text(encoding="utf-8") == "s1-a 0.000 0.500 말\n"
    write_data_dir(tmp_path / "d", [_one(tmp_path)])
    assert not (tmp_path / "d/align").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"utt_id": "a-s1"},
        {"utt_id": "s1-a b"},
        {"text": " "},
        {"text": "half \ud800 a character"},
        {"media": Path("/a\nb.mp4")},
        {"media": Path("/take 1 2")},
        {"media": Path("/a.mp4 ")},
        {"start": 1.0},
        {"words": [(0.0, 1.0, "two words")]},
    ],
)
def test_what_a_line_cannot_hold_is_refused(tmp_path, changes):
    with pytest.raises(LabelError):
        write_data_dir(tmp_path / "d", [_one(tmp_path, **changes)])
    assert not (tmp_path / "d").exists()


def test_same_id_twice_names_both_files(tmp_path):
    with pytest.raises(LabelError, match=r"b\.mp4.*a\.mp4"):
        write_data_dir(tmp_path, [_one(tmp_path), _one(tmp_path, media=tmp_path / "b.mp4")])


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("text", "s1-a\n", "text, line 1"),
        ("text", "s1-a 말\ns1-a 말\n", "text, line 2"),
        ("text", "s1-a 말\ns1-b 말\n", r"media\.scp.*s1-b"),
        ("utt2spk", "s1-b s1\n", "s1-a"),
        ("media.scp", "s1-a /a.mp4 2 1\n", "before it starts"),
        ("align", "s1-a 0 1\n", "align.*s1-a"),
        ("align", "s1-z 0 1 말\n", "s1-z"),
        ("media.scp", "", "empty"),
    ],
)
def test_a_broken_directory_is_named(tmp_path, name, content, says):
    write_data_dir(tmp_path, [_one(tmp_path)])
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(LabelError, match=says):
        read_data_dir(tmp_path)


def test_check_disjoint_names_the_speaker(tmp_path):
    first, second = _one(tmp_path), _one(tmp_path, utt_id="s1-b")
    check_disjoint({"train": [first, second], "test": [_one(tmp_path, utt_id="s2-a", speaker="s2")]})
    with pytest.raises(LabelError, match="speaker s1 .*train.*test"):
        check_disjoint({"train": [first], "test": [second]})
