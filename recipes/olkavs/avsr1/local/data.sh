#!/usr/bin/env bash
# local/data.sh CORPUS OUT NJ [options of avsr.corpora.olkavs.make]: mouth clips, sound, and train, dev and test data directories.
set -euo pipefail

exec python -m avsr.corpora.olkavs.make --source "$1" --out "$2" --nj "$3" "${@:4}"
