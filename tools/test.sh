#!/usr/bin/env bash
# Runs the tests, after installing what they need; arguments go to pytest (tools/test.sh tests/text -k jamo).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

./tools/install.sh
# The tests' models are tiny: a second thread wins nothing, and where another process has the second core the two wait for
# each other (tests/model: 5 s with one thread, 73 s with two, beside a training).
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
exec .venv/bin/python -m pytest -q --durations=5 "$@"
