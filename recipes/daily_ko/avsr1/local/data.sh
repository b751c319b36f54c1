#!/usr/bin/env bash
# local/data.sh OPTIONS OUT NJ: made as mini_ko's is, by other options.
set -euo pipefail
exec "$AVSR_ROOT/recipes/mini_ko/avsr1/local/data.sh" "$@"
