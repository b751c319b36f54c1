"""One session, from its members of the archives to its sentences' mouth clips and sound: read once, decoded once. Runs in a worker.

A session's record is written last and says all that came of it, so that what was killed is done again and what was finished is not.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import shutil
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from avsr.corpora.aihub538 import AGES, CLIP_TOLERANCE, NOISES, SESSION_TOLERANCE, Sentence, SessionLabel, parse_label
from avsr.corpora.archives import NO_ROOM, Member
from avsr.corpora.labels import clean_speaker, utterance_id
from avsr.corpora.olkavs.index import Session, stem
from avsr.errors import AvsrError, LabelError, MediaError
from avsr.files import replace_file

if TYPE_CHECKING:
    from avsr.lips.mouth_clip import MouthClip
    from avsr.media.container import Inside
    from avsr.media.probe import AudioInfo, MediaInfo

VERSION = 1  # of what the same session gives: raised when that changes
RECORDS = ".sessions"  # folder of the records, a file a session
COLUMNS = ("angle", "noise", "sex", "age")  # of an utterance, each a table utt2...
_FPS = 25
_SAMPLES = 640  # of the sound a frame, at 16 kHz
_HEADER = "restore the label from AI-Hub, or the media."


@dataclass
class Record:
    """What came of a session, and from what (`source_of`).

    utterances: id, text, seconds, face (mean confidence), mouth and sound (paths in the corpus; sound None where there is none),
    bytes of the two. failed and remarks: name, where, why; what is only remarked was used. whole: nothing befell the session
    itself, so that it need not be tried again. spooled: bytes that were unpacked for a while.
    """

    source: dict[str, Any]
    official: str
    label: str
    speaker: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    utterances: list[dict[str, Any]] = field(default_factory=list)
    failed: list[tuple[str, str, str]] = field(default_factory=list)
    remarks: list[tuple[str, str, str]] = field(default_factory=list)
    whole: bool = True
    spooled: int = 0


def source_of(session: Session, boxes: bool) -> dict[str, Any]:
    """What a session's result depends on: when this is unchanged, so would the clips be."""
    members = [member.state for member in (session.label, *session.videos, *session.sounds)]
    return {"members": members, "boxes": boxes, "version": VERSION}


def record_path(out: Path, name: str) -> Path:
    """Where a session's record lies."""
    return out / RECORDS / f"{name}.json"


def read_record(path: Path) -> Record | None:
    """A record; None where there is none, or one of another version."""
    try:
        return Record(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def write_record(record: Record, out: Path, name: str) -> None:
    """Write it, whole or not at all."""
    path = record_path(out, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, json.dumps(vars(record), ensure_ascii=False, indent=0).encode("utf-8", "backslashreplace"))


def cut_session(session: Session, out: Path, boxes: bool, spool: Path) -> str | None:
    """Cut a session into `out`, by the label's boxes or by looking for the face; what is wrong with it stands in its record.

    The reason where it could not be tried; AvsrError where no other session could be written either.
    """
    record = Record(source_of(session, boxes), session.official, str(session.label))
    shutil.rmtree(out / "mouth" / session.name, ignore_errors=True)  # of a former label, or of a process that was killed
    try:
        try:
            _cut(session, out, boxes, spool, record)
        except AvsrError as error:
            record.whole = False
            record.failed.append((session.name, str(session.label), _one_line(error)))
        write_record(record, out, session.name)
    except OSError as error:
        if error.errno in NO_ROOM:
            raise AvsrError(f"{out}: cannot be written to ({error.strerror}); make room, and run the same command again.") from None
        return f"{error.strerror or error} ({error.filename or session.label})"
    except Exception as error:  # one odd file among many thousands must not end the run; what happened is kept
        where = traceback.extract_tb(error.__traceback__)[-1]
        return _one_line(f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})")
    return None


def _cut(session: Session, out: Path, boxes: bool, spool: Path, record: Record) -> None:
    from avsr.media.container import Inside
    from avsr.media.probe import probe

    label = parse_label(session.label.read(), session.label)
    record.speaker = clean_speaker(label.speaker)
    record.columns = {
        "angle": label.angle,
        "noise": NOISES.get(label.noise, str(label.noise)),
        "sex": label.sex,
        "age": AGES.get(label.age, str(label.age)),
    }
    video = _video_of(session, label)
    video.check()
    with video.seekable(spool) as opened:
        if video.archive is not None and video.offset is None:
            record.spooled = video.size
        source = Inside(str(video), opened)
        info = probe(source)
        length, frames = _check_video(session, label, source, info)
        _check_boxes(session, label, frames, boxes, record)
        samples, no_sound = _session_sound(session, label, source, info, record)
        for sentence, clip in _clips(session, label, source, length, boxes, record):
            _save(session, sentence, clip, samples, no_sound, out, record)


