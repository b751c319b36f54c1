#!/usr/bin/env bash
# From a corpus to a packed model and its RESULTS.md, stage by stage; installs on first use.
#
#   ./run.sh                                              # mini_ko, a Korean corpus that makes itself
#   ./run.sh --recipe grid --data ../shared/data/grid_s1
#   ./run.sh --recipe grid --stage decode                 # goes on from that stage
#   ./run.sh --help
# shellcheck disable=SC2329,SC2154  # the stages are called by their names; the options are set in tools/run_options.sh
set -euo pipefail

AVSR_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
export AVSR_ROOT
# One core is for the data loader: threads that wait for one another on a shared core are slower than one thread.
cores="$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-$((cores > 2 ? cores - 1 : 1))}"
STAGES=(data crops format filter tokens statistics train fuse lm pack decode score baselines benchmark)
# shellcheck source=tools/run_options.sh
source "$AVSR_ROOT/tools/run_options.sh"

# Reads the recipe's files and checks what can be checked before anything is begun.
prepare_run() {
    local given_data="$data" prepare_cmd='' train_cmd='' decode_cmd='' text
    recipe_dir="$(cd "$recipe_dir" && pwd)"
    recipe="$(basename "$(dirname "$recipe_dir")")"
    last="${last:-$((first > 12 ? first : 12))}"
    ((first <= last)) || fail "--stage ${STAGES[first - 1]} comes after --stop_stage ${STAGES[last - 1]}."
    # shellcheck disable=SC1091  # each recipe has its own
    {
        source "$recipe_dir/db.sh"
        source "$recipe_dir/cmd.sh"
        source "$recipe_dir/path.sh"
    }
    data="${given_data:-$data}"
    if ((first == 1)); then
        [[ -n "$data" ]] || fail "the recipe's db.sh does not say where the corpus $recipe lies: give --data DIR."
        [[ -e "$data" ]] || fail "the corpus $data is not there: give --data DIR, or mend recipes/$recipe/avsr1/db.sh."
    fi
    train_config="${train_config:-$recipe_dir/conf/train.yaml}"
    decode_config="${decode_config:-$recipe_dir/conf/decode.yaml}"
    if ((first <= 7 && last >= 6 || last >= 13)); then
        [[ -f "$train_config" ]] || fail "there is no training configuration $train_config: give --train_config FILE."
    fi
    if ((first <= 11 && last >= 10 || last >= 13)); then
        [[ -f "$decode_config" ]] || fail "there is no decoding configuration $decode_config: give --decode_config FILE."
    fi
    # A prefix of cmd.sh, such as "srun -c 4", is several words; so are options for ESPnet.
    read -ra prepare <<<"$prepare_cmd"
    read -ra train <<<"$train_cmd"
    read -ra decode <<<"$decode_cmd"
    read -ra espnet <<<"$train_args"
    read -ra preparing <<<"$data_args"
    read -ra language <<<"$lm_args"
    where=()
    if [[ "$backend" == ray ]]; then where=(--backend ray); fi
    if [[ -n "$ray_address" ]]; then
        [[ "$backend" == ray ]] || fail "--ray_address: only --backend ray works with a cluster; give that too."
        where+=(--ray-address "$ray_address")
    fi
    read -ra lm_texts <<<"$lm_text"
    for text in ${lm_texts[@]+"${lm_texts[@]}"}; do
        [[ -f "$text" ]] || fail "--lm_text $text: there is no such file."
    done
    if [[ -n "$noise" ]]; then
        ((last >= 14)) || fail "--noise is for the stage benchmark: give --stop_stage benchmark too."
        [[ -d "$noise" ]] || fail "--noise $noise: there is no such folder."
    fi
    if [[ -n "$data_args" ]] && ! grep -q '{@:4}' "$recipe_dir/local/data.sh"; then
        fail "--data_args: the recipe $recipe takes no options for its data."
    fi
    if [[ -n "$seed" ]]; then espnet=(--seed "$seed" ${espnet[@]+"${espnet[@]}"}); fi

    mkdir -p "$work"
    work="$(cd "$work" && pwd)"
    exp="${exp:-$work/exp/$recipe}"
    corpus="$work/data/$recipe"
    dump="$work/dump/$recipe"
    crops="$dump/crops"
    if [[ "$ready_clips" == true ]]; then crops="$corpus"; fi
    read -ra splits <<<"train dev $test_sets"
    model="$exp/$recipe.zip"
}

# --- stages ------------------------------------------------------------------------------------------------------------

once() { # once SAYS STAMP [options of avsr.stages.once] -- COMMAND...: unless it was done with the same inputs
    python -m avsr.stages.once --stage "$stage" --says "$1" --stamp "$2" ${adopt[@]+"${adopt[@]}"} "${@:3}"
}

