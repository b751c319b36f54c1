"""AI-Hub 538 from its archives, in miniature: what it gives, and that each fault is told by file and field while the rest goes on."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avsr.corpora.datadir import read_data_dir
from avsr.corpora.olkavs import cut, make
from avsr.corpora.olkavs.cut import Record, cut_session, read_record, record_path
from avsr.corpora.olkavs.index import index_corpus
from avsr.corpora.olkavs.make import make_corpus
from avsr.errors import AvsrError, LabelError
from avsr.lips.mouth_clip import load_mouth_clip
from avsr.tables import columns, read_table
from tests.corpora.aihub538_miniature import FPS, TOP, Miniature, make_mp4, make_wav

ROOT = Path(__file__).resolve().parents[2]
FRONT = "lip_J_1_F_02_C901_A_001"
SIDE = "lip_J_1_F_02_C901_C_001"
LAST = "lip_J_2_M_02_C904_A_001"


@pytest.fixture
def here(monkeypatch) -> None:
    """Sessions are cut in this process: starting others takes longer than cutting."""
    monkeypatch.setattr(make, "work_off", lambda work, jobs, **_: ((job, work.function(job, *work.arguments)) for job in jobs))


def tree(folder: Path) -> dict[str, str]:
    """Every file and a hash of it; the folder's own name, which tables hold, is left out."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes().replace(str(folder).encode(), b"")).hexdigest() for path in files
    }


@pytest.fixture(scope="session")
def whole(miniature, tmp_path_factory) -> Path:
    """What a faultless miniature gives, by the boxes: a test with a fault has only that to cut anew."""
    folder = tmp_path_factory.mktemp("whole")
    make_corpus(miniature.write(folder / "source"), folder / "out", boxes=True)
    return folder / "out"


def made(miniature: Miniature, folder: Path, whole: Path) -> tuple[dict[str, int], str]:
    """What each session gave, by its name, and all that failed.tsv and remarks.tsv say."""
    source = miniature.write(folder / "source")
    shutil.copytree(whole, folder / "out")
    splits = make_corpus(source, folder / "out", boxes=True)
    counts = dict.fromkeys((session.name for session in miniature.sessions), 0)
    for utterance in sum(splits.values(), []):
        counts[utterance.name.rsplit("_", 1)[0]] += 1
    told = "".join((folder / "out" / name).read_text("utf-8") for name in ("failed.tsv", "remarks.tsv"))
    return counts, told


def test_archives_become_data_directories(miniature, tmp_path, face_model):
    source = miniature.write(tmp_path / "source")
    before = tree(source)
    splits = make_corpus(source, tmp_path / "out", nj=2)
    assert tree(source) == before
    assert {split: len(chosen) for split, chosen in splits.items()} == {"train": 6, "dev": 2, "test": 2}
    label = miniature[SIDE].label
    first = next(u for u in read_data_dir(tmp_path / "out" / "train") if u.name == f"{SIDE}_01")
    assert (first.speaker, first.text) == ("C901", label["Sentence_info"][0]["sentence_text"])
    train = tmp_path / "out" / "train"
    assert columns(train) == ["utt2age", "utt2angle", "utt2noise", "utt2sex"]
    told = [read_table(train / name)[first.utt_id] for name in columns(train)]
    assert told == ["20-29", "C", "none", "F"]
    sentence = label["Sentence_info"][0]
    clip = load_mouth_clip(read_table(train / "video.scp")[first.utt_id])
    samples, rate = soundfile.read(read_table(train / "wav.scp")[first.utt_id])
    assert rate == 16000 and len(samples) == len(clip.frames) * 640
    assert 0 <= sentence["start_time"] - clip.start < 0.04 and 0 <= clip.start + len(clip.frames) / 25 - sentence["end_time"] < 0.04
    assert clip.confidence.min() > 0.3 and clip.frames.std(axis=0).max() > 8, "a mouth that moves"
    # Cameras of one session heard the same, which is kept once.
    sounds = [read_table(train / "wav.scp")[f"C901-{name}_01"] for name in (FRONT, SIDE)]
    assert sounds[0] == sounds[1]
    report = (tmp_path / "out" / "data_report.md").read_text("utf-8")
    assert "1 sentences are in more than one split; the first:\n\n- 동생 토끼. — train (C902-" in report
    assert "| angle | C | 2 | 0 | 0 |" in report and "0 speakers are in more than one split" in report
    assert "5 of 5 sessions gave something. 0 faults" in report


