#!/usr/bin/env bash
# local/data.sh OPTIONS OUT NJ [MORE...]: OPTIONS has a corpus a line, options of `avsr synth`; MORE are options of each. The first has
# dev and the tests; the others are added to its train. Each is made in a folder of OUT, 1, 2, ..., and what is there of it is not
# made again.
set -euo pipefail

single="$AVSR_ROOT/recipes/mini_ko/avsr1/local/data.sh"
if [[ ! -f "$1" ]]; then exec "$single" "$@"; fi # it says what is wrong
orders=()
while read -r line || [[ -n "$line" ]]; do
    if [[ -n "${line// /}" ]]; then orders+=("$line"); fi
done < <(sed 's/#.*//' "$1")
if ((${#orders[@]} < 2)); then exec "$single" "$@"; fi
parts=()
for order in "${orders[@]}"; do
    read -ra options <<<"$order"
    parts+=("$2/$((${#parts[@]} + 1))")
    python -m avsr.cli synth --out "${parts[-1]}" --nj "$3" "${options[@]}" "${@:4}"
done
exec python -m avsr.stages.combine --out "$2" "${parts[@]}"
