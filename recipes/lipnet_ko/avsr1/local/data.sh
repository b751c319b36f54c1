#!/usr/bin/env bash
# local/data.sh CORPUS OUT: train, dev and test data directories, split by phrase; who speaks is not known.
set -euo pipefail

exec python -m avsr.corpora.prepare --corpus lipnet --source "$1" --out "$2" \
    --split-by utterance --test-fraction 0.17 --dev-fraction 0.085 --overlapping-speakers