def test_nothing_is_unpacked_and_little_is_written(miniature, tmp_path, here):
    """Of stored members nothing is spooled; of packed ones one video at a time, in a file without a name."""
    for name, compression in (("stored", zipfile.ZIP_STORED), ("packed", zipfile.ZIP_DEFLATED)):
        source = miniature.write(tmp_path / name / "source", compression=compression)
        make_corpus(source, tmp_path / name / "out", boxes=True)
    outs = [tree(tmp_path / name / "out") for name in ("stored", "packed")]
    clips = [{path: value for path, value in out.items() if path.endswith((".mp4", ".flac"))} for out in outs]
    assert clips[0] == clips[1] and len(clips[0]) == 10 + 7
    reports = [(tmp_path / name / "out" / "data_report.md").read_text("utf-8") for name in ("stored", "packed")]
    largest = max(len(session.video) for session in miniature.sessions if session.split == "1.Training")
    assert "unpacked for a while: 0 bytes" in reports[0] and f"unpacked for a while: {largest:,} bytes" in reports[1]
    written = [path for path in (tmp_path / "stored" / "out").rglob("*") if path.is_file() and path.suffix not in (".mp4", ".flac")]
    beside = sum(path.stat().st_size for path in written if "mouth" not in path.parts)
    assert beside < 0.01 * sum(path.stat().st_size for path in (tmp_path / "stored" / "source").rglob("*") if path.is_file())


def test_by_speaker_and_by_the_boxes(miniature, tmp_path, here):
    source = miniature.write(tmp_path / "source")
    splits = make_corpus(source, tmp_path / "out", boxes=True, split_by="speaker", dev_fraction=0.25, test_fraction=0.25)
    homes = [{utterance.speaker for utterance in chosen} for chosen in splits.values()]
    assert [len(home) for home in homes] == [2, 1, 1] and len(set.union(*homes)) == 4


def test_sound_is_the_videos_own_and_runs_with_it(miniature, whole, tmp_path, here):
    """Against what was spoken, to a thousandth of a second: the delay of AAC's encoder is not in it."""
    from scipy.signal import correlate

    made(miniature, tmp_path, whole)
    sentence = miniature[FRONT].label["Sentence_info"][1]
    train = tmp_path / "out" / "train"
    clip = load_mouth_clip(read_table(train / "video.scp")[f"C901-{FRONT}_02"])
    found = soundfile.read(read_table(train / "wav.scp")[f"C901-{FRONT}_02"], dtype="float32")[0]
    wav = soundfile.read(io.BytesIO(miniature[FRONT].sound), dtype="float32")[0].mean(axis=1)
    spoken = wav[round(clip.start * 48000) : round(clip.start * 48000) + 3 * len(found) : 3]
    lag = int(np.argmax(correlate(found, spoken, "full"))) - (len(spoken) - 1)
    assert abs(lag) <= 16 and sentence["ID"] == 2


# --- faults ------------------------------------------------------------------------------------------------------------------


def _set(*path):
    """A change of the label of FRONT at `path`, whose last part is the new value."""
    *keys, last, value = path

    def change(mini: Miniature) -> None:
        inner = mini[FRONT].label
        for key in keys:
            inner = inner[key]
        if value is KeyError:
            del inner[last]
        else:
            inner[last] = value

    return change


def _give(kind: str, value):
    return lambda mini: setattr(mini[FRONT], kind, value)


def _rename(mini: Miniature) -> None:
    mini[FRONT].label["Video_info"]["video_Name"] = f"{LAST[:-1]}2.mp4"


def _fewer_boxes(mini: Miniature) -> None:
    del mini[FRONT].label["Bounding_box_info"]["Lip_bounding_box"]["xtl_ytl_xbr_ybr"][-20:]


