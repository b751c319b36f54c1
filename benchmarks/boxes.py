"""Mouth cropping of AI-Hub 538's sessions: by the labels' boxes against by looking for the face, from an archive; and how well the two agree.

    python -m benchmarks.boxes [--seconds 60] [--runs 3] [--nj 2] [--aihub DIR]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import tempfile
import time
import zipfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from benchmarks.measure import face_picture, medians, print_machine

SIZE, FPS = (1920, 1080), 30
_SENTENCE, _GAP = 4.6, 0.45  # seconds: the median of the corpus's sentences and of the silence between them, by others' count


@dataclass(frozen=True)
class Agreement:
    """Of the two crops of each frame: share of the area of both together that is in both; distance of their middles in the crop's pixels."""

    frames: int
    iou_mean: float
    iou_least: float  # the 5th percentile
    centre_mean: float
    centre_most: float  # the 95th percentile
    turned: float  # degrees, mean, by which a found face's crop is turned


def agreement(folder: Path, *, clips: int | None = None) -> Agreement:
    """Crops of the clips under `folder` (AI-Hub 538's label with clips/sentence_01.mp4 ...) by the label's boxes and by the face found in them."""
    import cv2

    from avsr.corpora.aihub538 import read_label
    from avsr.lips import extract
    from avsr.lips.boxes import boxes_at, crop_matrices
    from avsr.lips.crop import SIDE, similarity
    from avsr.media.probe import probe

    label = read_label(next(folder.glob("*.json")))
    square = np.array([(-0.5, -0.5), (SIDE - 0.5, -0.5), (SIDE - 0.5, SIDE - 0.5), (-0.5, SIDE - 0.5)])
    found: list[np.ndarray] = []
    cut = extract.warp

    def noted(grey: np.ndarray, points: np.ndarray) -> np.ndarray:
        found.append(similarity(points))
        return cut(grey, points)

    shares, distances, turns = [], [], []
    extract.warp = noted
    try:
        for sentence in label.sentences[:clips]:
            path = folder / "clips" / f"sentence_{sentence.number:02d}.mp4"
            found.clear()
            clip = extract.extract_mouth_clips(path)[0]
            assert len(found) == len(clip.frames), "a face in every frame"
            video = probe(path).video
            scale = np.tile([video.width / label.width, video.height / label.height], 2)
            face, lips = (
                boxes_at(boxes, label.fps, sentence.start, len(found)) * scale for boxes in (label.face_boxes, label.lip_boxes)
            )
            for ours, theirs in zip(found, crop_matrices(face, lips)[0], strict=True):
                inverse = [np.linalg.inv(matrix[:, :2]) for matrix in (ours, theirs)]
                quads = [((square - matrix[:, 2]) @ turn.T).astype(np.float32) for matrix, turn in zip((ours, theirs), inverse, strict=True)]
                common = cv2.intersectConvexConvex(*quads)[0]
                shares.append(common / (sum(map(cv2.contourArea, quads)) - common))
                middle = ours[:, :2] @ (quads[1].mean(axis=0)) + ours[:, 2]
                distances.append(np.linalg.norm(middle - (SIDE - 1) / 2))
                turns.append(abs(np.degrees(np.arctan2(ours[1, 0], ours[0, 0]))))
    finally:
        extract.warp = cut
    low, high = np.percentile(shares, 5), np.percentile(distances, 95)
    return Agreement(len(shares), *map(float, (np.mean(shares), low, np.mean(distances), high, np.mean(turns))))


