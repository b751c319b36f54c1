#!/usr/bin/env bash
# local/data.sh OPTIONS OUT NJ [MORE...]: the corpus that `avsr synth` makes by the options in the file OPTIONS, and by MORE.
set -euo pipefail

if [[ ! -f "$1" ]]; then
    echo "$(basename "$2") is made, not read: --data names a file of options for \`avsr synth\`, and $1 is none." >&2
    echo "For a corpus of your own, name its recipe with --recipe." >&2
    exit 1
fi
read -ra options <<<"$(sed 's/#.*//' "$1" | tr '\n' ' ')"
exec python -m avsr.cli synth --out "$2" --nj "$3" "${options[@]}" "${@:4}"
