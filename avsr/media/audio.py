"""Reads a file's sound as one continuous 16 kHz mono stream, and writes such a stream to a file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from avsr.errors import MediaError
from avsr.files import written_beside
from avsr.media.container import Inside, audio_stream, decoder_options, located, open_container, packets, seek_before, time_zero
from avsr.media.probe import LATE, SLACK, MediaInfo, Span, add_span, check_range, media_info

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

SAMPLE_RATE = 16000

_JITTER = 0.015
"""Seconds by which a timestamp may be off without a sample being lost: less than the shortest packet in use (20 ms)."""

_ABSURD = 4.0
"""A decoder fed with noise gives samples far over full scale; no encoder's overshoot comes near 12 dB."""

_LEAD = 0.5
"""Seconds decoded before `start`, so that overlapping codecs and the resampler have settled."""

_MAX_FILL = 3600.0
"""Seconds of holes filled with zeros in one reading; a broken clock would otherwise fill the memory of the reader."""


class AudioReader:
    """Iterates float32 blocks (n,) in [-1, 1] at `rate`, sample-continuous from `start` (media seconds).

    Holes, damaged pieces and a late start are zeros, so sample i is the sound at start + i / rate. `damaged` holds
    their spans once the iteration is over. Blocks end with the stream's data; where the file goes on for longer (its
    picture does, or its header says so), the rest is the last span. Blocks are about half a second.
    MediaError: not media, no sound, or none of it can be decoded.
    """

    def __init__(
        self, path: str | Path | Inside, *, rate: int = SAMPLE_RATE, start: float = 0.0, end: float | None = None
    ) -> None:
        check_range(path, start, end)
        self.path, self.rate, self.start, self.end = located(path), rate, start, end
        self.damaged: list[Span] = []
        with open_container(path) as container:
            self.info: MediaInfo = media_info(container, self.path)
        if self.info.audio is None:
            raise MediaError(f"{path}: holds no sound; give a file with sound, or ask for the lips only.")

    def __iter__(self) -> Iterator[np.ndarray]:
        import soxr

        self.damaged = []
        source_rate = self.info.audio.rate
        # Start on a source sample that is also an output sample, so that a piece equals the same piece of the whole.
        unit = source_rate // math.gcd(source_rate, self.rate)
        origin = int(max(0.0, self.start - _LEAD / 2) * source_rate) // unit * unit
        first = round(self.start * self.rate)
        last = None if self.end is None else round(self.end * self.rate)
        position = origin // unit * (self.rate // math.gcd(source_rate, self.rate))
        resampler = soxr.ResampleStream(source_rate, self.rate, 1, dtype="float32", quality="HQ")
        for block, is_last in _with_last(_collect(self._timeline(origin), source_rate // 2)):
            samples = resampler.resample_chunk(block, last=is_last) if source_rate != self.rate else block
            low = min(max(0, first - position), len(samples))
            high = len(samples) if last is None else max(0, min(len(samples), last - position))
            position += len(samples)
            if high > low:
                yield np.clip(samples[low:high], -1.0, 1.0)

    def _timeline(self, origin: int) -> Iterator[np.ndarray]:
        """Mono samples at the source rate without holes from sample `origin` to `end` or the stream's end."""
        rate = self.info.audio.rate
        until = math.inf if self.end is None else (self.end + _LEAD) * rate
        position, filled, heard, torn = origin, 0, False, False
        for time, samples, good in self._pieces():
            expected = position if time is None else round(time * rate)
            missing = expected - position
            if missing > (_JITTER * rate if heard else 0):
                filled += min(expected, until) - position
                if filled > _MAX_FILL * rate:
                    if heard:  # what follows cannot be placed, and counts as damaged
                        break
                    raise MediaError(f"{self.path}: its sound has holes of over {_MAX_FILL:.0f} s, so its timestamps "
                                     "are broken; convert the file anew.")
                if missing > LATE * rate or (heard and position > LATE * rate):  # less is encoder delay at the start
                    add_span(self.damaged, position / rate, expected / rate, self.start, self.end)
                    torn = heard
                yield from _zeros(int(min(expected, until)) - position)
                position = expected
            elif missing < -_JITTER * rate or not heard:
                samples = samples[-missing:]
            if position >= until:
                return
            if not len(samples):
                continue
            # Codecs that overlap their frames (AAC, MP3, Opus) mix what comes after a hole with what was before it.
            if torn or not good:
                add_span(self.damaged, position / rate, (position + len(samples)) / rate, self.start, self.end)
                samples = np.zeros(len(samples), np.float32)
            heard, torn = True, False
            position += len(samples)
            yield samples
        if self.info.duration > position / rate + SLACK:
            add_span(self.damaged, position / rate, self.info.duration, self.start, self.end)

    def _pieces(self) -> Iterator[tuple[float | None, np.ndarray, bool]]:
        """(media second or None, mono samples at the source rate, good) as decoded; lost packets as empty pieces."""
        import av

        decoded = False
        mono = _Mono(self.info.audio.rate)
        with open_container(self.path) as container:
            stream = audio_stream(container)
            stream.codec_context.options = decoder_options()
            zero, unit = time_zero(container), float(stream.time_base)
            if self.start > 0:
                seek_before(container, stream, max(0.0, self.start - _LEAD), zero)
            end: float | None = None
            for packet, _ in packets(container, stream):
                try:
                    frames = stream.codec_context.decode(packet)
                except av.FFmpegError:
                    frames = []
                if packet.pts is not None:
                    end = (packet.pts + (packet.duration or 0)) * unit - zero
                for frame in frames:
                    decoded = True
                    time = None if frame.pts is None else frame.pts * unit - zero
                    samples = mono.samples(frame)
                    good = not (frame.is_corrupt or packet.is_corrupt) and _sane(samples)
                    yield time, samples, good
            for frame in _flush(stream):
                decoded = True
                yield (None if frame.pts is None else frame.pts * unit - zero), mono.samples(frame), True
            if not decoded and self.start == 0:
                raise MediaError(f"{self.path}: none of its sound can be decoded; use only the lips, or copy it again.")
            if end is not None:
                yield end, np.zeros(0, np.float32), True  # packets lost at the end leave a hole as well


class _Mono:
    """Mixes frames of any format, layout and rate down to mono float32 at one rate."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._key: tuple[str, str, int] | None = None
        self._mixer = None

    def samples(self, frame: AudioFrame) -> np.ndarray:
        """(n,) float32; the mix is normalised, so that two equal channels give what each of them holds."""
        import av

        key = (frame.format.name, frame.layout.name, frame.sample_rate)
        if key != self._key:
            self._key = key
            self._mixer = av.AudioResampler(
                format="flt", layout="mono", rate=frame.sample_rate, options={"rematrix_maxval": "1.0"}
            )
        pieces = [out.to_ndarray().reshape(-1) for out in self._mixer.resample(frame)]
        samples = np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
        if frame.sample_rate != self._rate and len(samples):  # a broadcast may change its rate on the way
            import soxr

            samples = soxr.resample(samples, frame.sample_rate, self._rate)
        return samples


def _sane(samples: np.ndarray) -> bool:
    # NaN fails the comparison too.
    return not len(samples) or bool(np.abs(samples).max() < _ABSURD)


def _flush(stream) -> list[AudioFrame]:
    import av

    try:
        return stream.codec_context.decode(None)
    except av.FFmpegError:  # the last packet was bad, and its hole says so
        return []


def _zeros(count: int) -> Iterator[np.ndarray]:
    while count > 0:
        yield np.zeros(min(count, 1 << 16), np.float32)
        count -= 1 << 16


def _collect(pieces: Iterator[np.ndarray], least: int) -> Iterator[np.ndarray]:
    """Joins small pieces to blocks of at least `least` samples, so that the resampler is not called per packet."""
    held: list[np.ndarray] = []
    count = 0
    for piece in pieces:
        held.append(piece)
        count += len(piece)
        if count >= least:
            yield np.concatenate(held)
            held, count = [], 0
    if held:
        yield np.concatenate(held)


def _with_last(blocks: Iterator[np.ndarray]) -> Iterator[tuple[np.ndarray, bool]]:
    before = None
    for block in blocks:
        if before is not None:
            yield before, False
        before = block
    if before is not None:
        yield before, True


def read_audio(
    path: str | Path | Inside, *, start: float = 0.0, end: float | None = None
) -> tuple[np.ndarray, list[Span]]:
    """The sound from `start` to `end` (media seconds), (n,) float32 in [-1, 1] at 16 kHz, and its damaged spans."""
    reader = AudioReader(path, start=start, end=end)
    blocks = list(reader)
    return (np.concatenate(blocks) if blocks else np.zeros(0, np.float32)), reader.damaged


def write_audio(path: str | Path, samples: np.ndarray) -> None:
    """Write (n,) float samples in [-1, 1] at 16 kHz as 16-bit mono FLAC or WAV, by suffix, whole or not at all.

    Samples beyond full scale are clipped. MediaError: another suffix, shape or type, NaN, or a folder that is missing.
    """
    import soundfile

    path, samples = Path(path), np.asarray(samples)
    if path.suffix.lower() not in (".flac", ".wav"):
        raise MediaError(f"{path}: sound is written as .flac or .wav; change the suffix.")
    if samples.ndim != 1 or not np.issubdtype(samples.dtype, np.floating) or not np.isfinite(samples).all():
        given = f"{samples.dtype} samples of shape {samples.shape}"
        raise MediaError(f"{path}: {given} cannot be written; give finite mono float samples (n,).")
    if not path.parent.is_dir():
        raise MediaError(f"{path}: its folder does not exist; make it first.")
    with written_beside(path) as temporary:
        soundfile.write(temporary, np.clip(samples, -1.0, 1.0), SAMPLE_RATE, subtype="PCM_16", format=path.suffix[1:].upper())
