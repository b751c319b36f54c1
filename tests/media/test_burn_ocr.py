"""Captions that are burned in can be read: tesseract, which knows nothing of them, reads them back from the pictures."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from avsr.media.burn_video import burn_video
from avsr.media.captions import Cue, Word, cues_from_words
from avsr.media.video import VideoReader
from avsr.media.write import write_video
from avsr.text.scores import ErrorCount, cer

pytest.importorskip("pylopdf_fonts_ko", reason="the captions' font is not installed: run tools/install.sh")

SAID = (
    "안녕하세요 오늘 회의를 시작하겠습니다.",
    "(민지) 지난주에 말씀드린 내용부터 하나씩 살펴볼까요?",
    "네, 자료는 미리 보내 드렸습니다.",
    "서울에서 부산까지 기차로 두 시간 반이 걸립니다.",
    "값은 모두 합쳐서 12만 5천 원이에요.",
    "꽃집 옆에 있는 빵집에서 만나기로 했잖아요.",
    "비가 많이 와서 우산을 빌려 주었습니다.",
    "괜찮으시다면 다음 주 목요일은 어떠세요?",
    "(화자 2) 얼마나 기다렸는지 몰라요!",
    "의사가 왜 웃었는지 뒤늦게 깨달았다.",
    "닭을 삶고 무를 얇게 썰어 넣으세요.",
    "휴대 전화를 꺼 두시기 바랍니다.",
)
SIZE, FPS = (640, 360), 12.0
GROUND = (60, 90, 70)


@pytest.fixture(scope="module", autouse=True)
def tesseract() -> str:
    """The program, with its Korean data; skips where either is absent."""
    program = shutil.which("tesseract")
    listed = program and subprocess.run([program, "--list-langs"], capture_output=True, text=True)
    if not listed or "kor" not in (listed.stdout + listed.stderr).split():
        pytest.skip("tesseract or its Korean data is absent: run tools/install.sh --ocr (Debian: tesseract-ocr, tesseract-ocr-kor)")
    return program


def cues() -> list[Cue]:
    """SAID, three words a second and a second between sentences, as the layout makes captions of it."""
    words, time = [], 0.5
    for sentence in SAID:
        for text in sentence.split():
            words.append(Word(time, time + 0.3, text))
            time += 0.33
        time += 1.0
    return cues_from_words(words)


def read_back(program: str, image: np.ndarray, work: Path) -> str:
    """What tesseract reads in the lowest third of a picture (H, W, 3)."""
    from PIL import Image

    band = image[image.shape[0] * 2 // 3 :].astype(np.float32).mean(2)
    # The letters are white, and tesseract was taught on black ones; what is darker than they, their edge and the ground, becomes
    # paper. (Tried on eight of the captions with edge and ground left in: 3 of 146 characters were misread, against none.)
    paper = Image.fromarray(np.clip(255 - (band - 128) * 255 / 120, 0, 255).astype(np.uint8))
    # Letters of 21 pixels become 42: it wants capitals 30 to 40 high.
    paper.resize((2 * paper.width, 2 * paper.height), Image.Resampling.LANCZOS).save(work / "caption.png")
    done = subprocess.run(
        [program, str(work / "caption.png"), "-", "-l", "kor", "--psm", "6"],
        capture_output=True, text=True, check=True, env=os.environ | {"OMP_THREAD_LIMIT": "1"},
    )  # fmt: skip
    return done.stdout


def test_burned_captions_are_read_back(tesseract, tmp_path):
    """In the burned video's picture at the middle of each cue; at most one character in twenty is read wrong."""
    captions = cues()
    assert len(captions) >= len(SAID) and any("\n" in cue.text for cue in captions)
    ground = np.broadcast_to(np.array(GROUND, np.uint8), (round((captions[-1].end + 1) * FPS), SIZE[1], SIZE[0], 3))
    write_video(tmp_path / "plain.mp4", ground, FPS)
    burned = burn_video(tmp_path / "plain.mp4", captions, tmp_path / "burned")
    middles = {round((cue.start + cue.end) / 2 * FPS): cue for cue in captions}
    shown = {frame.index: frame.image for frame in VideoReader(burned, fps=FPS) if frame.index in middles}
    errors = ErrorCount(0, 0)
    for index, cue in middles.items():
        text = read_back(tesseract, shown[index], tmp_path)
        wrong = cer(cue.text.replace("\n", " "), text)
        errors += wrong
        if wrong.errors:
            print(f"{' '.join(cue.text.split())} was read as {' '.join(text.split())}")
    print(f"{errors.errors} of {errors.length} characters of {len(captions)} captions were read wrong: CER {errors.rate:.1f} %")
    assert errors.rate <= 5.0
