"""A folder of videos to mouth clips: in parallel, resumed, with its failures listed."""

import csv
import json
import os
import unicodedata
from pathlib import Path

import av
import numpy as np
import pytest

from avsr.errors import AvsrError, LabelError, MediaError
from avsr.lips.folder import Job, crop_data_dir, crop_folder, crop_one
from avsr.lips.mouth_clip import load_mouth_clip
from tests.media_maker import make_video, spoil


def write_mouth(path: Path, total: int = 20, *, sound: bool = False) -> Path:
    """A video that shows a mouth and nothing else, with a tone or without."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 100, 50, "yuv420p"
        audio = container.add_stream("aac", rate=16000, layout="mono") if sound else None
        for index in range(total):
            picture = np.full((50, 100, 3), 60 + 5 * index % 180, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode(None))
        if audio:
            tone = 0.3 * np.sin(np.arange(total * 640) / 10, dtype=np.float32)
            frame = av.AudioFrame.from_ndarray(tone[None], format="fltp", layout="mono")
            frame.sample_rate = 16000
            container.mux(audio.encode(frame))
            container.mux(audio.encode(None))
    return path


def table(path: Path) -> dict[str, str]:
    return dict(line.split(" ", 1) for line in path.read_text("utf-8").splitlines())


def failures(path: Path) -> dict[str, str]:
    with path.open(encoding="utf-8") as file:
        return {row["utt"]: row["reason"] for row in csv.DictReader(file, delimiter="\t")}


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    """Good ones in a subfolder with a Korean name, names that meet, and two that cannot be used."""
    place = tmp_path_factory.mktemp("videos")
    write_mouth(place / "가 나" / "첫째.mp4", sound=True)
    write_mouth(place / "b.mp4", 10)
    write_mouth(place / "b.mkv", 12)
    (place / "c.mp4").write_bytes(b"not media at all")
    (place / "notes.txt").write_text("not a video")
    return place


def test_a_folder(videos, tmp_path, capfd):
    out = tmp_path / "out"
    report = crop_folder(videos, out, nj=2, mouth_only=True)
    assert (report.made, report.kept, [row[0] for row in report.failed]) == (3, 0, ["c"])
    assert "3 mouth clips made" in str(report) and "failed.tsv" in str(report)
    assert set(table(out / "video.scp")) == {"가_나-첫째", "b", "b.mp4"}
    assert set(table(out / "wav.scp")) == {"가_나-첫째"}
    assert table(out / "utt2dur") == {"b": "0.480", "b.mp4": "0.400", "가_나-첫째": "0.800"}
    assert set(table(out / "utt2face").values()) == {"1.000"}
    assert "c.mp4" in failures(out / "failed.tsv")["c"]
    assert len(load_mouth_clip(table(out / "video.scp")["b"]).frames) == 12
    assert not [path for path in out.rglob(".*")]  # nothing half-written
    assert "Traceback" not in capfd.readouterr().err


def test_resumes_and_notices_change(videos, tmp_path):
    out = tmp_path / "out"
    source = tmp_path / "source"
    for name in ("x", "y"):
        write_mouth(source / f"{name}.mp4", 8)
    crop_folder(source, out, nj=1, mouth_only=True)
    before = (out / "mouth" / "x.mp4").stat().st_mtime_ns
    (out / "mouth" / "y.json").unlink()  # as if stopped half-way, by kill -9
    for half in ("mouth/.y.mp4.0a1b2c3d.half", "wav/.y.flac.0a1b2c3d.half", ".text.0a1b2c3d.half"):
        (out / half).write_bytes(b"")
    report = crop_folder(source, out, nj=1, mouth_only=True)
    assert (report.made, report.kept) == (1, 1)
    assert not list(out.rglob(".*")), "what kill -9 left is gone"
    assert (out / "mouth" / "x.mp4").stat().st_mtime_ns == before
    write_mouth(source / "x.mp4", 9)
    (out / "mouth" / "y.mp4").unlink()  # somebody made room
    report = crop_folder(source, out, nj=1, mouth_only=True)
    assert (out / "mouth" / "y.mp4").exists()
    assert (report.made, report.kept) == (2, 0) and table(out / "utt2dur")["x"] == "0.360"


def test_sound_that_cannot_be_decoded_leaves_the_lips_and_a_deleted_one_is_made_again(tmp_path):
    source, out = tmp_path / "source", tmp_path / "out"
    good = write_mouth(source / "good.mp4", 20, sound=True)
    spoil(good, "audio", 0.0, 9.0).rename(source / "bad.mp4")
    write_mouth(source / "mute.mp4", 8)
    for made, kept in ((3, 0), (1, 2)):  # and it is not forgotten when the run is resumed
        report = crop_folder(source, out, nj=1, mouth_only=True)
        assert (report.made, report.kept, report.failed) == (made, kept, [])
        assert [row[0] for row in report.lips_only] == ["bad"] and "1 give their lips only" in str(report)
        assert set(table(out / "video.scp")) == {"bad", "good", "mute"} and set(table(out / "wav.scp")) == {"good"}
        assert failures(out / "failed.tsv") == {"bad": f"lips only: {report.lips_only[0][2]}"}
        assert "none of its sound" in report.lips_only[0][2]
        (out / "wav" / "good.flac").unlink()


def test_a_span_after_the_end_of_the_sound_is_lips_only(tmp_path):
    video = make_video(tmp_path / "v.mkv", seconds=2.0, size=(96, 96), audio=False)
    with av.open(str(video)) as old, av.open(str(tmp_path / "w.mkv"), "w") as new:
        picture = new.add_stream_from_template(old.streams.video[0])
        track = new.add_stream("pcm_s16le", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.full((1, 8000), 900, np.int16), format="s16", layout="mono")
        frame.sample_rate = 16000
        packets = [*track.encode(frame), *track.encode(None)]
        for packet in old.demux():
            if packet.dts is not None:
                packet.stream = picture
                packets.append(packet)
        for packet in packets:
            new.mux(packet)
    (tmp_path / "wav").mkdir()
    assert crop_one(Job("a", tmp_path / "w.mkv", 1.0, 1.8), tmp_path, True) is None
    assert "its sound ends before 1 s" in json.loads((tmp_path / "mouth" / "a.json").read_text())["no_sound"]
    assert not list((tmp_path / "wav").iterdir())


def test_a_folder_of_which_nothing_can_be_used_is_an_error(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name in ("a.mp4", "b.mp4"):
        (source / name).write_bytes(b"not media at all")
    with pytest.raises(MediaError, match="not one of its 2 videos could be used; see why in .*failed.tsv"):
        crop_folder(source, tmp_path / "out", nj=1, mouth_only=True)
    assert set(failures(tmp_path / "out" / "failed.tsv")) == {"a", "b"}


def test_the_output_may_lie_inside_and_names_may_be_anything(tmp_path):
    odd = os.fsdecode(b"\xff\ttab.mp4")  # no UTF-8, as an old archive's names are
    write_mouth(tmp_path / unicodedata.normalize("NFD", "한글.mp4"), 5)
    write_mouth(tmp_path / "x.mp4", 5).rename(tmp_path / odd)
    (tmp_path / os.fsdecode(b"\xfe.mp4")).write_bytes(b"no media")
    (tmp_path / "._x.mp4").write_bytes(b"what a Mac leaves beside a file; not listed as failed")
    for made, kept in ((2, 0), (0, 2)):
        report = crop_folder(tmp_path, tmp_path, nj=1, mouth_only=True)
        assert (report.made, report.kept, len(report.failed)) == (made, kept, 1)
    assert "한글" in table(tmp_path / "video.scp") and len(failures(tmp_path / "failed.tsv")) == 1


def test_a_data_directory_with_times(tmp_path):
    video = write_mouth(tmp_path / "session one.mp4", 50, sound=True)
    data = tmp_path / "data"
    data.mkdir()
    (data / "media.scp").write_text(f"s1-a {video} 0.200 1.000\ns1-b {video}\ns1-c {tmp_path / 'gone.mp4'}\n")
    report = crop_data_dir(data, tmp_path / "out", nj=1, mouth_only=True)
    assert report.made == 2 and [row[0] for row in report.failed] == ["s1-c"]
    assert table(tmp_path / "out" / "utt2dur") == {"s1-a": "0.800", "s1-b": "2.000"}
    assert load_mouth_clip(tmp_path / "out/mouth/s1-a.mp4").start == pytest.approx(0.2)
    import soundfile

    assert soundfile.info(tmp_path / "out/wav/s1-a.flac").frames == pytest.approx(0.8 * 16000, abs=1600)


def test_sentences_for_what_cannot_be_done(tmp_path):
    with pytest.raises(MediaError, match="not a folder"):
        crop_folder(tmp_path / "none", tmp_path / "out")
    with pytest.raises(MediaError, match="holds no video"):
        crop_folder(tmp_path, tmp_path / "out")
    (tmp_path / "media.scp").write_text(f"a/b {tmp_path / 'v.mp4'}\n")
    with pytest.raises(LabelError, match="a/b"):
        crop_data_dir(tmp_path, tmp_path / "out")
    (tmp_path / "media.scp").write_text(f"a-b {tmp_path / 'v.mp4'}\n")
    with pytest.raises(AvsrError, match="nj is 0"):
        crop_data_dir(tmp_path, tmp_path / "out", nj=0)
