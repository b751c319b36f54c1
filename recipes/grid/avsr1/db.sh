# shellcheck shell=bash disable=SC2034
# Where the corpus lies, unless --data says so: a folder with video/ and align/, or with a folder a speaker (s1, s2, ...).
data="${GRID:-downloads/grid}"
