#!/usr/bin/env bash
# AI-Hub 538 (OLKAVS), read from its archives: this recipe's options, for the stages of the root's run.sh.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

exec "$here/../../../run.sh" --recipe_dir "$here" \
    --ready_clips true \
    --token_type jamo \
    --max_seconds 23 \
    -- "$@"