def make_archives(root: Path, seconds: float, copies: int, crf: int) -> int:
    """A session of a drawn face, 1920x1080 at 30 fps with 48 kHz stereo, and its label, `copies` times in archives; the video's bytes."""
    import av

    from tests.corpora.aihub538_miniature import RATE, make_wav, stereo_of

    samples = (0.3 * np.sin(np.arange(round(seconds * 16000)) / 9)).astype(np.float32)
    stereo, path = stereo_of(samples), root / "session.mp4"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "crf": str(crf)})
        (video.width, video.height), video.pix_fmt = SIZE, "yuv420p"
        track = container.add_stream("aac", rate=RATE, layout="stereo")
        rng = np.random.default_rng(0)
        grain = rng.normal(0, 4, (SIZE[1] + 64, SIZE[0] + 64)).astype(np.int8)  # a camera's noise, or the file is far too small
        for index in range(round(seconds * FPS)):
            x, y = rng.integers(0, 64, 2)
            noise = grain[y : y + SIZE[1], x : x + SIZE[0], None]
            picture = np.clip(face_picture(index / FPS, SIZE).astype(np.int16) + noise, 0, 255).astype(np.uint8)
            for packet in video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        for packet in video.encode(None):
            container.mux(packet)
        for begin in range(0, len(stereo), 1024):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(stereo[begin : begin + 1024].T), format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = RATE, begin
            for packet in track.encode(frame):
                container.mux(packet)
        for packet in track.encode(None):
            container.mux(packet)
    size = path.stat().st_size
    with zipfile.ZipFile(root / "TS1.zip", "w") as sources, zipfile.ZipFile(root / "TL1.zip", "w") as labels:
        for copy in range(copies):
            name = f"lip_J_1_F_02_C{copy + 1:03d}_A_001"
            sources.write(path, f"TS1/{name}.mp4")
            sources.writestr(f"TS1/{name}.wav", make_wav(stereo))
            labels.writestr(f"TL1/{name}.json", json.dumps([_label(name, seconds)], ensure_ascii=False).encode("utf-8-sig"))
    path.unlink()
    return size


def _label(name: str, seconds: float) -> dict:
    starts = np.arange(0.5, seconds - _SENTENCE, _SENTENCE + _GAP)
    sentences = [
        {"ID": number, "topic": "t", "sentence_text": "가나다.", "start_time": float(start), "end_time": float(start + _SENTENCE)}
        for number, start in enumerate(starts, 1)
    ]
    count, unit = round(seconds * FPS), SIZE[1] / 480
    faces, lips = [], []
    for time_ in np.arange(count) / FPS:  # where benchmarks.measure.face_picture draws the mouth
        x, y = SIZE[0] / 2 + 20 * unit * np.sin(2 * time_), SIZE[1] / 2 + (74 + 8 * np.sin(3 * time_)) * unit
        for rows, side, up in ((faces, 260 * unit, 60 * unit), (lips, 80 * unit, 0)):
            rows.append([max(0, int(y - up - side / 2)), int(x - side / 2), min(SIZE[1], int(y - up + side / 2)), int(x + side / 2)])
    whole = f"0:{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"
    return {
        "Video_info": {"video_Name": f"{name}.mp4", "video_Duration": whole, "FPS": FPS, "Resolution": f"{SIZE[0]}*{SIZE[1]}"},
        "Audio_info": {"Audio_Name": f"{name}.wav", "Sampling_rate": "48Khz", "Channel(s)": 2},
        "Audio_env": {"Noise": 1},
        "Video_env": {"env": "indoor_light", "Angle": "A"},
        "Sentence_info": sentences,
        "speaker_info": {"speaker_ID": name.split("_")[5], "Specificity": "C", "Gender": "F", "Age": 2, "Accent": "N"},
        "Bounding_box_info": {"Face_bounding_box": {"xtl_ytl_xbr_ybr": faces}, "Lip_bounding_box": {"xtl_ytl_xbr_ybr": lips}},
    }


def cut(root: Path, number: int, boxes: bool) -> tuple[int, float]:
    """Cut one session of the archives of `root` from the first byte to the last clip; frames cropped, and processor seconds taken."""
    from avsr.corpora.olkavs.cut import cut_session, read_record, record_path
    from avsr.corpora.olkavs.index import index_corpus

    session, out = index_corpus(root / "archives").sessions[number], root / f"out{number}"
    shutil.rmtree(out, ignore_errors=True)
    begun = resource.getrusage(resource.RUSAGE_SELF)
    reason = cut_session(session, out, boxes, root)
    ended = resource.getrusage(resource.RUSAGE_SELF)
    record = read_record(record_path(out, session.name))
    if reason or record.failed:
        raise SystemExit(reason or record.failed[0][2])
    spent = ended.ru_utime + ended.ru_stime - begun.ru_utime - begun.ru_stime
    return round(sum(entry["seconds"] for entry in record.utterances) * 25), spent