def _video_of(session: Session, label: SessionLabel) -> Member:
    where = f"{session.label}, field Video_info.video_Name:"
    if stem(label.video_name) != session.name:
        raise LabelError(f"{where} is {label.video_name}, but the label is of {session.name}; restore the label from AI-Hub.")
    if len(session.videos) != 1:
        found = "is in no archive" if not session.videos else f"is there twice, as {session.videos[0]} and {session.videos[1]}"
        raise LabelError(f"{where} {label.video_name} {found}; fetch it from AI-Hub, or keep one.")
    return session.videos[0]


def _check_video(session: Session, label: SessionLabel, source: Inside, info: MediaInfo) -> tuple[float, int]:
    """The picture's length in seconds, and its number of frames; LabelError where it is not what the label says."""
    from avsr.media.container import open_container, video_stream

    where = f"{session.label}, field Video_info"
    if info.video is None:
        raise MediaError(f"{source}: holds no picture; fetch it from AI-Hub again.")
    if info.video.fps and abs(info.video.fps - label.fps) > 0.01 * label.fps:
        raise LabelError(f"{where}.FPS: is {label.fps:g}, but {source} has {info.video.fps:.2f} frames a second; {_HEADER}")
    if (info.video.width, info.video.height) != (label.width, label.height):
        raise LabelError(f"{where}.Resolution: is {label.width}*{label.height}, but {source} has {info.video.width}*{info.video.height}; {_HEADER}")
    with open_container(source) as container:
        stream = video_stream(container)
        frames = stream.frames
        length = float(stream.duration * stream.time_base) if stream.duration else info.duration
    if abs(length - label.duration) > SESSION_TOLERANCE + 1e-6:
        raise LabelError(f"{where}.video_Duration: is {label.duration:g} s, but {source} lasts {length:.2f} s; {_HEADER}")
    return length, frames or round(length * label.fps)


def _check_boxes(session: Session, label: SessionLabel, frames: int, boxes: bool, record: Record) -> None:
    """One box a frame; where they are not needed a remark is enough."""
    for name, rows in (("Face", label.face_boxes), ("Lip", label.lip_boxes)):
        if abs(len(rows) - frames) > label.fps * CLIP_TOLERANCE:
            where = f"field Bounding_box_info.{name}_bounding_box.xtl_ytl_xbr_ybr"
            why = f"{session.label}, {where}: has {len(rows)} boxes for the {frames} frames of the video; restore the label from AI-Hub."
            if boxes:
                raise LabelError(why)
            record.remarks.append((session.name, str(session.label), why))


def _session_sound(session: Session, label: SessionLabel, source: Inside, info: MediaInfo, record: Record) -> tuple[np.ndarray, str]:
    """The session's sound (n,) at 16 kHz, and why there is none, "" where there is.

    It is the video's own, which runs with its pictures; the wav of its name is taken where the video is silent, and looked at in any case.
    """
    from avsr.media.audio import read_audio

    def remark(why: str) -> None:
        record.remarks.append((session.name, str(session.label), why))

    heard = [_Sound(source, info.audio)] if info.audio else []
    heard += _wav_of(session, label, remark)
    for sound in heard:
        for key, said, found in (("Channel(s)", label.channels, sound.stream.channels), ("Sampling_rate", label.sample_rate, sound.stream.rate)):
            if said != found:
                remark(f"{session.label}, field Audio_info.{key}: is {said}, but {sound.media} has {found}.")
    why = ""
    for sound in heard:
        try:
            samples, damaged = read_audio(sound.media)
        except MediaError as error:
            why = _one_line(error)
            remark(why)
            continue
        for span in damaged:
            where = f"from {span.start:.2f} to {span.end:.2f} s"
            remark(f"{sound.media}: its sound is damaged {where}, where it is silence now; fetch it from AI-Hub again.")
        return samples, ""
    return np.zeros(0, np.float32), why or f"{source}: holds no sound, and Audio_info.Audio_Name ({label.sound_name}) is in no archive."


@dataclass(frozen=True)
class _Sound:
    media: Inside
    stream: AudioInfo


def _wav_of(session: Session, label: SessionLabel, remark: Callable[[str], None]) -> list[_Sound]:
    """The wav that the label names, read through; none, with a remark, where it is missing or broken."""
    from avsr.media.container import Inside
    from avsr.media.probe import probe

    where = f"{session.label}, field Audio_info.Audio_Name:"
    found = [member for member in session.sounds if stem(member.file_name) == stem(label.sound_name)]
    if len(found) != 1:
        remark(f"{where} {label.sound_name} is in {'no archive' if not found else 'the archives twice'}; the video's own sound is used.")
        return []
    try:
        data = found[0].read()
        media = Inside(str(found[0]), lambda: io.BytesIO(data))
        stream = probe(media).audio
    except AvsrError as error:
        remark(f"{where} {_one_line(error)}")
        return []
    return [_Sound(media, stream)] if stream else []


