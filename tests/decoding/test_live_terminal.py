"""`avsr live` from a file to the terminal and to the files that it leaves."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console
from rich.live import Live

from avsr.decoding.live import terminal
from avsr.decoding.live.messages import Dropped, Final, ModeSwitch, Partial
from avsr.errors import AvsrError
from avsr.media.captions import Word
from tests.decoding.conftest import speech
from tests.media_maker import make_video

FINAL = Final(4, 1, "오늘 날씨", (Word(61.2, 61.6, "오늘", 0.9), Word(61.6, 62.1, "날씨", 0.8)), 61.0, 62.4, None, "lip", "lips")


@pytest.fixture
def screen():
    console = Console(file=io.StringIO(), width=60, force_terminal=False)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield terminal.Screen(live)


def printed(screen) -> list[str]:
    return screen._live.console.file.getvalue().splitlines()


def test_partials_are_below_and_finals_stay(screen):
    screen.show(ModeSwitch(1, 60.1, "av", "started", 60.0))
    screen.show(Partial(2, 1, "오늘", "날이", 61.0, None, "av", "both"))
    text = screen.text()
    assert text.plain == "0:01:01 오늘 날이\nsound and lips"
    styles = {text.plain[span.start : span.end].strip(): span.style for span in text.spans}
    assert styles["오늘"] == "bold" and styles["날이"] == "dim"
    screen.show(ModeSwitch(3, 61.5, "lip", "microphone_silent", 61.2))
    screen.show(FINAL)
    screen.show(Dropped(5, 63.0, 0.0, 2.04))
    assert screen.text().plain == "lips alone"
    assert printed(screen) == [
        "0:01:00 sound and lips",
        "0:01:02 lips alone, because the microphone is silent",
        "0:01:01 [입술만] 오늘 날씨",
        "0:01:03 this machine cannot follow: 2.0 s of pictures dropped",
    ]


def test_captions_are_left_with_every_line(tmp_path):
    kept = terminal.Transcript(tmp_path / "camera", "tiny", "auto", tmp_path / "out" / "camera0")
    kept.take(FINAL)
    assert "오늘 날씨" in (tmp_path / "out" / "camera0.srt").read_text(encoding="utf-8")
    written = json.loads((tmp_path / "out" / "camera0.json").read_bytes())
    assert written["mode"] == "lip" and written["segments"][0]["words"][0]["text"] == "오늘"


def test_several_people_are_told_apart(screen, tmp_path):
    kept = terminal.Transcript(tmp_path / "camera", "tiny", "auto", tmp_path / "camera0")
    for number, speaker in enumerate((None, 2, 0, None)):
        final = replace(FINAL, segment=number, start=61.0 + 5 * number, end=62.4 + 5 * number, speaker=speaker, source="both",
                        words=tuple(replace(word, start=word.start + 5 * number, end=word.end + 5 * number) for word in FINAL.words))  # fmt: skip
        screen.show(final)
        kept.take(final)
    screen.show(Partial(9, 7, "오늘", "날이", 99.0, 2, "av", "both"))
    assert screen.text().plain.startswith("0:01:39 화자 2: 오늘 날이")
    assert printed(screen) == ["0:01:01 오늘 날씨", "0:01:06 화자 2: 오늘 날씨", "0:01:11 화면 밖: 오늘 날씨", "0:01:16 오늘 날씨"]
    text = (tmp_path / "camera0.txt").read_text(encoding="utf-8").split("\n")
    assert text[:4] == ["화자 1: 오늘 날씨", "화자 2: 오늘 날씨", "화면 밖: 오늘 날씨", "오늘 날씨"], "who was alone is the first"
    assert "(화자 1)" in (tmp_path / "camera0.srt").read_text(encoding="utf-8")
    assert "<v 화자 2>" in (tmp_path / "camera0.vtt").read_text(encoding="utf-8")
    assert [one["speaker"] for one in json.loads((tmp_path / "camera0.json").read_bytes())["segments"]] == [1, 2, 0, None]


def test_a_file_is_captioned_as_it_is_played(tmp_path, packed, capsys):
    clip = make_video(tmp_path / "clip.mp4", seconds=2.5, video=False, sound=speech, audio_rate=16000)
    code = terminal.caption_live(str(clip), model=packed, ear="native", mode="audio", out=tmp_path / "out")
    assert code == 0
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".srt", ".vtt", ".txt", ".json"}
    text = next((tmp_path / "out").glob("*.txt")).read_text(encoding="utf-8").strip()
    assert text and text.splitlines()[0] in capsys.readouterr().out


def test_ctrl_c_ends_it_with_what_was_said(tmp_path, packed, capsys, monkeypatch):
    clip = make_video(tmp_path / "clip.mp4", seconds=8, video=False, sound=speech, audio_rate=16000)
    calls = []

    def interrupted(seconds: float) -> None:
        calls.append(seconds)
        sleep(seconds)
        if len(calls) == 40:
            raise KeyboardInterrupt

    sleep = terminal.time.sleep
    monkeypatch.setattr(terminal.time, "sleep", interrupted)
    assert terminal.caption_live(str(clip), model=packed, ear="native", mode="audio", out=tmp_path / "out") == 0
    assert next((tmp_path / "out").glob("*.txt")).read_text(encoding="utf-8").strip()


def test_what_cannot_be_used_is_one_sentence(tmp_path, packed):
    with pytest.raises(AvsrError, match="no such file"):
        terminal.caption_live(str(tmp_path / "nothing.mp4"), model=packed, ear="native", mode="auto", out=None)
