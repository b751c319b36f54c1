# shellcheck shell=bash disable=SC2034
# Where the corpus lies, unless --data says so: a folder of clips with one .align each, as LipNet's.
data="${LIPNET_KO:-downloads/lipnet_ko}"
