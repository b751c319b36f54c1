#!/usr/bin/env bash
# local/data.sh CORPUS OUT: train, dev and test data directories of GRID; the lists say which sentences are tested.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

exec python -m avsr.corpora.prepare --corpus lipnet --source "$1" --out "$2" \
    --test-list "$here/test.list" --dev-list "$here/dev.list" --overlapping-speakers
