#!/usr/bin/env bash
# local/show.sh CORPUS EXP: what a person should look at: faces and visemes on one sheet, and a clip with captions.
set -euo pipefail

python -m avsr.corpora.talking_heads.sheet --out "$2/faces.png"
exec python -m avsr.corpora.talking_heads.demo --corpus "$1" --exp "$2" --out "$2/captions.mp4"
