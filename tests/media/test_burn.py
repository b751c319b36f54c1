"""Captions stand in the pictures of their time, at the bottom, and nowhere else."""

import numpy as np
import pytest

from avsr.media.burn import burn_captions
from avsr.media.captions import Cue

pytest.importorskip("pylopdf_fonts_ko", reason="the captions' font is not installed: run tools/install.sh")


def burnt(text: str, size=(240, 320)) -> np.ndarray:
    frames = np.full((10, *size, 3), 100, np.uint8)
    burn_captions(frames, 25, [Cue(0.08, 0.24, text)])
    return frames


def test_a_caption_is_on_in_its_time():
    frames = burnt("학생 축구")
    assert [bool((frame != 100).any()) for frame in frames] == [False, False, True, True, True, True] + 4 * [False]
    rows, columns, _ = np.nonzero(frames[3] != 100)
    assert rows.min() > 180 and rows.max() < 239 and abs((columns.min() + columns.max()) / 2 - 160) < 4
    assert frames[3].max() > 240 and frames[3].min() < 20, "white letters with a black edge"


def test_another_text_is_another_picture():
    assert (burnt("학생")[3] != burnt("축구")[3]).any()


def test_long_lines_shrink_and_more_lines_stand_above_each_other():
    _, columns, _ = np.nonzero(burnt("아주 길게 이어지는 문장이라서 작은 글자로 적어야 화면에 들어가는 줄")[3] != 100)
    assert columns.min() >= 0 and columns.max() - columns.min() > 280
    one, two = (np.nonzero(burnt(text)[3] != 100)[0] for text in ("학생", "학생\n축구"))
    assert np.ptp(two) > 1.8 * np.ptp(one)


def test_nothing_to_say_and_times_outside():
    assert (burnt("  ") == 100).all()
    frames = np.full((10, 240, 320, 3), 100, np.uint8)
    burn_captions(frames, 25, [Cue(5, 6, "학생"), Cue(-1, 0.04, "축구")])
    assert (frames[1:] == 100).all() and (frames[0] != 100).any()
