"""What was promised stays: whatever hypotheses come, committed text only grows, and the final begins with it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.decoding.live.agreement import Agreement, erased_characters, text_of
from avsr.media.captions import Word


def spoken(text: str, start: float = 0.0, each: float = 0.5) -> list[Word]:
    """The words of a text, each so long, one after the other."""
    return [Word(start + place * each, start + (place + 1) * each, word) for place, word in enumerate(text.split())]


@st.composite
def hypotheses(draw) -> list[Word]:
    """Any words in order, with gaps and of any length, as badly as a recogniser may give them."""
    words, time = [], 0.0
    for text in draw(st.lists(st.text("가나다", min_size=1, max_size=3), max_size=8)):
        time += draw(st.floats(0, 0.5))
        end = time + draw(st.floats(0, 1.0))
        words.append(Word(time, end, text))
        time = draw(st.floats(time, end))  # they may even overlap
    return words


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(hypotheses(), st.floats(0, 10)), max_size=12), hypotheses())
def test_committed_text_only_grows_and_the_final_begins_with_it(said, last):
    agreement, before = Agreement(), ()
    for words, until in said:
        tail = agreement.update(words, until)
        assert tuple(agreement.committed[: len(before)]) == before
        assert all(word.end <= until for word in agreement.committed[len(before) :])
        assert (agreement.text + " " + text_of(tail)).startswith(agreement.text)
        before = tuple(agreement.committed)
    final = agreement.final(last)
    assert tuple(final[: len(before)]) == before
    assert text_of(final).startswith(agreement.text)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.text("가나다라마", min_size=1, max_size=3), min_size=1, max_size=10), st.data())
def test_a_sure_recogniser_is_not_changed(texts, data):
    """Whose hypotheses are always the words so far: the final is what it says, nothing lost or doubled, though times wander a little."""

    def heard(count: int) -> list[Word]:
        moved = [data.draw(st.floats(-0.1, 0.1)) for _ in range(count)]
        return [Word(place + by, place + 0.8 + by, text) for place, (text, by) in enumerate(zip(texts, moved))]

    agreement = Agreement()
    for count in range(len(texts) + 1):
        agreement.update(heard(count), count - 0.5)
    assert text_of(agreement.final(heard(len(texts)))) == " ".join(texts)


def test_two_hypotheses_must_agree():
    agreement = Agreement()
    assert agreement.update(spoken("오늘 날씨가"), 9.0) == spoken("오늘 날씨가") and agreement.text == ""
    agreement.update(spoken("오늘 날이"), 9.0)
    assert agreement.text == "오늘"


def test_what_has_just_been_said_is_not_promised():
    agreement = Agreement()
    for _ in range(3):
        tail = agreement.update(spoken("오늘 날씨가 좋네요"), 0.5)
    assert agreement.text == "오늘" and text_of(tail) == "날씨가 좋네요"


def test_a_word_that_is_spaced_otherwise_later_is_neither_lost_nor_doubled():
    agreement = Agreement()
    for _ in range(2):
        agreement.update(spoken("금 요일에"), 9.0)
    assert text_of(agreement.final(spoken("금요일에 뭐 해", each=1.0))) == "금 요일에 뭐 해"
    other = Agreement()
    for _ in range(2):
        other.update(spoken("금"), 9.0)
    assert text_of(other.final(spoken("금요일에 뭐"))) == "금 요일에 뭐"


def test_a_word_that_was_heard_otherwise_is_not_said_twice():
    agreement = Agreement()
    for _ in range(2):
        agreement.update(spoken("오늘 날씨가"), 9.0)
    assert text_of(agreement.final(spoken("오늘 날이가 좋네요"))) == "오늘 날씨가 좋네요"


def test_what_was_taken_back_is_counted():
    assert erased_characters([], "오늘 날씨") == 0
    assert erased_characters(["오늘", "오늘 날씨"], "오늘 날씨가") == 0
    assert erased_characters(["오늘", "오는 날", "오늘 날"], "오늘 낮") == 1 + 3 + 1
