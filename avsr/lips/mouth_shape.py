"""The mouth's shape in each picture of a clip, where a corpus knows it: what a lip encoder can be taught to see."""

from __future__ import annotations

import io
import os
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from avsr.errors import MediaError
from avsr.files import replace_file

# In millimetres, jaw to protrude (see avsr.corpora.talking_heads.visemes), and from 0 to 1: how tightly the lips are
# pressed, how high the tip of the tongue is, and whether somebody speaks.
CHANNELS = ("jaw", "gap", "width", "protrude", "press", "tip", "speaking")
# How far each deviates from its mean in 27 minutes of the made commands, so that none outweighs the others in a loss.
DEVIATIONS = (2.0, 4.0, 3.0, 2.0, 0.11, 0.34, 0.35)


def save_mouth_shape(shape: np.ndarray, path: str | os.PathLike) -> None:
    """Write (T, 7) values for CHANNELS, one row a picture of the mouth clip, as a .npy of float16 (1 KB for 3 s).

    ValueError where the array is of another form, or holds what is no number.
    """
    if shape.ndim != 2 or shape.shape[1] != len(CHANNELS) or not np.isfinite(shape).all():
        raise ValueError(f"a mouth's shape must be (T, {len(CHANNELS)}) finite numbers, not {shape.shape}")
    buffer = io.BytesIO()
    np.save(buffer, shape.astype(np.float16))
    replace_file(Path(path), buffer.getvalue())


def load_mouth_shape(path: str | os.PathLike) -> np.ndarray:
    """(T, 7) float32, as `save_mouth_shape` wrote it; MediaError where the file is missing or something else."""
    try:
        shape = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, BadZipFile) as error:  # what begins as a zip is taken for an .npz
        raise MediaError(f"{path}: not the shape of a mouth ({error}); make the corpus again.") from error
    if getattr(shape, "ndim", 0) != 2 or shape.shape[1] != len(CHANNELS):
        raise MediaError(f"{path}: holds other values than {', '.join(CHANNELS)}; make the corpus again.")
    return shape.astype(np.float32)