BOXES = ("Bounding_box_info", "Lip_bounding_box", "xtl_ytl_xbr_ybr")
FAULTS = {  # what is done to the first session: what is told of it
    "missing field": (_set("speaker_info", "speaker_ID", KeyError), "field speaker_info.speaker_ID: is missing"),
    "missing angle": (_set("Video_env", "Angle", KeyError), "field Video_env.Angle: is missing"),
    "wrong type": (_set("Video_info", "FPS", "30"), "field Video_info.FPS: must be a number"),
    "times out of order": (_set("Sentence_info", 1, "start_time", 0.5), "field Sentence_info[1].start_time: 0.5 is before the sentence above"),
    "beyond the session": (_set("Sentence_info", 1, "end_time", 60.0), "field Sentence_info[1].end_time: 60 is after the session's end"),
    "fewer boxes": (_fewer_boxes, f"field {'.'.join(BOXES)}: has 130 boxes for the 150 frames of the video"),
    "x, y, x, y": (_set(*BOXES, 7, [500, 100, 600, 200]), f"field {'.'.join(BOXES)}[7]: [500, 100, 600, 200]"),
    "no video": (_give("video", None), f"field Video_info.video_Name: {FRONT}.mp4 is in no archive"),
    "no JSON": (_give("text", b"\xef\xbb\xbf[{"), f"{FRONT}.json, line 1: is not JSON"),
    "no label": (_give("text", b"\xff\xfe"), f"{FRONT}.json, line 1: the text is not UTF-8"),
    "another's video": (_rename, f"field Video_info.video_Name: is {LAST[:-1]}2.mp4, but the label is of {FRONT}"),
    "other size": (_set("Video_info", "Resolution", "1920*1080"), "field Video_info.Resolution: is 1920*1080, but"),
    "other rate": (_set("Video_info", "FPS", 25), "field Video_info.FPS: is 25, but"),
    "other length": (_set("Video_info", "video_Duration", "0:05:04"), "field Video_info.video_Duration: is 304 s, but"),
    "no media": (_give("video", b"\0" * 4000), f"{FRONT}.mp4: cannot be read as media"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_costs_its_session_and_is_told_by_file_and_field(miniature, whole, tmp_path, here, fault):
    change, says = FAULTS[fault]
    mini = miniature.copy()
    change(mini)
    counts, told = made(mini, tmp_path, whole)
    assert counts == {session.name: 0 if session.name == FRONT else 2 for session in mini.sessions}
    (line,) = [line for line in told.splitlines() if line.startswith(FRONT)]
    assert says in line and "TL1.zip: TL1/소음환경1/C(일반인)/F(여성)/F(여성)_1/" in line


def _mono(mini: Miniature) -> None:
    mini[FRONT].sound = make_wav(np.zeros((5 * 48000, 1), np.float32))


def _one_late(mini: Miniature) -> None:
    mini[FRONT].label["Sentence_info"][1]["end_time"] = 5.9


REMARKS = {  # what is done: what is told, and the sentences that the session still gives
    "no wav": (_give("sound", None), f"field Audio_info.Audio_Name: {FRONT}.wav is in no archive; the video's own sound is used", 2),
    "broken wav": (_give("sound", b"RIFF"), "field Audio_info.Audio_Name:", 2),
    "mono": (_mono, "field Audio_info.Channel(s): is 2, but", 2),
    "other sound rate": (_set("Audio_info", "Sampling_rate", "44.1Khz"), "field Audio_info.Sampling_rate: is 44100, but", 2),
    "one sentence late": (_one_late, f"{FRONT}.json, sentence 2, field Sentence_info.end_time: ends at 5.90 s, but", 1),
}


@pytest.mark.parametrize("fault", REMARKS)
def test_what_can_be_used_all_the_same_is_used_and_told(miniature, whole, tmp_path, here, fault):
    change, says, gives = REMARKS[fault]
    mini = miniature.copy()
    change(mini)
    counts, told = made(mini, tmp_path, whole)
    assert counts == {session.name: gives if session.name == FRONT else 2 for session in mini.sessions}
    assert any(says in line for line in told.splitlines()), told


def test_a_silent_video_takes_the_wav_and_without_one_its_lips(miniature, whole, tmp_path, here):
    mini = miniature.copy()
    still = [np.full((60, 60, 3), 99, np.uint8)] * (5 * FPS)
    for name in (FRONT, SIDE):
        mini[name].video = make_mp4(still, None)
    mini[SIDE].sound = None
    counts, told = made(mini, tmp_path, whole)
    assert counts[FRONT] == counts[SIDE] == 2
    sounds = read_table(tmp_path / "out" / "train" / "wav.scp")
    assert f"C901-{FRONT}_01" in sounds and f"C901-{SIDE}_01" not in sounds
    assert f"lips only: {tmp_path}" in told and "holds no sound, and Audio_info.Audio_Name" in told


def test_boxes_are_asked_for_only_where_they_are_used(miniature, tmp_path, face_model):
    mini = miniature.copy()
    _fewer_boxes(mini)
    session = next(session for session in index_corpus(mini.write(tmp_path / "source")).sessions if session.name == FRONT)
    assert cut_session(session, tmp_path / "out", False, tmp_path) is None
    record = read_record(record_path(tmp_path / "out", FRONT))
    assert "has 130 boxes for the 150 frames" in record.remarks[0][2] and len(record.utterances) == 2


def test_names_that_are_there_twice(miniature, tmp_path, here):
    mini = miniature.copy()
    source = mini.write(tmp_path / "source")
    again = source / TOP / "1.Training" / "더 받은 것"
    again.mkdir()
    (again / f"{FRONT}.mp4").write_bytes(mini[FRONT].video)
    (again / f"{LAST}.json").write_bytes(b"[]")
    with pytest.raises(LabelError, match="nothing that can be used is left for test|dev"):
        make_corpus(source, tmp_path / "out", boxes=True)
    told = (tmp_path / "out" / "failed.tsv").read_text("utf-8")
    assert f"field Video_info.video_Name: {FRONT}.mp4 is there twice, as " in told and str(again / f"{FRONT}.mp4") in told
    assert "two labels of one name" in told and str(again / f"{LAST}.json") in told
    assert len(make_corpus(source, tmp_path / "out", boxes=True, split_by="speaker", dev_fraction=0.3, test_fraction=0.3)["train"]) > 0


@pytest.mark.parametrize(
    ("part", "spoil", "says"),
    [
        (1, lambda path: path.unlink(), "is missing or the part before is cut"),
        (2, lambda path: path.write_bytes(path.read_bytes()[:-100]), "TS1.zip: is no whole archive"),
    ],
)
def test_a_broken_archive_costs_what_is_in_it(miniature, tmp_path, here, part, spoil, says):
    """The validation's own archives go on, and a split by speakers can be made of them once there are enough."""
    source = miniature.write(tmp_path / "source")
    parts = sorted(source.rglob("TS1.zip.part*"), key=lambda path: int(path.name.rpartition("part")[2]))
    spoil(parts[part])
    with pytest.raises(LabelError, match="nothing that can be used is left for train"):
        make_corpus(source, tmp_path / "out", boxes=True)
    told = (tmp_path / "out" / "failed.tsv").read_text("utf-8")
    assert says in told and f"{FRONT}.mp4 is in no archive" in told
    assert "2 of 5 sessions gave something" in (tmp_path / "out" / "data_report.md").read_text("utf-8")


def test_a_wrong_checksum_costs_its_session_until_it_is_mended(miniature, tmp_path, here):
    source = miniature.write(tmp_path / "source", parts=1)
    (path,) = source.rglob("TS1.zip.part0")
    whole = path.read_bytes()
    spoilt = bytearray(whole)
    spoilt[whole.index(miniature[FRONT].video[2000:2040])] ^= 255
    path.write_bytes(spoilt)
    make_corpus(source, tmp_path / "out", boxes=True)
    told = (tmp_path / "out" / "failed.tsv").read_text("utf-8")
    assert f"{FRONT}.mp4: cannot be read (Bad CRC-32" in told
    assert len(read_table(tmp_path / "out" / "train" / "text")) == 4
    path.write_bytes(whole)
    make_corpus(source, tmp_path / "out", boxes=True)
    assert (tmp_path / "out" / "failed.tsv").read_text("utf-8") == ""
    assert len(read_table(tmp_path / "out" / "train" / "text")) == 6


def test_a_speaker_in_both_official_splits_is_told(miniature, whole, tmp_path, here):
    mini = miniature.copy()
    mini[LAST].label["speaker_info"]["speaker_ID"] = "C901"
    _, told = made(mini, tmp_path, whole)
    assert f"{FRONT}.json, field speaker_info.speaker_ID: C901 is in train and, by" in told and f"{LAST}.json, in " in told
    assert "1 speakers are in more than one split: C901." in (tmp_path / "out" / "data_report.md").read_text("utf-8")


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from((SIDE, LAST)), st.sampled_from(sorted(FAULTS)), min_size=1))
def test_faults_in_several_sessions_are_told_each(miniature, whole, tmp_path_factory, here, faults):
    """Whatever befalls two sessions of five, each is told and the three others are used."""
    mini = miniature.copy()
    for name, fault in faults.items():
        FAULTS[fault][0](_Renamed(mini, name))
    folder = tmp_path_factory.mktemp("faults")
    source = mini.write(folder / "source")
    shutil.copytree(whole, folder / "out")
    splits = make_corpus(source, folder / "out", boxes=True, split_by="speaker", dev_fraction=0.3, test_fraction=0.3)
    told = (folder / "out" / "failed.tsv").read_text("utf-8").splitlines()
    assert sorted(line.split("\t")[0] for line in told) == sorted(faults)
    assert sum(map(len, splits.values())) == 2 * (5 - len(faults))


