"""Sentences of daily life: many, different, well formed; and a lexicon in which every word can be used."""

import re
import unicodedata

import numpy as np
import pytest

from avsr.corpora.talking_heads import clauses, grammar, pairs
from avsr.corpora.talking_heads.clauses import USUAL, actions
from avsr.corpora.talking_heads.endings import MOODS, finish, inflect
from avsr.corpora.talking_heads.inflection import split_syllable
from avsr.corpora.talking_heads.lexicon import noun_classes, read_lexicon, split_clause
from avsr.corpora.talking_heads.numerals import drawn_number
from avsr.corpora.talking_heads.sentences import daily_sentences
from avsr.corpora.talking_heads.slots import LEVELS, fill
from avsr.errors import AvsrError
from avsr.text.hangul import is_syllable
from avsr.text.numbers import native, sino

# Stems in ㅂ, ㄷ, ㅅ, ㅎ and 르 that are regular: any other of the lexicon has to be in its list of irregular ones.
REGULAR = "갈아입 넣 놓 닫 들르 뜯 받 벗 빗 빼앗 쏟 씻 업 웃 입 잡 접 좁 좋 찧".split()


@pytest.fixture(scope="module")
def sentences() -> list[str]:
    return daily_sentences(4000, np.random.default_rng(11))


def _strings(content):
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict):
        for value in content.values():
            yield from _strings(value)
    elif isinstance(content, list):
        for value in content:
            yield from _strings(value)


def _written_clauses():
    """Every clause of the lexicon that ends in a dictionary form, its slots filled by a word that takes any particle."""
    for name in ("actions", "links", "people", "qualities"):
        for text in _strings(read_lexicon(name)):
            if text.endswith("다"):
                yield re.sub(r"\{\w+\}", "것", text)
    for text in _strings(read_lexicon("phrases")):
        for noun, verb in re.findall(r"(\S*)\[(\S+) \w+\]", text):
            yield f"{'것' if noun else '좋은 것'} {verb}" if verb == "이다" else verb


def test_sentences_are_different_clean_and_of_two_to_nine_words(sentences):
    assert len(set(sentences)) == 4000
    for sentence in sentences:
        assert unicodedata.is_normalized("NFC", sentence) and all(map(is_syllable, sentence.replace(" ", ""))), sentence
        assert sentence == " ".join(sentence.split()) and 2 <= len(sentence.split()) <= 9


def test_sentences_are_rich_in_sound(sentences):
    jamo = set(unicodedata.normalize("NFD", "".join(sentences)))
    assert {chr(code) for code in (*range(0x1100, 0x1113), *range(0x1161, 0x1176))} <= jamo  # every onset, every vowel
    assert len({letter for letter in jamo if 0x11A8 <= ord(letter) <= 0x11C2}) >= 22  # of 27 codas
    assert len(set("".join(sentences))) >= 750


def test_same_seed_same_sentences():
    again = [daily_sentences(100, np.random.default_rng(seed)) for seed in (3, 3, 4)]
    assert again[0] == again[1] != again[2]


def test_no_particle_and_no_ending_is_wrong_where_that_can_be_seen(sentences):
    nouns = {noun for nouns in noun_classes().values() for noun in nouns}
    for sentence in sentences:
        for word in sentence.split():
            if word[:-1] in nouns and word[-1] in "은는을를":  # 이 and 가 are found in nouns and in 누가, 내가
                assert (split_syllable(word[-2])[2] != "") == (word[-1] in "은을"), sentence
        assert not re.search(
            r"[{}\[\]]|하어|하았|돕아|춥어|듣어|걷어요|모르어|낫아|(?<![가-힣])(?:나|저|너)가 |주 주|봐 봐|께서 ?가",
            sentence,
        ), sentence


def test_the_words_of_the_classic_demonstration_are_said():
    seen = " ".join(daily_sentences(3000, np.random.default_rng(5)))
    for words in ("필통", "축구", "숫자", "잘 부탁드립니다"):
        assert words in seen
    introduction = "안녕하세요 저는 {full_name}입니다 잘 부탁드립니다"
    assert introduction in read_lexicon("phrases")["greetings"]["polite"]
    assert re.fullmatch(
        "안녕하세요 저는 [가-힣]{2,4}입니다 잘 부탁드립니다", fill(introduction, "해요", np.random.default_rng(1))
    )


def test_the_lexicon_has_more_than_a_thousand_words():
    verbs = {clause.split()[-1] for clause in _written_clauses()}
    nouns = {noun for nouns in noun_classes().values() for noun in nouns}
    assert len(nouns) >= 850 and len(verbs) >= 430


def test_every_slot_has_words_and_every_mood_a_form():
    rng = np.random.default_rng(1)
    for name in ("actions", "counters", "links", "names", "people", "phrases", "qualities", "times"):
        for text in _strings(read_lexicon(name)):
            for level in LEVELS:
                fill(text, level, rng)  # ValueError for an unknown slot
    for text in _strings(read_lexicon("phrases")):
        assert all(mood in MOODS for mood in re.findall(r"\[\S+ (\w+)\]", text)), text
        assert not re.search(r"\[[^\]]* [^\]]* ", text), text
    for action in actions():
        for kind in action.kinds:
            assert {"ask_past": "ask_person_past"}.get(kind, kind) in MOODS
    assert set(USUAL) <= {kind for action in actions() for kind in action.kinds}
    for group in read_lexicon("qualities"):
        assert all(name in noun_classes() for name in group["of"])


