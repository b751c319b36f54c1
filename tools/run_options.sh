# The options of run.sh, which sources this: what can be typed, what it means, and what is said of mistakes.
# shellcheck shell=bash disable=SC2034  # run.sh reads what is set here

usage() {
    cat <<'HELP'
Usage: ./run.sh [--recipe NAME] [options]

Trains and measures a recogniser on a corpus; without --recipe on mini_ko, which is made here and needs no data.
A stage that was finished with the same inputs and options is not done again; a stage that was interrupted goes on
where it stopped.

  --recipe NAME        a folder of recipes/: daily_ko, grid, lipnet_ko, mini_ko, olkavs (default: mini_ko)
  --data DIR           where the corpus lies (default: what the recipe's db.sh says)
  --stage N|NAME       begin with this stage (default: 1)
  --stop_stage N|NAME  end with this stage (default: score; benchmark goes on with noise and broken pictures)
  --nj N               clips made, cropped or packed at once (default: one a core, 4 at most)
  --backend local|ray  where that is done: on this machine, or on the nodes of a Ray cluster (docs/scale.md; default: local)
  --ray_address H:PORT a Ray cluster that this machine is a node of (default: one of its own)
  --ngpu N             graphics cards for training (default: 0)
  --seed N             of training (default: the training configuration's)
  --exp DIR            where models and results are written (default: WORK/exp/NAME)
  --work DIR           where data, dump and exp are made (default: the checkout)
  --train_config FILE  (default: the recipe's conf/train.yaml)
  --decode_config FILE (default: the recipe's conf/decode.yaml)
  --lm_text "FILE..."  more text for the language model, one sentence a line (default: the training's own alone)
  --lm_args "..."      more options for it, such as "--order 10 --prune 2" (python -m avsr.stages.lm --help)
  --half true|false    pack the model's matrices in 16 bits, for half the size (default: false)
  --shards true|false  pack what is trained on into shards, and train from those (docs/scale.md; default: false)
  --data_args "..."    more options for the recipe's local/data.sh (its README says which; default: none)
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
    data_args mouth_only ready_clips half test_sets speech modes token_type vocab_size min_seconds max_seconds min_face
    lm_text lm_args noise baselines shards backend ray_address)
recipe='' recipe_dir='' data='' first=1 last='' ngpu=0 seed='' exp='' work="$AVSR_ROOT" publish=false adopt=()
nj="$((cores > 4 ? 4 : cores))"
train_config='' decode_config='' train_args='' data_args=''
mouth_only=false ready_clips=false half=false test_sets=test speech=true modes='av audio lip av_muted'
token_type=jamo vocab_size='' lm_text='' lm_args='' noise='' remember=true shards=false backend=local ray_address=''
BASELINES=(audio_only lip_only concatenation constant_weight lipnet) # those of avsr/training/baselines.py
baselines="${BASELINES[*]}"
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
    local name="$1" mode known=" ${OPTIONS[*]} "
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
        backend) backend="$(one_of "$1" "$2" local ray)" ;;
        shards) shards="$(one_of "$1" "$2" true false)" ;;
        ready_clips) ready_clips="$(one_of "$1" "$2" true false)" ;;
        speech) speech="$(one_of "$1" "$2" true false)" ;;
        token_type) token_type="$(one_of "$1" "$2" jamo char bpe)" ;;
        min_seconds) min_seconds="$(number "$1" "$2")" ;;
        max_seconds) max_seconds="$(number "$1" "$2")" ;;
        min_face) min_face="$(number "$1" "$2")" ;;
        modes)
            [[ -n "${2// /}" ]] || fail "$1 needs a value."
            for mode in $2; do one_of "$1" "$mode" av audio lip av_muted >/dev/null; done
            modes="$2"
            ;;
        baselines)
            [[ "$2" =~ ^([a-z_]+(\ [a-z_]+)*)?$ ]] || fail "$1 $2: give names of baselines, with a space between."
            for mode in $2; do one_of "$1" "$mode" "${BASELINES[@]}" >/dev/null; done
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
