#!/usr/bin/env bash
# From a corpus to a packed model and its RESULTS.md, stage by stage; installs on first use.
#
#   ./run.sh                                              # mini_ko, a Korean corpus that makes itself
#   ./run.sh --recipe grid --data ../shared/data/grid_s1
#   ./run.sh --recipe grid --stage decode                 # goes on from that stage
#   ./run.sh --help
# shellcheck disable=SC2329  # the stages are called by their names
set -euo pipefail

AVSR_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
export AVSR_ROOT
# One core is for the data loader: threads that wait for one another on a shared core are slower than one thread.
cores="$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-$((cores > 2 ? cores - 1 : 1))}"
STAGES=(data crops format filter tokens statistics train fuse lm pack decode score baselines benchmark)

usage() {
    cat <<'HELP'
Usage: ./run.sh [--recipe NAME] [options]

Trains and measures a recogniser on a corpus; without --recipe on mini_ko, which is made here and needs no data.
A stage that was finished with the same inputs and options is not done again; a stage that was interrupted goes on
where it stopped.

  --recipe NAME        a folder of recipes/: daily_ko, grid, lipnet_ko, mini_ko (default: mini_ko)
  --data DIR           where the corpus lies (default: what the recipe's db.sh says)
  --stage N|NAME       begin with this stage (default: 1)
  --stop_stage N|NAME  end with this stage (default: score; benchmark goes on with noise and broken pictures)
  --nj N               processes for making and cropping clips (default: one a core, 4 at most)
  --ngpu N             graphics cards for training (default: 0)
  --seed N             of training (default: the training configuration's)
  --exp DIR            where models and results are written (default: WORK/exp/NAME)
  --work DIR           where data, dump and exp are made (default: the checkout)
  --train_config FILE  (default: the recipe's conf/train.yaml)
  --decode_config FILE (default: the recipe's conf/decode.yaml)
  --lm_text "FILE..."  more text for the language model, one sentence a line (default: the training's own alone)
  --half true|false    pack the model's matrices in 16 bits, for half the size (default: false)
  --train_args "..."   more options for ESPnet's training, such as "--max_epoch 3"
  --noise DIR          recordings for the benchmark (street, restaurant, ...; default: none, and no cells with any)
  --baselines "..."    what the benchmark holds the model against, each trained as long as the model (default:
                       audio_only lip_only concatenation constant_weight lipnet; "" for none)
  --publish            also write RESULTS.md, and the benchmark's results, into the recipe's folder
  --adopt              do nothing, but take what the stages wrote as finished: for a training made on another machine
  --help               show this

Options of a corpus, which its recipe sets:
  --mouth_only true|false  its videos show only the mouth
  --ready_clips true|false stage data writes mouth clips and sound itself: there is nothing to crop
  --test_sets "..."        the splits that are measured on
  --speech true|false      it has sound
  --modes "..."            what is measured: av, audio, lip, av_muted (sound replaced by silence)
  --token_type TYPE        jamo, char or bpe
  --vocab_size N           tokens in all (bpe needs it)
  --min_seconds S, --max_seconds S, --min_face C
                           what is trained on: length, and mean face confidence in 0..1

Stages: 1 data, 2 crops, 3 format, 4 filter, 5 tokens, 6 statistics, 7 train, 8 fuse, 9 lm, 10 pack,
11 decode, 12 score, and where --stop_stage asks for them 13 baselines, 14 benchmark
HELP
}

fail() { # a mistake in the command line
    printf 'run.sh: %s\n' "$*" >&2
    exit 2
}

# --- options -----------------------------------------------------------------------------------------------------------

OPTIONS=(recipe recipe_dir data stage stop_stage nj ngpu seed exp work train_config decode_config train_args
    mouth_only ready_clips half test_sets speech modes token_type vocab_size min_seconds max_seconds min_face
    lm_text noise baselines)
recipe='' recipe_dir='' data='' first=1 last=12 ngpu=0 seed='' exp='' work="$AVSR_ROOT" publish=false adopt=()
nj="$((cores > 4 ? 4 : cores))"
train_config='' decode_config='' train_args=''
mouth_only=false ready_clips=false half=false test_sets=test speech=true modes='av audio lip av_muted'
token_type=jamo vocab_size='' lm_text='' noise='' remember=true
baselines='audio_only lip_only concatenation constant_weight lipnet'
min_seconds=0.4 max_seconds=20 min_face=0.5

stage_number() { # stage_number OPTION VALUE
    local index
    for index in "${!STAGES[@]}"; do
        if [[ "$2" == "${STAGES[index]}" || "$2" == "$((index + 1))" ]]; then
            echo $((index + 1))
            return
        fi
    done
    fail "$1 $2: there is no such stage; it is a number from 1 to ${#STAGES[@]} or one of ${STAGES[*]}."
}

whole_number() { # whole_number OPTION VALUE LEAST
    if [[ ! "$2" =~ ^[0-9]{1,9}$ ]] || ((10#$2 < $3)); then fail "$1 $2: give a whole number, $3 or more."; fi
    echo $((10#$2))
}

number() { # number OPTION VALUE
    [[ "$2" =~ ^[0-9]+(\.[0-9]+)?$ ]] || fail "$1 $2: give a number."
    echo "$2"
}

one_of() { # one_of OPTION VALUE CHOICE...
    local option="$1" value="$2" choice
    shift 2
    for choice in "$@"; do
        if [[ "$value" == "$choice" ]]; then
            echo "$value"
            return
        fi
    done
    fail "$option $value: it can be one of $*."
}

set_option() { # set_option NAME [VALUE]
    local name="$1" known=" ${OPTIONS[*]} "
    name="${name#--}"
    name="${name//-/_}" # --stop-stage is --stop_stage
    [[ "$known" == *" $name "* ]] || fail "unknown option $1; ./run.sh --help lists the options."
    (($# == 2)) || fail "$1 needs a value."
    case "$name" in
        stage) first="$(stage_number "$1" "$2")" ;;
        stop_stage) last="$(stage_number "$1" "$2")" ;;
        nj) nj="$(whole_number "$1" "$2" 1)" ;;
        vocab_size) vocab_size="$(whole_number "$1" "$2" 4)" ;;
        ngpu) ngpu="$(whole_number "$1" "$2" 0)" ;;
        seed) seed="$(whole_number "$1" "$2" 0)" ;;
        mouth_only) mouth_only="$(one_of "$1" "$2" true false)" ;;
        half) half="$(one_of "$1" "$2" true false)" ;;
        ready_clips) ready_clips="$(one_of "$1" "$2" true false)" ;;
        speech) speech="$(one_of "$1" "$2" true false)" ;;
        token_type) token_type="$(one_of "$1" "$2" jamo char bpe)" ;;
        min_seconds) min_seconds="$(number "$1" "$2")" ;;
        max_seconds) max_seconds="$(number "$1" "$2")" ;;
        min_face) min_face="$(number "$1" "$2")" ;;
        modes)
            local mode
            [[ -n "${2// /}" ]] || fail "$1 needs a value."
            for mode in $2; do one_of "$1" "$mode" av audio lip av_muted >/dev/null; done
            modes="$2"
            ;;
        baselines)
            [[ "$2" =~ ^([a-z_]+(\ [a-z_]+)*)?$ ]] || fail "$1 $2: give names of baselines, with a space between."
            baselines="$2"
            ;;
        test_sets)
            [[ "$2" =~ ^[[:alnum:]_]+(\ [[:alnum:]_]+)*$ ]] || fail "$1 $2: give names of splits, with a space between."
            test_sets="$2"
            ;;
        *) printf -v "$name" %s "$2" ;;
    esac
}

