#!/usr/bin/env bash
# Runs the tests, after installing what they need; arguments go to pytest (tools/test.sh tests/text -k jamo).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

./tools/install.sh
# The tests' models are tiny: a second thread wins nothing, and where another process has the second core the two wait for
# each other (tests/model: 5 s with one thread, 73 s with two, beside a training).
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
# Files of tests go to two processes by turns (-n 0 as an argument: to none); more would need more memory than a small machine has.
cores="$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)"
exec .venv/bin/python -m pytest -q --durations=5 -n "$((cores > 1 ? 2 : 0))" --dist loadfile "$@"
