"""Files in, captions out: every mode, every lack, several files, names, and long recordings."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pysubs2
import pytest

from avsr.decoding import streams
from avsr.decoding.transcribe import transcribe_files
from avsr.errors import AvsrError, MediaError, NoFaceError
from tests.decoding.conftest import speech
from tests.media_maker import cut, jump_clock, make_video, spoil


def other_speech(times: np.ndarray) -> np.ndarray:
    return speech(times * 1.7 + 1)


def black(time: float) -> np.ndarray:
    return np.zeros((240, 320, 3), np.uint8)


@pytest.mark.parametrize("mode", ["av", "audio", "lip", "auto"])
def test_files_of_every_mode_are_valid(packed, video, face, tmp_path, mode, capfd):
    assert transcribe_files([video], model=packed, mode=mode, out=tmp_path / "new" / "out") == 0
    out = tmp_path / "new" / "out"
    assert sorted(path.name for path in out.iterdir()) == ["a clip.json", "a clip.srt", "a clip.txt", "a clip.vtt"]
    data = json.loads((out / "a clip.json").read_text(encoding="utf-8"))
    assert data["mode"] == ("av" if mode == "auto" else mode)
    assert data["text"] and data["nbest"][0] == data["text"]
    assert (out / "a clip.txt").read_text(encoding="utf-8").split() == data["text"].split()
    assert (out / "a clip.vtt").read_text(encoding="utf-8").startswith("WEBVTT\n")
    for name in ("a clip.srt", "a clip.vtt"):
        cues = pysubs2.load(str(out / name))
        assert "".join("".join(cue.plaintext.split()) for cue in cues) == "".join(data["text"].split())
        assert all(0 <= cue.start < cue.end for cue in cues)
    for segment in data["segments"]:
        assert 0 <= segment["start"] < segment["end"] <= data["duration"] + 0.05
        assert " ".join(word["text"] for word in segment["words"]) == segment["text"]
        for word in segment["words"]:
            assert segment["start"] <= word["start"] < word["end"] <= segment["end"] + 1e-6
            assert word["confidence"] is None or 0 <= word["confidence"] <= 1
    said = capfd.readouterr()
    assert said.out == ""
    words = {"av": "sound and lips", "audio": "sound alone", "lip": "lips alone", "auto": "because it holds both"}
    assert words[mode] in said.err and "Flash" not in said.err


def test_the_lips_do_not_hear_and_the_sound_does_not_see(recognizer, face, tmp_path):
    made = {}
    for name, sound, picture in (("a", speech, None), ("b", other_speech, None), ("c", speech, black)):
        made[name] = make_video(tmp_path / f"{name}.mp4", sound=sound, picture=picture)
    lips = [recognizer.transcribe(made[name], "lip") for name in "ab"]
    sounds = [recognizer.transcribe(made[name], "audio") for name in "abc"]
    assert lips[0].segments == lips[1].segments
    assert sounds[0].segments == sounds[2].segments != sounds[1].segments
    assert {segment.audio_weight for result in lips for segment in result.segments} == {0.0}
    assert {segment.audio_weight for result in sounds for segment in result.segments} == {1.0}


def test_auto_takes_what_there_is_and_says_why(recognizer, face, tmp_path):
    def used(name: str, **options) -> tuple[str, str]:
        result = recognizer.transcribe(make_video(tmp_path / name, **{"sound": speech, **options}))
        return result.mode, result.reason

    assert used("both.mp4") == ("av", "it holds both sound and a face")
    assert used("mute.mp4", audio=False) == ("lip", "it holds no sound")
    assert used("silent.mp4", sound=lambda times: np.zeros(len(times), np.float32)) == ("lip", "its sound is silent")
    assert used("sound.wav", video=False) == ("audio", "it holds no picture")
    assert used("dark.mp4", picture=black) == ("audio", "no face was found in it")
    (unseen,) = recognizer.transcribe(tmp_path / "dark.mp4").damaged["lips"]
    assert unseen.start == 0 and unseen.end > 1


@pytest.mark.parametrize(("stream", "mode", "other"), [("lips", "lip", "audio"), ("sound", "audio", "lip")])
def test_a_model_of_one_stream_never_uses_the_other(run, video, face, tmp_path, stream, mode, other):
    """Its other encoder has learnt nothing: fused with it, what was read would be spoilt."""
    from avsr.decoding.packed import pack
    from avsr.decoding.recognizer import Recognizer

    pack(*run, tmp_path / "one.zip", {"streams": [stream]})
    model = Recognizer.load(tmp_path / "one.zip")
    found = model.transcribe(video)
    assert (found.mode, found.reason) == (mode, f"the model was trained on {stream} alone")
    assert found.segments == model.transcribe(video, mode).segments and found.text
    for refused in (other, "av"):
        with pytest.raises(AvsrError, match=f"one.zip: was trained on {stream} alone; use mode {mode}"):
            model.transcribe(video, refused)


def test_what_cannot_be_is_one_sentence(recognizer, face, tmp_path):
    def refused(name: str, mode: str, error=MediaError, **options) -> str:
        with pytest.raises(error) as caught:
            recognizer.transcribe(make_video(tmp_path / name, **{"sound": speech, **options}), mode)
        assert name in str(caught.value) and "\n" not in str(caught.value)
        return str(caught.value)

    assert "--mode audio" in refused("sound.wav", "lip", video=False)
    assert "--mode audio" in refused("sound.wav", "av", video=False)
    assert "--mode lip" in refused("mute.mp4", "audio", audio=False)
    assert "--mode lip" in refused("mute.mp4", "av", audio=False)
    assert "no face" in refused("dark.mp4", "lip", NoFaceError, picture=black)
    assert "no face" in refused("dark.mp4", "av", NoFaceError, picture=black)
    assert "no face" in refused("nothing.mp4", "auto", NoFaceError, picture=black, audio=False)
    silent = refused("dead.mp4", "auto", picture=black, sound=lambda times: np.zeros(len(times), np.float32))
    assert "silent" in silent
    with pytest.raises(AvsrError, match="eyes"):
        recognizer.transcribe(tmp_path / "mute.mp4", "eyes")
    (tmp_path / "notes.mp4").write_text("not media")
    with pytest.raises(MediaError, match="notes.mp4"):
        recognizer.transcribe(tmp_path / "notes.mp4")


def test_several_videos_go_on_after_a_failure(packed, video, face, tmp_path, capsys):
    notes, out = tmp_path / "notes.mp4", tmp_path / "out"
    notes.write_text("not media")
    twin = tmp_path / "a clip.mkv"
    shutil.copy(video, twin)
    assert transcribe_files([notes, video, twin, tmp_path / "absent.mp4"], model=packed, mode="audio", out=out) == 1
    assert (out / "a clip.mp4.srt").exists() and (out / "a clip.mkv.srt").exists()
    header, *rows = (out / "failed.tsv").read_text(encoding="utf-8").splitlines()
    assert header == "path\treason"
    assert [row.split("\t")[0] for row in rows] == [str(notes), str(tmp_path / "absent.mp4")]
    assert "2 of 4 videos failed" in capsys.readouterr().err
    assert transcribe_files([video, twin], model=packed, mode="audio", out=out) == 0
    assert not (out / "failed.tsv").exists()


def test_a_model_with_a_card_says_once_what_it_is(run, video, tmp_path, monkeypatch, capsys):
    from avsr.decoding.packed import pack
    from tests.decoding.conftest import DECODE

    monkeypatch.setenv("AVSR_CACHE", str(tmp_path / "cache"))
    model = tmp_path / "carded.zip"
    pack(*run, model, {"name": "carded", "decode": DECODE, "card": {"first_use": "This is a model [of straw]."}})
    told = []
    for _ in range(2):
        assert transcribe_files([video], model=model, mode="audio", out=tmp_path / "out") == 0
        told.append("This is a model [of straw].\n" in capsys.readouterr().err)
    assert told == [True, False]
    assert json.loads((tmp_path / "out" / "a clip.json").read_text(encoding="utf-8"))["model"] == "carded"


def test_a_model_that_nobody_named_is_told(packed, video, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("AVSR_MODEL", str(packed))
    for model, told in ((None, 1), (packed, 0)):
        assert transcribe_files([video], model=model, mode="audio", out=tmp_path / str(told)) == 0
        assert capsys.readouterr().err.count(f"Model: {packed}, as AVSR_MODEL names it;") == told


def test_a_single_failure_raises_and_leaves_nothing(packed, tmp_path):
    (tmp_path / "notes.mp4").write_text("not media")
    with pytest.raises(MediaError, match="notes.mp4"):
        transcribe_files([tmp_path / "notes.mp4"], model=packed, mode="auto", out=None)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.mp4"]


def test_beside_the_video_and_never_over_a_file_of_somebody_else(packed, video, tmp_path):
    mine = tmp_path / "clip.v2.mp4"
    shutil.copy(video, mine)
    assert transcribe_files([mine], model=packed, mode="audio", out=None) == 0
    assert (tmp_path / "clip.v2.srt").exists()
    assert transcribe_files([mine], model=packed, mode="audio", out=None) == 0  # its own it may write over
    (tmp_path / "clip.v2.json").write_text('{"label": 1}')
    with pytest.raises(AvsrError, match="was not written by avsr"):
        transcribe_files([mine], model=packed, mode="audio", out=None)
    assert (tmp_path / "clip.v2.json").read_text() == '{"label": 1}'
    (tmp_path / "file").write_text("")
    with pytest.raises(AvsrError, match="is not a folder"):
        transcribe_files([mine], model=packed, mode="audio", out=tmp_path / "file")


def test_windows_do_not_show(recognizer, face, tmp_path, monkeypatch):
    """A recording read 6 s at a time gives the pieces and the words that it gives read at once."""

    def sentences(times: np.ndarray) -> np.ndarray:
        said = (times % 5 < 3.2).astype(np.float32)
        return speech(times) * said + 0.0005 * np.random.default_rng(3).standard_normal(len(times)).astype(np.float32)

    path = make_video(tmp_path / "long.mp4", seconds=17, sound=sentences, size=(160, 120))
    monkeypatch.setattr("avsr.decoding.segment.cut.__defaults__", (100,))
    whole = recognizer.transcribe(path, "audio")
    monkeypatch.setattr(streams, "WINDOW", 6.0)
    told: list[float] = []
    parts = recognizer.transcribe(path, "audio", progress=told.append)
    assert told == sorted(told) and told[-1] == pytest.approx(17, abs=0.1)
    assert len(whole.segments) == len(parts.segments) == 4
    for one, other in zip(whole.segments, parts.segments):
        assert one.start == pytest.approx(other.start, abs=0.5) and one.end == pytest.approx(other.end, abs=0.5)
    both = recognizer.transcribe(path, "av")
    assert [segment.mode for segment in both.segments] == ["av"] * len(both.segments)
    assert both.words == sorted(both.words, key=lambda word: word.start)


def test_a_face_that_comes_late_and_a_sound_that_ends(recognizer, face, tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "WINDOW", 2.0)
    monkeypatch.setattr("avsr.decoding.segment.cut.__defaults__", (60,))
    bright = np.full((120, 160, 3), 90, np.uint8)
    path = make_video(
        tmp_path / "late.mp4",
        seconds=11,
        size=(160, 120),
        picture=lambda time: bright if time >= 4 else 0 * bright,
        sound=lambda times: speech(times) * (times < 5.5),
    )
    result = recognizer.transcribe(path)
    assert result.mode == "av"
    modes = [(segment.start, segment.mode) for segment in result.segments]
    assert modes[0][1] == "audio" and modes[-1][1] == "lip" and "av" in {mode for _, mode in modes}
    unseen = result.damaged["lips"]
    assert unseen[0].start == 0 and unseen[0].end == pytest.approx(4, abs=0.2)


def frames_of(path: Path, mode: str) -> tuple[list[int], streams.Streams]:
    opened = streams.open_streams(path, mode)
    return [window.length for window in opened.windows()], opened


@pytest.mark.parametrize("suffix", ["mkv", "webm"])
def test_without_a_length_in_its_header_a_file_is_read_in_windows_all_the_same(face, tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(streams, "WINDOW", 2.0)
    path = make_video(
        tmp_path / f"live.{suffix}", seconds=7, sound=speech, size=(160, 120), audio_rate=48000, container_options={"live": "1"}
    )
    for mode in ("av", "audio", "lip"):
        lengths, opened = frames_of(path, mode)
        assert opened.info.duration == 0  # as a browser's recording has it
        assert lengths[:3] == [50, 50, 50] and lengths[3] in (25, 26) and len(lengths) == 4
        assert opened.end == pytest.approx(7, abs=0.05) and not opened.sound_damaged and not opened.picture_damaged


def test_a_file_that_was_cut_short_ends_long_before_its_header_says(face, tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "WINDOW", 0.2)
    monkeypatch.setattr(streams, "_MAX_EMPTY", 5)
    path = make_video(
        tmp_path / "a.mp4", seconds=8, sound=speech, size=(160, 120), container_options={"movflags": "faststart"}
    )
    lengths, opened = frames_of(cut(path, 0.3), "av")
    assert 1 < opened.end < 5 and len(lengths) < 5 * opened.end + 8
    for spans in (opened.sound_damaged, opened.picture_damaged, opened.unseen):
        assert spans[-1].end == pytest.approx(8, abs=0.1) and spans[-1].start < opened.end + 0.1


def test_a_long_hole_in_the_sound_costs_nothing_but_itself(recognizer, face, tmp_path, monkeypatch):
    monkeypatch.setattr("avsr.media.audio._MAX_FILL", 100.0)  # an hour, in truth
    monkeypatch.setattr("avsr.decoding.segment.cut.__defaults__", (80,))
    path = make_video(tmp_path / "a.mkv", seconds=6, sound=speech, size=(160, 120), audio_rate=48000)
    result = recognizer.transcribe(jump_clock(path, tmp_path / "b.mkv", 3.0, 150.0))
    assert result.mode == "av"
    modes = [(segment.start, segment.mode) for segment in result.segments]
    assert modes[0][1] == "av" and modes[-1][1] == "audio" and modes[-1][0] > 150
    assert {mode for start, mode in modes if 4 < start < 60} == {"lip"}
    (lost,) = result.damaged["sound"]
    assert (lost.start, lost.end) == (pytest.approx(3, abs=0.1), pytest.approx(153, abs=0.1))
    assert result.as_dict()["damaged"]["sound"] == [{"start": lost.start, "end": lost.end}]


def test_damaged_spans_of_both_streams_are_in_the_files_and_said(packed, face, tmp_path, capsys):
    path = make_video(
        tmp_path / "a.mp4", seconds=4, sound=speech, size=(160, 120), container_options={"movflags": "faststart"}
    )
    spoiled = spoil(spoil(path, "audio", 1.6, 2.0), "video", 2.6, 2.7)
    assert transcribe_files([spoiled], model=packed, mode="auto", out=tmp_path / "out") == 0
    damaged = json.loads((tmp_path / "out" / f"{spoiled.stem}.json").read_text(encoding="utf-8"))["damaged"]
    (sound,), (picture,) = damaged["sound"], damaged["picture"]
    assert sound == {"start": pytest.approx(1.6, abs=0.05), "end": pytest.approx(2.0, abs=0.1)}
    assert picture == {"start": pytest.approx(2.6, abs=0.1), "end": pytest.approx(3.0, abs=0.05)}
    said = capsys.readouterr().err
    assert "0.4 s of its sound are damaged; 0.4 s of its picture are damaged" in said


def test_the_command_says_one_sentence(packed, tmp_path):
    (tmp_path / "notes.mp4").write_text("not media")
    done = subprocess.run(
        [sys.executable, "-m", "avsr.cli", "transcribe", str(tmp_path / "notes.mp4"), "--model", str(packed)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.strip().count("\n") == 0 and "notes.mp4" in done.stderr


def test_real_clips(shared_data, face_model, packed, tmp_path):
    clips = sorted((shared_data / "aihub_538").rglob("*.mp4"))[:1] + sorted((shared_data / "web_demo").glob("*.mp4"))
    assert transcribe_files(clips, model=packed, mode="auto", out=tmp_path) == 0
    for clip in clips:
        assert json.loads((tmp_path / f"{clip.stem}.json").read_text(encoding="utf-8"))["mode"] == "av"


def test_videos_that_show_only_a_mouth_are_read_without_a_face(packed, tmp_path, monkeypatch):
    from avsr.lips import extract, speaking

    def no_face(*_):
        raise AssertionError("no face is to be looked for")

    monkeypatch.setattr(extract, "FaceDetector", no_face)
    monkeypatch.setattr(speaking, "speaking_probability", lambda frames, confidence: (confidence > 0).astype(np.float32))
    rng = np.random.default_rng(3)
    noise = rng.integers(0, 255, (60, 12, 12, 1), dtype=np.uint8).repeat(10, 1).repeat(10, 2).repeat(3, 3)
    path = make_video(tmp_path / "mouth.mp4", seconds=2.0, size=(120, 120), picture=lambda time: noise[round(time * 25)], sound=speech)
    assert transcribe_files([path], model=packed, mode="lip", out=tmp_path / "out", mouth_only=True) == 0
    data = json.loads((tmp_path / "out" / "mouth.json").read_text(encoding="utf-8"))
    assert data["mode"] == "lip" and data["text"] and not data["damaged"]["lips"]


def test_formats_are_those_asked_for(packed, video, face, tmp_path):
    assert transcribe_files([video], model=packed, mode="lip", out=tmp_path, formats=["ass"], profile="standard") == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a clip.ass", "a clip.json"]
    assert pysubs2.load(str(tmp_path / "a clip.ass")).events
    for wrong, words in (({"formats": ["doc"]}, "format doc: it can be srt, vtt"), ({"formats": []}, "format none"), ({"profile": "x"}, "profile x")):
        with pytest.raises(AvsrError, match=words):
            transcribe_files([video], model=packed, mode="lip", out=tmp_path, **wrong)


def test_streams_are_marked_in_every_format_without_being_recognised_again(packed, video, face, tmp_path, capsys):
    for marked in (False, True):
        assert transcribe_files([video], model=packed, mode="lip", out=tmp_path, formats=["srt", "vtt", "ass", "txt"], mark_streams=marked) == 0
        for kind in ("srt", "vtt", "ass", "txt"):
            assert ("[입술만] " in (tmp_path / f"a clip.{kind}").read_text(encoding="utf-8")) == marked
    assert "recognised before" in capsys.readouterr().err
    data = json.loads((tmp_path / "a clip.json").read_text(encoding="utf-8"))
    assert {segment["source"] for segment in data["segments"]} == {"lips"} and "[" not in data["text"]