def _clips(
    session: Session, label: SessionLabel, source: Inside, length: float, boxes: bool, record: Record
) -> Iterator[tuple[Sentence, MouthClip]]:
    """Each sentence with its mouth clip, the video being decoded once; those that give none are in the record."""
    from avsr.lips.boxes import box_mouths
    from avsr.lips.extract import find_mouths
    from avsr.media.video import VideoReader

    spans = []
    before = 0
    for sentence in label.sentences:
        if sentence.end > length + CLIP_TOLERANCE:
            why = f"ends at {sentence.end:.2f} s, but {source} lasts {length:.2f} s; fetch the whole video."
            _fail(session, sentence, why, record, field="Sentence_info.end_time")
            continue
        first = max(before, math.floor(sentence.start * _FPS + 1e-6))
        before = max(first + 1, math.ceil(sentence.end * _FPS - 1e-6))
        spans.append((sentence, first, before))
    if not spans:
        return
    origin = spans[0][1]
    with ExitStack() as closing:
        reader = VideoReader(source, fps=_FPS, start=origin / _FPS, end=spans[-1][2] / _FPS, grey=boxes)
        frames = iter(reader)
        closing.callback(frames.close)
        done = origin
        for sentence, first, stop in spans:
            next(islice(frames, first - done, first - done), None)  # what lies between two sentences
            pictures = islice(frames, stop - first)
            done = stop
            if boxes:
                clip = box_mouths(pictures, first / _FPS, stop - first, label.face_boxes, label.lip_boxes, label.fps)
            else:
                clip = next(iter(find_mouths(pictures, first / _FPS)), None)
            for _ in pictures:  # the next sentence's must be next, whatever was left
                pass
            if clip is None or not clip.confidence.any():
                _fail(session, sentence, f"no face was found in {source} from {first / _FPS:.2f} to {stop / _FPS:.2f} s.", record)
            elif len(clip.frames) < (stop - first) - CLIP_TOLERANCE * _FPS:
                _fail(session, sentence, f"has only {len(clip.frames)} of {stop - first} pictures in {source}; fetch it from AI-Hub again.", record)
            else:
                yield sentence, clip
        if reader.damaged:
            span = reader.damaged[0]
            why = f"{source}: its picture is damaged from {span.start:.2f} to {span.end:.2f} s (and {len(reader.damaged) - 1} more times)"
            record.remarks.append((session.name, str(session.label), f"{why}; those frames have confidence 0."))


def _fail(session: Session, sentence: Sentence, why: str, record: Record, *, field: str = "") -> None:
    name = f"{session.name}_{sentence.number:02d}"
    where = f"{session.label}, sentence {sentence.number}" + (f", field {field}" if field else "")
    record.failed.append((name, str(session.label), f"{where}: {why}"))


def _save(
    session: Session, sentence: Sentence, clip: MouthClip, samples: np.ndarray, no_sound: str, out: Path, record: Record
) -> None:
    from avsr.lips.mouth_clip import save_mouth_clip

    utt = utterance_id(record.speaker, f"{session.name}_{sentence.number:02d}")
    first = round(clip.start * _FPS) * _SAMPLES
    piece = samples[first : first + len(clip.frames) * _SAMPLES]
    sound = None
    if len(piece):
        sound = _save_sound(piece, out)
    elif not no_sound:
        no_sound = f"{session.label}, sentence {sentence.number}: the sound ends before it; fetch it from AI-Hub again."
    if sound is None:
        record.remarks.append((utt, str(session.label), f"lips only: {no_sound}"))
    mouth = f"mouth/{session.name}/{utt}.mp4"
    save_mouth_clip(clip, out / mouth, no_sound=no_sound if sound is None else None)
    size = sum((out / mouth).with_suffix(suffix).stat().st_size for suffix in (".mp4", ".json"))
    record.utterances.append(
        {
            "id": utt,
            "text": sentence.text,
            "seconds": round(len(clip.frames) / _FPS, 3),
            "face": round(float(clip.confidence.mean()), 3),
            "mouth": mouth,
            "sound": sound,
            "bytes": [size, (out / sound).stat().st_size if sound else 0],
        }
    )


def _save_sound(piece: np.ndarray, out: Path) -> str:
    """Write the sound under a name that is its content's: the cameras of a session heard the same, and it is kept once."""
    import soundfile

    pcm = np.round(piece.clip(-1, 1) * 32767).astype("<i2")
    name = hashlib.sha256(pcm.tobytes()).hexdigest()[:32]
    inner = f"sound/{name[:2]}/{name}.flac"
    path = out / inner
    if not path.exists():
        buffer = io.BytesIO()
        soundfile.write(buffer, pcm, 16000, subtype="PCM_16", format="FLAC")
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, buffer.getvalue())
    return inner


def _one_line(error: object) -> str:
    return " ".join(str(error).split())
