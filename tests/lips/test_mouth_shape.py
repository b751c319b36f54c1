"""The mouth's shape on disk: as it was to half precision, and a sentence where the file is something else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from avsr.errors import MediaError
from avsr.lips.mouth_shape import CHANNELS, DEVIATIONS, load_mouth_shape, save_mouth_shape


@given(hnp.arrays(np.float32, st.tuples(st.integers(1, 40), st.just(7)), elements=st.floats(-20, 20, width=16)))
def test_what_is_saved_comes_back(tmp_path_factory, shape):
    path = tmp_path_factory.mktemp("shape") / "a.npy"
    save_mouth_shape(shape, path)
    back = load_mouth_shape(path)
    assert back.dtype == np.float32 and np.array_equal(back, shape)


def test_a_channel_has_its_deviation():
    assert len(CHANNELS) == len(DEVIATIONS) and min(DEVIATIONS) > 0


def test_other_files_are_told(tmp_path):
    with pytest.raises(MediaError, match="not the shape of a mouth"):
        load_mouth_shape(tmp_path / "missing.npy")
    for damaged in (b"hello", b"PK\x03\x04 hello", b""):
        (tmp_path / "text.npy").write_bytes(damaged)
        with pytest.raises(MediaError, match="make the corpus again"):
            load_mouth_shape(tmp_path / "text.npy")
    np.save(tmp_path / "wide.npy", np.zeros((5, 9)))
    with pytest.raises(MediaError, match="other values than jaw"):
        load_mouth_shape(tmp_path / "wide.npy")
    for wrong in (np.zeros((5, 9)), np.full((5, 7), np.nan)):
        with pytest.raises(ValueError, match="finite"):
            save_mouth_shape(wrong, tmp_path / "a.npy")
    assert not (tmp_path / "a.npy").exists()
