"""What the benchmarks share: alternatives timed by turns, their medians, and videos to measure on."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from avsr.files import VIDEO_SUFFIXES, files_under
from avsr.stages.machine import describe_commit, describe_machine, describe_versions


def medians(alternatives: Mapping[str, Callable[[], object]], runs: int) -> dict[str, float]:
    """Median wall seconds of each alternative over `runs` turns.

    They take turns, so that a machine that grows busy slows all of them alike; the first turn, which loads libraries
    and fills caches, is thrown away.
    """
    if runs < 1:
        raise SystemExit(f"--runs is {runs}; give 1 or more.")
    times: dict[str, list[float]] = {name: [] for name in alternatives}
    for turn in range(runs + 1):
        for name, run in alternatives.items():
            begun = time.perf_counter()
            run()
            if turn:
                times[name].append(time.perf_counter() - begun)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def print_machine(runs: int) -> None:
    """What every figure is to be read with."""
    print(f"medians of {runs} runs; {describe_machine()}; {describe_versions()}; commit {describe_commit()}", flush=True)


def videos(folder: Path) -> list[Path]:
    """The videos under `folder`, of which there must be some."""
    found = files_under(folder, VIDEO_SUFFIXES)
    if not found:
        raise SystemExit(f"{folder}: holds no video; give --clips a folder that does.")
    return found


def drawn_video(work: Path, seconds: float, size: tuple[int, int] = (640, 480)) -> Path:
    """A video made in `work` of a drawn face whose mouth opens and closes over a rising tone."""
    from tests.media_maker import make_video

    return make_video(work / "drawn.mp4", seconds=seconds, size=size, picture=lambda time: face_picture(time, size))


def talking_video(work: Path, seconds: float) -> Path:
    """A made person in `work` who says the quick start's sentences one after the other, for `seconds` or a little more, 640x480."""
    from avsr.corpora.talking_heads.corpus import Item, Order
    from avsr.corpora.talking_heads.quickstart import load_quickstart
    from avsr.corpora.talking_heads.utterance import draw, say
    from avsr.lips.mouth_clip import FPS
    from avsr.media.audio import SAMPLE_RATE
    from avsr.media.write import write_video

    order, pictures, sounds = Order(seed=1, full_face=True), [], []
    voice = None
    for number, speech in enumerate(load_quickstart()):
        voice = voice or speech.speaker
        if speech.speaker != voice or sum(map(len, pictures)) >= seconds * FPS:
            continue
        item = Item(f"{voice}f1-{number:06d}", "test", voice, 0, speech.text, speech.name)
        spoken = say(item, order)
        frames, *_ = draw(item, order, spoken)
        sound = np.zeros(len(frames) * SAMPLE_RATE // FPS, np.float32)
        sound[: len(spoken.samples)] = spoken.samples[: len(sound)]
        pictures.append(frames)
        sounds.append(sound)
    write_video(work / "talking.mp4", np.concatenate(pictures), FPS, np.concatenate(sounds))
    return work / "talking.mp4"


def face_picture(time: float, size: tuple[int, int]) -> np.ndarray:
    """(H, W, 3) uint8 RGB: a drawn face that MediaPipe takes for one, swaying, its mouth opening and closing."""
    import cv2

    width, height = size
    unit = height / 480
    image = np.full((height, width, 3), (96, 110, 120), np.uint8)
    middle = width / 2 + 20 * unit * np.sin(2 * time), height / 2 + 8 * unit * np.sin(3 * time)

    def ellipse(x: float, y: float, across: float, down: float, colour: tuple[int, int, int]) -> None:
        centre = round(middle[0] + x * unit), round(middle[1] + y * unit)
        axes = round(across * unit), round(down * unit)
        cv2.ellipse(image, centre, axes, 0, 0, 360, colour, -1, cv2.LINE_AA)

    for part in (
        (0, -20, 112, 150, (45, 32, 26)),  # hair
        (0, 190, 190, 90, (60, 70, 130)),  # shoulders
        (0, 120, 45, 60, (190, 145, 120)),  # neck
        (0, 10, 95, 128, (205, 155, 128)),
        (0, 10, 75, 120, (224, 178, 150)),
        (0, 8, 10, 34, (234, 192, 164)),  # nose
        (0, 34, 19, 10, (208, 158, 132)),
        (-8, 40, 5, 3, (120, 76, 62)),
        (8, 40, 5, 3, (120, 76, 62)),
    ):
        ellipse(*part)
    for x in (-38, 38):
        ellipse(x, -42, 24, 6, (60, 42, 34))
        ellipse(x, -18, 18, 10, (70, 50, 40))
        ellipse(x, -15, 17, 8, (248, 246, 242))
        ellipse(x, -16, 8, 8, (70, 46, 34))
        ellipse(x, -16, 4, 4, (12, 10, 10))
    opening = 3 + 3 * (1 + np.sin(9 * time))
    ellipse(0, 74, 34, 9 + opening, (178, 84, 84))
    ellipse(0, 74, 25, opening + 1, (70, 20, 24))
    return cv2.GaussianBlur(image, (0, 0), 1.5 * unit)