# Sets `input` to --input options for these tables of these splits; without a table that a corpus has no use for.
inputs() { # inputs FOLDER "SPLIT..." TABLE...
    local split name
    input=()
    for split in $2; do
        for name in "${@:3}"; do
            if [[ "$name" =~ ^(align|wav\.scp|shape\.scp)$ && ! -e "$1/$split/$name" ]]; then continue; fi
            input+=(--input "$1/$split/$name")
        done
    done
}

# Adds to `input` what a corpus says of its utterances beside: utt2angle, utt2sex, ...
columns() { # columns FOLDER "SPLIT..."
    local split path
    for split in $2; do
        for path in "$1/$split"/utt2*; do
            if [[ -f "$path" && ! "$path" =~ /utt2(spk|dur|face)$ ]]; then input+=(--input "$path"); fi
        done
    done
}

stage_data() {
    local options=()
    if [[ -n "$data_args" ]]; then options=(--option "data_args $data_args"); fi
    once "makes ${splits[*]} under $corpus out of $data" "$corpus/.data.done" \
        --input "$data" --input "$recipe_dir/local" --output "$corpus/train/media.scp" ${options[@]+"${options[@]}"} \
        -- ${prepare[@]+"${prepare[@]}"} "$recipe_dir/local/data.sh" "$data" "$corpus" "$nj" \
        ${preparing[@]+"${preparing[@]}"} ${where[@]+"${where[@]}"}
}

stage_crops() {
    local options=()
    if [[ "$ready_clips" == true ]]; then
        echo "[$stage] nothing to crop: the corpus $recipe has mouth clips already."
        return
    fi
    if [[ "$mouth_only" == true ]]; then options=(--mouth_only); fi
    inputs "$corpus" "${splits[*]}" media.scp
    once "crops mouth clips and 16 kHz sound into $dump/crops" "$dump/crops/.done" \
        --input "$corpus/.data.done" "${input[@]}" --option "mouth_only $mouth_only" --output "$dump/crops/train/video.scp" \
        -- ${prepare[@]+"${prepare[@]}"} python -m avsr.stages.crops --data "$corpus" --out "$dump/crops" --nj "$nj" \
        --splits "${splits[@]}" ${options[@]+"${options[@]}"} ${where[@]+"${where[@]}"}
}

stage_format() {
    local options=() prepared
    if [[ "$speech" == false ]]; then options=(--no_speech); fi
    inputs "$corpus" "${splits[*]}" text align utt2spk media.scp
    columns "$corpus" "${splits[*]}"
    prepared=("${input[@]}")
    inputs "$crops" "${splits[*]}" video.scp wav.scp shape.scp utt2dur utt2face
    once "brings text, times and clips together in $dump/formatted" "$dump/formatted/.done" \
        "${prepared[@]}" "${input[@]}" --option "speech $speech" --output "$dump/formatted/train/text" \
        -- ${prepare[@]+"${prepare[@]}"} python -m avsr.stages.format --data "$corpus" --crops "$crops" \
        --out "$dump/formatted" --splits "${splits[@]}" ${options[@]+"${options[@]}"}
}

stage_filter() {
    local limits
    limits=(--min_seconds "$min_seconds" --max_seconds "$max_seconds" --min_face "$min_face" --token_type "$token_type")
    inputs "$dump/formatted" "${splits[*]}" text align utt2spk utt2dur utt2face video.scp wav.scp shape.scp
    columns "$dump/formatted" "${splits[*]}"
    once "leaves out what cannot be learnt from; the rest is in $dump" "$dump/.filter.done" \
        "${input[@]}" --option "${limits[*]}" --output "$dump/train/text" \
        -- ${prepare[@]+"${prepare[@]}"} python -m avsr.stages.filter --source "$dump/formatted" --out "$dump" "${limits[@]}" \
        --splits "${splits[@]}"
}

stage_tokens() {
    local options=()
    if [[ -n "$vocab_size" ]]; then options=(--vocab_size "$vocab_size"); fi
    once "learns the $token_type tokens of the training text" "$dump/tokens/.done" \
        --input "$dump/train/text" --option "$token_type $vocab_size" --output "$dump/tokens/tokens.txt" \
        -- ${prepare[@]+"${prepare[@]}"} python -m avsr.stages.tokens --text "$dump/train/text" --out "$dump/tokens" \
        --token_type "$token_type" ${options[@]+"${options[@]}"}
}

stage_statistics() {
    inputs "$dump" "train dev" text align utt2dur video.scp wav.scp shape.scp
    once "measures the utterances' lengths into $exp/avsr_stats" "$exp/avsr_stats/.done" \
        "${input[@]}" --input "$dump/tokens/tokens.txt" --output "$exp/avsr_stats/train" \
        --fresh "$exp/avsr_stats" --log "$exp/avsr_stats/stats.log" \
        -- ${prepare[@]+"${prepare[@]}"} python -m avsr.training.train --collect_stats --config "$train_config" \
        --data "$dump" --tokens "$dump/tokens" --exp "$exp/avsr"
}

