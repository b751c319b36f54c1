"""Makes small real media files whose pictures and sound tell the time, and damages them, for tests of every room."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from avsr.media.x264 import steady_options

BITS = 16
"""The time code: so many black and white bars across the upper half, milliseconds in binary, highest bit first."""

CLOCK = 90_000


def clock_picture(time: float, size: tuple[int, int] = (320, 240)) -> np.ndarray:
    """(H, W, 3) uint8: the time code above, and below it a pattern that moves, so that pictures differ."""
    width, height = size
    code = round(time * 1000)
    bits = np.array([(code >> (BITS - 1 - bit)) & 1 for bit in range(BITS)], dtype=np.uint8)
    image = np.empty((height, width, 3), np.uint8)
    image[: height // 2] = (bits[np.arange(width) * BITS // width] * 219 + 16)[None, :, None]
    x, y = np.meshgrid(np.arange(width), np.arange(height - height // 2))
    image[height // 2 :] = (127 + 80 * np.sin(x / 9 + 6 * time) * np.cos(y / 7 - 4 * time))[..., None].astype(np.uint8)
    return image


def clock_time(image: np.ndarray) -> float:
    """The seconds that a picture (H, W, 3) or (H, W) shows; AssertionError where a bar is neither black nor white."""
    grey = image.mean(axis=2) if image.ndim == 3 else image
    height, width = grey.shape
    band = grey[height // 8 : height * 3 // 8].mean(axis=0)
    levels = [band[(2 * bit + 1) * width // (2 * BITS)] for bit in range(BITS)]
    assert all(level < 90 or level > 165 for level in levels), f"no time code: {np.round(levels)}"
    return sum((level > 127) << (BITS - 1 - bit) for bit, level in enumerate(levels)) / 1000


def clock_sound(times: np.ndarray) -> np.ndarray:
    """A tone that rises from 200 Hz by 40 Hz a second, so that its phase tells the time: (n,) float32."""
    return (0.4 * np.sin(2 * np.pi * (200 * times + 20 * times**2))).astype(np.float32)


def sound_offset(samples: np.ndarray, at: float, rate: int = 16000, reach: float = 0.1) -> float:
    """By how many seconds 0.4 s of `samples` from second `at` lag behind clock_sound (best match within `reach`)."""
    from scipy.signal import correlate

    piece = samples[round(at * rate) : round((at + 0.4) * rate)]
    most = round(reach * rate)
    expected = clock_sound(at + np.arange(-most, len(piece) + most) / rate)
    return (most - int(np.argmax(correlate(expected, piece, mode="valid", method="fft")))) / rate


def make_video(
    path: str | Path,
    *,
    seconds: float = 2.0,
    fps: float = 25.0,
    size: tuple[int, int] = (320, 240),
    timestamps: Sequence[float] | None = None,
    video: bool = True,
    audio: bool = True,
    rotation: int = 0,
    flip: bool = False,
    video_start: float = 0.0,
    audio_start: float = 0.0,
    audio_rate: int = 44100,
    channels: int = 1,
    gop: int = 25,
    video_codec: str | None = None,
    audio_codec: str | None = None,
    picture: Callable[[float], np.ndarray] | None = None,
    sound: Callable[[np.ndarray], np.ndarray] | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write a file (container by suffix) whose picture and sound at second t are clock_picture(t) and clock_sound(t).

    `size` is (width, height) as stored; `timestamps` are the pictures' times, instead of `fps`; `rotation` is in
    degrees counter-clockwise, as a player turns it; a stream with a `..._start` begins that late.
    """
    import av

    path = Path(path)
    webm = path.suffix == ".webm"
    picture = picture or (lambda time: clock_picture(time, size))
    sound = sound or clock_sound
    if timestamps is None:
        timestamps = video_start + np.arange(round((seconds - video_start) * fps)) / fps
    with av.open(str(path), "w", container_options=container_options or {}) as container:
        rate = Fraction(fps).limit_denominator(1001)
        if video:
            codec = video_codec or ("libvpx" if webm else "libx264")
            steady = steady_options() if codec == "libx264" else {}
            stream = container.add_stream(codec, rate=rate, options={**steady, **(options or {})})
            stream.width, stream.height = size
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            stream.codec_context.gop_size = gop
            if codec != "mpeg4":
                stream.codec_context.time_base = Fraction(1, CLOCK)
            stream.codec_context.thread_count = 1
            if rotation or flip:
                stream.set_display_rotation(rotation, hflip=flip)
        if audio:
            name = audio_codec or ("libopus" if webm else "pcm_s16le" if path.suffix == ".wav" else "aac")
            track = container.add_stream(name, rate=audio_rate, layout="mono" if channels == 1 else "stereo")
        packets = []
        if video:
            packets += list(_video_packets(stream, timestamps, picture, rate))
        if audio:
            packets += list(_audio_packets(track, audio_start, seconds, audio_rate, channels, sound))
        for packet in sorted(packets, key=lambda packet: float(packet.dts * packet.time_base)):
            container.mux(packet)
    return path


