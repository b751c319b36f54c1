"""Write the lengths of a data directory's utterances, or start ESPnet's training on it: `python -m avsr.training.train`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from avsr.errors import AvsrError, LabelError
from avsr.files import read_yaml
from avsr.large_tables import LargeTable, common_keys
from avsr.lips.crop import SIDE
from avsr.lips.mouth_clip import FPS
from avsr.media.audio import SAMPLE_RATE
from avsr.stages.machine import note_machine
from avsr.tables import as_number, write_table
from avsr.training.checkpoint import mend_checkpoint
from avsr.training.initial import initial_arguments

DATA_FILES = (("wav.scp", "speech", "sound"), ("video.scp", "video", "mouth_clip"), ("text", "text", "text"))
_ALIGN, _SHAPE = ("align", "align", "text"), ("shape.scp", "shape", "mouth_shape")


STREAMS = {"both": set(), "sound": {"video.scp"}, "lips": {"wav.scp"}}  # what is left out to train on these


def data_arguments(train: Path, valid: Path, *, shapes: bool = False, streams: str = "both") -> list[str]:
    """ESPnet's options that name the data: every file of both directories. Word times may be absent from either.

    `shapes`: the mouth's are wanted too, where there are mouths. `streams`: of STREAMS, what to train on of what is there.

    Raises:
        AvsrError: there is no text, neither sound nor mouth clips, or a stream that only one of the directories has.
    """
    files = {file for directory in (train, valid) for file, *_ in DATA_FILES if (directory / file).exists()} - STREAMS[streams]
    if not all((directory / "text").exists() for directory in (train, valid)):
        raise AvsrError(f"{train} and {valid} have no file `text` both: run the format stage first")
    if files == {"text"}:
        lacking = "neither wav.scp nor video.scp" if streams == "both" else f"no {streams} to train on"
        raise AvsrError(f"{train} has {lacking}: run the crops and format stages first")
    for file in sorted(files):
        for there, lacking in ((train, valid), (valid, train)):
            if not (lacking / file).exists():
                raise AvsrError(
                    f"{lacking} has no {file}, which {there} has: run the crops and format stages for both, "
                    f"or remove {there / file} to train without that stream"
                )
    arguments = []
    wanted = (*DATA_FILES, _ALIGN, *([_SHAPE] if shapes and "video.scp" in files else []))
    for option, directory in (("train", train), ("valid", valid)):
        for file, name, kind in wanted:
            if (directory / file).exists() and file not in STREAMS[streams]:
                arguments += [f"--{option}_data_path_and_name_and_type", f"{directory / file},{name},{kind}"]
    return arguments


def trained_streams(config: dict) -> set[str]:
    """Which of "speech" and "video" a training had, of the config.yaml that ESPnet wrote."""
    named = config.get("train_data_path_and_name_and_type") or []
    return {name for _, name, _ in named} & {"speech", "video"}


def write_shapes(directory: Path, out: Path, streams: str = "both") -> None:
    """The lengths by which ESPnet makes batches, of mouth clips or else of sound, from utt2dur: no clip is decoded.

    Of the utterances that have what `streams` names, or all that the directory has of it: what is listed here is trained on.
    LabelError where an utterance of `text` has no duration, or where nothing is left.
    """
    seconds = LargeTable(directory / "utt2dur")
    wanted = {file for file, *_ in DATA_FILES if (directory / file).exists()} - STREAMS[streams]
    seen = "video.scp" in wanted
    rows = {}
    for utterance in common_keys([LargeTable(directory / file) for file in sorted({*wanted, "text"})]):
        lasting = as_number(seconds.get(utterance, ""))
        if lasting is None:
            raise LabelError(f"{directory / 'utt2dur'}: has no seconds for {utterance}; run the filter stage again.")
        rows[utterance] = f"{round(lasting * FPS)},{SIDE},{SIDE}" if seen else str(round(lasting * SAMPLE_RATE))
    if not rows:
        raise LabelError(f"{directory}: no utterance has all of {', '.join(sorted(wanted))}; run the crops and format stages again.")
    (out / ("speech_shape" if seen else "video_shape")).unlink(missing_ok=True)  # of a run on other streams
    write_table(out / ("video_shape" if seen else "speech_shape"), rows)


def write_all_shapes(data: Path, exp: Path, streams: str) -> None:
    """`write_shapes` of train and dev into the statistics folder of a training."""
    for option, split in (("train", "train"), ("valid", "dev")):
        write_shapes(data / split, _stats(exp) / option, streams)


def shape_arguments(stats: Path) -> list[str]:
    """ESPnet's options that name the lengths that `write_all_shapes` wrote."""
    arguments = []
    for option in ("train", "valid"):
        (file,) = (stats / option).glob("*_shape")
        arguments += [f"--{option}_shape_file", str(file)]
    return arguments