pack_shards() {
    inputs "$dump" "train dev" text align utt2spk video.scp wav.scp shape.scp
    once "packs $dump/{train,dev} into $dump/shards" "$dump/shards/.done" \
        "${input[@]}" --output "$dump/shards/train/shards.json" --output "$dump/shards/dev/shards.json" \
        -- ${prepare[@]+"${prepare[@]}"} python -m avsr.stages.shards --data "$dump" --out "$dump/shards" --nj "$nj" \
        ${where[@]+"${where[@]}"}
}

stage_train() {
    local source=(--data "$dump") from=()
    if [[ "$shards" == true ]]; then
        pack_shards
        source=(--shards "$dump/shards") from=(--option shards)
    fi
    inputs "$dump" "train dev" text align utt2dur video.scp wav.scp shape.scp
    once "trains $exp/avsr on $dump/train (all it says: $exp/avsr/train.log)" "$exp/avsr/.done" \
        "${input[@]}" --input "$dump/tokens/tokens.txt" --input "$train_config" --option "seed $seed $train_args" \
        ${from[@]+"${from[@]}"} \
        --output "$exp/avsr/valid.acc.ave.pth" --resumes "$exp/avsr" --log "$exp/avsr/train.log" \
        -- ${train[@]+"${train[@]}"} python -m avsr.training.train --config "$train_config" "${source[@]}" \
        --tokens "$dump/tokens" --exp "$exp/avsr" --resume true --ngpu "$ngpu" ${espnet[@]+"${espnet[@]}"}
}

stage_fuse() { # "choice 4": what an earlier version taught is taught anew
    inputs "$dump" dev text video.scp wav.scp
    once "teaches the fusion when to trust sound and lips, on $dump/dev" "$exp/avsr/.fuse.done" \
        "${input[@]}" --input "$exp/avsr/valid.acc.ave.pth" --option "seed $seed" --option "choice 4" --output "$exp/avsr/fused.pth" \
        -- ${prepare[@]+"${prepare[@]}"} python -m avsr.training.fuse --exp "$exp/avsr" --dump "$dump" --tokens "$dump/tokens" \
        ${seed:+--seed "$seed"}
}

stage_lm() {
    local more=() text held=() set
    for text in ${lm_texts[@]+"${lm_texts[@]}"}; do more+=(--input "$text"); done
    for set in "${splits[@]:1}"; do held+=("$dump/$set/text"); done
    for text in "${held[@]}"; do more+=(--input "$text"); done
    once "learns how the text goes on into $exp/lm.npz" "$exp/.lm.done" \
        --input "$dump/train/text" --input "$dump/tokens/tokens.txt" "${more[@]}" --option "$lm_args" --output "$exp/lm.npz" \
        -- python -m avsr.stages.lm --text "$dump/train/text" ${lm_texts[@]+--more "${lm_texts[@]}"} --held_out "${held[@]}" \
        --tokens "$dump/tokens" --out "$exp/lm.npz" --test "$dump/dev/text" ${language[@]+"${language[@]}"}
}

stage_pack() {
    local options=() more=()
    if [[ "$half" == true ]]; then options=(--option half); fi
    inputs "$dump" dev text video.scp wav.scp
    if [[ "$remember" == true ]]; then more=(--experiments "$work/exp" --calibrate "$dump/dev" ${seed:+--seed "$seed"}); fi
    once "packs the trained model into $model" "$exp/.pack.done" \
        --input "$exp/avsr/fused.pth" --input "$exp/avsr/config.yaml" --input "$dump/tokens/tokens.txt" \
        --input "$decode_config" --input "$exp/lm.npz" "${input[@]}" --option "seed $seed" --output "$model" \
        ${options[@]+"${options[@]}"} \
        -- python -m avsr.stages.pack --exp "$exp/avsr" --recipe "$recipe" --dump "$dump" --tokens "$dump/tokens" \
        --decode_config "$decode_config" --lm "$exp/lm.npz" ${more[@]+"${more[@]}"} --out "$model" \
        --splits "${splits[@]}" ${options[@]+--half}
}

stage_decode() {
    local set mode arguments
    for set in "${splits[@]:2}"; do
        inputs "$dump" "$set" text video.scp wav.scp
        for mode in $modes; do
            arguments=(--mode "$mode")
            if [[ "$mode" == av_muted ]]; then arguments=(--mode av --mute-audio); fi
            once "decodes $dump/$set, mode $mode, into $exp/decode_$mode/$set" "$exp/decode_$mode/$set/.done" \
                --input "$model" --input "$decode_config" "${input[@]}" --output "$exp/decode_$mode/$set/text" \
                -- ${decode[@]+"${decode[@]}"} python -m avsr.decoding.decode_data --model "$model" --data "$dump/$set" \
                "${arguments[@]}" --config "$decode_config" --out "$exp/decode_$mode/$set"
        done
    done
}

