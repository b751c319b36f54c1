#!/usr/bin/env bash
# GRID, English command sentences with face and voice: this recipe's options, for the stages of the root's run.sh.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

exec "$here/../../../run.sh" --recipe_dir "$here" \
    --token_type char \
    --modes "av audio lip av_muted" \
    -- "$@"
