"""AI-Hub 538 in miniature, made here: layout, names and labels as AI-Hub has them, with talking heads inside.

Folders and names are those of the corpus's own description (IIP-Sogang/olkavs-avspeech) and of the label at hand: 30 fps, 48 kHz
stereo in the video and in a wav beside it, a byte order mark, boxes as top, left, bottom, right, one a frame. Only the size is
smaller, 640x360, and a session lasts seconds.
"""

from __future__ import annotations

import copy
import io
import json
import tarfile
import zipfile
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

TOP = "009.립리딩(입모양) 음성인식 데이터/01.데이터"
FPS, RATE, SIZE = 30, 48000, (640, 360)
_DRAWN = (180, 180)  # height and width: half of the picture's height, enlarged, with the room's edges at both sides
_LEAD, _GAP = 0.3, 0.45  # seconds of silence before the first sentence and between two
_YAWS = {"A": 0.0, "C": 25.0}  # degrees: from the front; from the left


@dataclass
class MadeSession:
    """A session's files: the label's object, the video and the wav; `split` is 1.Training or 2.Validation."""

    name: str
    split: str
    label: dict[str, Any] = field(repr=False)
    video: bytes | None = field(repr=False)
    sound: bytes | None = field(repr=False)
    text: bytes | None = None  # in the label's place, where it is to be no JSON

    def files(self, kind: str) -> dict[str, bytes]:
        """Inner paths and contents of the label archive ("L") or of the source archive ("S")."""
        letter = self.split[2]
        sex = {"F": "F(여성)", "M": "M(남성)"}[self.name.split("_")[3]]
        inner = f"{letter}{kind}1/소음환경{self.name.split('_')[2]}/C(일반인)/{sex}/{sex}_1/{self.name}"
        if kind == "L":
            content = self.text
            if content is None:
                content = json.dumps([self.label], ensure_ascii=False, indent=4).encode("utf-8-sig")
            return {f"{inner}.json": content}
        return {f"{inner}{suffix}": data for suffix, data in ((".mp4", self.video), (".wav", self.sound)) if data is not None}


@dataclass
class Miniature:
    """The sessions; `write` puts them into archives."""

    sessions: list[MadeSession] = field(default_factory=list)

    def copy(self) -> Miniature:
        """One whose labels may be changed without changing this one's."""
        return Miniature([replace(session, label=copy.deepcopy(session.label)) for session in self.sessions])

    def __getitem__(self, name: str) -> MadeSession:
        return next(session for session in self.sessions if session.name == name)

    def write(self, root: Path, *, compression: int = zipfile.ZIP_STORED, parts: int = 3) -> Path:
        """Write AI-Hub's folders under `root`: whole zips of labels, the training's source zip in `parts`, the validation's as a tar."""
        for split in ("1.Training", "2.Validation"):
            chosen = [session for session in self.sessions if session.split == split]
            for kind, folder in (("L", "라벨링데이터"), ("S", "원천데이터")):
                files: list[tuple[str, bytes]] = [item for session in chosen for item in session.files(kind).items()]
                path = root / TOP / split / folder / f"{split[2]}{kind}1.zip"
                path.parent.mkdir(parents=True, exist_ok=True)
                if kind == "S" and split == "2.Validation":
                    path.with_suffix(".tar").write_bytes(_tar(files))
                elif kind == "S":
                    write_parts(path, _zip(files, compression), parts)
                else:
                    path.write_bytes(_zip(files, zipfile.ZIP_DEFLATED))
        return root


