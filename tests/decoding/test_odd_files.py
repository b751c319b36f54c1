"""Broken and odd files: each ends with valid files that say from what they were recognised, or with one sentence."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pysubs2
import pytest

from avsr.decoding.transcribe import transcribe_files
from avsr.errors import AvsrError
from avsr.media.audio import write_audio
from tests.decoding.conftest import speech
from tests.media_maker import make_video

SIZE = (160, 120)
BRIGHT, DARK = np.full((120, 160, 3), 90, np.uint8), np.zeros((120, 160, 3), np.uint8)


def video(name: str, **options) -> Callable[[Path], Path]:
    """Two seconds of somebody who speaks, but for the options."""
    return lambda folder: make_video(folder / name, **{"seconds": 2.0, "size": SIZE, "sound": speech} | options)


def sound(name: str, count: int = 32000) -> Callable[[Path], Path]:
    def made(folder: Path) -> Path:
        write_audio(folder / "a.flac", speech(np.arange(count) / 16000))
        return shutil.move(folder / "a.flac", folder / name)

    return made


def changed(source: Callable[[Path], Path], name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], Path]:
    def made(folder: Path) -> Path:
        path = folder / name
        data = change(source(folder).read_bytes())
        for other in folder.iterdir():
            other.unlink()
        path.write_bytes(data)
        return path

    return made


def written(name: str, data: bytes) -> Callable[[Path], Path]:
    def made(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return made


FAST = {"container_options": {"movflags": "faststart"}}
VARYING = np.cumsum([0.0, *np.tile([0.02, 0.05, 0.09, 0.03], 10)])
# name: (the file, the mode that it is recognised in)
GOOD = {
    "both": (video("a.mp4"), "av"),
    "no sound": (video("a.mp4", audio=False), "lip"),
    "silent sound": (video("a.mp4", sound=lambda times: np.zeros(len(times), np.float32)), "lip"),
    "no picture": (video("a.mkv", video=False), "audio"),
    "no face": (video("a.mp4", picture=lambda time: DARK), "audio"),
    "a face that leaves": (video("a.mp4", picture=lambda time: BRIGHT if time < 1 else DARK), "av"),
    "a face that comes late": (video("a.mp4", picture=lambda time: BRIGHT if time > 1 else DARK), "av"),
    "varying rate": (video("a.mkv", timestamps=VARYING), "av"),
    "5 pictures a second": (video("a.mp4", fps=5.0), "av"),
    "60 pictures a second": (video("a.mp4", fps=60.0), "av"),
    "29.97 pictures a second": (video("a.mp4", fps=30000 / 1001), "av"),
    "turned by 90": (video("a.mp4", rotation=90), "av"),
    "turned by 180": (video("a.mov", rotation=180), "av"),
    "mirrored": (video("a.mp4", flip=True), "av"),
    "portrait": (video("a.mp4", size=(120, 160)), "av"),
    "odd size": (video("a.mkv", size=(161, 121), video_codec="ffv1"), "av"),
    "webm": (video("a.webm", audio_rate=48000), "av"),
    "avi": (video("a.avi", video_codec="mjpeg", audio_codec="pcm_s16le"), "av"),
    "mpeg-ts": (video("a.ts"), "av"),
    "8 kHz": (video("a.mkv", audio_rate=8000, audio_codec="pcm_s16le"), "av"),
    "stereo": (video("a.mp4", channels=2, audio_rate=48000), "av"),
    "sound that starts late": (video("a.mp4", audio_start=0.7), "av"),
    "picture that starts late": (video("a.mkv", video_start=0.7), "av"),
    "one picture": (video("a.mp4", seconds=0.04), "av"),
    "truncated": (changed(video("a.mp4", seconds=4.0, **FAST), "b.mp4", lambda data: data[: len(data) * 2 // 3]), "av"),
    "truncated stream": (changed(video("a.ts", seconds=4.0), "b.ts", lambda data: data[: len(data) // 2 + 77]), "av"),
    "rubbish in the middle": (changed(video("a.ts", seconds=4.0), "b.ts", lambda data: data[:9000] + b"\x99" * 3000 + data[12000:]), "av"),
    "wrong extension": (changed(video("a.mkv"), "b.mp4", bytes), "av"),
    "no extension": (changed(video("a.mp4"), "영상", bytes), "av"),
    "Korean name": (video("회의 녹화 (1차) – 최종.mp4"), "av"),
    "quotes and a dash": (video("-it's \"50%\" [a].mp4"), "av"),
    "sound alone": (sound("a.flac"), "audio"),
    "sound of a moment": (sound("a.flac", 400), "audio"),
}
BAD = {
    "empty": (written("a.mp4", b""), "empty|not a"),
    "text": (written("a.mp4", "이것은 영상이 아닙니다".encode() * 50), "not a|cannot be read"),
    "picture": (written("a.png", b"\x89PNG\r\n\x1a\n" + bytes(200)), "not a|cannot"),
    "truncated before its index": (changed(video("a.mp4"), "b.mp4", lambda data: data[: len(data) // 2]), "cut short|index|not a|moov"),
    "nothing there": (lambda folder: folder / "there is none.mp4", "no such file"),
    "folder": (lambda folder: folder, "is a folder"),
    "playlist": (written("a.mp4", b"#EXTM3U\n#EXTINF:10,\n/etc/passwd\n"), "not a|playlist|cannot"),
}


@pytest.mark.parametrize("name", GOOD)
def test_odd_files_give_valid_files_and_the_mode_that_they_allow(packed, face, tmp_path, name):
    make, mode = GOOD[name]
    (tmp_path / "in").mkdir()
    path, out = make(tmp_path / "in"), tmp_path / "out"
    assert transcribe_files([path], model=packed, mode="auto", out=out, faces=4, formats=["srt", "vtt", "ass", "txt"]) == 0
    found = {file.suffix: file for file in out.iterdir()}
    assert set(found) == {".srt", ".vtt", ".ass", ".txt", ".json"}
    result = json.loads(found[".json"].read_text("utf-8"))
    assert result["mode"] == mode, result["reason"]
    said = [word for segment in result["segments"] for word in segment["words"]]
    for kind in (".srt", ".vtt", ".ass"):
        cues = pysubs2.load(str(found[kind]), encoding="utf-8") if said else []
        spaces = re.compile(r"\s|\\N")
        assert spaces.sub("", "".join(cue.text for cue in cues)) == "".join(word["text"] for word in said)
        assert all(cue.start < cue.end <= 1000 * result["duration"] + 1000 for cue in cues)
    assert all(0 <= word["start"] < word["end"] <= result["duration"] + 0.05 for word in said)


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_used_is_one_sentence_and_leaves_nothing(packed, tmp_path, name):
    make, words = BAD[name]
    (tmp_path / "in").mkdir()
    path, out = make(tmp_path / "in"), tmp_path / "out"
    with pytest.raises(AvsrError, match=words) as error:
        transcribe_files([path], model=packed, mode="auto", out=out)
    sentence = str(error.value)
    assert "\n" not in sentence and str(path) in sentence and sentence.endswith(".")
    assert not out.exists() or not list(out.iterdir())
