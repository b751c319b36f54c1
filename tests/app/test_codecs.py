"""The server takes what is usual in any wrapping, and lets FFmpeg open no other decoder, not even to see what a file holds."""

from __future__ import annotations

import subprocess
import sys

import av
import pytest

from avsr.app.codecs import AUDIO_CODECS, VIDEO_CODECS, _DECODERS
from avsr.app.inspection import inspect
from avsr.app.reading import Reader
from avsr.app.settings import Settings
from tests.app.test_children import with_children
from tests.media_maker import make_video

USUAL = [
    ("mp4", "libx264", "aac"), ("mp4", "libx265", "mp3"), ("mkv", "libvpx-vp9", "libopus"), ("webm", "libvpx", "libopus"), ("mkv", "libsvtav1", "flac"),
    ("avi", "mpeg4", "libmp3lame"), ("avi", "mjpeg", "pcm_s16le"), ("flv", "flv", "libmp3lame"), ("mkv", "libx264", "mp2"), ("avi", "msmpeg4", "ac3"),
    ("mov", "libx264", "alac"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "picture", "sound"), USUAL)
def test_what_is_usual_is_taken_and_decoded(tmp_path, kind, picture, sound):
    rate = 48000 if sound == "libopus" else 44100
    path = make_video(tmp_path / f"a.{kind}", seconds=0.5, size=(160, 128), video_codec=picture, audio_codec=sound, audio_rate=rate)
    found = with_children(lambda children: inspect(children, path, tmp_path / "thumbnail.jpg", Settings(tmp_path)))
    assert found.code is None and found.picture and found.sound, found
    reader = Reader()
    try:
        (window,) = reader.open_streams(path, "audio").windows()
        burned = reader.burn(path, [], tmp_path / "burned", lambda second: None)
    finally:
        reader.close()
    assert abs(window.samples).max() > 0.01 and burned.stat().st_size > 500


def test_every_decoder_named_is_one():
    for name in sorted(VIDEO_CODECS | AUDIO_CODECS | _DECODERS):
        av.codec.Codec(name, "r")


def test_other_decoders_are_not_opened_even_to_look(tmp_path):
    path = make_video(tmp_path / "a.mkv", seconds=0.5, size=(160, 128), video_codec="ffv1", audio_codec="libopus", audio_rate=48000)
    program = f"""
import av
from avsr.app.codecs import allow_usual_codecs
from avsr.errors import MediaError
from avsr.media.container import open_container, video_stream
from avsr.media.audio import read_audio
from avsr.media.video import VideoReader
file = {str(path)!r}
with open_container(file) as container:
    assert video_stream(container).codec_context.pix_fmt == "yuv420p"
assert list(VideoReader(file))
allow_usual_codecs()
with open_container(file) as container:
    assert video_stream(container).codec_context.pix_fmt is None
try:
    list(VideoReader(file))
except (MediaError, av.FFmpegError):
    print("refused", len(read_audio(file)[0]))
"""
    told = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert told.startswith("refused") and int(told.split()[1]) > 4000