typed=() # what the person typed, for RESULTS.md: a recipe's own options come before a --
passed_on=()
read_options() { # read_options ARGUMENT...
    local taken
    while (($#)); do
        taken=1
        case "$1" in
            -h | --help) usage; exit 0 ;;
            --) typed=("${@:2}") ;;
            --publish) publish=true ;;
            --adopt) adopt=(--adopt) ;;
            --*=*) set_option "${1%%=*}" "${1#*=}" ;;
            --*) taken=$(($# > 1 ? 2 : 1)); set_option "${@:1:taken}" ;;
            *) fail "$1 is not an option; ./run.sh --help lists the options." ;;
        esac
        if [[ "$1" != --recipe && "$1" != --recipe=* ]]; then passed_on+=("${@:1:taken}"); fi
        shift "$taken"
    done
}

go_to_recipe() { # the recipe's own run.sh comes back here with its options
    local recipes
    recipes="$(cd "$AVSR_ROOT/recipes" && printf '%s\n' */avsr1/run.sh | sed 's|/avsr1/run.sh||' | paste -sd' ')"
    if [[ -z "$recipe" ]]; then
        recipe=mini_ko
        echo "run.sh: no recipe was named: it is mini_ko, a Korean corpus that makes itself (others: --help)." >&2
    fi
    [[ " $recipes " == *" $recipe "* ]] || fail "there is no recipe $recipe; recipes/ has $recipes."
    exec "$AVSR_ROOT/recipes/$recipe/avsr1/run.sh" ${passed_on[@]+"${passed_on[@]}"}
}

