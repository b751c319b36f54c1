"""Caption layout and files: nothing lost, nothing overlapping, nothing a player cannot read."""

from __future__ import annotations

import json
import re
import unicodedata
from itertools import pairwise

import numpy as np
import pysubs2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.errors import MediaError
from avsr.media.captions import (
    PROFILES,
    Cue,
    Word,
    cues_from_words,
    shared_cue,
    width,
    write_ass,
    write_json,
    write_srt,
    write_txt,
    write_vtt,
)

syllables = st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3)
texts = st.text(alphabet=st.one_of(syllables, st.characters()), max_size=40)
hangul = st.text(alphabet="가나다라한국어를말해요네.?!abc1 ", min_size=1, max_size=9)


@st.composite
def spoken(draw, words=hangul):
    """Words one after another, as a decoder gives them: 0-1.5 s each, pauses of 0-3 s."""
    time, result = 0.0, []
    for text in draw(st.lists(words, max_size=25)):
        time += draw(st.one_of(st.just(0.0), st.floats(0, 3)))
        lasting = draw(st.floats(0, 1.5))
        result.append(Word(time, time + lasting, text))
        time += lasting
    return result


def squeeze(text: str) -> str:
    text = unicodedata.normalize("NFC", text)
    return "".join(c for c in text if not c.isspace() and unicodedata.category(c) not in ("Cc", "Cs"))


def check(words: list[Word], cues: list[Cue], profile: str = "sdh") -> None:
    said = "".join(unicodedata.normalize("NFC", word.text) for word in words)
    assert squeeze("".join(cue.text for cue in cues)) == squeeze(said)
    for cue in cues:
        lines = cue.text.split("\n")
        assert 1 <= len(lines) <= 2 and all(line.strip() for line in lines)
        assert all(width(line) <= 32 for line in lines)
        assert 0.12 - 1e-9 <= cue.end - cue.start <= 7 + 1e-9
    for one, two in pairwise(cues):
        assert two.start - one.end >= 0.08 - 1e-9
        assert one.end - one.start >= 0.833 - 1e-9 or two.start - one.end <= 0.08 + 1e-9  # it lasts as long as it may
    for place, cue in enumerate(cues):
        seconds = sum(width(line) for line in cue.text.split("\n")) / 2 / PROFILES[profile]
        free = cues[place + 1].start - 0.08 if place + 1 < len(cues) else float("inf")
        assert cue.end >= min(cue.start + seconds, cue.start + 7, free) - 1e-9, "it can be read, where there is time"


@given(spoken(), st.sampled_from(sorted(PROFILES)))
@settings(max_examples=200, deadline=None)
def test_layout_of_speech(words, profile):
    check(words, cues_from_words(words, profile), profile)


@given(st.lists(st.builds(Word, st.floats(-5, 1e4), st.floats(-5, 1e4), texts), max_size=12))
@settings(max_examples=150, deadline=None)
def test_layout_of_anything(words):
    """Times that overlap, go back or are negative, and any Unicode text."""
    words = [Word(w.start, w.end, w.text) for w in words]
    cues = cues_from_words(words)
    if not any(unicodedata.combining(c) for w in words for c in w.text):
        check(words, cues)


@given(spoken(), st.sampled_from(["[입술만]", "[소리만] (이름이열글자인사람들)"]), st.data())
@settings(max_examples=200, deadline=None)
def test_layout_of_marked_speech(words, mark, data):
    """Marks break no rule: they count as text, each cue of a marked word begins with one, and none stands anywhere else."""
    marks = data.draw(st.lists(st.sampled_from(["", mark]), min_size=len(words), max_size=len(words)))
    cues = cues_from_words(words, "sdh", marks=marks)
    shown = [(cue.text.replace("\n", " "), cue) for cue in cues]
    assert all(text.count(mark) == text.startswith(f"{mark} ") for text, _ in shown)
    said: list[list[Word]] = [[], []]
    for word, own in zip(words, marks):
        said[bool(own)].append(word)
    for marked, mine in enumerate(said):
        texts = [text.removeprefix(mark) for text, _ in shown if text.startswith(mark) == bool(marked)]
        assert squeeze("".join(texts)) == squeeze("".join(word.text for word in mine))
    every = [Word(cue.start, cue.end, text) for text, cue in shown]
    check(every, cues)


def test_breaks_between_eojeol_and_evenly():
    text = "아버지가 방에 들어가신다 그리고 어머니는 나오신다"
    words = [Word(i * 0.4, i * 0.4 + 0.4, word) for i, word in enumerate(text.split())]
    (cue,) = cues_from_words(words)
    assert cue.text == "아버지가 방에 들어가신다\n그리고 어머니는 나오신다"
    assert (cue.start, cue.end) == (0.0, 2.4)


def test_breaks_at_pause_and_sentence_end():
    words = [Word(0, 0.9, "네."), Word(1.0, 1.5, "그래요"), Word(3.0, 3.5, "알겠습니다")]
    assert [cue.text for cue in cues_from_words(words)] == ["네.", "그래요", "알겠습니다"]


def test_short_cue_is_held_and_long_word_is_split():
    assert cues_from_words([Word(1.0, 1.1, "네")]) == [Cue(1.0, 1.833, "네")]
    (cue,) = cues_from_words([Word(0, 3, "가" * 20)])
    assert cue.text == "가" * 16 + "\n" + "가" * 4


def test_a_mark_that_leaves_no_room_in_its_line_has_it_alone():
    (cue,) = cues_from_words([Word(0, 3, "가" * 20)], marks=["[입술만]"])[:1]
    assert cue.text == "[입술만]\n" + "가" * 16


