"""Speakers: the same for the same seed, different from each other, women and men in turn."""

from __future__ import annotations

import pytest

from avsr.corpora.talking_heads.speakers import make_speakers
from avsr.errors import AvsrError


def test_the_seed_makes_the_speakers_and_the_first_do_not_depend_on_the_count():
    assert make_speakers(12, 1) == make_speakers(12, 1) and make_speakers(24, 1)[:12] == make_speakers(12, 1)
    assert make_speakers(12, 1) != make_speakers(12, 2)


def test_speakers_differ_and_are_of_both_sexes():
    people = make_speakers(30, 3)
    assert len({speaker.name for speaker in people}) == 30 and [s.sex for s in people[:4]] == list("fmfm")
    assert len({(s.pitch, s.speed, s.tone) for s in people}) == 30
    assert all(abs(sum(speaker.style.values()) - 1) < 0.01 and min(speaker.style.values()) >= 0 for speaker in people)
    assert all(0.7 < s.speed < 1.4 and 0.8 < s.pitch < 1.2 and 0.8 < s.tone < 1.2 for s in people)


def test_no_speakers_is_a_sentence():
    with pytest.raises(AvsrError, match="0 speakers"):
        make_speakers(0, 1)
