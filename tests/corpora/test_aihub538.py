"""AI-Hub 538 session labels, whole and broken, with a session's video or ready-cut clips."""

from __future__ import annotations

import copy
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avsr.corpora.aihub538 import read_corpus, read_label
from avsr.errors import LabelError

JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.lists(st.integers(), max_size=5),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2), st.just(10**400),
)  # fmt: skip
# Every field that the reader gives on, as a path into the label.
FIELDS = [
    ("Video_info",), ("Video_info", "video_Name"), ("Video_info", "video_Duration"), ("Video_info", "FPS"),
    ("Video_info", "Resolution"), ("Audio_info",), ("Audio_info", "Sampling_rate"), ("Audio_info", "Channel(s)"),
    ("Audio_info", "Audio_Name"), ("Audio_env",), ("Audio_env", "Noise"), ("Video_env",), ("Video_env", "Angle"),
    ("speaker_info", "Gender"), ("speaker_info", "Age"),
    ("Sentence_info",), ("Sentence_info", 1), ("Sentence_info", 1, "ID"), ("Sentence_info", 1, "sentence_text"),
    ("Sentence_info", 1, "start_time"), ("Sentence_info", 1, "end_time"), ("speaker_info",),
    ("speaker_info", "speaker_ID"), ("Bounding_box_info",), ("Bounding_box_info", "Lip_bounding_box"),
    ("Bounding_box_info", "Lip_bounding_box", "xtl_ytl_xbr_ybr"),
    ("Bounding_box_info", "Lip_bounding_box", "xtl_ytl_xbr_ybr", 2), ("Bounding_box_info", "Face_bounding_box"),
]  # fmt: skip


def _put(label: dict, field: tuple, value: object) -> dict:
    changed = copy.deepcopy(label)
    inner = changed
    for key in field[:-1]:
        inner = inner[key]
    inner[field[-1]] = value
    return changed


def _named(field: tuple) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in field).lstrip(".")


def test_a_label_is_read(session, write_session):
    label = read_label(write_session(session))
    assert (label.speaker, label.duration, label.fps, label.sample_rate, label.channels) == ("C900", 8.0, 30, 48000, 2)
    assert (label.width, label.height) == (1920, 1080)
    assert (label.sound_name, label.angle, label.noise, label.sex, label.age) == ("lip_T_1_M_03_C900_A_001.wav", "A", 2, "M", 3)
    assert [(s.number, s.text, s.start, s.end) for s in label.sentences][1] == (2, "물이 흐른다.", 4.0, 7.0)
    # y, x, y, x in the file becomes left, top, right, bottom.
    assert label.lip_boxes.tolist() == [[905, 500, 1135, 730]] * 3
    assert label.face_boxes.dtype == np.int32


@pytest.mark.parametrize("field", [field for field in FIELDS if isinstance(field[-1], str)], ids=_named)
def test_a_missing_field_is_named(session, write_session, field):
    inner = session
    for key in field[:-1]:
        inner = inner[key]
    del inner[field[-1]]
    path = write_session(session)
    with pytest.raises(LabelError) as caught:
        read_label(path)
    assert f"{path}, field {_named(field)}: is missing" in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        (("Video_info", "video_Name"), 5, "must be text"),
        (("Video_info", "video_Name"), " ", "is empty"),
        (("Video_info", "video_Duration"), "304", "0:05:04"),
        (("Video_info", "FPS"), "30", "must be a number"),
        (("Video_info", "FPS"), 0, "no frame rate"),
        (("Video_info", "Resolution"), "wide", r"1920\*1080"),
        (("Audio_info", "Sampling_rate"), 48000, "must be text"),
        (("Audio_info", "Channel(s)"), 1.5, "whole number"),
        (("speaker_info",), [], "must be an object"),
        (("speaker_info", "Gender"), "X", "'F' is needed"),
        (("speaker_info", "Age"), "30", "must be a number"),
        (("Video_env", "Angle"), "Z", "'A' is needed"),
        (("Audio_env", "Noise"), -1, "whole number"),
        (("Sentence_info",), {}, "must be a list"),
        (("Sentence_info",), [], "holds no sentence"),
        (("Sentence_info", 1, "ID"), 1, "1 is there twice"),
        (("Sentence_info", 1, "ID"), True, "must be a number"),
        (("Sentence_info", 1, "sentence_text"), None, "must be text"),
        (("Sentence_info", 1, "sentence_text"), "\ud800", "no text"),
        (("Sentence_info", 1, "start_time"), "4.0", "must be a number"),
        (("Sentence_info", 1, "start_time"), -1, "before the session's start"),
        (("Sentence_info", 1, "start_time"), 2.5, "before the sentence above it ends"),
        (("Sentence_info", 1, "end_time"), 4.0, "not after start_time"),
        (("Sentence_info", 1, "end_time"), 3.5, "not after start_time"),
        (("Sentence_info", 1, "end_time"), float("nan"), "must be a number"),
        (("Sentence_info", 1, "end_time"), 7000.0, "after the session's end"),  # milliseconds
        (("Bounding_box_info", "Lip_bounding_box", "xtl_ytl_xbr_ybr", 2), [1, 2, 3], "four whole numbers"),
        (("Bounding_box_info", "Lip_bounding_box", "xtl_ytl_xbr_ybr", 2), [730, 905, 500, 1135], "no box"),
        (("Bounding_box_info", "Lip_bounding_box", "xtl_ytl_xbr_ybr", 2), [1500, 5, 1700, 7], "no box"),  # x, y, x, y
    ],
)
def test_a_wrong_value_is_named(session, write_session, field, value, says):
    path = write_session({})
    path.write_text(json.dumps([_put(session, field, value)]), encoding="utf-8-sig")
    with pytest.raises(LabelError, match=says) as caught:
        read_label(path)
    assert f"{path}, field {_named(field)}: " in str(caught.value)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(FIELDS), JUNK)
