"""Stage 2: mouth clips and 16 kHz sound of every split: `python -m avsr.stages.crops`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from avsr.backends import LOCAL, Backend, add_backend_options, open_backend
from avsr.errors import AvsrError
from avsr.stages.command import run_main
from avsr.tables import SPLITS


def crop_splits(
    data: Path, out: Path, *, nj: int, mouth_only: bool, splits: Sequence[str] = SPLITS, backend: Backend = LOCAL
) -> None:
    """Crop each split's folder of `data` into one of `out`, the last, which are small, first; say what came of each.

    Raises AvsrError where a split has no utterance left.
    """
    from avsr.lips.folder import crop_data_dir

    for split in reversed(splits):
        print(f"{split}: {crop_data_dir(data / split, out / split, nj=nj, mouth_only=mouth_only, backend=backend)}", flush=True)
        if not (out / split / "video.scp").read_text(encoding="utf-8").strip():
            raise AvsrError(f"no clip of {split} could be used: see why in {out / split / 'failed.tsv'}.")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--data", type=Path, required=True, help="data directories of stage 1")
    parser.add_argument("--out", type=Path, required=True, help="gets mouth clips, sound and tables of each split")
    parser.add_argument("--nj", type=int, default=2, help="processes (default: %(default)s)")
    parser.add_argument("--mouth_only", action="store_true", help="the videos already show only the mouth")
    parser.add_argument("--splits", nargs="+", default=SPLITS, help="default: %(default)s")
    add_backend_options(parser)
    args = parser.parse_args(arguments)
    with open_backend(args.backend, args.ray_address, nj=args.nj, out=args.out) as backend:
        crop_splits(args.data, args.out, nj=args.nj, mouth_only=args.mouth_only, splits=args.splits, backend=backend)
    return 0


if __name__ == "__main__":
    run_main(main)
