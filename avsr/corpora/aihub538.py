"""AI-Hub 538 "lip reading speech" (OLKAVS): native session labels, with session videos or ready-cut clips.

Source: AI-Hub data set 538 and J. Park et al., "OLKAVS: An Open Large-Scale Korean Audio-Visual Speech
Dataset" (2023). A label is UTF-8 with a byte order mark, a list of one object; sessions are 1920x1080
at 30 fps with 48 kHz stereo sound and last about five minutes.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from avsr.corpora.datadir import Utterance
from avsr.corpora.labels import (
    Failure,
    clean_speaker,
    label_text,
    media_duration,
    nothing_usable,
    read_label_text,
    report,
    utterance_id,
    watched,
)
from avsr.errors import LabelError
from avsr.files import VIDEO_SUFFIXES, files_under

# A clip's container is rounded up to whole frames of picture and sound; the 20 clips at hand are 1 to
# 44 ms longer than their labels say.
CLIP_TOLERANCE = 0.25
# The label gives the session's length in whole seconds.
SESSION_TOLERANCE = 1.0


# What the classes of a label mean, as the corpus's authors' scripts (IIP-Sogang/olkavs-avspeech) explain its file names.
NOISES = {1: "none", 2: "indoor", 3: "indoor_ambience", 4: "traffic", 5: "building_site", 6: "outdoor_nature"}
AGES = {1: "10-19", 2: "20-29", 3: "30-39", 4: "40-49", 5: "50-59", 6: "60+"}


@dataclass(frozen=True)
class Sentence:
    """One sentence of a session; times in seconds of the session."""

    number: int
    text: str
    start: float
    end: float


@dataclass(frozen=True)
class SessionLabel:
    """A session's label.

    ``face_boxes`` and ``lip_boxes`` are (N, 4) int32, one row a frame of the session at ``fps``, as
    left, top, right, bottom in pixels of the ``width`` x ``height`` session video. ``angle`` is one of the nine cameras, A
    (from the front) to I; ``noise`` and ``age`` are numbers of the classes below; ``sex`` is F or M.
    """

    video_name: str
    sound_name: str
    duration: float
    fps: float
    width: int
    height: int
    sample_rate: int
    channels: int
    speaker: str
    angle: str
    noise: int
    sex: str
    age: int
    sentences: list[Sentence]
    face_boxes: np.ndarray
    lip_boxes: np.ndarray


class _Fields:
    """Typed reading of the parsed JSON, so that every complaint names the file and the field."""

    def __init__(self, path: object, value: Any, where: str) -> None:
        self.path, self.value, self.where = path, value, where

    def wrong(self, why: str) -> LabelError:
        return LabelError(f"{self.path}, field {self.where}: {why}; restore the label from AI-Hub.")

    def __getitem__(self, key: str) -> _Fields:
        if not isinstance(self.value, dict):
            raise self.wrong(f"must be an object, not {_kind(self.value)}")
        inner = _Fields(self.path, self.value.get(key), f"{self.where}.{key}" if self.where else key)
        if key not in self.value:
            raise inner.wrong("is missing")
        return inner

    def items(self) -> list[_Fields]:
        if not isinstance(self.value, list):
            raise self.wrong(f"must be a list, not {_kind(self.value)}")
        return [_Fields(self.path, value, f"{self.where}[{index}]") for index, value in enumerate(self.value)]

    def text(self) -> str:
        if not isinstance(self.value, str):
            raise self.wrong(f"must be text, not {_kind(self.value)}")
        value = " ".join(unicodedata.normalize("NFC", self.value).split())
        if not value:
            raise self.wrong("is empty")
        # JSON can spell half a character (\ud800) and control characters, which no file can hold as text.
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in value):
            raise self.wrong(f"holds a character that is no text: {value!a}")
        return value

    def number(self) -> float:
        # bool is an int in Python, and json reads NaN and Infinity.
        number = isinstance(self.value, (int, float)) and not isinstance(self.value, bool)
        if not number or not abs(self.value) < 1e9:
            raise self.wrong(f"must be a number, not {_kind(self.value)}")
        return float(self.value)

    def whole(self) -> int:
        value = self.number()
        if value < 0 or value != int(value):
            raise self.wrong(f"must be a whole number, not {value:g}")
        return int(value)

    def matched(self, pattern: str, example: str) -> re.Match[str]:
        match = re.fullmatch(pattern, self.text(), re.IGNORECASE)
        if match is None:
            raise self.wrong(f"is {self.value!r} where something like {example!r} is needed")
        return match


def read_label(path: Path) -> SessionLabel:
    """Read a native session label.

    The boxes' field is named ``xtl_ytl_xbr_ybr`` but holds top, left, bottom, right; they are put in order here.

    Raises LabelError naming the file and the field.
    """
    path = Path(path)
    return _label(path, read_label_text(path))


def parse_label(data: bytes, where: object) -> SessionLabel:
    """The same of a label's bytes, which complaints call ``where``."""
    return _label(where, label_text(data, where))


