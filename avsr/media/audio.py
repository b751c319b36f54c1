"""Reads a file's sound as one continuous 16 kHz mono stream, and writes such a stream to a file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from avsr.errors import MediaError
from avsr.media.container import audio_stream, open_container, time_zero
from avsr.media.probe import MediaInfo, Span, media_info


class AudioReader:
    """Iterates float32 blocks (n,) in [-1, 1], sample-continuous from `start` (media seconds), gaps filled with zeros."""

    def __init__(self, path: str | Path, *, rate: int = 16000, start: float = 0.0, end: float | None = None) -> None:
        self.path, self.rate, self.start, self.end = Path(path), rate, start, end
        self.damaged: list[Span] = []
        with open_container(path) as container:
            self.info: MediaInfo = media_info(container, self.path)
        if self.info.audio is None:
            raise MediaError(f"{path}: holds no sound; give a file with sound, or ask for the lips only.")

    def __iter__(self) -> Iterator[np.ndarray]:
        import av

        first, last = round(self.start * self.rate), None if self.end is None else round(self.end * self.rate)
        with open_container(self.path) as container:
            stream = audio_stream(container)
            resampler = av.AudioResampler(format="flt", layout="mono", rate=self.rate)
            position = None
            frames = container.decode(stream)
            for frame in frames:
                if position is None:
                    position = round((frame.pts * float(frame.time_base) - time_zero(container)) * self.rate)
                    if position > first:
                        yield np.zeros(position - first, np.float32)
                for out in resampler.resample(frame):
                    samples = out.to_ndarray().reshape(-1)
                    low, high = max(0, first - position), None if last is None else max(0, last - position)
                    if len(samples[low:high]):
                        yield samples[low:high]
                    position += len(samples)


def read_audio(path: str | Path, *, start: float = 0.0, end: float | None = None) -> tuple[np.ndarray, list[Span]]:
    """The whole sound, (n,) float32 at 16 kHz, and its damaged spans."""
    reader = AudioReader(path, start=start, end=end)
    blocks = list(reader)
    return (np.concatenate(blocks) if blocks else np.zeros(0, np.float32)), reader.damaged


def write_audio(path: str | Path, samples: np.ndarray) -> None:
    """Write (n,) float samples in [-1, 1] at 16 kHz as 16-bit mono FLAC or WAV, by suffix, whole or not at all."""
    import soundfile

    path = Path(path)
    if path.suffix.lower() not in (".flac", ".wav"):
        raise MediaError(f"{path}: sound is written as .flac or .wav; change the suffix.")
    temporary = path.with_name(f".{path.name}.{os.getpid()}{path.suffix}")
    try:
        soundfile.write(temporary, np.clip(samples, -1.0, 1.0), 16000, subtype="PCM_16")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
