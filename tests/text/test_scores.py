"""Error counts against jiwer and against hand-made cases, sWER's promise about spaces, files and intervals."""

import jiwer
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from avsr.errors import LabelError
from avsr.text.scores import ErrorCount, bootstrap_interval, cer, respace, score_files, score_texts, swer, total, wer

KOREAN = st.text(st.sampled_from("가나다라 마바"), max_size=25)


@settings(deadline=None)
@given(KOREAN, KOREAN)
def test_wer_and_cer_agree_with_jiwer(reference, hypothesis):
    assume(reference.strip())
    assert wer(reference, hypothesis).rate == pytest.approx(100 * jiwer.wer(reference, hypothesis))
    unspaced = [text.replace(" ", "") for text in (reference, hypothesis)]
    assert cer(reference, hypothesis).rate == pytest.approx(100 * jiwer.cer(*unspaced))


@settings(deadline=None)
@given(KOREAN, KOREAN, st.randoms(use_true_random=False))
def test_swer_does_not_see_the_hypothesis_spaces(reference, hypothesis, random):
    moved = "".join(c + random.choice(["", " "]) for c in hypothesis.replace(" ", ""))
    assert swer(reference, moved) == swer(reference, hypothesis)
    respaced = respace(reference, hypothesis)
    assert respaced.replace(" ", "") == hypothesis.replace(" ", "")
    assert respaced == " ".join(respaced.split()) and len(respaced.split()) <= max(1, len(reference.split()))


@settings(deadline=None)
@given(KOREAN)
def test_the_same_words_are_no_error_however_spaced(text):
    assert swer(text, text.replace(" ", "")).errors == cer(text, text).errors == 0
    assert respace(text, " ".join(text.replace(" ", ""))) == " ".join(text.split())


@pytest.mark.parametrize(
    ("reference", "hypothesis", "respaced", "errors"),
    [
        ("아버지가 방에 들어가신다", "아버지 가방에 들어가신다", "아버지가 방에 들어가신다", (0, 2, 0)),
        ("나는 학교에 간다", "나 는 학교 애 간다", "나는 학교애 간다", (1, 4, 1)),
        ("안녕 하세요", "안녕 세요", "안녕 세요", (1, 1, 1)),
        ("안녕 하세요", "안녕 음 하세요", "안녕음 하세요", (1, 1, 1)),
        ("밥 을 먹다", "먹다", "먹다", (2, 2, 2)),
        ("밥을 먹다", "", "", (4, 2, 2)),
        ("", "밥", "밥", (1, 1, 1)),
    ],
)
def test_counts_by_hand(reference, hypothesis, respaced, errors):
    assert respace(reference, hypothesis) == respaced
    assert tuple(rate(reference, hypothesis).errors for rate in (cer, wer, swer)) == errors


def test_decomposed_text_is_the_same_text():
    assert cer("각", "\u1100\u1161\u11a8") == ErrorCount(0, 1)


def test_corpus_rates_are_sums_not_means():
    scores = score_texts({"b": "가나다라 마바", "a": "가!"}, {"a": "나", "b": "가나다라마바"})
    assert scores.cer == ErrorCount(1, 7) and scores.wer == ErrorCount(3, 3) and scores.swer == ErrorCount(1, 3)
    assert scores.cer.rate == pytest.approx(100 / 7)
    assert list(scores.utterances) == ["b", "a"] and scores.utterances["a"].reference == "가"
    assert ErrorCount(0, 0).rate == 0 and ErrorCount(2, 0).rate == float("inf")
    assert total([]) == ErrorCount(0, 0)


def test_files_are_read_as_kaldi_writes_them(tmp_path):
    (tmp_path / "ref").write_text("u1 안녕, 하세요\nu2 3개\n", "utf-8")
    (tmp_path / "hyp").write_text("u2\nu1 안녕하세요\n", "utf-8")
    scores = score_files(tmp_path / "ref", tmp_path / "hyp")
    assert (scores.cer, scores.swer) == (ErrorCount(2, 7), ErrorCount(1, 3))


@pytest.mark.parametrize(
    ("hypotheses", "message"),
    [
        (b"u1 a\n", "1 utterances have no hypothesis, the first is 'u2'"),
        (b"u1 a\nu2 b\nu3 c\n", "have no reference, the first is 'u3'"),
        (b"u1 a\nu1 b\n", "line 2: u1 is there twice"),
        (b"u1 \xff\n", "not UTF-8"),
        (None, "is missing"),
    ],
)
def test_broken_files_get_a_sentence_that_names_them(hypotheses, message, tmp_path):
    (tmp_path / "ref").write_text("u1 a\nu2 b\n", "utf-8")
    if hypotheses is not None:
        (tmp_path / "hyp").write_bytes(hypotheses)
    with pytest.raises(LabelError, match=message) as error:
        score_files(tmp_path / "ref", tmp_path / "hyp")
    assert str(tmp_path / "hyp") in str(error.value)


def test_the_interval_holds_the_rate_and_narrows_with_more_utterances():
    rng = np.random.default_rng(5)
    counts = [ErrorCount(int(errors), 6) for errors in rng.binomial(6, 0.2, size=2000)]
    few, many = bootstrap_interval(counts[:100], seed=1), bootstrap_interval(counts, seed=1)
    assert few[0] < total(counts[:100]).rate < few[1]
    assert many[0] < total(counts).rate < many[1] and many[1] - many[0] < (few[1] - few[0]) / 3
    # the normal approximation, from the spread of the utterances
    width = 2 * 1.96 * np.std([count.rate for count in counts]) / np.sqrt(len(counts))
    assert many[1] - many[0] == pytest.approx(width, rel=0.05)
    assert bootstrap_interval(counts, seed=1) == many != bootstrap_interval(counts, seed=2)
    assert bootstrap_interval([ErrorCount(0, 5)] * 3, seed=0) == (0.0, 0.0)
    with pytest.raises(ValueError, match="not all empty"):
        bootstrap_interval([], seed=0)
