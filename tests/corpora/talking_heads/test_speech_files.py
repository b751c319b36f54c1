"""Made speech on disk: times come back exactly, sound comes back in its place, damage is a sentence."""

from __future__ import annotations

import json

import numpy as np
import pytest

from avsr.corpora.talking_heads import make_quickstart
from avsr.corpora.talking_heads.quickstart import INDEX, load_quickstart
from avsr.corpora.talking_heads.speech_files import decode_opus, encode_opus, load_speech, save_speech
from avsr.corpora.talking_heads.timing import PhoneTime
from avsr.corpora.talking_heads.voice import RATE, Speech
from avsr.errors import AvsrError, MediaError
from avsr.text.pronunciation import Phoneme


def speech(seconds: float = 1.2, tone: float = 300.0) -> Speech:
    time = np.arange(round(seconds * RATE)) / RATE
    sounding = (time > 0.4) & (time < 0.8)
    samples = (0.3 * sounding * np.sin(2 * np.pi * tone * time)).astype(np.float32)
    phones = [PhoneTime(0.0, 0.4, None), PhoneTime(0.4, 0.8, Phoneme("vowel", "ㅏ", 0)), PhoneTime(0.8, seconds, None)]
    return Speech(samples, phones, [(0.4, 0.8, "아")])


def test_saved_speech_comes_back(tmp_path):
    said = speech()
    save_speech(said, tmp_path / "a" / "x.opus")
    back = load_speech(tmp_path / "a" / "x.opus")
    assert back.phones == said.phones and back.words == said.words and back.duration == said.duration
    assert np.corrcoef(back.samples, said.samples)[0, 1] > 0.95
    loud = np.flatnonzero(np.abs(back.samples) > 0.1) / RATE
    assert abs(loud[0] - 0.4) < 0.006 and abs(loud[-1] - 0.8) < 0.006  # the codec's delay is taken off
    assert len((tmp_path / "a" / "x.opus").read_bytes()) < 24000 / 8 * said.duration * 1.5 + 1000


def test_the_same_samples_are_the_same_bytes():
    assert encode_opus(speech().samples) == encode_opus(speech().samples)


@pytest.mark.parametrize("length", [1, 319, 320, 321, 16000])
def test_any_length_comes_back_whole(length):
    assert len(decode_opus(encode_opus(np.full(length, 0.1, np.float32)), length, "x")) == length


def test_damage_is_a_sentence(tmp_path):
    path = tmp_path / "x.opus"
    with pytest.raises(MediaError, match="make it again"):
        load_speech(path)
    save_speech(speech(), path)
    times = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps(times | {"samples": 99999}))
    with pytest.raises(MediaError, match="99999 belong"):
        load_speech(path)
    path.with_suffix(".json").write_text(json.dumps(times | {"phones": [["x"]]}))
    with pytest.raises(MediaError, match="broken"):
        load_speech(path)
    path.with_suffix(".json").write_text(json.dumps(times))
    path.write_bytes(b"OggS no")
    with pytest.raises(MediaError, match="not an Ogg Opus file"):
        load_speech(path)


class Humming:
    """A voice that needs no model: the tone is the speaker's, the words share the time."""

    said = 0

    @classmethod
    def load(cls) -> Humming:
        return cls()

    def say(self, text, speaker, rng) -> Speech:
        Humming.said += 1
        made = speech(tone=100 * int(speaker.name[1:]))
        return Speech(made.samples, made.phones, [(0.4, 0.8, text.split(", ")[0])])


def test_the_quick_start_is_packed_goes_on_where_it_stopped_and_reads_back(tmp_path, monkeypatch):
    monkeypatch.setattr(make_quickstart, "Voice", Humming)
    command = ["--out", str(tmp_path / "a"), "--seed", "3", "--speakers", "3", "--sentences", "2"]
    assert make_quickstart.main(command) == 0 and Humming.said == 6
    shipped = list(load_quickstart(tmp_path / "a"))
    assert [s.name for s in shipped] == [f"v{v:02d}-{n:03d}" for v in (1, 2, 3) for n in (1, 2)]
    assert len({s.text for s in shipped}) == 6 and shipped[2].load().words[0][2] == shipped[2].text.split()[0]
    spectra = [int(np.argmax(np.abs(np.fft.rfft(s.load().samples))) * RATE / len(s.load().samples)) for s in shipped]
    assert spectra == pytest.approx([100, 100, 200, 200, 300, 300], abs=5)
    before = (tmp_path / "a" / INDEX).read_bytes()
    (tmp_path / "a" / ".parts" / "v02-001.json").unlink()  # a kill before it was written
    assert make_quickstart.main(command) == 0 and Humming.said == 7
    assert (tmp_path / "a" / INDEX).read_bytes() == before
    assert make_quickstart.main([*command[:-1], "3"]) == 1  # another order in the same folder


def test_a_broken_index_is_a_sentence(tmp_path):
    (tmp_path / INDEX).write_text("{}")
    with pytest.raises(AvsrError, match="install the project anew"):
        list(load_quickstart(tmp_path))
