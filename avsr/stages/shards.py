"""Packs what training reads into shards: `python -m avsr.stages.shards --data DUMP --out DIR`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from avsr.backends import add_backend_options, open_backend
from avsr.errors import AvsrError
from avsr.stages.command import run_main

SIZE = 500  # utterances: of 3 s about 40 MB, which an object store gives at once and a machine keeps by the dozen


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--data", type=Path, required=True, help="directory with a data directory for each split")
    parser.add_argument("--out", type=Path, required=True, help="gets a folder of shards a split")
    parser.add_argument("--size", type=int, default=SIZE, help="utterances a shard (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the order in which they are packed (default: %(default)s)")
    parser.add_argument("--raw", action="store_true", help="pictures and sound as decoded: ten times the space, half the time to load")
    parser.add_argument("--nj", type=int, default=2, help="processes (default: %(default)s)")
    parser.add_argument("--splits", nargs="+", default=("train", "dev"), help="default: train dev")
    add_backend_options(parser)
    args = parser.parse_args(arguments)
    for name, least in (("size", 1), ("seed", 0), ("nj", 1)):
        if getattr(args, name) < least:
            raise AvsrError(f"--{name} {getattr(args, name)}: give {least} or more.")
    from avsr.shards.pack import pack_split

    with open_backend(args.backend, args.ray_address, nj=args.nj, out=args.out) as backend:
        for split in args.splits:
            options = {"size": args.size, "seed": args.seed, "nj": args.nj, "raw": args.raw, "backend": backend}
            made = pack_split(args.data / split, args.out / split, **options)
            size, failed = sum(shard.bytes for shard in made.shards), (args.out / split / "failed.tsv").read_text("utf-8").count("\n") - 1
            left_out = f", {failed} left out: see {args.out / split / 'failed.tsv'}" if failed else ""
            print(f"{split}: {made.utterances} utterances ({made.seconds / 3600:.2f} h) in {len(made.shards)} shards, {size / 1e6:.1f} MB{left_out}")
    return 0


if __name__ == "__main__":
    run_main(main)
