"""Stage 13: what a benchmark holds a model against, trained on the same data with the same budget.

    python -m avsr.training.baselines --name concatenation --config conf/train.yaml --out exp/x/baselines/concatenation/train.yaml

writes the training configuration of one of BASELINES, made from the model's own, and prints which streams it is trained on.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avsr.errors import AvsrError
from avsr.files import read_yaml
from avsr.stages.command import run_main
from avsr.tables import write_lines


@dataclass(frozen=True)
class Baseline:
    """streams: of avsr.training.train.STREAMS. mode: that it is read in. fusion: of avsr.model.avsr_model.FUSIONS.
    lip_conf: what stands in the place of the model's own; None for that."""

    streams: str
    mode: str
    fusion: str = "late"
    lip_conf: dict[str, Any] | None = None


BASELINES = {
    "audio_only": Baseline("sound", "audio"),
    "lip_only": Baseline("lips", "lip"),
    "concatenation": Baseline("both", "av", "concatenation"),
    "constant_weight": Baseline("both", "av", "constant"),
    # Its paper's dropout of 0.5 is for ten times the steps. Its three pooling layers want larger pictures than ours does: 44 pixels
    # across, where a step takes five times as long as ours.
    "lipnet": Baseline("lips", "lip", lip_conf={"encoder": "lipnet", "pool": 2, "dropout": 0.1}),
}


def baseline_config(config: dict[str, Any], name: str) -> dict[str, Any]:
    """The training configuration of a baseline from the model's: everything alike but what makes it that baseline.

    Raises AvsrError where there is no such baseline.
    """
    if name not in BASELINES:
        raise AvsrError(f"there is no baseline {name!r}; it can be one of {', '.join(BASELINES)}.")
    baseline, model = BASELINES[name], dict(config.get("model_conf") or {})
    if baseline.fusion != "late":
        model["fusion"] = baseline.fusion
        model.pop("fusion_conf", None)
    if baseline.lip_conf is not None:
        own = model.get("lip_conf") or {}
        model["lip_conf"] = {key: own[key] for key in ("crop_size",) if key in own} | baseline.lip_conf
    return config | {"model_conf": model}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--name", required=True, help=", ".join(BASELINES))
    parser.add_argument("--config", type=Path, required=True, help="the model's training configuration")
    parser.add_argument("--out", type=Path, required=True, help="where the baseline's is written")
    args = parser.parse_args(arguments)
    import yaml

    config = baseline_config(read_yaml(args.config), args.name)
    write_lines(args.out, yaml.safe_dump(config, sort_keys=False, allow_unicode=True).splitlines())
    print(BASELINES[args.name].streams, BASELINES[args.name].mode)
    return 0


if __name__ == "__main__":
    run_main(main)
