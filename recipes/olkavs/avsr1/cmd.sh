# shellcheck shell=bash disable=SC2034
# What is put before the commands of the stages, to run them elsewhere or gently: "nice -n 10", "srun -c 8 --gres=gpu:1".
# Empty: here and now, in the foreground.
prepare_cmd="" # stages 1 to 6
train_cmd=""   # stages 7 and 8
decode_cmd=""  # stage 11
