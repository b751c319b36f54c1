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
    assert lines[-3:] == ["./tools/install.sh --ocr || true", "./tools/install.sh --browser || true", "exec ./tools/test.sh"]
    assert len(lines) == 5


def bare_tools(place: Path) -> Path:
    """A folder to be the PATH, with what the scripts need of every system and no more."""
    tools = place / "bin"
    tools.mkdir()
    for name in ("bash", "cat", "cksum", "dirname", "mkdir", "rm", "flock", "env"):
        found = subprocess.run(["bash", "-c", f"type -P {name}"], capture_output=True, text=True).stdout.strip()
        if found:
            (tools / name).symlink_to(found)
    return tools


def test_installing_where_there_is_neither_uv_nor_pip_is_one_sentence(tmp_path):
    """A copy of what the script reads, and a PATH with the bare tools: nothing is downloaded, nothing is left behind."""
    tools = bare_tools(tmp_path)
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


@pytest.fixture
def install(tmp_path):
    """`tools/install.sh` with that option where there is nothing but bare tools, and programs of the names given that run these lines:
    (exit code, stderr, with what apt-get was called)."""
    tools = bare_tools(tmp_path)

    def program(name: str, lines: str) -> None:
        (tools / name).write_text(f"#!/usr/bin/env bash\n{lines}\n", encoding="utf-8")
        (tools / name).chmod(0o755)

    def install(option: str, **programs: str) -> tuple[int, str, list[str]]:
        calls = tmp_path / "calls"
        calls.unlink(missing_ok=True)
        # Who is not root asks sudo, which here does as it is told.
        program("sudo", '[[ "$1" != -n ]] || shift; if [[ "$1" != true ]]; then exec "$@"; fi')
        for name, lines in programs.items():
            program(name.replace("_", "-"), lines)
        done = subprocess.run(
            ["bash", "tools/install.sh", option], cwd=ROOT, capture_output=True, text=True,
            env={"PATH": str(tools), "HOME": str(tmp_path), "CALLS": str(calls), "KOREAN": str(tmp_path / "kor")},
        )  # fmt: skip
        return done.returncode, done.stderr, calls.read_text().splitlines() if calls.exists() else []

    return install


# Knows English, and Korean once apt-get has brought it.
TESSERACT = 'printf "List of available languages:\\neng\\n"; [[ ! -e "$KOREAN" ]] || echo kor'
# Finds nothing before its lists of packages are new.
APT = """echo "$@" >>"$CALLS"
[[ "$*" != *install* ]] || { [[ "$(cat "$CALLS")" == *update* ]] && echo >"$KOREAN"; }
"""


def test_ocr_that_is_there_is_left_alone(install):
    assert install("--ocr", tesseract="echo kor", apt_get=APT) == (0, "", [])


def test_ocr_comes_from_debian_and_lists_are_read_again_only_where_they_must(install):
    code, said, calls = install("--ocr", tesseract=TESSERACT, apt_get=APT)
    assert code == 0 and said == "install: installing tesseract-ocr tesseract-ocr-kor\n"
    assert [next(word for word in call.split() if word in ("install", "update")) for call in calls] == ["install", "update", "install"]
    assert calls[0].endswith("install --yes --no-install-recommends tesseract-ocr tesseract-ocr-kor")


def test_ocr_that_cannot_be_had_is_one_sentence(install):
    code, said, _ = install("--ocr")
    assert code == 1 and said.count("\n") == 1 and "no apt-get: install Debian's tesseract-ocr tesseract-ocr-kor by hand" in said
    code, said, _ = install("--ocr", apt_get="echo E: no network >&2; exit 100")
    assert code == 1 and "E: no network\n" in said and said.endswith("or what your system calls them.\n")
    code, said, _ = install("--ocr", apt_get="exit 0")
    assert code == 1 and "yet tesseract with its Korean data is missing" in said


@pytest.mark.parametrize("name", ["chromium", "chromium-browser"])
def test_a_browser_that_is_there_under_either_name_is_left_alone(install, name):
    assert install("--browser", **{name: "exit 0"}, apt_get=APT) == (0, "", [])


def test_installing_refuses_an_option_that_it_does_not_know():
    done = subprocess.run(["bash", "tools/install.sh", "--orc"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith("install: --orc: the options are --ocr and --browser") and done.stderr.count("\n") == 1