quoted() { # quoted WORD...: each after a space, as it would be typed
    (($#)) && printf ' %q' "$@" || true
}

stage_score() {
    local set mode hypotheses=() options=()
    for set in "${splits[@]:2}"; do
        input=()
        columns "$dump" "$set"
        hypotheses+=(--input "$dump/$set/text" ${input[@]+"${input[@]}"})
        for mode in $modes; do
            hypotheses+=(--input "$exp/decode_$mode/$set/text" --input "$exp/decode_$mode/$set/decode.json")
        done
    done
    if [[ "$publish" == true ]]; then options=(--publish "$recipe_dir/RESULTS.md"); fi
    once "compares what was recognised with what was said and writes $exp/RESULTS.md" "$exp/.score.done" \
        "${hypotheses[@]}" --option "$modes $publish" --output "$exp/RESULTS.md" \
        -- python -m avsr.stages.score --exp "$exp" --data "$corpus" --dump "$dump" --recipe "$recipe" \
        --modes "$modes" --train_config "$train_config" --command "./run.sh --recipe $recipe$(quoted ${typed[@]+"${typed[@]}"})" \
        --splits "${splits[@]}" ${options[@]+"${options[@]}"}
    # What a recipe has to show beside its figures.
    if [[ -x "$recipe_dir/local/show.sh" ]]; then
        once "draws what the recipe shows beside its results into $exp" "$exp/.show.done" \
            "${hypotheses[@]}" --input "$recipe_dir/local/show.sh" \
            -- "$recipe_dir/local/show.sh" "$corpus" "$exp"
    fi
}

stage_baselines() { # each is trained, taught to fuse and packed by the same stages, in a folder of its own
    local name told streams
    for name in $baselines; do
        told="$(python -m avsr.training.baselines --name "$name" --config "$train_config" \
            --out "$exp/baselines/$name/train.yaml")"
        streams="${told% *}"
        (
            exp="$exp/baselines/$name" remember=false train_args="$train_args --streams $streams"
            train_config="$exp/train.yaml" model="$exp/$name.zip"
            espnet=(${espnet[@]+"${espnet[@]}"} --streams "$streams") # the last counts
            stage_statistics
            stage_train
            stage_fuse
            stage_lm
            stage_pack
        )
    done
}

stage_benchmark() {
    local name told set="${splits[2]}" against=() needed=() options=() wanted=()
    for name in $baselines; do
        told="$(python -m avsr.training.baselines --name "$name" --config "$train_config" \
            --out "$exp/baselines/$name/train.yaml")"
        against+=(--baseline "$name=$exp/baselines/$name/$name.zip:${told#* }")
        needed+=(--input "$exp/baselines/$name/$name.zip")
    done
    if [[ -n "$noise" ]]; then options=(--noise "$noise") wanted=(--input "$noise"); fi
    inputs "$dump" "$set" text video.scp wav.scp
    once "measures the model in noise and with broken pictures into $exp/benchmark" "$exp/benchmark/.done" \
        --input "$model" --input "$AVSR_ROOT/conf/benchmark_noisy.yaml" "${input[@]}" ${needed[@]+"${needed[@]}"} \
        ${wanted[@]+"${wanted[@]}"} --output "$exp/benchmark/results.json" \
        -- ${decode[@]+"${decode[@]}"} python -m avsr.cli benchmark --model "$model" --data "$dump/$set" \
        --conditions "$AVSR_ROOT/conf/benchmark_noisy.yaml" --out "$exp/benchmark" --nj "$nj" \
        ${options[@]+"${options[@]}"} ${against[@]+"${against[@]}"}
    if [[ "$publish" == true ]]; then
        mkdir -p "$recipe_dir/benchmark"
        cp "$exp/benchmark"/{RESULTS.md,results.json,*.png} "$recipe_dir/benchmark"
    fi
}

main() {
    local number
    read_options "$@"
    if [[ -z "$recipe_dir" ]]; then go_to_recipe; fi
    prepare_run
    trap 'echo "run.sh: interrupted; run the same command again to go on where it stopped." >&2; exit 130' INT
    "$AVSR_ROOT/tools/install.sh"
    for ((number = first; number <= last; number++)); do
        stage="$number ${STAGES[number - 1]}"
        "stage_${STAGES[number - 1]}"
    done
}

# On one line with its exit: bash has read everything by then, and a script that is edited while it runs does no harm.
main "$@"; exit
