"""A run that was killed goes on where it was; what is finished is not done again."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest

from avsr.decoding import streams, transcribe
from avsr.decoding.checkpoint import Checkpoint, identity_of
from avsr.decoding.recognizer import Recognizer
from avsr.decoding.result import Alternative, Result, Segment, result_from, segment_from
from avsr.errors import AvsrError
from avsr.media.captions import Word
from avsr.media.probe import Span
from tests.decoding.conftest import speech
from tests.media_maker import make_video

SEGMENT = Segment(1.0, 2.5, "하나 둘", [Word(1.1, 1.5, "하나", 0.9), Word(1.6, 2.2, "둘")], "av", 0.4, [Alternative("하나 둘", -3.5)], "lips")


def sentences(times: np.ndarray) -> np.ndarray:
    """Three seconds of speech, two of near silence, and so on."""
    hiss = 0.0005 * np.random.default_rng(3).standard_normal(len(times)).astype(np.float32)
    return speech(times) * (times % 5 < 3.0).astype(np.float32) + hiss


@pytest.fixture(scope="module")
def long_video(tmp_path_factory):
    return make_video(tmp_path_factory.mktemp("long") / "긴 영상.mp4", seconds=22, sound=sentences, size=(160, 120))


@pytest.fixture(autouse=True)
def small_windows(monkeypatch):
    monkeypatch.setattr(streams, "WINDOW", 4.0)
    monkeypatch.setattr("avsr.decoding.segment.cut.__defaults__", (100,))


class Killed(BaseException):
    """As a kill: nothing catches it."""


@pytest.mark.parametrize("killed_at", [1, 2, 3, 4])
def test_a_killed_run_goes_on(recognizer, face, long_video, tmp_path, monkeypatch, killed_at):
    whole = recognizer.transcribe(long_video)
    assert len(whole.segments) == 5
    real, begun = Recognizer.recognise_piece, []

    def dying(self, window, piece, mode):
        begun.append(round(window.start + piece.first / 25, 2))
        if len(begun) == killed_at + 1:
            raise Killed
        return real(self, window, piece, mode)

    monkeypatch.setattr(Recognizer, "recognise_piece", dying)
    path = tmp_path / ".a.avsr-part"
    with pytest.raises(Killed):
        recognizer.transcribe(long_video, checkpoint=Checkpoint(path, "x"))
    with open(path, "ab") as file:
        file.write(b'{"segment": {"start": 3')  # cut off in the middle
    first, begun[:] = list(begun), []
    monkeypatch.setattr(Recognizer, "recognise_piece", lambda self, window, piece, mode: (
        begun.append(round(window.start + piece.first / 25, 2)), real(self, window, piece, mode))[1])
    again = Checkpoint(path, "x")
    assert len(again.segments) == killed_at
    result = recognizer.transcribe(long_video, checkpoint=again)
    assert len(begun) == 5 - killed_at and begun[0] == first[-1], "nothing is recognised twice, and nothing is left out"
    assert asdict(result) == asdict(whole)


@pytest.mark.parametrize("faces", [1, 2])
def test_nothing_is_doubled_by_kills_at_any_time(recognizer, face, long_video, tmp_path, monkeypatch, faces):
    """Found in review: of several people, pieces beyond what is done of all were kept, and recognised again."""
    monkeypatch.setattr("avsr.decoding.pieces.LONGEST", 60)
    monkeypatch.setattr("avsr.decoding.pieces._MAY_JOIN", 66)
    monkeypatch.setattr("avsr.decoding.checkpoint._WAITS", 8.0)  # for pieces as short as these
    monkeypatch.setattr("avsr.decoding.checkpoint._CONTEXT", 3.0)
    whole = recognizer.transcribe(long_video, faces=faces)
    real, left = Recognizer.recognise_piece, [0]

    def dying(self, window, piece, mode):
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return real(self, window, piece, mode)

    monkeypatch.setattr(Recognizer, "recognise_piece", dying)
    for turn in range(20):
        left[0] = 3
        checkpoint = Checkpoint(tmp_path / ".a.avsr-part", "x")
        try:
            result = recognizer.transcribe(long_video, checkpoint=checkpoint, faces=faces)
            break
        except Killed:
            checkpoint.close()
    assert 0 < turn < 19 and [(one.text, one.speaker) for one in result.segments] == [(one.text, one.speaker) for one in whole.segments]
    assert [one.start for one in result.segments] == pytest.approx([one.start for one in whole.segments], abs=0.05)


def test_a_checkpoint_is_for_the_same_alone(tmp_path):
    path = tmp_path / ".a.avsr-part"
    checkpoint = Checkpoint(path, "x")
    checkpoint.begin_window(0.0, {})
    checkpoint.begin_window(60.0, {"mode": "av"})
    checkpoint.add(SEGMENT, 61.0)
    checkpoint.close()
    same = Checkpoint(path, "x")
    assert (same.segments, same.done, same.resume) == ([SEGMENT], 61.0, (0.0, {}))
    same.add(None, 84.0)
    assert same.resume == (60.0, {"mode": "av"})
    same.close()
    other = Checkpoint(path, "y")
    assert (other.segments, other.done, other.resume) == ([], 0.0, None)
    other.remove()
    assert not list(tmp_path.iterdir())
    with pytest.raises(AvsrError, match="cannot be written"):
        Checkpoint(tmp_path / "nowhere" / "a", "x")


def test_what_a_result_depends_on(tmp_path):
    video, model = tmp_path / "a.mp4", tmp_path / "m.zip"
    video.write_bytes(b"123"), model.write_bytes(b"m")
    first = identity_of(video, {"model": model, "mode": "av"})
    assert identity_of(video.rename(tmp_path / "b.mp4"), {"mode": "av", "model": model}) == first, "a moved video is the same"
    assert identity_of(tmp_path / "b.mp4", {"model": model, "mode": "lip"}) != first
    model.write_bytes(b"n")
    assert identity_of(tmp_path / "b.mp4", {"model": model, "mode": "av"}) != first


def test_results_are_read_back(tmp_path):
    result = Result(tmp_path / "a", 3.0, "av", "", [SEGMENT], {"sound": [Span(0.0, 1.0)], "picture": [], "lips": []}, "mini")
    assert result_from(json.loads(json.dumps(result.as_dict(), default=str))) == result
    assert segment_from(json.loads(json.dumps(asdict(SEGMENT)))) == SEGMENT


def test_what_is_finished_is_not_done_again(packed, face, long_video, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    assert transcribe.transcribe_files([long_video], model=packed, mode="auto", out=out) == 0
    captions = (out / "긴 영상.srt").read_bytes()
    assert sorted(path.suffix for path in out.iterdir()) == [".json", ".srt", ".txt", ".vtt"], "no checkpoint is left"
    capsys.readouterr()
    monkeypatch.setattr(transcribe, "load_recognizer", lambda *_, **__: pytest.fail("the model is not needed"))
    (out / "긴 영상.srt").unlink()
    assert transcribe.transcribe_files([long_video], model=packed, mode="auto", out=out, formats=["srt", "ass"]) == 0
    assert "recognised before" in capsys.readouterr().err
    assert (out / "긴 영상.srt").read_bytes() == captions and (out / "긴 영상.ass").exists()


def test_a_captioned_video_is_not_made_again_nor_captioned(packed, face, long_video, tmp_path, monkeypatch, capsys):
    pytest.importorskip("pylopdf_fonts_ko", reason="the captions' font is not installed: run tools/install.sh")
    video = tmp_path / "a.mp4"
    video.write_bytes(long_video.read_bytes())
    assert transcribe.transcribe_files([video], model=packed, mode="audio", out=None, burn=True) == 0
    captioned = tmp_path / "a.captioned.mp4"
    made = captioned.stat().st_mtime_ns
    both = sorted(tmp_path.glob("*.mp4"))
    assert both == [captioned, video]
    assert transcribe.transcribe_files(both, model=packed, mode="audio", out=None, burn=True) == 0
    assert captioned.stat().st_mtime_ns == made and not (tmp_path / "a.captioned.json").exists()
    assert transcribe.transcribe_files([video], model=packed, mode="audio", out=None, burn=True, profile="standard", names=["0=가"]) == 0
    with pytest.raises(AvsrError, match="were captioned by avsr already"):
        transcribe.transcribe_files([captioned], model=packed, mode="audio", out=None)
    sound = make_video(tmp_path / "b.mkv", seconds=1.0, video=False)
    with pytest.raises(AvsrError, match="holds no picture to draw captions into"):
        transcribe.transcribe_files([sound], model=packed, mode="audio", out=None, burn=True)


def test_other_settings_are_another_result(packed, face, long_video, tmp_path, monkeypatch):
    out = tmp_path / "out"
    transcribe.transcribe_files([long_video], model=packed, mode="audio", out=out)
    monkeypatch.setattr(transcribe, "load_recognizer", lambda *_, **__: (_ for _ in ()).throw(AvsrError("asked for")))
    with pytest.raises(AvsrError, match="asked for"):
        transcribe.transcribe_files([long_video], model=packed, mode="av", out=out)
    assert json.loads((out / "긴 영상.json").read_text("utf-8"))["mode"] == "audio", "the earlier result stands"
