"""Start ESPnet's training, or its collecting of lengths, on a data directory: `python -m avsr.training.train`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from avsr.errors import AvsrError

DATA_FILES = (("wav.scp", "speech", "sound"), ("video.scp", "video", "mouth_clip"), ("text", "text", "text"))
_ALIGN = ("align", "align", "text")


def data_arguments(train: Path, valid: Path) -> list[str]:
    """ESPnet's options that name the data: every file that both directories have.

    Raises:
        AvsrError: there is no text, or neither sound nor mouth clips.
    """
    names = [entry for entry in (*DATA_FILES, _ALIGN) if (train / entry[0]).exists() and (valid / entry[0]).exists()]
    found = {entry[1] for entry in names}
    if "text" not in found:
        raise AvsrError(f"{train} and {valid} have no file `text` both: run the format stage first")
    if not found & {"speech", "video"}:
        raise AvsrError(f"{train} has neither wav.scp nor video.scp: run the crops and format stages first")
    arguments = []
    for option, directory in (("train", train), ("valid", valid)):
        for file, name, kind in names:
            arguments += [f"--{option}_data_path_and_name_and_type", f"{directory / file},{name},{kind}"]
    return arguments


def shape_arguments(stats: Path) -> list[str]:
    """ESPnet's options that name the lengths found by the statistics stage."""
    arguments = []
    for option in ("train", "valid"):
        files = [stats / option / f"{name}_shape" for name in ("video", "speech") if (stats / option / f"{name}_shape").exists()]
        if not files:
            raise AvsrError(f"{stats / option} has no video_shape or speech_shape: run the statistics stage first")
        arguments += [f"--{option}_shape_file", str(files[0])]
    return arguments


def schedule_arguments(config: dict, utterances: int) -> list[str]:
    """Length of an epoch and of the one-cycle schedule, which torch wants in steps and people write in epochs."""
    if config.get("num_iters_per_epoch") is None and config.get("batch_type", "unsorted") != "unsorted":
        return []
    steps = config.get("num_iters_per_epoch") or max(1, utterances // int(config.get("batch_size", 20)))
    arguments = ["--num_iters_per_epoch", str(steps)]
    if config.get("scheduler") == "onecyclelr" and "total_steps" not in config.get("scheduler_conf", {}):
        total = steps * int(config["max_epoch"]) // int(config.get("accum_grad", 1))
        # One more: the scheduler refuses the step after its last, and ESPnet makes it when an epoch is repeated.
        arguments += ["--scheduler_conf", f"total_steps={total + 1}"]
    return arguments


def main(argv: list[str] | None = None) -> int:
    """Run; what is not understood here goes on to ESPnet (`--max_epoch 3`, `--ngpu 1`, `--resume true`, ...)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="training YAML, for example conf/train.yaml")
    parser.add_argument("--data", type=Path, required=True, help="directory with train/ and dev/")
    parser.add_argument("--tokens", type=Path, required=True, help="directory of the tokens stage")
    parser.add_argument("--exp", type=Path, required=True, help="where the experiment lies; EXP_stats is beside it")
    parser.add_argument("--collect_stats", action="store_true", help="find the lengths, do not train")
    args, passed_on = parser.parse_known_args(argv)
    try:
        command = _command(args) + passed_on
    except AvsrError as error:
        print(error, file=sys.stderr)
        return 1
    from avsr.training.task import AVSRTask

    try:
        AVSRTask.main(cmd=command)
    except AvsrError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _command(args: argparse.Namespace) -> list[str]:
    import yaml

    if not args.config.is_file():
        raise AvsrError(f"{args.config}: there is no such configuration")
    config = yaml.safe_load(args.config.read_text(encoding="utf-8")) or {}
    train, valid = args.data / "train", args.data / "dev"
    stats = args.exp.with_name(args.exp.name + "_stats")
    utterances = sum(1 for _ in open(train / "text", encoding="utf-8")) if (train / "text").exists() else 0
    command = ["--config", str(args.config), "--token_dir", str(args.tokens)]
    command += data_arguments(train, valid) + schedule_arguments(config, utterances)
    if args.collect_stats:
        command += ["--collect_stats", "true", "--output_dir", str(stats), "--num_workers", "0"]
        return command + ["--train_shape_file", str(train / "text"), "--valid_shape_file", str(valid / "text")]
    if (train / "wav.scp").exists() and config.get("noise_scp") is None:
        command += ["--noise_scp", str(train / "wav.scp")]  # the corpus's own voices make the babble
    return command + ["--output_dir", str(args.exp)] + shape_arguments(stats)


if __name__ == "__main__":
    sys.exit(main())
