#!/usr/bin/env bash
# Daily Korean, spoken by drawn people: this recipe's options, for the stages of the root's run.sh.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

exec "$here/../../../run.sh" --recipe_dir "$here" \
    --ready_clips true \
    --test_sets "test test_seen" \
    --token_type jamo \
    --lm_args "--grammar 400000 --order 12 --prune 7" \
    -- "$@"
