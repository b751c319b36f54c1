# shellcheck shell=bash disable=SC2034
# The environment of every stage: the installation of tools/install.sh, and sorting by code point, as Kaldi's tables want.
export PATH="$AVSR_ROOT/.venv/bin:$PATH"
export LC_ALL=C.UTF-8
export PYTHONNOUSERSITE=1
