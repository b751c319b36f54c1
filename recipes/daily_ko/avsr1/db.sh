# shellcheck shell=bash disable=SC2034,SC2154
# The corpus is made, so its source is what it is made by: options of `avsr synth`. --data names another such file.
data="${DAILY_KO:-$recipe_dir/conf/synth.opts}"