def write_parts(path: Path, data: bytes, parts: int) -> None:
    """Cut as AI-Hub's tool cuts: each part is named after the byte that it begins with."""
    size = -(-len(data) // parts)
    for begin in range(0, len(data), size):
        path.with_name(f"{path.name}.part{begin}").write_bytes(data[begin : begin + size])


def make_miniature() -> Miniature:
    """Two speakers to train on, the first from the front and from the left, and two for validation; the last says what one of the first said."""
    sessions = []
    for name, split, angles, voice, said in (
        ("lip_J_1_F_02_C901_{}_001", "1.Training", "AC", "v01", (1, 2)),
        ("lip_J_2_M_03_C902_{}_001", "1.Training", "A", "v02", (1, 2)),
        ("lip_J_1_F_05_C903_{}_001", "2.Validation", "A", "v03", (1, 2)),
        ("lip_J_2_M_02_C904_{}_001", "2.Validation", "A", "v02", (1, 3)),
    ):
        for angle in angles:
            sessions.append(_session(name.format(angle), split, angle, voice, said))
    return Miniature(sessions)


def _session(name: str, split: str, angle: str, voice: str, said: tuple[int, ...]) -> MadeSession:
    pieces = [_piece(name, angle, voice, number) for number in said]
    sentences, pictures, boxes, at = [], [], [], _LEAD
    samples = np.zeros(round(_LEAD * 16000), np.float32)
    spans = []
    for number, (text, frames, lips, spoken) in enumerate(pieces, 1):
        end = at + len(spoken) / 16000
        sentences.append({"ID": number, "topic": "daily", "sentence_text": f"{text}.", "start_time": at, "end_time": end})
        spans.append((at, frames, lips))
        samples = np.concatenate([samples, spoken, np.zeros(round(_GAP * 16000), np.float32)])
        at = end + _GAP
    seconds = int(np.ceil(at))
    samples = np.pad(samples, (0, seconds * 16000 - len(samples)))
    for index in range(seconds * FPS):
        time = index / FPS
        start, frames, lips = [span for span in spans if span[0] <= time][-1] if time >= _LEAD else spans[0]
        shown = min(max(0, int((time - start) * 25 + 1e-6)), len(frames) - 1)
        pictures.append(frames[shown])
        boxes.append(lips[shown])
    faces, mouths = zip(*boxes, strict=True)
    _, _, noise, sex, age, speaker, *_ = name.split("_")
    clock = f"0:{seconds // 60:02d}:{seconds % 60:02d}"
    label = {
        "dataSet": {"description": "AI HUB Voice and motion data_Lip voice", "url": "https://aihub.or.kr/", "version": 1.0, "year": "2021"},
        "Video_info": {
            "video_Name": f"{name}.mp4",
            "video_Format": "MP4",
            "video_Duration": clock,
            "FPS": FPS,
            "Resolution": f"{SIZE[0]}*{SIZE[1]}",
        },
        "Audio_info": {
            "Audio_Name": f"{name}.wav",
            "Audio_Format": "wav",
            "Audio_Duration": clock,
            "Sampling_rate": "48Khz",
            "Channel(s)": 2,
        },
        "Audio_env": {"Noise": int(noise)},
        "Video_env": {"env": "indoor_light", "Angle": angle},
        "Sentence_info": sentences,
        "speaker_info": {"speaker_ID": speaker, "Specificity": "C", "Gender": sex, "Age": int(age), "Accent": "N"},
        "Bounding_box_info": {
            "Face_bounding_box": {"xtl_ytl_xbr_ybr": list(faces)},
            "Lip_bounding_box": {"xtl_ytl_xbr_ybr": list(mouths)},
        },
    }
    stereo = stereo_of(samples)
    return MadeSession(name, split, label, make_mp4(pictures, stereo), make_wav(stereo))


def _piece(name: str, angle: str, voice: str, number: int):
    """Two words of a shipped sentence: text, pictures (T, h, w, 3) at 25 a second, boxes of face and lips a picture, samples at 16 kHz."""
    from avsr.corpora.talking_heads.camera import Camera
    from avsr.corpora.talking_heads.corpus import Item, rng_for
    from avsr.corpora.talking_heads.draw import _posed_marks, draw_face_clip
    from avsr.corpora.talking_heads.manner import MouthStyle
    from avsr.corpora.talking_heads.mouth import mouth_motion
    from avsr.corpora.talking_heads.portrait import portrait
    from avsr.corpora.talking_heads.quickstart import load_quickstart
    from avsr.corpora.talking_heads.utterance import _head, face_of

    speech = next(speech for speech in load_quickstart() if speech.name == f"{voice}-{number:03d}")
    spoken, words = speech.load(), speech.text.split()[:2]
    length = spoken.words[1][1] + 0.05
    speaker = name.split("_")[5]
    item = Item(f"{speaker}-{number}", "test", voice, int(speaker[1:]) % 8, speech.text)
    motion = mouth_motion(spoken.phones, spoken.duration, MouthStyle.random(rng_for(1, speaker, "manner")), rng_for(1, item.utt, "motion"))
    count = round(length * 25)
    motion = replace(motion, units=motion.units[:count], pose=motion.pose[:count], shape=motion.shape[:count])
    identity, camera = face_of(item, 1), Camera(yaw=_YAWS[angle], size=0.6)
    frames = draw_face_clip(_head(), identity, motion, camera, rng_for(1, item.utt, "picture"), _DRAWN)
    points = camera.project(_posed_marks(_head(), portrait(_head(), identity).body, motion, camera), *_DRAWN) * (SIZE[1] / _DRAWN[0])
    points[..., 0] += (SIZE[0] - SIZE[1]) / 2
    return " ".join(words), frames, [boxes_around(five) for five in points], spoken.samples[: round(length * 16000)]


def boxes_around(points: np.ndarray) -> tuple[list[int], list[int]]:
    """Boxes of face and lips as in the label, top, left, bottom, right, that belong to five face points (5, 2): squares, like dlib's."""
    from avsr.lips import boxes
    from avsr.lips.crop import SIDE, similarity

    matrix = similarity(points.astype(np.float64))
    middle = np.linalg.inv(matrix[:, :2]) @ (np.full(2, (SIDE - 1) / 2) - matrix[:, 2])
    width = SIDE / np.hypot(matrix[0, 0], matrix[1, 0]) / boxes._SIDE

    def square(x: float, y: float, side: float) -> list[int]:
        top, left, bottom, right = y - side / 2, x - side / 2, y + side / 2, x + side / 2
        return [max(0, round(top)), max(0, round(left)), min(SIZE[1], round(bottom)), min(SIZE[0], round(right))]

    return square(middle[0], middle[1] - 0.13 * width, width), square(middle[0], middle[1] - boxes._DOWN * width, 0.3 * width)


def stereo_of(samples: np.ndarray) -> np.ndarray:
    """(n,) at 16 kHz -> (3 n, 2) float32 at 48 kHz."""
    import soxr

    return np.repeat(soxr.resample(samples, 16000, RATE)[:, None], 2, axis=1).astype(np.float32)


def make_wav(stereo: np.ndarray, rate: int = RATE) -> bytes:
    """A 16-bit WAV of (n, channels)."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, stereo, rate, subtype="PCM_16", format="WAV")
    return buffer.getvalue()


def make_mp4(pictures, stereo: np.ndarray | None, *, fps: float = FPS) -> bytes:
    """H.264 of pictures enlarged to SIZE, and AAC of (n, channels) at 48 kHz."""
    import av
    import cv2

    from avsr.media.x264 import steady_options

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=Fraction(fps), options={"preset": "ultrafast", "crf": "26"} | steady_options())
        (video.width, video.height), video.pix_fmt = SIZE, "yuv420p"
        video.codec_context.gop_size = 45
        video.codec_context.thread_count = 1
        packets = []
        if stereo is not None:
            layout = "mono" if stereo.shape[1] == 1 else "stereo"
            track = container.add_stream("aac", rate=RATE, layout=layout)
            for begin in range(0, len(stereo), 1024):
                frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(stereo[begin : begin + 1024].T), format="fltp", layout=layout)
                frame.sample_rate, frame.pts, frame.time_base = RATE, begin, Fraction(1, RATE)
                packets += track.encode(frame)
            packets += track.encode(None)
        for picture in pictures:
            large = cv2.resize(picture, (SIZE[1], SIZE[1]), interpolation=cv2.INTER_LINEAR)
            side = (SIZE[0] - SIZE[1]) // 2
            large = cv2.copyMakeBorder(large, 0, 0, side, side, cv2.BORDER_REPLICATE)
            packets += video.encode(av.VideoFrame.from_ndarray(large, format="rgb24"))
        packets += video.encode(None)
        for packet in sorted(packets, key=lambda packet: float(packet.dts * packet.time_base)):
            container.mux(packet)
    return buffer.getvalue()


def _zip(files: list[tuple[str, bytes]], compression: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as packed:
        for name, data in files:
            packed.writestr(zipfile.ZipInfo(name, (2021, 12, 1, 0, 0, 0)), data, compression)
    return buffer.getvalue()


def _tar(files: list[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as packed:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            packed.addfile(info, io.BytesIO(data))
    return buffer.getvalue()