def spin(_: int) -> int:
    """Some seconds of arithmetic in registers: what a second process gains there, the machine has to give."""
    total = 0
    for number in range(20_000_000):
        total += number & 7
    return total


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60, help="length of the made session (default: %(default)s)")
    parser.add_argument("--crf", type=int, default=21, help="x264's rate factor of it (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--nj", type=int, default=2, help="processes at once (default: %(default)s)")
    parser.add_argument("--aihub", type=Path, help="folder of the real label and its clips: how well the two crops agree")
    options = parser.parse_args(arguments)
    if options.aihub:
        found = agreement(options.aihub)
        print(f"{found.frames} frames: overlap (IoU) {found.iou_mean:.3f} mean, {found.iou_least:.3f} at the 5th percentile; middles"
              f" {found.centre_mean:.2f} crop pixels apart, {found.centre_most:.2f} at the 95th; heads turned by {found.turned:.2f} degrees")  # fmt: skip
    os.environ["OPENCV_FOR_THREADS_NUM"] = "1"
    with tempfile.TemporaryDirectory() as work, ProcessPoolExecutor(options.nj, get_context("spawn")) as pool:
        root = Path(work)
        (root / "archives").mkdir()
        size = make_archives(root / "archives", options.seconds, options.nj, options.crf)
        print(f"a session of {options.seconds} s, {8 * size / options.seconds / 1e6:.1f} Mbit/s", flush=True)
        spent: dict[bool, list[float]] = {False: [], True: []}
        frames = 0

        def one(boxes: bool) -> None:
            nonlocal frames
            frames, seconds = cut(root, 0, boxes)
            spent[boxes].append(seconds)

        times = medians({"found": lambda: one(False), "boxes": lambda: one(True)}, options.runs)
        numbers = {"one": 1, "many": options.nj}
        list(pool.map(spin, range(options.nj)))  # the processes are there
        many = medians(
            {
                **{name: lambda nj=nj: list(pool.map(cut, [root] * nj, range(nj), [True] * nj)) for name, nj in numbers.items()},
                **{f"{name} spun": lambda nj=nj: list(pool.map(spin, range(nj))) for name, nj in numbers.items()},
            },
            options.runs,
        )
    print_machine(options.runs)
    source = frames * FPS / 25  # of the sentences: what lies between them is decoded too, and not counted
    used = {boxes: float(np.median(seconds[1:])) for boxes, seconds in spent.items()}
    for name, boxes, says in (("found", False, "face looked for"), ("boxes", True, "by the label's boxes")):
        print(f"{says}: {source / times[name]:.1f} source frames a second of wall time, {source / used[boxes]:.1f} of processor time")
    print(f"by boxes {times['found'] / times['boxes']:.2f} times as fast by the clock, {used[False] / used[True]:.2f} by the processor")
    gain, most = (options.nj * many[f"one{what}"] / many[f"many{what}"] for what in ("", " spun"))
    print(f"{options.nj} processes do {gain:.2f} times as much as one; of arithmetic alone {most:.2f} times ({len(os.sched_getaffinity(0))} processors)")
    print_parts(options.seconds)


def print_parts(seconds: int) -> None:
    """Processor milliseconds a source frame that cropping alone takes, the pictures being there."""
    from avsr.lips.boxes import box_mouths
    from avsr.lips.extract import find_mouths
    from avsr.media.video import Frame

    boxes = _label("a_b_c_d_e_f_A_1", min(seconds, 4))["Bounding_box_info"].values()
    face, lips = (np.array(rows["xtl_ytl_xbr_ybr"])[:, [1, 0, 3, 2]] for rows in boxes)
    count = min(seconds, 4) * 25
    pictures = [face_picture(index / 25, SIZE) for index in range(count)]
    alone = {}
    coloured = [Frame(index, index / 25, image, False) for index, image in enumerate(pictures)]
    grey = [Frame(index, index / 25, np.ascontiguousarray(image[..., 0]), False) for index, image in enumerate(pictures)]
    for name, work in (
        ("found", lambda: find_mouths(coloured, 0.0)),
        ("boxes", lambda: box_mouths(grey, 0.0, count, face, lips, FPS)),
    ):
        work()
        begun = time.process_time()
        work()
        alone[name] = 1000 * (time.process_time() - begun) / (count * FPS / 25)
    print(f"without decoding: {alone['found']:.2f} ms a source frame where the face is looked for, {alone['boxes']:.2f} by boxes:"
          f" {alone['found'] / alone['boxes']:.1f} times as fast")  # fmt: skip


if __name__ == "__main__":
    started = time.monotonic()
    main()
    print(f"{time.monotonic() - started:.0f} s in all")
