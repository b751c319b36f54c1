#!/usr/bin/env bash
# Runs the tests, after installing what they need; arguments go to pytest (tools/test.sh tests/text -k jamo).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

./tools/install.sh
# Two threads a library on a machine of two cores is what the time limits in the tests were measured with.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-2}"
exec .venv/bin/python -m pytest -q --durations=5 "$@"
