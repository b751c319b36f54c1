# shellcheck shell=bash disable=SC2034
# What is put before the commands of the stages, to run them elsewhere or gently: "nice -n 10", "srun -c 8 --gres=gpu:1".
# Empty: here and now, in the foreground.
prepare_cmd="" # stages 1 to 6 and 8, and packing shards: one process each
train_cmd=""   # stage 7: as many processes as the training is to have
decode_cmd=""  # stages 11 and 14: one process
