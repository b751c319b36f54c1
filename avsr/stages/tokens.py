"""Stage 5: the token list, learnt from the training text: `python -m avsr.stages.tokens`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from avsr.stages.command import run_main
from avsr.tables import read_table
from avsr.text.tokens import build_token_list


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--text", type=Path, required=True, help="the training text")
    parser.add_argument("--out", type=Path, required=True, help="gets tokens.txt, token_type and, for bpe, bpe.model")
    parser.add_argument("--token_type", choices=("jamo", "char", "bpe"), default="jamo")
    parser.add_argument("--vocab_size", type=int, help="bpe needs it; without, the other types keep every token")
    args = parser.parse_args(arguments)
    texts = read_table(args.text).values()
    tokenizer = build_token_list(texts, args.token_type, vocab_size=args.vocab_size, out_dir=args.out)
    print(f"{len(tokenizer)} tokens ({args.token_type}) from {len(texts)} sentences")
    return 0


if __name__ == "__main__":
    run_main(main)