def test_any_value_gives_a_label_or_a_label_error(session, field, value):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.json")
        path.write_text(json.dumps([_put(session, field, value)]), encoding="utf-8-sig")
        try:
            label = read_label(path)
        except LabelError as error:
            assert f"{path}, field " in str(error) and "\n" not in str(error)
        else:
            assert label.sentences and label.lip_boxes.shape[1:] == (4,)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"{\r\n", "line 2: is not JSON"),
        (b"[{}, {}]", "a list of one object, not a list of 2"),
        (b"{}", "a list of one object, not an object"),
        (b"[[]]", "must be an object"),
        ("[{}]".encode("utf-16"), "not UTF-8"),
        (b"[" * 100_000, "no session label|not JSON"),
        (b"[" + b"9" * 5000 + b"]", "no session label"),
    ],
)
def test_what_is_no_label(tmp_path, content, says):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(LabelError, match=says) as caught:
        read_label(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("folder", ["clips", "lip_T_1_M_03_C900_A_001", "lip_T_1_M_03_C900_A_001/clips"])
def test_ready_cut_clips(tmp_path, session, write_session, make_clip, folder):
    write_session(session)
    make_clip(tmp_path / folder / "sentence_01.mp4", 2.0)
    make_clip(tmp_path / folder / "sentence_02.mp4", 3.04)
    first, second = read_corpus(tmp_path)
    assert first.utt_id == "C900-lip_T_1_M_03_C900_A_001_01"
    assert second.media == tmp_path / folder / "sentence_02.mp4"
    assert (second.speaker, second.text, second.start, second.end) == ("C900", "물이 흐른다.", None, None)


def test_clips_of_the_wrong_length_or_missing_are_named(tmp_path, session, write_session, make_clip):
    write_session(session)
    clip = make_clip(tmp_path / "clips/sentence_01.mp4", 3.0)
    with pytest.raises(LabelError, match=r"lasts 3\.00 s, but sentence 1 of .* lasts 2\.00 s") as caught:
        read_corpus(tmp_path)
    assert str(clip) in str(caught.value)
    make_clip(clip, 2.0)
    failures = []
    assert [utterance.text for utterance in read_corpus(tmp_path, failures=failures)] == ["나무가 자란다."]
    assert "sentence 2: has no clip sentence_02" in failures[0].reason


def test_session_video_is_cut_by_time(tmp_path, session, write_session, make_clip):
    write_session(session, tmp_path / "labels")
    video = make_clip(tmp_path / "video/lip_T_1_M_03_C900_A_001.mp4", 8.0)
    first, second = read_corpus(tmp_path)
    assert (first.media, first.start, first.end) == (video, 1.0, 3.0)
    assert (second.media, second.start, second.end) == (video, 4.0, 7.0)
    make_clip(video, 5.0)
    failures = []
    assert len(read_corpus(tmp_path, failures=failures)) == 1
    assert "sentence 2: ends at 7.00 s" in failures[0].reason and str(video) in failures[0].reason


def test_labels_sharing_a_folder_do_not_share_its_clips(tmp_path, session, write_session, make_clip):
    write_session(session)
    write_session(session, name="other.json")
    make_clip(tmp_path / "clips/sentence_01.mp4", 2.0)
    with pytest.raises(LabelError, match="field Video_info.video_Name: found no clips and no video"):
        read_corpus(tmp_path)


def test_one_broken_session_does_not_stop_the_others(tmp_path, session, write_session, make_clip):
    write_session(session, tmp_path / "1")
    make_clip(tmp_path / "1/lip_T_1_M_03_C900_A_001.mp4", 8.0)
    write_session(session | {"speaker_info": {}}, tmp_path / "2")
    failures = []
    assert len(read_corpus(tmp_path, failures=failures)) == 2
    assert "field speaker_info.speaker_ID: is missing" in failures[0].reason
    shutil.rmtree(tmp_path / "1")
    with pytest.raises(LabelError, match="none of its 1 .*speaker_ID: is missing"):
        read_corpus(tmp_path, failures=[])


def test_real_label(shared_data):
    utterances = read_corpus(shared_data / "aihub_538")
    assert {utterance.speaker for utterance in utterances} == {"C032"}
    assert len(utterances) >= 10 and all(utterance.text.endswith(".") for utterance in utterances)
    label = read_label(next((shared_data / "aihub_538").glob("*.json")))
    assert (label.fps, label.sample_rate, label.channels, label.duration) == (30, 48000, 2, 304)
    # Read as y, x, y, x, every lip box's centre lies in the face's box of its frame.
    centre = (label.lip_boxes[:, :2] + label.lip_boxes[:, 2:]) / 2
    assert ((label.face_boxes[:, :2] < centre) & (centre < label.face_boxes[:, 2:])).all()