def _label(path: object, text: str) -> SessionLabel:
    try:
        parsed = json.loads(text)
    except json.JSONDecodeError as error:
        why = f"is not JSON ({error.msg})"
        raise LabelError(f"{path}, line {error.lineno}: {why}; restore the label from AI-Hub.") from None
    except (RecursionError, ValueError) as error:  # nested too deeply; a number of thousands of digits
        raise LabelError(f"{path}: is no session label ({error}); restore the label from AI-Hub.") from None
    if not isinstance(parsed, list) or len(parsed) != 1:
        raise LabelError(f"{path}: must be a list of one object, not {_kind(parsed)}; restore the label from AI-Hub.")
    label = _Fields(path, parsed[0], "")
    video, audio = label["Video_info"], label["Audio_info"]
    clock = video["video_Duration"].matched(r"(\d+):(\d{1,2}):(\d{1,2})", "0:05:04")
    hours, minutes, seconds = map(int, clock.groups())
    duration = float(hours * 3600 + minutes * 60 + seconds)
    width, height = map(int, video["Resolution"].matched(r"(\d{2,5})\s*[*x]\s*(\d{2,5})", "1920*1080").groups())
    rate = audio["Sampling_rate"].matched(r"(\d+(?:\.\d+)?)\s*khz", "48Khz")
    fps = video["FPS"].number()
    if not 1 <= fps <= 240:
        raise video["FPS"].wrong(f"is {fps:g}, which is no frame rate")
    boxes, speaker = label["Bounding_box_info"], label["speaker_info"]
    return SessionLabel(
        video_name=video["video_Name"].text(),
        sound_name=audio["Audio_Name"].text(),
        duration=duration,
        fps=fps,
        width=width,
        height=height,
        sample_rate=round(float(rate[1]) * 1000),
        channels=audio["Channel(s)"].whole(),
        speaker=speaker["speaker_ID"].text(),
        angle=label["Video_env"]["Angle"].matched("[A-I]", "A")[0].upper(),
        noise=label["Audio_env"]["Noise"].whole(),
        sex=speaker["Gender"].matched("[FM]", "F")[0].upper(),
        age=speaker["Age"].whole(),
        sentences=_sentences(label["Sentence_info"], duration),
        face_boxes=_boxes(boxes["Face_bounding_box"]["xtl_ytl_xbr_ybr"], width, height),
        lip_boxes=_boxes(boxes["Lip_bounding_box"]["xtl_ytl_xbr_ybr"], width, height),
    )


def read_corpus(root: Path, *, failures: list[Failure] | None = None) -> list[Utterance]:
    """The utterances of every session label (``*.json``) under ``root``, sorted by id.

    A session's ready-cut clips come first, its video second. Clips are ``sentence_01.mp4`` ..., numbered by
    the sentences' ID, in a folder named like the label (or ``clips`` in it), else in ``clips`` beside the
    label where it is the only one there; each must be as long as the label says, to CLIP_TOLERANCE. The
    video is the file that the label names, anywhere under ``root``; its utterances have start and end.

    A label or clip that cannot be used is appended to ``failures``, or raised where that is None.
    Raises LabelError when nothing is usable, naming ``root``.
    """
    root = Path(root)
    labels = files_under(root, frozenset({".json"}))
    labels_in = Counter(path.parent for path in labels)
    media: dict[str, list[Path]] = {}
    for path in files_under(root, VIDEO_SUFFIXES):
        media.setdefault(unicodedata.normalize("NFC", path.name), []).append(path)
    utterances: list[Utterance] = []
    for path in watched(labels, "reading labels"):
        try:
            utterances += _session(path, read_label(path), media, labels_in[path.parent] == 1, failures)
        except LabelError as error:
            report(failures, Failure(path.stem, path, str(error)), error)
    if not utterances:
        hint = (
            "no session label (.json) was found here; keep each label beside its video, or beside a folder clips"
            " with sentence_01.mp4 and so on."
        )
        raise nothing_usable(root, hint, failures)
    return sorted(utterances, key=lambda utterance: utterance.utt_id)


