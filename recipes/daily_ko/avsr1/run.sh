#!/usr/bin/env bash
# Reading daily Korean from drawn lips: this recipe's options, for the stages of the root's run.sh.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

exec "$here/../../../run.sh" --recipe_dir "$here" \
    --ready_clips true \
    --speech false \
    --test_sets "test test_seen" \
    --modes lip \
    --token_type jamo \
    -- "$@"