def test_whether_a_stem_is_irregular_is_known_for_every_one():
    for clause in _written_clauses():
        _, predicate = split_clause(clause)
        stem = predicate.stem
        if predicate.kind != "copula" and (split_syllable(stem[-1])[2] in tuple("ㅂㄷㅅㅎ") or stem.endswith("르")):
            assert predicate.irregular or stem in REGULAR, f"{clause}: put {stem} among the irregular stems or here"


def test_every_clause_takes_every_form():
    forms = sorted({form for row in MOODS.values() for forms in row for form in forms})
    by_verb = {split_clause(clause)[1]: clause for clause in _written_clauses()}
    rng = np.random.default_rng(1)  # some forms for each: all of them for all would take a minute
    for clause in by_verb.values():
        for form in rng.permutation(forms)[:20]:
            for honoured in (False, True):
                assert all(map(is_syllable, inflect(clause, form, honoured).replace(" ", ""))), (clause, form)


@pytest.mark.parametrize(
    ("clause", "form", "honoured", "said"),
    [
        ("문을 열다", "어 주세요", False, "문을 열어 주세요"),
        ("친구를 돕다", "past:어요", False, "친구를 도왔어요"),
        ("커피가 쓰다", "는데", False, "커피가 쓴데"),
        ("편지를 쓰다", "는데", False, "편지를 쓰는데"),
        ("값이 싸다", "(으)ㄴ가요", False, "값이 싼가요"),
        ("도시락을 싸다", "는다고 해요", False, "도시락을 싼다고 해요"),
        ("돈을 아껴 쓰다", "는 게 좋아요", False, "돈을 아껴 쓰는 게 좋아요"),
        ("연을 날리다", "않:past:어요", True, "연을 날리지 않으셨어요"),
        ("책을 보다", "고있:어요", True, "책을 보고 계세요"),
        ("공부하다", "못:past:어요", False, "공부하지 못했어요"),
        ("숙제를 하다", "안:past:어", False, "숙제를 안 했어"),
        ("밥을 먹다", "hon:past:습니까", False, "밥을 드셨습니까"),
        ("집에 가다", "싶어하:어요", True, "집에 가고 싶어 하세요"),
        ("빵을 굽다", "(으)ㄹ 수 있어요", False, "빵을 구울 수 있어요"),
        ("생일 이다", "(으)니까", False, "생일이니까"),
        ("역이 멀다", "나요", False, "역이 먼가요"),
        ("길을 묻다", "past:거든요", False, "길을 물었거든요"),
        ("병이 낫다", "past:(으)면 좋겠어요", False, "병이 나았으면 좋겠어요"),
    ],
)
def test_forms(clause, form, honoured, said):
    assert inflect(clause, form, honoured) == said


def test_what_one_asks_for_is_not_given_twice():
    rng = np.random.default_rng(2)
    for level in LEVELS:
        for _ in range(20):
            assert "줘 줘" not in finish("연필을 빌려주다", "please", level, rng)
            assert "봐 봐" not in finish("지도를 보다", "order", level, rng)
    assert finish("너무 걱정하지 말다", "must", "합니다", rng) == "너무 걱정하지 마십시오"


def test_every_kind_of_sentence_is_made_at_every_level():
    rng = np.random.default_rng(9)
    for make in dict.fromkeys(grammar._KINDS):
        for level in LEVELS:
            assert all(make(level, rng) for _ in range(20))
    assert {pairs.cause, pairs.two_people} <= set(grammar._KINDS)


def test_nobody_is_there_twice(sentences):
    people = {person for name in ("elder", "family", "friend") for person in noun_classes()[name]}
    assert all(sentence.count(person) <= 1 for sentence in sentences for person in people)


def test_time_and_tense_agree():
    rng = np.random.default_rng(4)
    for level in LEVELS:
        for _ in range(50):
            assert "어제" not in clauses.when("future", level, rng, 1.0)
            assert "내일" not in clauses.when("past", level, rng, 1.0, "both")
            assert clauses.when("past", level, rng, 0.0) == ""


@pytest.mark.parametrize(
    ("number", "words"), [(1, "한"), (11, "열한"), (20, "스무"), (23, "스물세"), (34, "서른네"), (99, "아흔아홉")]
)
def test_native_numbers(number, words):
    assert native(number) == words


def test_other_numbers():
    assert [sino(number) for number in (15, 100, 12000, 215)] == ["십오", "백", "만 이천", "이백십오"]
    with pytest.raises(ValueError, match="native"):
        native(100)
    rng = np.random.default_rng(1)
    assert re.fullmatch("공일공( [공일이삼사오육칠팔구]{4}){2}", drawn_number("phone", rng))
    dates = {drawn_number("date", rng) for _ in range(300)}
    assert any(date.startswith("유월") for date in dates) and any(date.startswith("시월") for date in dates)
    assert drawn_number("nonsense", rng) is None


def test_an_unknown_slot_is_named():
    with pytest.raises(ValueError, match="nonsense"):
        fill("{nonsense}을 먹다", "해요", np.random.default_rng(1))


def test_daily_sentences_know_their_bounds(monkeypatch):
    assert daily_sentences(0, np.random.default_rng(1)) == []
    with pytest.raises(AvsrError, match="from 0 up"):
        daily_sentences(-1, np.random.default_rng(1))
    monkeypatch.setattr("avsr.corpora.talking_heads.sentences.daily_sentence", lambda rng: "비가 와요")
    with pytest.raises(AvsrError, match="hardly any new"):
        daily_sentences(2, np.random.default_rng(1))