def _video_packets(stream, timestamps, picture, rate):
    import av

    tick = Fraction(1, CLOCK) if stream.codec_context.name != "mpeg4" else 1 / rate
    for time in timestamps:
        frame = av.VideoFrame.from_ndarray(picture(float(time)), format="rgb24")
        frame.pts, frame.time_base = round(Fraction(float(time)) / tick), tick
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _audio_packets(track, start, seconds, rate, channels, sound):
    import av

    first, last = round(start * rate), round(seconds * rate)
    for begin in range(first, last, 1024):
        samples = sound(np.arange(begin, min(last, begin + 1024)) / rate)
        stacked = np.repeat(samples[None], channels, axis=0)
        frame = av.AudioFrame.from_ndarray(stacked, format="fltp", layout="mono" if channels == 1 else "stereo")
        frame.sample_rate, frame.pts, frame.time_base = rate, begin, Fraction(1, rate)
        yield from track.encode(frame)
    yield from track.encode(None)


def packet_places(path: str | Path, kind: str) -> list[tuple[float, int, int]]:
    """(time in seconds, byte position, size) of each packet of the "video" or "audio" stream."""
    import av

    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[0]
        return [(float(p.pts * p.time_base), p.pos, p.size) for p in container.demux(stream) if p.size]


def spoil(path: Path, kind: str, start: float, end: float, *, seed: int = 0, length: int | None = None) -> Path:
    """A copy beside `path` with noise over (the first `length` bytes of) the packets of `kind` in [start, end)."""
    rng = np.random.default_rng(seed)
    data = bytearray(path.read_bytes())
    for time, position, size in packet_places(path, kind):
        if start - 1e-6 <= time < end - 1e-6:
            count = size if length is None else min(size, length)
            data[position : position + count] = rng.integers(0, 256, count, dtype=np.uint8).tobytes()
    copy = path.with_name(f"spoiled_{path.name}")
    copy.write_bytes(data)
    return copy


def cut(path: Path, fraction: float) -> Path:
    """A copy beside `path` that stops after this fraction of its bytes."""
    copy = path.with_name(f"cut_{path.name}")
    data = path.read_bytes()
    copy.write_bytes(data[: int(len(data) * fraction)])
    return copy


def jump_clock(source: Path, path: Path, at: float, jump: float) -> Path:
    """A copy of a file of picture and sound in which the sound's timestamps from `at` on are `jump` seconds later."""
    import av

    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        tracks = {stream.index: new.add_stream_from_template(stream) for stream in old.streams}
        for packet in old.demux():
            if packet.dts is None:
                continue
            if packet.stream.type == "audio" and packet.pts * packet.time_base >= at:
                packet.pts, packet.dts = (round(time + jump / packet.time_base) for time in (packet.pts, packet.dts))
            packet.stream = tracks[packet.stream.index]
            new.mux(packet)
    return path