def _session(
    path: Path, label: SessionLabel, media: dict[str, list[Path]], alone: bool, failures: list[Failure] | None
) -> list[Utterance]:
    clips = _find_clips(path, alone)
    video = None if clips else _find_video(path, label, media)
    length = media_duration(video) if video else None
    utterances = []
    for sentence in label.sentences:
        name = f"{path.stem}_{sentence.number:02d}"
        try:
            if video:
                if length is not None and sentence.end > length + CLIP_TOLERANCE:
                    raise LabelError(
                        f"{path}, sentence {sentence.number}: ends at {sentence.end:.2f} s, but {video} lasts"
                        f" {length:.2f} s; fetch the whole video."
                    )
                found, start, end = video, sentence.start, sentence.end
            else:
                found, start, end = _check_clip(path, sentence, clips), None, None
        except LabelError as error:
            report(failures, Failure(name, path, str(error)), error)
            continue
        speaker = clean_speaker(label.speaker)
        utterances.append(Utterance(utterance_id(speaker, name), speaker, found, sentence.text, start, end))
    return utterances


def _find_clips(path: Path, alone: bool) -> dict[int, Path]:
    own = path.with_suffix("")
    folders = [own, own / "clips", path.parent / "clips" / path.stem, *([path.parent / "clips"] if alone else [])]
    for folder in folders:
        clips = {}
        for clip in sorted(folder.glob("sentence_*")):
            match = re.fullmatch(r"sentence_(\d+)", clip.stem)
            if match and clip.suffix.lower() in VIDEO_SUFFIXES:
                clips[int(match[1])] = clip
        if clips:
            return clips
    return {}


def _check_clip(path: Path, sentence: Sentence, clips: dict[int, Path]) -> Path:
    clip = clips.get(sentence.number)
    if clip is None:
        name = f"sentence_{sentence.number:02d}"
        raise LabelError(f"{path}, sentence {sentence.number}: has no clip {name}; cut it again.")
    labelled, measured = sentence.end - sentence.start, media_duration(clip)
    if measured is not None and abs(measured - labelled) > CLIP_TOLERANCE:
        raise LabelError(
            f"{clip}: lasts {measured:.2f} s, but sentence {sentence.number} of {path} lasts {labelled:.2f} s;"
            " cut the clip again, or find its label."
        )
    return clip


def _find_video(path: Path, label: SessionLabel, media: dict[str, list[Path]]) -> Path:
    found = media.get(label.video_name, [])
    beside = [video for video in found if video.parent == path.parent]
    chosen = beside or found
    if len(chosen) != 1:
        what = "no clips and no video" if not chosen else f"{len(chosen)} videos, at {chosen[0]} and {chosen[1]},"
        raise LabelError(
            f"{path}, field Video_info.video_Name: found {what} of the name {label.video_name}; keep one beside the"
            " label."
        )
    return chosen[0]


def _sentences(field: _Fields, duration: float) -> list[Sentence]:
    sentences: list[Sentence] = []
    for item in field.items():
        number = item["ID"].whole()
        if any(number == other.number for other in sentences):
            raise item["ID"].wrong(f"{number} is there twice")
        start, end = item["start_time"].number(), item["end_time"].number()
        if start < 0:
            raise item["start_time"].wrong(f"is {start:g}, before the session's start")
        if end <= start:
            raise item["end_time"].wrong(f"{end:g} is not after start_time {start:g}")
        if end > duration + SESSION_TOLERANCE:
            raise item["end_time"].wrong(f"{end:g} is after the session's end ({duration:g} s)")
        if sentences and start < sentences[-1].end:
            raise item["start_time"].wrong(f"{start:g} is before the sentence above it ends ({sentences[-1].end:g})")
        sentences.append(Sentence(number, item["sentence_text"].text(), start, end))
    if not sentences:
        raise field.wrong("holds no sentence")
    return sentences


def _boxes(field: _Fields, width: int, height: int) -> np.ndarray:
    """(N, 4) int32 as left, top, right, bottom from rows of top, left, bottom, right."""
    for item in field.items():
        values = item.value
        if not isinstance(values, list) or len(values) != 4 or any(type(value) is not int for value in values):
            raise item.wrong("must be four whole numbers")
        top, left, bottom, right = values
        if not (0 <= top <= bottom <= height and 0 <= left <= right <= width):
            raise item.wrong(f"{values} (top, left, bottom, right) is no box inside {width}x{height}")
    return np.array(field.value, dtype=np.int32).reshape(-1, 4)[:, [1, 0, 3, 2]]


def _kind(value: Any) -> str:
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return "an object"
    return "nothing (null)" if value is None else f"{value!r:.40}"
