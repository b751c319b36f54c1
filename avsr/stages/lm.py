"""Stage 9: a language model of the training text, which is packed with the recogniser: `python -m avsr.stages.lm`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from avsr.language.train import train_lm
from avsr.stages.command import run_main
from avsr.text.tokens import load_tokenizer


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--text", type=Path, required=True, nargs="+", help="the training text, and others")
    parser.add_argument("--tokens", type=Path, required=True, help="directory of the tokens stage")
    parser.add_argument("--out", type=Path, required=True, help="the language model")
    parser.add_argument("--test", type=Path, help="text to tell the perplexity of")
    parser.add_argument("--order", type=int, help="tokens of the longest n-gram (default: 8 for jamo, else 4)")
    args = parser.parse_args(arguments)
    print(train_lm(args.text, load_tokenizer(args.tokens), args.out, order=args.order, test=args.test))
    return 0


if __name__ == "__main__":
    run_main(main)
