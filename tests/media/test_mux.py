"""Captions as a track beside picture and sound, which are copied."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.errors import MediaError
from avsr.media.captions import Cue
from avsr.media.mux import _one_at_a_time, mux_captions
from tests.media_maker import make_video

CUES = [Cue(0.2, 0.9, "안녕하세요 {저는}\n둘째 줄"), Cue(0.7, 1.4, "\\겹침")]


def packets(path: Path, kind: str) -> list[bytes]:
    with av.open(str(path)) as file:
        return [bytes(packet) for packet in file.demux(next(stream for stream in file.streams if stream.type == kind)) if packet.size]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_what_is_there_is_copied_and_captions_come_beside_it(tmp_path, suffix):
    video = make_video(tmp_path / f"talk{suffix}", seconds=2.0)
    path = mux_captions(video, CUES, tmp_path / "out" / "soft")
    assert path == tmp_path / "out" / "soft.mp4"
    for kind in ("video", "audio"):
        assert packets(path, kind) == packets(video, kind)
    with av.open(str(path)) as file:
        (track,) = file.streams.subtitles
        shown = [(float(packet.pts * packet.time_base), bytes(packet)[2:].decode()) for packet in file.demux(track) if packet.size > 2]
    assert track.language == "kor"
    texts = [(round(start, 2), text.rstrip("\0")) for start, text in shown]
    assert (0.2, "안녕하세요 ｛저는｝\n둘째 줄") in texts and any("겹침" in text and "둘째 줄" in text for _, text in texts)


def test_sound_that_mp4_does_not_hold_goes_into_matroska(tmp_path):
    video = make_video(tmp_path / "talk.mkv", seconds=1.0, audio_codec="pcm_s16le")
    path = mux_captions(video, CUES, tmp_path / "soft")
    assert path.suffix == ".mkv" and packets(path, "audio") == packets(video, "audio")


def test_a_folder_that_cannot_be_made_is_a_sentence_and_nothing_is_left(tmp_path):
    video = make_video(tmp_path / "talk.mp4", seconds=1.0)
    (tmp_path / "file").touch()
    with pytest.raises(MediaError, match="check the folder"):
        mux_captions(video, CUES, tmp_path / "file" / "soft")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "talk.mp4"]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 3000)), max_size=12))
def test_a_track_holds_one_caption_at_a_time_and_loses_none(spans):
    cues = [Cue(start / 1000, (start + length) / 1000, f"{n}") for n, (start, length) in enumerate(sorted(spans))]
    found = _one_at_a_time(cues)
    assert all(first[1] <= second[0] for first, second in zip(found, found[1:]))
    for cue in cues:
        shown = sum(end - start for start, end, text in found if cue.text in text.split("\n"))
        assert shown == pytest.approx(cue.end - cue.start, abs=1e-6)
