"""Puts a packed model, with its card, in the checkout's models/ for `avsr transcribe`, if that is worth a new file in git:

    python -m avsr.stages.ship --model exp/daily_ko/daily_ko.zip --results exp/daily_ko/RESULTS.md \
        --manifest data/daily_ko/[123]/manifest.json --words recipes/daily_ko/avsr1/conf/card.yaml
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from avsr.decoding.default_model import CHECKOUT, SHIPPED
from avsr.errors import ModelError
from avsr.stages.card import MODES, TEST, card_of, card_text, make_card
from avsr.stages.command import run_main
from avsr.tables import write_lines

LARGEST = 20_000_000  # bytes: git keeps every version for ever
GAIN = 0.1  # of the mean CER of the three modes: less is not worth another version


def check_gain(card: Mapping[str, Any], shipped: Mapping[str, Any], where: Path) -> None:
    """ModelError unless the mean CER of the three modes is a tenth or more below that of the model shipped now."""
    domains = [sorted({str(corpus["domain"]) for corpus in one["corpora"]}) for one in (card, shipped)]
    if domains[0] != domains[1]:
        raise ModelError(
            f"{where}: is of the domain {' and '.join(domains[1])}, the new model of {' and '.join(domains[0])}, so that "
            "their figures cannot be compared; to replace it all the same, remove it first."
        )
    new, old = (sum(one["figures"][TEST][mode]["cer"][0] for mode in MODES) / len(MODES) for one in (card, shipped))
    if new > (1 - GAIN) * old:
        raise ModelError(
            f"{where}: stays, as the new model's mean CER over {', '.join(MODES)} is {new:.2f} % and its own {old:.2f} %; "
            f"it is replaced for {(1 - GAIN) * old:.2f} % or less."
        )


def ship(model: Path, card: Mapping[str, Any], target: Path) -> None:
    """Write `model` with `card` to `target`, and the card beside it as README.md.

    ModelError where it is larger than LARGEST or the gain over what lies there is too small; then nothing is written.
    """
    from avsr.decoding.packed import read_meta, write_with_meta

    if target.exists():
        check_gain(card, card_of(read_meta(target), target), target)
    target.parent.mkdir(parents=True, exist_ok=True)
    candidate = target.with_name(f".new.{target.name}")
    try:
        write_with_meta(model, candidate, read_meta(model) | {"name": card["name"], "card": dict(card)})
        size = candidate.stat().st_size
        if size > LARGEST:
            raise ModelError(
                f"{model}: is {size / 1e6:.1f} MB with its card, and {LARGEST / 1e6:.0f} may be shipped; "
                "pack it again with ./run.sh --half true, or train a smaller one."
            )
        os.replace(candidate, target)
    finally:
        candidate.unlink(missing_ok=True)
    write_lines(target.with_name("README.md"), card_text(target).rstrip("\n").split("\n"))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--model", type=Path, required=True, help="what the pack stage wrote")
    parser.add_argument("--results", type=Path, required=True, help="RESULTS.md of the same run")
    parser.add_argument("--manifest", type=Path, nargs="+", required=True, help="manifest.json of each corpus")
    parser.add_argument("--began_with", type=Path, help="packed model whose weights its training began with: what that learnt from is told too")
    parser.add_argument("--words", type=Path, required=True, help="the recipe's conf/card.yaml")
    parser.add_argument("--real", help="a sentence on how it does with real clips")
    parser.add_argument("--to", type=Path, default=CHECKOUT / SHIPPED, help=f"(default: {SHIPPED} of the checkout)")
    args = parser.parse_args(arguments)
    from avsr.decoding.packed import load_packed, read_meta

    packed = load_packed(args.model)
    parameters = sum(parameter.numel() for parameter in packed.model.parameters())
    before = card_of(read_meta(args.began_with), args.began_with)["corpora"] if args.began_with else ()
    card = make_card(packed.meta, args.results, args.manifest, args.words, parameters=parameters, real=args.real, before=before)
    ship(args.model, card, args.to)
    print(f"{args.to}: {args.to.stat().st_size / 1e6:.1f} MB; its card is the README.md beside it")
    return 0


if __name__ == "__main__":
    run_main(main)
