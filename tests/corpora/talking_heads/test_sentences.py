"""Sentences of the made corpus: unique, Hangul only, the same for the same seed; the user's file and its faults."""

import unicodedata

import numpy as np
import pytest

from avsr.corpora.talking_heads.lexicon import read_lexicon
from avsr.corpora.talking_heads.sentences import as_read, command_sentences, read_sentences
from avsr.errors import AvsrError
from avsr.text.hangul import is_syllable


def _is_clean(sentence):
    return unicodedata.is_normalized("NFC", sentence) and all(map(is_syllable, sentence.replace(" ", "")))


def test_commands_are_one_word_of_each_slot_and_all_different():
    slots = list(read_lexicon("command").values())
    sentences = command_sentences(2000, np.random.default_rng(1))
    assert len(set(sentences)) == 2000
    for sentence in sentences:
        words = sentence.split(" ")
        assert len(words) == 5 and all(word in slot for word, slot in zip(words, slots, strict=True))
    assert {word for sentence in sentences for word in sentence.split()} == {word for slot in slots for word in slot}
    assert all(map(_is_clean, sentences))


def test_the_classic_command_can_be_said():
    slots = list(read_lexicon("command").values())
    assert all(word in slot for word, slot in zip("학생 축구 그러나 칠 노랑".split(), slots, strict=True))
    words = [word for slot in slots for word in slot]
    assert len(set(words)) == len(words) == 60


@pytest.mark.parametrize(
    ("sentence", "read"),
    [
        ("학생 축구 만약 오 노랑", "학생, 축구, 만약, 오, 노랑"),
        ("학생 축구 만약 오", "학생 축구 만약 오"),
        ("축구 학생 만약 오 노랑", "축구 학생 만약 오 노랑"),
        ("오늘 저녁에 친구를 만나요 네", "오늘 저녁에 친구를 만나요 네"),
    ],
)
def test_commands_are_read_as_a_list(sentence, read):
    assert as_read(sentence) == read


def test_same_seed_same_commands():
    again = [command_sentences(50, np.random.default_rng(seed)) for seed in (7, 7, 8)]
    assert again[0] == again[1] != again[2]


@pytest.mark.parametrize("count", [-1, 12**5 + 1])
def test_more_commands_than_there_are(count):
    with pytest.raises(AvsrError, match="248832"):
        command_sentences(count, np.random.default_rng(1))


def test_the_users_file(tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text("\ufeff안녕하세요, 반갑습니다!\n\n  3층에   있어요.\r\n안녕하세요 반갑습니다\n", encoding="utf-8")
    assert read_sentences(file) == ["안녕하세요 반갑습니다", "삼층에 있어요"]


@pytest.mark.parametrize(("line", "what"), [("버스 bus", "'b'"), ("ㅋㅋ 좋아", "'ㅋ'"), ("...", "nothing"), ("愛", "'愛'")])
def test_a_line_that_cannot_be_spoken_is_named(tmp_path, line, what):
    file = tmp_path / "mine.txt"
    file.write_text(f"좋아요\n{line}\n", encoding="utf-8")
    with pytest.raises(AvsrError, match=f"line 2.*{what}"):
        read_sentences(file)