class _Renamed:
    """The miniature to a fault, which is done to another session than the first."""

    def __init__(self, mini: Miniature, name: str) -> None:
        self._mini, self._name = mini, name

    def __getitem__(self, _: str):
        return self._mini[self._name]


def test_no_corpus_at_all(miniature, tmp_path, here):
    with pytest.raises(LabelError, match="there is no such folder"):
        make_corpus(tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(LabelError, match="lies in the corpus"):
        make_corpus(tmp_path / "empty", tmp_path / "empty" / "out")
    with pytest.raises(LabelError, match=r"no label \(.json\) was found in 0 archives"):
        make_corpus(tmp_path / "empty", tmp_path / "out")
    source = miniature.write(tmp_path / "source")
    for folder in (source / TOP).iterdir():
        folder.rename(folder.with_name(folder.name[:1]))
    assert make_corpus(source, tmp_path / "out", boxes=True)["train"], "TL and VL tell the split too"
    (source / f"{FRONT}2.json").write_bytes(b"[]")
    with pytest.raises(LabelError, match="restore AI-Hub's folders, or use --split speaker"):
        make_corpus(source, tmp_path / "out", boxes=True)


def test_a_full_disk_ends_the_run_and_costs_no_session(miniature, tmp_path, here, monkeypatch):
    """Else the rest of the corpus would be written down as broken, and what is left would be trained on."""
    source, write = miniature.write(tmp_path / "source"), cut.write_record

    def full(record: Record, out: Path, name: str) -> None:
        if name == SIDE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(record, out, name)

    monkeypatch.setattr(cut, "write_record", full)
    with pytest.raises(AvsrError, match="No space left on device.; make room, and run the same command again"):
        make_corpus(source, tmp_path / "out", boxes=True)
    assert not (tmp_path / "out" / "failed.tsv").exists() and read_record(record_path(tmp_path / "out", FRONT)).whole
    assert not record_path(tmp_path / "out", SIDE).exists()


# --- killed and resumed --------------------------------------------------------------------------------------------------------


def test_killed_anywhere_and_run_again_it_is_the_same(miniature, tmp_path):
    source = miniature.write(tmp_path / "source")
    command = [sys.executable, "-m", "avsr.corpora.olkavs.make", "--source", str(source), "--boxes", "--nj", "1", "--out"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([*command, str(tmp_path / "whole")], check=True, env=environment, capture_output=True)
    killed = 0
    for half in (f"mouth/{LAST}/.half.mp4.abc", "sound/ab/.half.flac.abc", f".sessions/.{LAST}.json.abc"):  # what a kill leaves, too
        (tmp_path / "killed" / half).parent.mkdir(parents=True)
        (tmp_path / "killed" / half).write_bytes(b"half")
    for wait in (1, 2, 4):  # sessions finished before it is killed
        process = subprocess.Popen([*command, str(tmp_path / "killed")], env=environment, start_new_session=True, stderr=subprocess.DEVNULL)
        limit = time.monotonic() + 60
        while process.poll() is None and len(list((tmp_path / "killed").glob(".sessions/lip*"))) < wait and time.monotonic() < limit:
            time.sleep(0.005)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            killed += 1
        process.wait()
    assert killed
    subprocess.run([*command, str(tmp_path / "killed")], check=True, env=environment, capture_output=True)
    again = subprocess.run([*command, str(tmp_path / "killed")], check=True, env=environment, capture_output=True, text=True)
    assert tree(tmp_path / "killed") == tree(tmp_path / "whole") and "train 6, dev 2, test 2" in again.stdout
