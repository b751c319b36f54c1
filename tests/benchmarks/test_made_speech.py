"""Whisper's reading of the made speech: what is counted as an error, and a tiny run where a Python with Whisper is at hand."""

from __future__ import annotations

import importlib.util
import re
from importlib.metadata import PackageNotFoundError, distribution

import numpy as np
import pytest

from avsr.media.audio import write_audio
from benchmarks import made_speech, read_with_whisper
from benchmarks.made_speech import Sound, errors, real_sounds


@pytest.mark.parametrize(
    ("said", "heard", "count"),
    [
        ("일곱 시에 만나요", " 7시에 만나요.", 0),
        ("칠 번 버스", "7번 버스!", 0),
        ("만 이천 원", "12,000원", 0),
        ("빨간 꽃병", "빨간 곱병", 1),
        ("빨간 꽃병", "", 4),
    ],
)
def test_numbers_count_as_they_are_read(said, heard, count):
    assert errors(said, heard).errors == count


def test_real_speech_is_drawn_from_its_table(tmp_path):
    with pytest.raises(SystemExit, match="is not there"):
        real_sounds(tmp_path, 1, 1)
    lines = ["path\tspeaker\ttext", *(f"a/{n}.ogg\tann\t문장 {n}" for n in range(9))]
    (tmp_path / "transcripts.tsv").write_text("\n".join(lines), encoding="utf-8")
    drawn = real_sounds(tmp_path, 4, 1)
    assert len({sound.path for sound in drawn}) == 4 and drawn == real_sounds(tmp_path, 4, 1)
    (tmp_path / "transcripts.tsv").write_text("file\ttext\n")
    with pytest.raises(SystemExit, match="the columns are"):
        real_sounds(tmp_path, 1, 1)


def test_an_absent_whisper_is_a_sentence(tmp_path):
    if importlib.util.find_spec("faster_whisper") is not None:
        pytest.skip("this Python has faster-whisper")
    with pytest.raises(SystemExit, match="faster-whisper is absent .*: install faster-whisper and .* --python"):
        made_speech.read([Sound(tmp_path / "x.wav", "v01", "학생")], made_speech.sys.executable, None, tmp_path)


def test_whisper_reads(tmp_path, capsys):
    try:
        distribution("faster-whisper"), [distribution(wheel) for wheel in read_with_whisper.WHEELS]
    except PackageNotFoundError as error:
        pytest.skip(f"Whisper is not installed in this Python ({error}): {read_with_whisper.ADVICE}")
    sound = Sound(tmp_path / "x.wav", "v01", "학생")
    write_audio(sound.path, np.zeros(16000, np.float32))
    texts = made_speech.read([sound], made_speech.sys.executable, None, tmp_path)
    made_speech.report("made", [sound], texts, each=True)
    assert re.search(r"made: CER [\d.]+ \([\d.]+ to [\d.]+\), 1 utterances", capsys.readouterr().out)
