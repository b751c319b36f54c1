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
    stream = VoiceStream(frame)
    return np.concatenate([stream.add(samples), stream.finish()])


class VoiceStream:
    """`voice_probability` of a sound that comes bit by bit; nothing is computed twice."""

    def __init__(self, frame: int = 640) -> None:
        self._frame = frame
        self._states = [np.zeros((1, 1, 128), np.float32)] * 2
        self._before = np.zeros(_CONTEXT, np.float32)  # samples
        self._rest = np.zeros(0, np.float32)  # samples that do not fill a stretch
        self._said = np.zeros(0, np.float32)  # of the stretches from _first on
        self._first = 0
        self._told = self._count = 0  # frames answered for, samples given

    def add(self, samples: np.ndarray) -> np.ndarray:
        """(N,) more samples; (n,) how likely a voice is heard in each of the frames that are known by them."""
        self._count += len(samples)
        samples = np.concatenate([self._rest, samples.astype(np.float32, copy=False)])
        whole = len(samples) // _FRAME
        self._listen(samples[: whole * _FRAME].reshape(whole, _FRAME))
        self._rest = samples[whole * _FRAME :]
        return self._answer(((self._first + len(self._said)) * _FRAME) // self._frame)

    def finish(self) -> np.ndarray:
        """The frames that are left, the last perhaps not full; then the sound is over."""
        if len(self._rest):
            self._listen(np.pad(self._rest, (0, _FRAME - len(self._rest)))[None])
            self._rest = self._rest[:0]
        return self._answer(-(-self._count // self._frame))

    def _listen(self, frames: np.ndarray) -> None:
        """(n, 512) stretches in order."""
        for first in range(0, len(frames), _BLOCK):
            block = frames[first : first + _BLOCK]
            before = np.concatenate([self._before[None], block[:-1, -_CONTEXT:]])
            given = {"input": np.concatenate([before, block], axis=1), "h": self._states[0], "c": self._states[1]}
            probability, *self._states = _session().run(["speech_probs", "hn", "cn"], given)
            self._said = np.concatenate([self._said, probability.reshape(-1)])
            self._before = block[-1, -_CONTEXT:]

    def _answer(self, until: int) -> np.ndarray:
        """Frames up to `until`, from the stretches that each meets: of 40 ms, two of 32 ms or three."""
        if until <= self._told:
            return np.zeros(0, np.float32)
        starts = np.arange(self._told, until) * self._frame
        last = self._first + len(self._said) - 1
        edges = np.minimum((starts + self._frame - 1) // _FRAME, last)
        steps = range(self._frame // _FRAME + 2)
        found = np.max([self._said[np.clip(starts // _FRAME + step, 0, edges) - self._first] for step in steps], axis=0)
        self._told = until
        kept = min(until * self._frame // _FRAME, last + 1)
        self._said, self._first = self._said[kept - self._first :], kept
        return found


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
