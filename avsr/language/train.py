"""`avsr lm`: a language model for a recogniser, from any text."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from avsr.corpora.labels import read_label_text
from avsr.errors import AvsrError
from avsr.language.kneser_ney import train_ngram
from avsr.language.ngram import Ngram
from avsr.tables import read_table
from avsr.text.normalize import normalize_scoring, normalize_training
from avsr.text.tokens import Tokenizer

if TYPE_CHECKING:
    from avsr.language.neural import NeuralLM

KINDS = ("ngram", "neural")
DEFAULT_ORDERS = {"jamo": 8, "char": 4, "bpe": 4}  # about three syllables before the next


def train_lm(
    texts: Sequence[Path],
    tokenizer: Tokenizer,
    out: Path,
    *,
    kind: str = "ngram",
    order: int | None = None,
    prune: float | None = None,
    epochs: int | None = None,
    seed: int = 1,
    test: Path | None = None,
    further: Sequence[str] = (),
) -> str:
    """Learn `texts`, write `out`, and tell what came of it in a line or two.

    Args:
        texts: each with one sentence a line, or a data directory's table, whose name is `text`.
        tokenizer: the recogniser's.
        kind: "ngram", in seconds; or "neural", an LSTM, in minutes, which an interrupted run goes on with.
        order: of the longest n-gram; None for what suits the tokens.
        prune: n-grams that the text loses less than so many nats by are left out; None for 0.
        epochs: the most that the LSTM learns, None for its default; it stops where it foretells sentences held out no better.
        seed: of the LSTM.
        test: other sentences, on which the perplexity is told.
        further: sentences to learn beside the texts.

    Raises:
        AvsrError: a file cannot be used, or no sentence is left.
    """
    began = time.monotonic()
    sentences, left_out = tokenized([*(sentence for text in texts for sentence in read_sentences(text)), *further], tokenizer)
    if not sentences:
        raise AvsrError(f"{texts[0]}: has no sentence that these tokens can write; give a text with one sentence a line.")
    if kind not in KINDS:
        raise AvsrError(f"kind {kind}: a language model is {' or '.join(KINDS)}.")
    if out.is_dir():
        raise AvsrError(f"{out}: is a folder; give the language model a file's name.")
    if kind == "neural" and (order, prune) != (None, None) or kind == "ngram" and epochs is not None:
        raise AvsrError("an order belongs to the kind ngram, and so does pruning; epochs to the kind neural; leave one of them out.")
    kept = out.with_name(f".{out.name}.training")
    if kind == "ngram":
        order = DEFAULT_ORDERS[tokenizer.token_type] if order is None else order
        model: Ngram | NeuralLM = train_ngram(sentences, tokenizer.token_list, order, prune=prune or 0.0)
        what = f"{sum(len(level.tokens) for level in model.levels):,} n-grams of up to {model.order} tokens"
    else:
        from avsr.runtime import limit_threads
        from avsr.language.neural import train_neural

        limit_threads()
        limits = {} if epochs is None else {"epochs": epochs}
        model = train_neural(sentences, tokenizer.token_list, kept, seed=seed, **limits)
        what = f"an LSTM of {sum(value.numel() for value in model.network.parameters()) / 1e6:.1f} M weights"
    model.save(out)
    kept.unlink(missing_ok=True)
    said = f"{out}: {what}, from {len(sentences):,} sentences in {time.monotonic() - began:.1f} s"
    said += f", {out.stat().st_size / 1e6:.2f} MB"
    said += f"; {left_out:,} hold what the tokens cannot write, and were left out" if left_out else ""
    return said if test is None else f"{said}\n{_told_perplexity(model, test, tokenizer)}"


def read_sentences(path: Path) -> list[str]:
    """The sentences of a text, as a recogniser learns to write them; empty lines are none. LabelError where the file cannot be
    read."""
    path = Path(path)
    lines = read_table(path).values() if path.name == "text" else read_label_text(path).split("\n")
    return [sentence for line in lines if (sentence := normalize_training(line))]


def tokenized(sentences: Sequence[str], tokenizer: Tokenizer) -> tuple[list[list[int]], int]:
    """Token ids of each sentence that can be written with these tokens, and how many cannot. Figures that the tokens lack are
    read out."""
    kept = []
    for sentence in sentences:
        forms = (tokenizer.encode(form) for form in (sentence, normalize_scoring(sentence)))
        kept += [ids for ids in forms if ids and tokenizer.unknown_id not in ids][:1]
    return kept, len(sentences) - len(kept)


def perplexities(model: Ngram | NeuralLM, sentences: Sequence[Sequence[int]], syllables: int) -> tuple[float, float]:
    """Of a token and of a syllable (or letter, spaces not counted), each sentence's end counted as one of both."""
    total = sum(model.score(sentence) for sentence in sentences)
    tokens = sum(len(sentence) + 1 for sentence in sentences)
    return math.exp(-total / tokens), math.exp(-total / (syllables + len(sentences)))


def _told_perplexity(model: Ngram | NeuralLM, test: Path, tokenizer: Tokenizer) -> str:
    sentences, left_out = tokenized(read_sentences(test), tokenizer)
    if not sentences:
        return f"{test}: no perplexity, as these tokens can write none of its {left_out:,} sentences"
    syllables = sum(len(tokenizer.decode(ids).replace(" ", "")) for ids in sentences)
    token, syllable = perplexities(model, sentences, syllables)
    said = f"{test}: perplexity {token:.2f} a token, {syllable:.1f} a syllable, over {len(sentences):,} sentences"
    return said + (f"; {left_out:,} were left out" if left_out else "")
