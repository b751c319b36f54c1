"""probe tells what a file holds, and refuses what is no media or would do harm, in one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from avsr.errors import MediaError
from avsr.media.audio import read_audio
from avsr.media.probe import probe
from avsr.media.video import VideoReader
from tests.media_maker import cut, make_video


def test_what_a_file_holds(tmp_path):
    info = probe(make_video(tmp_path / "a.mp4", seconds=1.0, fps=30, size=(160, 120), channels=2, audio_rate=48000))
    assert info.duration == pytest.approx(1.0, abs=0.05) and info.path == tmp_path / "a.mp4"
    assert (info.video.codec, info.video.width, info.video.height, info.video.fps) == ("h264", 160, 120, 30.0)
    assert (info.audio.codec, info.audio.rate, info.audio.channels) == ("aac", 48000, 2)
    assert probe(make_video(tmp_path / "b.mp4", seconds=0.4, size=(160, 120), audio=False)).audio is None
    assert probe(make_video(tmp_path / "c.wav", seconds=0.4, video=False)).video is None


def refused(path, match):
    for read in (probe, VideoReader, read_audio):
        with pytest.raises(MediaError, match=match) as error:
            read(path)
        assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_what_is_no_media(tmp_path):
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("hello " * 200)
    (tmp_path / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(50_000))
    refused(tmp_path / "empty.mp4", "is empty")
    refused(tmp_path / "text.mp4", "cannot be read as media")
    refused(tmp_path / "noise.mp4", "cannot be read as media")
    refused(tmp_path, "is a folder")
    refused(tmp_path / "absent.mp4", "no such file")
    refused(tmp_path / "empty.mp4" / "inside.mp4", "no such file")
    refused(tmp_path / ("x" * 300), "cannot be read .*name too long")
    refused(cut(make_video(tmp_path / "a.mp4", seconds=0.5, size=(160, 120)), 0.7), "without its index")


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    path = make_video(tmp_path / "a.mp4", seconds=0.2, size=(160, 120))

    def forbidden(self, *_):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", forbidden)  # root, as tests in a container run, may read what nobody may
    refused(path, "cannot be read .*Permission denied.*permissions")


def test_playlists_read_no_other_file(tmp_path):
    secret = make_video(tmp_path / "secret.ts", seconds=0.5, size=(160, 120))
    playlists = {
        "hls.mp4": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{secret}\n#EXT-X-ENDLIST\n",
        "concat.mp4": f"ffconcat version 1.0\nfile '{secret}'\n",
        "dash.mp4": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period/></MPD>',
    }
    for name, text in playlists.items():
        (tmp_path / name).write_text(text)
        refused(tmp_path / name, "cannot be read as media")
    refused(f"concat:{secret}", "no such file")


def test_huge_pictures_are_refused_before_they_are_decoded(tmp_path):
    import av

    for suffix in ("mp4", "mkv", "ts"):
        path = tmp_path / f"huge.{suffix}"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast", "tune": "zerolatency"})
            stream.width = stream.height = 4112
            stream.pix_fmt = "yuv420p"
            frame = av.VideoFrame(4112, 4112, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            container.mux([*stream.encode(frame), *stream.encode(None)])
        with pytest.raises(MediaError, match="4112x4112 is over the limit"):
            probe(path)
