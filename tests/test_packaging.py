"""What belongs to the package as a whole: pins, licences, the Python range, the scripts."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

import avsr
from avsr import doctor

ROOT = Path(avsr.__file__).resolve().parents[1]


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def all_pins() -> dict[str, set[str]]:
    return doctor.read_pins(ROOT / "constraints.txt") | doctor.read_pins(ROOT / "tools/data_packages.txt")


def test_every_requirement_is_pinned():
    pins = all_pins()
    assert all(pins.get(package.name.lower()) for package in doctor.PACKAGES)
    assert len(pins["numpy"]) == 2, "Python 3.10 has the last numpy that supports it"


def test_constraints_hold_versions_only():
    pins = [line for line in read("constraints.txt").splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+( ; [^@/]+)?", line) for line in pins)
    assert "://" not in read("constraints.txt")


def test_every_pinned_package_has_its_licence_listed():
    listed = {name.lower() for name in re.findall(r"^\| ([\w.-]+)[^|]*\| \S", read("THIRD_PARTY.md"), re.M)}
    missing = set(all_pins()) - listed
    assert not missing, f"THIRD_PARTY.md has no line for {sorted(missing)}"


def test_one_python_range():
    low, high = doctor.PYTHON_RANGE
    beyond = (high[0], high[1] + 1)
    assert f'">={low[0]}.{low[1]},<{beyond[0]}.{beyond[1]}"' in read("setup.py")
    script = read("tools/install.sh")
    assert f">={low[0]}.{low[1]},<{beyond[0]}.{beyond[1]}" in script
    assert f"{low} <= sys.version_info[:2] <= {high}" in script


@pytest.mark.parametrize("script", ["tools/install.sh", "tools/test.sh", ".ci/run"])
def test_scripts_are_runnable(script):
    assert (ROOT / script).stat().st_mode & 0o111, f"{script} is not executable"
    done = subprocess.run(["bash", "-n", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_ci_only_calls_the_tests():
    lines = [line for line in read(".ci/run").splitlines() if line and not line.startswith("#")]
    assert lines[-1] == "exec ./tools/test.sh"
    assert len(lines) == 3


def test_installing_where_there_is_neither_uv_nor_pip_is_one_sentence(tmp_path):
    """A copy of what the script reads, and a PATH with the bare tools: nothing is downloaded, nothing is left behind."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "cat", "cksum", "dirname", "mkdir", "rm", "flock", "env"):
        found = subprocess.run(["bash", "-c", f"type -P {name}"], capture_output=True, text=True).stdout.strip()
        if found:
            (tools / name).symlink_to(found)
    copy = tmp_path / "copy"
    (copy / "tools").mkdir(parents=True)
    for name in ("setup.py", "constraints.txt", "tools/install.sh"):
        (copy / name).write_text(read(name), encoding="utf-8")
    done = subprocess.run(
        ["bash", "tools/install.sh"], cwd=copy, env={"PATH": str(tools), "HOME": str(tmp_path)}, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith("install: there is neither uv nor a Python with pip")
    assert done.stderr.count("\n") == 1
    assert not (copy / ".venv").exists()
