"""What a codec and a network do to sound: few bits, packets lost, packets damaged. Never trained on (`held_out`).

MPEG-1/2 audio layer II (ISO/IEC 11172-3, 13818-3) by FFmpeg's fixed-point encoder and decoder, and not what calls use
today: those compute in floating point, and the benchmark's mixtures have to be the same to the bit on every machine.
"""

from __future__ import annotations

import io
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np

from avsr.errors import AvsrError
from avsr.noise.pcm import from_pcm, to_pcm

RATE = 16000
_DELAY = 481  # samples by which FFmpeg's layer II comes out later than it went in (analysis and synthesis filter bank)
_PACKET = RATE // 50  # 20 ms, what calls put into a packet
_FRAME = 1152  # samples of a layer II frame
_BITRATES = (8, 16, 24, 32, 40, 48, 56, 64)  # kbit/s of a low sampling rate (ISO/IEC 13818-3, 2.4.2.3)
_ROBUST = 64  # kbit/s of a file whose packets are damaged: good sound until then


def low_bitrate(samples: np.ndarray, rng: np.random.Generator, *, kbits: int = 8) -> np.ndarray:
    """Through a codec of so many kbit/s and back; (n,) float32 at 16 kHz in and out. `rng` is not used."""
    if kbits not in _BITRATES:
        raise AvsrError(f"a codec of {kbits} kbit/s: it can be {', '.join(map(str, _BITRATES))}.")
    return from_pcm(_decode(_encode(to_pcm(samples), kbits), len(samples)))


def packet_loss(samples: np.ndarray, rng: np.random.Generator, *, fraction: float, burst: float = 3.0) -> np.ndarray:
    """`fraction` of the 20 ms packets lost, in bursts of `burst` on average (Gilbert's model, 1960).

    A receiver plays the last packet again, half as loud each time (the idea of ITU-T G.711 appendix I).
    """
    if not 0.0 <= fraction < 1.0 or burst < 1.0:
        raise AvsrError(f"a loss of {fraction:g} of the packets in bursts of {burst:g}: give 0 to 1, and 1 or more.")
    pcm = to_pcm(samples)
    lost = False
    for start in range(0, len(pcm), _PACKET):
        # Leaves a burst with 1 / burst, enters one so often that `fraction` is lost in the long run.
        lost = rng.random() < (1 - 1 / burst if lost else min(1.0, fraction / ((1 - fraction) * burst)))
        if lost:
            before = pcm[max(0, start - _PACKET) : start]
            length = len(pcm[start : start + _PACKET])
            pcm[start : start + length] = np.pad(before >> 1, (0, _PACKET - len(before)))[:length]
    return from_pcm(pcm)


def damaged_packets(samples: np.ndarray, rng: np.random.Generator, *, fraction: float) -> np.ndarray:
    """A file with `fraction` of its packets damaged, read as `avsr.media` reads any file: what is lost becomes silence."""
    if not 0.0 <= fraction <= 1.0:
        raise AvsrError(f"{fraction:g} of the packets damaged: give a fraction from 0 to 1.")
    from avsr.media.audio import read_audio

    packets = [bytearray(packet) for packet in _encode(to_pcm(samples), _ROBUST)]
    for packet in packets:
        if rng.random() < fraction and len(packet) > 8:
            # The whole packet, header and all: a decoder that does not notice would play noise.
            packet[:] = rng.integers(0, 256, len(packet), dtype=np.uint8).tobytes()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "damaged.mka"
        path.write_bytes(_file(packets))
        read, _ = read_audio(path)
    # The file says how long its codec's delay is, and the reader has taken it away.
    return from_pcm(_fitted(to_pcm(read), len(samples)))


def _encode(pcm: np.ndarray, kbits: int) -> list[bytes]:
    """The packets of (n,) int16, with enough after the end that the codec's delay swallows nothing."""
    import av

    context = _encoder(kbits)
    padded = np.pad(pcm, (0, _DELAY + -(len(pcm) + _DELAY) % _FRAME + _FRAME))
    packets = []
    for start in range(0, len(padded), _FRAME):
        frame = av.AudioFrame.from_ndarray(padded[None, start : start + _FRAME], format="s16", layout="mono")
        frame.sample_rate, frame.pts = RATE, start
        packets += [bytes(packet) for packet in context.encode(frame)]
    return packets + [bytes(packet) for packet in context.encode(None)]


def _encoder(kbits: int):
    import av

    context = av.CodecContext.create("mp2fixed", "w")
    context.sample_rate, context.layout, context.format, context.bit_rate = RATE, "mono", "s16", kbits * 1000
    return context


def _decode(packets: list[bytes], length: int) -> np.ndarray:
    import av

    decoder = av.CodecContext.create("mp2", "r")
    frames = [frame for data in packets for frame in decoder.decode(av.Packet(data))] + decoder.decode(None)
    return _fitted(np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames])[_DELAY:], length)


def _file(packets: list[bytearray]) -> bytes:
    """The packets in a Matroska file, a millisecond clock on each."""
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("mp2", rate=RATE, layout="mono")
        for number, data in enumerate(packets):
            packet = av.Packet(bytes(data))
            packet.stream, packet.time_base = stream, Fraction(1, RATE)
            packet.pts = packet.dts = number * _FRAME
            packet.duration = _FRAME
            container.mux(packet)
    return buffer.getvalue()


def _fitted(pcm: np.ndarray, length: int) -> np.ndarray:
    return np.pad(pcm, (0, max(0, length - len(pcm))))[:length]
