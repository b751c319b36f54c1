"""The doctor: finds what is missing, broken, clashing or of another version, and works where nothing is installed."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import avsr
from avsr import doctor
from avsr.doctor import BROKEN, OK, WARNING, Finding, Package

ROOT = Path(avsr.__file__).resolve().parents[1]


@pytest.fixture
def fake_package(tmp_path, monkeypatch):
    """Installs packages with the given metadata and code into a folder that this and new processes see."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def install(name: str, version: str, code: str = "") -> Package:
        info = tmp_path / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        module = name.replace("-", "_")
        (tmp_path / f"{module}.py").write_text(code)
        return Package(name, f"import {module}")

    return install


def test_every_requirement_is_looked_at():
    names = re.findall(r'^    "([A-Za-z][\w-]*)(?!.*": \[)', (ROOT / "setup.py").read_text(encoding="utf-8"), re.M)  # no extra's name
    required = set(names)
    assert required, "setup.py is written in another way now"
    data = set(doctor.read_pins(ROOT / "tools/data_packages.txt"))
    assert required | data == {package.name for package in doctor.PACKAGES}


@pytest.mark.parametrize(("version", "state"), [((3, 9), BROKEN), ((3, 10), OK), ((3, 12), OK), ((3, 13), BROKEN)])
def test_python(version, state):
    finding = doctor.check_python(version)
    assert finding.state == state
    assert ("3.10 to 3.12" in finding.remedy) == (state == BROKEN)


def test_a_missing_package():
    finding = doctor.check_package(Package("avsr-needs-this", "import avsr_needs_this"), {})
    assert (finding.state, finding.found) == (BROKEN, "missing")
    assert "tools/install.sh" in finding.remedy


def test_a_package_that_does_not_import(fake_package):
    package = fake_package("avsr-broken", "1.0", "raise ImportError('libGL.so.1: cannot open shared object file')")
    finding = doctor.check_package(package, {})
    assert finding.state == BROKEN
    assert "libGL.so.1" in finding.found and ".venv" in finding.remedy


def test_a_package_that_ends_the_process(fake_package):
    finding = doctor.check_package(fake_package("avsr-crash", "1.0", "import os; os.abort()"), {})
    assert finding.state == BROKEN
    assert "signal 6" in finding.found


def test_a_package_that_hangs(fake_package, monkeypatch):
    monkeypatch.setattr(doctor, "PROBE_SECONDS", 0.2)
    finding = doctor.check_package(fake_package("avsr-slow", "1.0", "import time; time.sleep(9)"), {})
    assert finding.state == BROKEN
    assert "no answer" in finding.found


def test_a_version_that_was_not_tried(fake_package):
    package = fake_package("avsr-newer", "2.0")
    finding = doctor.check_package(package, {"avsr-newer": {"1.4", "1.5"}})
    assert finding.state == WARNING
    assert "1.4 or 1.5" in finding.remedy
    assert doctor.check_package(package, {"avsr-newer": {"2.0"}}) == Finding("avsr-newer", OK, "2.0")


@pytest.mark.parametrize(
    ("versions", "state", "words"),
    [
        ({"opencv-python": "4.14.0", "opencv-contrib-python": "4.14.0"}, OK, ""),
        ({"opencv-python": "5.0.1", "opencv-contrib-python": "4.14.0"}, BROKEN, "overwrite"),
        ({"opencv-python": "5.0.1", "opencv-contrib-python": "5.0.1"}, BROKEN, "version 5"),
        ({"opencv-python": "4.13.0", "opencv-contrib-python-headless": "4.14.0"}, WARNING, "one version"),
        ({}, BROKEN, "no build"),
    ],
)
def test_opencv_builds(monkeypatch, versions, state, words):
    monkeypatch.setattr(doctor, "installed_version", versions.get)
    finding = doctor.check_opencv()
    assert finding.state == state
    assert words in finding.remedy


def test_face_model_absent(monkeypatch, tmp_path):
    monkeypatch.delenv("AVSR_FACE_MODEL", raising=False)
    monkeypatch.setenv("AVSR_CACHE", str(tmp_path))
    finding = doctor.check_face_model()
    assert finding.state == BROKEN
    assert "AVSR_FACE_MODEL" in finding.remedy
    assert not list(tmp_path.iterdir()), "the doctor fetches nothing"


def test_face_model_is_not_the_one(monkeypatch, tmp_path):
    wrong = tmp_path / "face_landmarker.task"
    wrong.write_bytes(b"not a model")
    monkeypatch.setenv("AVSR_FACE_MODEL", str(wrong))
    finding = doctor.check_face_model()
    assert finding.state == BROKEN
    assert str(wrong) in finding.found


def test_packed_model_named_but_absent(monkeypatch, tmp_path):
    monkeypatch.setenv("AVSR_MODEL", str(tmp_path / "model.zip"))
    finding = doctor.check_packed_model()
    assert finding.state == BROKEN and "AVSR_MODEL" in finding.remedy


def test_little_disk(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "FREE_GB", 1e9)
    assert doctor.check_disk(tmp_path).state == WARNING


@pytest.mark.parametrize(("state", "code"), [(OK, 0), (WARNING, 0), (BROKEN, 1)])
def test_exit_code_and_sentences(capsys, state, code):
    findings = [Finding("numpy", OK, "2.4.6"), Finding("torch", state, "half [red]there[/red]", "mend it so.")]
    assert doctor.show(findings) == code
    said = capsys.readouterr().out
    assert "[red]there" in said, "what was found is no markup"
    assert ("torch (half [red]there[/red]): mend it so." in said) == (state != OK)


def test_where_nothing_at_all_is_installed():
    """-S hides site-packages: everything is missing, rich and typer included, and the doctor still speaks."""
    script = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from avsr.doctor import examine, show\n"
        "sys.exit(show(examine()))"
    )
    done = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    sentence = next(line for line in done.stdout.splitlines() if "(missing): run tools/install.sh." in line)
    assert {package.name for package in doctor.PACKAGES} == set(sentence.partition(" (")[0].split(", "))
    assert done.stderr == ""


def test_light_packages_of_this_environment_are_found():
    """The real probes of what imports quickly; the heavy ones would take half a minute."""
    for package in doctor.PACKAGES:
        if package.name in {"numpy", "av", "soundfile", "PyYAML", "rich"}:
            finding = doctor.check_package(package, {package.name.lower(): {metadata.version(package.name)}})
            assert finding.state == OK, finding


def test_no_model_yet_is_a_warning_that_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.delenv("AVSR_MODEL", raising=False)
    monkeypatch.setattr("avsr.decoding.default_model.CHECKOUT", tmp_path)
    monkeypatch.chdir(tmp_path)
    finding = doctor.check_packed_model()
    assert finding.state == WARNING and "run.sh" in finding.remedy