def test_two_in_turn_share_a_cue_a_line_each():
    assert shared_cue(("네", "그래요"), 1.0, 1.9) == Cue(1.0, 1.9, "- 네\n- 그래요")
    assert shared_cue(("네", "그래요 알겠습니다 내일 봐요"), 1.0, 1.9).end == pytest.approx(1 + 16.5 / 14, abs=0.001), "until it is read"
    assert shared_cue(("네", "그래요 알겠습니다 내일 봐요"), 1.0, 1.9, until=2.0).end == pytest.approx(1.92), "or somebody speaks"
    assert shared_cue(("네", "한 줄에는 다 들어가지 않는 긴 말씀"), 1.0, 1.9) is None and shared_cue(("네", "그래"), 1.0, 8.1) is None


def test_no_words_no_cues():
    assert cues_from_words([]) == [] and cues_from_words([Word(0, 1, "  ")]) == []
    with pytest.raises(MediaError, match="no number"):
        cues_from_words([Word(0, float("nan"), "가")])


CUES = [Cue(0.0, 1.5, "안녕하세요 {웃음}\n<b>여러분</b> & 1 --> 2"), Cue(3661.0405, 3662.0, "끝\n\n", speaker="김")]


def test_srt(tmp_path):
    write_srt(tmp_path / "a.srt", CUES)
    assert (tmp_path / "a.srt").read_bytes().decode("utf-8") == (
        "1\n00:00:00,000 --> 00:00:01,500\n안녕하세요 {웃음}\n<b>여러분</b> & 1 -- > 2\n\n"
        "2\n01:01:01,040 --> 01:01:02,000\n끝\n"
    )


def test_vtt(tmp_path):
    write_vtt(tmp_path / "a.vtt", CUES)
    assert (tmp_path / "a.vtt").read_bytes().decode("utf-8") == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\n안녕하세요 {웃음}\n&lt;b&gt;여러분&lt;/b&gt; &amp; 1 --&gt; 2\n\n"
        "01:01:01.040 --> 01:01:02.000\n<v 김>끝\n"
    )


@given(st.lists(st.builds(Word, st.floats(0, 100), st.floats(0, 100), texts), max_size=6))
@settings(max_examples=60, deadline=None)
def test_any_text_gives_files_that_parse(tmp_path_factory, words):
    folder = tmp_path_factory.mktemp("cues")
    cues = cues_from_words(words)
    write_srt(folder / "a.srt", cues)
    write_vtt(folder / "a.vtt", cues)
    srt = (folder / "a.srt").read_bytes().decode("utf-8")
    vtt = (folder / "a.vtt").read_bytes().decode("utf-8")
    assert len(re.findall(r"^\d\d:\d\d:\d\d,\d{3} --> \d\d:\d\d:\d\d,\d{3}$", srt, re.MULTILINE)) == len(cues)
    assert vtt.startswith("WEBVTT\n") and vtt.count("-->") == len(cues)
    assert len([block for block in srt.split("\n\n") if block.strip()]) == len(cues)


def test_txt_and_json(tmp_path):
    write_txt(tmp_path / "a.txt", "가나다")
    assert (tmp_path / "a.txt").read_text("utf-8") == "가나다\n"
    write_json(tmp_path / "a.json", {"text": "가", "cues": CUES, "score": np.float32(0.5), "path": tmp_path})
    read = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert read["cues"][1]["speaker"] == "김" and read["score"] == 0.5
    assert "가" in (tmp_path / "a.json").read_text("utf-8")


def test_nothing_half_written(tmp_path):
    with pytest.raises(MediaError, match="NaN|Out of range"):
        write_json(tmp_path / "a.json", {"score": float("nan")})
    with pytest.raises(MediaError, match="check the folder"):
        write_srt(tmp_path / "no" / "a.srt", CUES)
    assert list(tmp_path.iterdir()) == []


def test_a_fast_word_stays_until_it_is_read():
    words = [Word(0.0, 0.9, "열여섯글자가한줄에들어가는자막"), Word(5.0, 5.4, "끝")]
    for profile, seconds in (("sdh", 15 / 14), ("standard", 15 / 12)):
        first, _ = cues_from_words(words, profile)
        assert first.end == pytest.approx(seconds, abs=0.002)
    crowded, second = cues_from_words([Word(0.0, 0.9, "열여섯글자가한줄에들어가는자막."), Word(1.0, 1.5, "다음")], "standard")
    assert second.start - crowded.end == pytest.approx(0.08), "what is said next has the time"
    with pytest.raises(MediaError, match="profile 'fast' is unknown"):
        cues_from_words(words, "fast")


def test_ass(tmp_path):
    write_ass(tmp_path / "a.ass", [Cue(1.5, 3661.239, "첫 줄\n둘째 줄", "민지"), Cue(3662, 3663, r"{\b1}굵게\N")])
    text = (tmp_path / "a.ass").read_text("utf-8")
    assert "Dialogue: 0,0:00:01.50,1:01:01.24,Default,민지,0,0,0,,첫 줄\\N둘째 줄\n" in text
    read = pysubs2.load(str(tmp_path / "a.ass"))
    assert [line.start for line in read] == [1500, 3662000] and read[0].plaintext == "첫 줄\n둘째 줄" and read[0].name == "민지"
    assert read.styles["Default"].alignment == 2 and read.info["PlayResY"] == "1080"
    assert r"\{" in text and "\\\u2060b1" in text, "no override, and no break that was not asked for"
