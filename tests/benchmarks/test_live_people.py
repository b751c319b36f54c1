"""What benchmarks.live_people makes of lines, and the meeting that it makes."""

from __future__ import annotations

import numpy as np
import pytest

from avsr.corpora.talking_heads.timing import PhoneTime
from avsr.corpora.talking_heads.voice import Speech
from avsr.decoding.live.messages import Final, Partial
from avsr.media.captions import Word
from benchmarks import live_people
from benchmarks.made_meeting import _joined

SAID = [[Word(1.0, 1.5, "오늘"), Word(1.5, 2.0, "날씨가")], [Word(1.2, 1.9, "지하철역까지")], [Word(9.0, 9.5, "고맙습니다")]]


def test_words_are_right_wrong_both_or_lost():
    lines = [(1, [Word(1.0, 1.5, "오늘"), Word(1.5, 2.0, "날시가")]), (0, [Word(1.2, 1.9, "지하철역까지")]), (3, [Word(30.0, 30.5, "고맙습니다")])]
    found = live_people.placed(lines, SAID)
    assert (found.right, found.wrong, found.both, found.lost) == (2, 1, 0, 1), "a line at another time is not where it was said"
    assert found.cer == pytest.approx(100 * (1 + 6) / 16)
    assert str(found).startswith("66.7 % of 3 found, 50.0 % of all 4 (wrong 1, both 0, lost 1)")
    lines += [(2, lines[1][1]), (3, [Word(9.1, 9.4, "고맙습니다")])]
    again = live_people.placed(lines, SAID)
    assert (again.right, again.wrong, again.both, again.lost) == (3, 0, 1, 0)


def test_the_likest_stretch():
    assert live_people.least_distance("abc", "xxabcxx") == 0
    assert live_people.least_distance("abc", "xxaxbcxx") == 1
    assert live_people.least_distance("abc", "") == 3


def test_delays_and_changes():
    final = Final(3, 1, "오늘 날씨가", (), 0.8, 2.3, 1, "av", "both")
    said = [(1.8, Partial(1, 1, "오늘", "날", 0.8, 1, "av", "both")), (3.0, final), (9.9, Final(4, 2, "네", (), 5.0, 6.0, 0, "audio", "voice"))]
    assert live_people.delays(said, SAID) == [1.0] and live_people.changes(said) == 0
    said[0] = (1.8, Partial(1, 1, "어제", "날", 0.8, 2, "av", "both"))
    assert live_people.changes(said) == 1


def test_what_one_says_is_joined_with_silence_between():
    one = Speech(np.ones(8000, np.float32), [PhoneTime(0.0, 0.5, None)], [(0.1, 0.4, "네")])
    joined = _joined([(1.0, one), (2.5, one)], 4.0)
    assert joined.duration == 4.0 and [place for place, _, _ in joined.words] == [1.1, 2.6]
    assert np.flatnonzero(np.diff(joined.samples)).tolist() == [15999, 23999, 39999, 47999]
    assert joined.phones[0].start == 0.0 and joined.phones[-1].end == 4.0
    assert all(before.end == after.start for before, after in zip(joined.phones, joined.phones[1:]))