def overridden(config: dict, passed_on: Sequence[str]) -> dict:
    """The configuration with what was typed for ESPnet over it (`--max_epoch 3`, `--max_epoch=3`), values read as YAML."""
    import yaml

    typed = {}
    for place, word in enumerate(passed_on):
        name, equals, value = word.removeprefix("--").partition("=")
        if word.startswith("--") and (equals or place + 1 < len(passed_on)):
            value = value if equals else passed_on[place + 1]
            # ESPnet's dictionaries (optim_conf lr=0.1) are added to, and nothing here asks for one.
            if not name.endswith("_conf"):
                typed[name] = yaml.safe_load(value)
    return config | typed


def schedule_arguments(config: dict, utterances: int) -> list[str]:
    """Length of an epoch and of the one-cycle schedule, which torch wants in steps and people write in epochs.

    Raises:
        AvsrError: the schedule's length cannot be told.
    """
    onecycle = config.get("scheduler") == "onecyclelr" and "total_steps" not in (config.get("scheduler_conf") or {})
    if config.get("num_iters_per_epoch") is None and config.get("batch_type") != "unsorted" and onecycle:
        raise AvsrError("the schedule onecyclelr needs batch_type unsorted, or num_iters_per_epoch, to know its length")
    if onecycle and "max_epoch" not in config:
        raise AvsrError("the schedule onecyclelr needs max_epoch to know its length")
    if config.get("num_iters_per_epoch") is None and config.get("batch_type") != "unsorted":
        return []
    steps = config.get("num_iters_per_epoch") or max(1, utterances // int(config.get("batch_size", 20)))
    arguments = ["--num_iters_per_epoch", str(steps)]
    if onecycle:
        most = _most_steps(config, utterances, steps)
        total = most * int(config["max_epoch"]) // int(config.get("accum_grad", 1))
        # One more: the scheduler refuses the step after its last, and ESPnet makes it when an epoch is repeated.
        arguments += ["--scheduler_conf", f"total_steps={total + 1}"]
    return arguments


def _most_steps(config: dict, utterances: int, steps: int) -> int:
    """Batches that an epoch of `steps` can come to.

    With shuffle_within_batch ESPnet (SequenceIterFactory) deals the utterances out again in batches as large as the
    epoch's first one. An unsorted sampler's batches differ by one, so where that is one of the smaller there are more
    batches than were asked for, and the schedule must not end before them.
    """
    batches = max(1, utterances // int(config.get("batch_size", 20)))
    smaller, larger = utterances // batches, -(-utterances // batches)
    if not config.get("shuffle_within_batch") or config.get("batch_type") != "unsorted" or smaller == 0:
        return steps
    dealt = utterances if steps == batches else steps * larger
    return -(-dealt // smaller)


def check_criterion(config: dict, passed_on: Sequence[str]) -> None:
    """AvsrError unless ESPnet is told to keep the epochs best in valid.acc, whose average is what the fuse stage takes."""
    wanted = ("valid", "acc", "max")
    criteria = config.get("best_model_criterion", [wanted])  # among ESPnet's own, where none are given
    named = isinstance(criteria, (list, tuple)) and wanted in [tuple(c) if isinstance(c, list) else c for c in criteria]
    if not named and ",".join(wanted) not in passed_on:
        raise AvsrError("best_model_criterion lacks [valid, acc, max], by which the epochs to be averaged are chosen: add it")


def is_first(config: dict) -> bool:
    """Whether this process, of those that are started to train together, is the one that writes: of rank 0, by what ESPnet goes by.

    The others begin with its weights (DistributedDataParallel sends them round), and look for a checkpoint when it has met them.
    """
    rank = config.get("dist_rank")
    if rank is None:
        rank = os.environ.get("SLURM_PROCID" if config.get("dist_launcher") == "slurm" else "RANK")
    return str(rank or 0) == "0"


def main(argv: list[str] | None = None) -> int:
    """Run; what is not understood here goes on to ESPnet (`--max_epoch 3`, `--ngpu 1`, `--resume true`, ...)."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--config", type=Path, required=True, help="training YAML, for example conf/train.yaml")
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--data", type=Path, help="directory with the tables of train/ and dev/")
    data.add_argument("--shards", help="where shards of both lie: DIR, http(s)://ADDRESS or pipe:COMMAND {}")
    parser.add_argument("--shard_cache", type=Path, help="keeps what is fetched of them (default: EXP/shard_cache)")
    parser.add_argument("--tokens", type=Path, required=True, help="directory of the tokens stage")
    parser.add_argument("--exp", type=Path, required=True, help="where the experiment lies; EXP_stats is beside it")
    parser.add_argument("--streams", choices=STREAMS, default="both", help="train on one of what the data has, the other as it is")
    parser.add_argument("--collect_stats", action="store_true", help="write the lengths, do not train")
    args, passed_on = parser.parse_known_args(argv)
    try:
        command = _command(args, passed_on)
        if args.collect_stats:
            return 0
        config, start_from = overridden(read_yaml(args.config), passed_on), []
        if is_first(config):  # of two that mend at once, each may find what the other has just moved
            note_machine(args.exp)
            said, start_from = mend_checkpoint(args.exp)
            if said:
                print(said, file=sys.stderr, flush=True)
        # What a torn checkpoint leaves is further on than what training began from; the last --init_param counts.
        more = passed_on + start_from if start_from else initial_arguments(config, passed_on, args.tokens, args.exp)
        command += more
    except AvsrError as error:
        print(error, file=sys.stderr)
        return 1
    # Each loader process would else have OpenCV turn small pictures in as many threads as there are cores: 14 of them on 16 cores
    # kept 49 threads waiting, and the step that the card waits for among them.
    os.environ.setdefault("OPENCV_FOR_THREADS_NUM", "1")
    from avsr.training.task import AVSRTask

    try:
        AVSRTask.main(cmd=command)
    except AvsrError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _command(args: argparse.Namespace, passed_on: Sequence[str]) -> list[str]:
    config = overridden(read_yaml(args.config), passed_on)
    check_criterion(config, passed_on)
    command = ["--config", str(args.config), "--token_dir", str(args.tokens)]
    shapes = float((config.get("model_conf") or {}).get("shape_weight") or 0) > 0
    command += _shard_command(args, config, shapes) if args.shards else _table_command(args, config, shapes)
    if int(config.get("ngpu") or 0) > 1:
        command += ["--multiprocessing_distributed", "true"]  # a process a card
    processes = max(int(config.get("ngpu") or 0), int(config.get("dist_world_size") or os.environ.get("WORLD_SIZE") or 1))
    if processes > 1 or config.get("dist_launcher"):
        # An utterance may use one stream alone: the other's weights then have no gradient.
        command += ["--unused_parameters", "true"]
    return command + ["--output_dir", str(args.exp)]


def _table_command(args: argparse.Namespace, config: dict, shapes: bool) -> list[str]:
    train, valid = args.data / "train", args.data / "dev"
    if shapes and not (train / "shape.scp").exists():
        print(f"{train} has no shape.scp, so model_conf.shape_weight teaches nothing: only `avsr synth` writes it", file=sys.stderr)
    command = data_arguments(train, valid, shapes=shapes, streams=args.streams)
    # Before a training too: its streams may be others than those of the statistics stage.
    write_all_shapes(args.data, args.exp, args.streams)
    (lengths,) = (_stats(args.exp) / "train").glob("*_shape")
    command += schedule_arguments(config, len(LargeTable(lengths)))
    if args.streams != "lips" and (train / "wav.scp").exists() and config.get("noise_scp") is None:
        command += ["--noise_scp", str(train / "wav.scp")]  # the corpus's own voices make the babble
    return command if args.collect_stats else command + shape_arguments(_stats(args.exp))


def _shard_command(args: argparse.Namespace, config: dict, shapes: bool) -> list[str]:
    from avsr.shards.store import ShardStore

    cache = args.shard_cache or args.exp / "shard_cache"
    command = ["--iterator_type", "task", "--shards", args.shards, "--shard_cache", str(cache)]
    train, valid = (ShardStore(args.shards, split, cache=cache) for split in ("train", "dev"))
    streams = {"both": {"speech", "video"}, "sound": {"speech"}, "lips": {"video"}}[args.streams]
    streams &= {*train.manifest.streams, *valid.manifest.streams}
    if not streams or any(not streams <= {*store.manifest.streams} for store in (train, valid)):
        has = " and ".join(f"{store.split} has {', '.join(store.manifest.streams)}" for store in (train, valid))
        raise AvsrError(f"{args.shards}: {has}; pack both splits of the same data, or train on one stream that both have (--streams).")
    told = {"align"} | ({"shape"} if shapes and "video" in streams else set())
    names = [name for name in ("speech", "video", "text", "align", "shape") if name in streams | {"text"} | told & {*train.manifest.streams}]
    for name in names:
        for option in ("train", "valid"):
            # ESPnet reads nothing of these; they say which streams the model is trained on.
            command += [f"--{option}_data_path_and_name_and_type", f"shards,{name},shards"]
    return command + schedule_arguments(config, len(train.index.complete(streams)))


def _stats(exp: Path) -> Path:
    return exp.with_name(exp.name + "_stats")


if __name__ == "__main__":
    sys.exit(main())