# Reads the recipe's files and checks what can be checked before anything is begun.
prepare_run() {
    local given_data="$data" prepare_cmd='' train_cmd='' decode_cmd='' text
    recipe_dir="$(cd "$recipe_dir" && pwd)"
    recipe="$(basename "$(dirname "$recipe_dir")")"
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
    if ((first <= 7 && last >= 6)); then
        [[ -f "$train_config" ]] || fail "there is no training configuration $train_config: give --train_config FILE."
    fi
    if ((first <= 11 && last >= 10)); then
        [[ -f "$decode_config" ]] || fail "there is no decoding configuration $decode_config: give --decode_config FILE."
    fi
    # A prefix of cmd.sh, such as "srun -c 4", is several words; so are options for ESPnet.
    read -ra prepare <<<"$prepare_cmd"
    read -ra train <<<"$train_cmd"
    read -ra decode <<<"$decode_cmd"
    read -ra espnet <<<"$train_args"
    read -ra lm_texts <<<"$lm_text"
    for text in ${lm_texts[@]+"${lm_texts[@]}"}; do
        [[ -f "$text" ]] || fail "--lm_text $text: there is no such file."
    done
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

stage_data() {
    once "makes ${splits[*]} under $corpus out of $data" "$corpus/.data.done" \
        --input "$data" --input "$recipe_dir/local" --output "$corpus/train/media.scp" \
        -- ${prepare[@]+"${prepare[@]}"} "$recipe_dir/local/data.sh" "$data" "$corpus" "$nj"
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
        --splits "${splits[@]}" ${options[@]+"${options[@]}"}
}

stage_format() {
    local options=() prepared
    if [[ "$speech" == false ]]; then options=(--no_speech); fi
    inputs "$corpus" "${splits[*]}" text align utt2spk media.scp
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

stage_train() {
    inputs "$dump" "train dev" text align utt2dur video.scp wav.scp shape.scp
    once "trains $exp/avsr on $dump/train (all it says: $exp/avsr/train.log)" "$exp/avsr/.done" \
        "${input[@]}" --input "$dump/tokens/tokens.txt" --input "$train_config" --option "seed $seed $train_args" \
        --output "$exp/avsr/valid.acc.ave.pth" --resumes "$exp/avsr" --log "$exp/avsr/train.log" \
        -- ${train[@]+"${train[@]}"} python -m avsr.training.train --config "$train_config" --data "$dump" \
        --tokens "$dump/tokens" --exp "$exp/avsr" --resume true --ngpu "$ngpu" ${espnet[@]+"${espnet[@]}"}
}

stage_fuse() {
    inputs "$dump" dev text video.scp wav.scp
    once "teaches the fusion when to trust sound and lips, on $dump/dev" "$exp/avsr/.fuse.done" \
        "${input[@]}" --input "$exp/avsr/valid.acc.ave.pth" --option "seed $seed" --output "$exp/avsr/fused.pth" \
        -- ${train[@]+"${train[@]}"} python -m avsr.training.fuse --exp "$exp/avsr" --dump "$dump" --tokens "$dump/tokens" \
        ${seed:+--seed "$seed"}
}

stage_lm() {
    local more=() text
    for text in ${lm_texts[@]+"${lm_texts[@]}"}; do more+=(--input "$text"); done
    once "learns how the text goes on into $exp/lm.npz" "$exp/.lm.done" \
        --input "$dump/train/text" --input "$dump/dev/text" --input "$dump/tokens/tokens.txt" ${more[@]+"${more[@]}"} \
        --output "$exp/lm.npz" \
        -- python -m avsr.stages.lm --text "$dump/train/text" ${lm_texts[@]+"${lm_texts[@]}"} --tokens "$dump/tokens" --out "$exp/lm.npz" \
        --test "$dump/dev/text"
}

stage_pack() {
    local options=() experiments=()
    if [[ "$half" == true ]]; then options=(--option half); fi
    if [[ "$remember" == true ]]; then experiments=(--experiments "$work/exp"); fi
    once "packs the trained model into $model" "$exp/.pack.done" \
        --input "$exp/avsr/fused.pth" --input "$exp/avsr/config.yaml" --input "$dump/tokens/tokens.txt" \
        --input "$decode_config" --input "$exp/lm.npz" --output "$model" ${options[@]+"${options[@]}"} \
        -- python -m avsr.stages.pack --exp "$exp/avsr" --recipe "$recipe" --dump "$dump" --tokens "$dump/tokens" \
        --decode_config "$decode_config" --lm "$exp/lm.npz" ${experiments[@]+"${experiments[@]}"} --out "$model" \
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
        hypotheses+=(--input "$dump/$set/text")
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
    if [[ -n "$noise" ]]; then
        [[ -d "$noise" ]] || fail "--noise $noise: there is no such folder."
        options=(--noise "$noise") wanted=(--input "$noise")
    fi
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
