# shellcheck shell=bash disable=SC2034
# Where the corpus lies, unless --data says so: the folder that AI-Hub's tool made, with 1.Training and 2.Validation somewhere in it.
data="${OLKAVS:-downloads/olkavs}"
