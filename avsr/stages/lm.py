"""Stage 9: a language model of the training text, which is packed with the recogniser: `python -m avsr.stages.lm`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from avsr.language.train import read_sentences, train_lm
from avsr.stages.command import run_main
from avsr.text.normalize import normalize_scoring
from avsr.text.tokens import load_tokenizer


_SEED = 1  # of the grammar's sentences; a corpus draws its own from another stream of random numbers


def further_sentences(more: Sequence[Path], grammar: int, held_out: Sequence[Path]) -> tuple[list[str], int]:
    """What a language model learns beside the training text: the lines of `more`, and so many sentences of the grammar that makes
    daily_ko. None of them is one of `held_out`; returns how many were, too."""
    held = {normalize_scoring(sentence) for path in held_out for sentence in read_sentences(path)}
    sentences = [sentence for path in more for sentence in read_sentences(path)]
    if grammar:
        from avsr.corpora.talking_heads.corpus import rng_for
        from avsr.corpora.talking_heads.sentences import daily_sentences

        sentences += daily_sentences(grammar, rng_for(_SEED, "lm"))
    kept = [sentence for sentence in sentences if normalize_scoring(sentence) not in held]
    return kept, len(sentences) - len(kept)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--text", type=Path, required=True, nargs="+", help="the training text")
    parser.add_argument("--more", type=Path, default=[], nargs="*", help="other text")
    parser.add_argument("--grammar", type=int, default=0, help="so many sentences of daily_ko's grammar besides")
    parser.add_argument("--held_out", type=Path, default=[], nargs="*", help="text whose sentences are left out of --more and --grammar")
    parser.add_argument("--tokens", type=Path, required=True, help="directory of the tokens stage")
    parser.add_argument("--out", type=Path, required=True, help="the language model")
    parser.add_argument("--test", type=Path, help="text to tell the perplexity of")
    parser.add_argument("--order", type=int, help="tokens of the longest n-gram (default: 8 for jamo, else 4)")
    parser.add_argument("--prune", type=float, help="leave out n-grams that the text loses less than so many nats by (default: 0)")
    args = parser.parse_args(arguments)
    further, known = further_sentences(args.more, args.grammar, args.held_out)
    if known:
        print(f"{known:,} sentences of other text are in {' or '.join(map(str, args.held_out))}, and were left out")
    options = {"order": args.order, "prune": args.prune, "test": args.test, "further": further}
    print(train_lm(args.text, load_tokenizer(args.tokens), args.out, **options))
    return 0


if __name__ == "__main__":
    run_main(main)
