"""People who do not speak: motions that move what they name and nothing else, and clips that are made once."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.corpora.talking_heads.face_units import FACE_UNITS
from avsr.corpora.talking_heads.make_quiet import QuietOrder, main, make_quiet
from avsr.corpora.talking_heads.manner import MouthStyle
from avsr.corpora.talking_heads.quiet import KINDS, quiet_motion
from avsr.errors import AvsrError
from avsr.lips.mouth_clip import load_mouth_clip
from avsr.lips.mouth_shape import CHANNELS
from avsr.tables import read_table
from tests.corpora.talking_heads.test_head import needs_head


def of(kind: str, seed: int = 1, seconds: float = 8.0):
    rng = np.random.default_rng(seed)
    return quiet_motion(kind, seconds, MouthStyle.random(rng), rng)


def course(motion, name: str) -> np.ndarray:
    return motion.units[:, FACE_UNITS.index(name)]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(KINDS)), st.integers(0, 9999), st.floats(1.0, 12.0))
def test_every_kind_is_a_face_that_says_nothing(kind, seed, seconds):
    motion = of(kind, seed, seconds)
    assert len(motion.units) == len(motion.pose) == round(seconds * 25)
    assert (motion.units >= 0).all() and (motion.units <= 1).all() and np.isfinite(motion.pose).all()
    assert not motion.shape[:, CHANNELS.index("speaking")].any()
    again = of(kind, seed, seconds)
    assert np.array_equal(motion.units, again.units) and np.array_equal(motion.pose, again.pose)


def test_each_does_what_it_is_called():
    for seed in range(1, 6):
        assert np.ptp(course(of("still", seed), "jawOpen")) == 0
        assert course(of("smiling", seed), "mouthSmileLeft").max() > 0.15
        assert course(of("yawning", seed), "jawOpen").max() > 0.4
        assert np.abs(of("turning", seed).pose).max() > 4
        chews = course(of("chewing", seed), "jawOpen")
        strokes = ((np.diff(np.sign(np.diff(chews))) < 0) & (chews[1:-1] > 0.2 * chews.max())).sum()
        assert 2 <= strokes <= 30, "the jaw goes up and down, about once a second"


def test_an_unknown_kind_is_told():
    with pytest.raises(AvsrError, match="kind 'singing': it can be still, "):
        of("singing")


@needs_head
def test_clips_are_made_once_and_another_order_is_refused(tmp_path, capsys):
    out = tmp_path / "quiet"
    order = QuietOrder(clips=2, seconds=1.0, seed=3)
    total = make_quiet(order, out, nj=1)
    names = sorted(read_table(out / "video.scp"))
    assert read_table(out / "utt2kind") == {name: name.split("-")[0] for name in names} and len(names) == 2
    clip = load_mouth_clip(read_table(out / "video.scp")[names[0]])
    assert clip.frames.shape == (25, 96, 96) and (clip.confidence == 1).all()
    first = out / "mouth" / f"{names[0]}.mp4"
    before = first.stat().st_mtime_ns
    (out / "mouth" / f"{names[1]}.json").unlink()  # as if killed in between
    (tmp_path / "early").mkdir()
    (tmp_path / "early" / "order.json").write_bytes((out / "order.json").read_bytes())  # as if killed before the first clip
    assert make_quiet(order, tmp_path / "early", nj=1) == total
    assert make_quiet(order, out, nj=1) == total and first.stat().st_mtime_ns == before
    with pytest.raises(AvsrError, match="another order"):
        make_quiet(QuietOrder(clips=2, seconds=1.0, seed=4), out)
    assert main(["--out", str(out), "--clips", "2", "--seconds", "1", "--seed", "3", "--nj", "1"]) == 0
    assert total[:16] in capsys.readouterr().out


def test_what_cannot_be_ordered_is_told(tmp_path):
    for wrong, name in (({"clips": 0}, "clips"), ({"seconds": 0.2}, "seconds"), ({"seed": -1}, "seed")):
        with pytest.raises(AvsrError, match=f"{name} "):
            QuietOrder(**wrong)
    (tmp_path / "mouth").mkdir()
    with pytest.raises(AvsrError, match="did not make"):
        make_quiet(QuietOrder(clips=1), tmp_path)
    (tmp_path / "order.json").write_text(json.dumps({"a": 1}))
    with pytest.raises(AvsrError, match="another order"):
        make_quiet(QuietOrder(clips=1), tmp_path)
