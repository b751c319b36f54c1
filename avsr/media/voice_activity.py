"""How likely a voice is heard at each moment of a recording: Silero's detector, which ships in its package."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from avsr.errors import AvsrError

if TYPE_CHECKING:
    import onnxruntime

_FRAME, _CONTEXT = 512, 64  # samples at 16 kHz that the detector takes at a time, and of those before that it wants to see again
_BLOCK = 1024  # of its frames at a time: 33 s


def voice_probability(samples: np.ndarray, frame: int = 640) -> np.ndarray:
    """How likely somebody speaks in each frame.

    Args:
        samples: (N,) float in -1..1 at 16 kHz.
        frame: samples of a frame; 640 are one of 25 a second.

    Returns:
        (ceil(N / frame),) float32 in 0..1: the largest of what the detector says of the 32 ms stretches that the frame meets
        (Silero VAD 6, https://github.com/snakers4/silero-vad, its export for whole sequences).

    Raises:
        AvsrError: the package silero-vad is not installed.
    """
    count = -(-len(samples) // _FRAME)
    if not count:
        return np.zeros(0, np.float32)
    frames = np.zeros((count, _FRAME), np.float32)
    frames.reshape(-1)[: len(samples)] = samples
    before = np.concatenate([np.zeros((1, _CONTEXT), np.float32), frames[:-1, -_CONTEXT:]])
    seen = np.concatenate([before, frames], axis=1)
    states, found = [np.zeros((1, 1, 128), np.float32)] * 2, []
    for first in range(0, count, _BLOCK):
        given = {"input": seen[first : first + _BLOCK], "h": states[0], "c": states[1]}
        probability, *states = _session().run(["speech_probs", "hn", "cn"], given)
        found.append(probability.reshape(-1))
    said = np.concatenate(found)
    starts = np.arange(-(-len(samples) // frame)) * frame
    edges = np.minimum((starts + frame - 1) // _FRAME, count - 1)
    # A frame of 40 ms meets two stretches of 32 ms, or three.
    return np.max([said[np.clip(starts // _FRAME + step, 0, edges)] for step in range(frame // _FRAME + 2)], axis=0)


@lru_cache(maxsize=1)
def _session() -> onnxruntime.InferenceSession:
    import onnxruntime

    # Not imported: the package's own code would load torch and set how many threads it uses.
    found = find_spec("silero_vad")
    if found is None or not found.submodule_search_locations:
        raise AvsrError("the package silero-vad is not installed, which tells voices from noise: run tools/install.sh.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # a window takes a fifth of a second
    model = Path(next(iter(found.submodule_search_locations))) / "data" / "silero_vad_16k_sequence.onnx"
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
