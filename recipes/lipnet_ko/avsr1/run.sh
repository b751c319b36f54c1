#!/usr/bin/env bash
# Korean phrases, silent mouth crops in LipNet's layout: this recipe's options, for the stages of the root's run.sh.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

exec "$here/../../../run.sh" --recipe_dir "$here" \
    --mouth_only true \
    --speech false \
    --modes lip \
    --token_type jamo \
    -- "$@"
