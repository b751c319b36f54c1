"""Stage 10: weights, tokens and their story in one file: `python -m avsr.stages.pack`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from avsr.errors import AvsrError
from avsr.files import read_yaml
from avsr.stages.command import run_main
from avsr.stages.machine import describe_commit
from avsr.stages.once import read_note
from avsr.stages.results import data_hash
from avsr.tables import SPLITS, read_table
from avsr.training.fuse import WEIGHTS
from avsr.training.train import trained_streams

STREAMS = {"speech": "sound", "video": "lips"}


def describe_model(
    exp: Path, dump: Path, recipe: str, decode_config: Path, splits: Sequence[str] = SPLITS
) -> dict[str, Any]:
    """What goes into a packed model's meta.yaml, from the run's own files; dates only from them, so that packing the
    same run twice gives the same bytes."""
    config = read_yaml(exp / "config.yaml")
    streams = trained_streams(config)
    if not streams:
        raise AvsrError(f"{exp / 'config.yaml'}: names neither speech nor video to train on; give the one that training wrote.")
    trained = read_note(exp / ".done")
    words = " and ".join(STREAMS[name] for name in sorted(streams))
    meta = {
        "what": f"Speech recognition from {words}, trained on the corpus {recipe} by ./run.sh --recipe {recipe}.",
        "recipe": recipe,
        "streams": [STREAMS[name] for name in sorted(streams)],
        "commit": trained.get("commit") or describe_commit(),
        "seed": config.get("seed"),
        "data_hash": data_hash(dump, splits),
        "decode": read_yaml(decode_config),
    }
    noises = heard_noises(config.get("noise_scp"))
    if noises:
        meta["noises"] = noises
    # A training that was adopted may have left no note of some of these.
    noted = {"date": "ended", "trained_on": "machine", "training_seconds": "seconds"}
    return meta | {name: trained[key] for name, key in noted.items() if key in trained}


def heard_noises(noise_scp: str | None) -> list[str]:
    """sha256 of each recording that training mixed in, so that no benchmark measures with it; none of the corpus's own voices
    (train/wav.scp, wherever the training was), which are no test's."""
    if not noise_scp or Path(noise_scp).parts[-2:] == ("train", "wav.scp"):
        return []
    from avsr.media.audio import read_audio
    from avsr.noise.pcm import hash_pcm, to_pcm

    return sorted(hash_pcm(to_pcm(read_audio(path)[0])) for path in read_table(Path(noise_scp), filled=True).values())


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--exp", type=Path, required=True, help="the folder that was trained in")
    parser.add_argument("--dump", type=Path, required=True, help="what it was trained on")
    parser.add_argument("--tokens", type=Path, required=True, help="the token list it was trained with")
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--decode_config", type=Path, required=True, help="the model's default search options")
    parser.add_argument("--experiments", type=Path, help="folder that remembers what was packed last, for `avsr transcribe`")
    parser.add_argument("--out", type=Path, required=True, help="the packed model")
    parser.add_argument("--lm", type=Path, help="a language model that the recogniser is to use")
    parser.add_argument("--calibrate", type=Path, metavar="DEV", help="data directory to calibrate the words' confidence on")
    parser.add_argument("--seed", type=int, default=1, help="of the calibration's corrupted sound (default: %(default)s)")
    parser.add_argument("--half", action="store_true", help="store matrices in 16 bits: half the size")
    parser.add_argument("--splits", nargs="+", default=SPLITS, help="of the dump (default: %(default)s)")
    args = parser.parse_args(arguments)
    from avsr.decoding.default_model import remember_model
    from avsr.decoding.packed import pack

    meta = describe_model(args.exp, args.dump, args.recipe, args.decode_config, args.splits)
    if args.half:
        meta["weights"] = "matrices in float16"
    pack(args.exp / "config.yaml", args.exp / WEIGHTS, args.tokens, args.out, meta, half=args.half, lm=args.lm)
    said = f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB"
    if args.calibrate is not None:
        from avsr.stages.calibrate import calibrate_model

        said += f"; {calibrate_model(args.out, args.calibrate, args.seed)}"
    if args.experiments is not None:
        args.experiments.mkdir(parents=True, exist_ok=True)
        remember_model(args.out, args.experiments)
        said += "; `avsr transcribe` uses it now where no other is named"
    print(said)
    return 0


if __name__ == "__main__":
    run_main(main)
