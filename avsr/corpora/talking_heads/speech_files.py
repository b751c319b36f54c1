"""Made speech on disk: the sound as Ogg Opus, and beside it when each phoneme and word is said, as JSON."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from avsr.corpora.talking_heads.timing import PhoneTime
from avsr.corpora.talking_heads.voice import RATE, Speech
from avsr.errors import MediaError
from avsr.files import replace_file
from avsr.text.pronunciation import Phoneme

BITRATE = 18000  # bits a second: speech of 8 kHz bandwidth through Opus at this rate is all but transparent
_DECODED_RATE = 48000  # Opus always decodes at this rate
_FRAME = RATE // 50  # samples in the 20 ms that Opus encodes at once


def save_speech(speech: Speech, path: str | os.PathLike) -> None:
    """Write ``path`` (X.opus) and X.json; the .json comes last, so that where it exists the speech is whole."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, encode_opus(speech.samples))
    replace_file(path.with_suffix(".json"), json.dumps(times_as_json(speech), ensure_ascii=False).encode())


def load_speech(path: str | os.PathLike) -> Speech:
    """Read back what ``save_speech`` wrote; MediaError where a file is missing, broken or does not match the other."""
    path = Path(path)
    try:
        sound, times = path.read_bytes(), json.loads(path.with_suffix(".json").read_bytes())
    except (OSError, ValueError) as error:
        raise MediaError(f"{path}: not the speech that goes with a .json of times ({error}); make it again.") from error
    return speech_from(sound, times, str(path))


def times_as_json(speech: Speech) -> dict[str, Any]:
    """``samples``: their number; ``phones``: [end, kind, symbol, word] each, [end] for a pause; ``words``: [start, end, word]."""
    return {
        "samples": len(speech.samples),
        "phones": [
            [phone.end] if (p := phone.phoneme) is None else [phone.end, p.kind, p.symbol, p.word] for phone in speech.phones
        ],
        "words": [list(word) for word in speech.words],
    }


def speech_from(sound: bytes, times: dict[str, Any], where: str) -> Speech:
    """The speech of an Ogg Opus file's bytes and its times; MediaError, naming ``where``, when they do not belong together."""
    try:
        count = int(times["samples"])
        phones, start = [], 0.0
        for end, *phoneme in times["phones"]:
            phones.append(PhoneTime(start, float(end), Phoneme(*phoneme) if phoneme else None))
            start = float(end)
        words = [(float(start), float(end), str(word)) for start, end, word in times["words"]]
    except (KeyError, TypeError, ValueError) as error:
        raise MediaError(f"{where}: the times of the phonemes are broken ({error!r}); make the speech again.") from error
    return Speech(decode_opus(sound, count, where), phones, words)


def encode_opus(samples: np.ndarray) -> bytes:
    """(N,) float32 at 16 kHz -> the bytes of an Ogg Opus file; the same samples give the same bytes."""
    import av

    buffer = io.BytesIO()
    # Ogg's serial numbers are drawn at random unless the muxer is told to be reproducible.
    with av.open(buffer, "w", format="ogg", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libopus", rate=RATE, layout="mono", options={"application": "voip"})
        stream.bit_rate = BITRATE
        for start in range(0, len(samples), _FRAME):
            block = np.zeros(_FRAME, np.float32)
            piece = samples[start : start + _FRAME]
            block[: len(piece)] = piece
            frame = av.AudioFrame.from_ndarray(block[None], format="flt", layout="mono")
            frame.sample_rate, frame.pts = RATE, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def decode_opus(sound: bytes, count: int, where: str) -> np.ndarray:
    """The first ``count`` samples at 16 kHz, float32, of an Ogg Opus file's bytes; MediaError where it has fewer."""
    import av
    import soxr

    try:
        with av.open(io.BytesIO(sound), format="ogg") as container:
            blocks = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    except (OSError, EOFError, IndexError, ValueError) as error:  # what av raises is one of these
        raise MediaError(f"{where}: not an Ogg Opus file ({error}); make the speech again.") from error
    decoded = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    samples = np.asarray(soxr.resample(decoded, _DECODED_RATE, RATE, quality="HQ"), np.float32)
    if len(samples) < count:
        raise MediaError(f"{where}: holds {len(samples)} samples where {count} belong; make the speech again.")
    return np.clip(samples[:count], -1.0, 1.0)
