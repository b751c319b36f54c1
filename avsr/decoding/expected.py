"""What a person knows of a video beforehand: a language model for it, and a list of names and words that will be said."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from avsr.corpora.labels import read_label_text
from avsr.decoding.packed import PackedModel, load_lm
from avsr.decoding.search import DecodeOptions, Language
from avsr.errors import AvsrError
from avsr.text.normalize import normalize_scoring, normalize_training
from avsr.text.tokens import SPACE, Tokenizer


def expect(
    packed: PackedModel, options: DecodeOptions, *, lm: Path | None, lm_weight: float | None, bias: Path | None
) -> tuple[DecodeOptions, Language]:
    """The search's options and language with what was given; None for what the model came with.

    Args:
        lm: what `avsr lm` wrote for this model, in the place of the model's own.
        bias: a text file with a name or word on each line.

    Raises:
        AvsrError: a file cannot be used, or a weight is given without a language model.
    """
    known = packed.lm if lm is None else load_lm(lm, lm, packed.tokenizer, device=str(packed.device))
    if lm_weight is not None:
        if known is None:
            raise AvsrError("a weight of the language model is given, and this model came with none: give --lm FILE too.")
        options = dataclasses.replace(options, lm_weight=float(lm_weight))
    if options.greedy and (lm is not None or lm_weight is not None or bias is not None):
        raise AvsrError("this model is read by the best token of each frame, which asks no language: pack it with a beam.")
    phrases = () if bias is None else read_phrases(bias, packed.tokenizer)
    tokenizer = packed.tokenizer
    spaces = tuple(place for place, token in enumerate(tokenizer.token_list) if token == SPACE)
    return options, Language(known, phrases, None if tokenizer.token_type == "bpe" else spaces)


def read_phrases(path: Path, tokenizer: Tokenizer) -> tuple[tuple[int, ...], ...]:
    """Token ids of each line's name or word; LabelError or AvsrError, with the line, for what cannot be used."""
    phrases = {}
    for number, line in enumerate(read_label_text(Path(path)).split("\n"), 1):
        phrase = normalize_training(line)
        if not phrase:
            continue
        # As it is written and as it is read out: 3층 and 삼층.
        forms = [tuple(tokenizer.encode(form)) for form in (phrase, normalize_scoring(phrase))]
        written = [form for form in forms if tokenizer.unknown_id not in form]
        if not written:
            raise AvsrError(f"{path}, line {number}: the model has no letters for {phrase!r}; write it as it is said, in Hangul.")
        phrases.update(dict.fromkeys(written))
    if not phrases:
        raise AvsrError(f"{path}: holds no word; write a name or word on each line.")
    return tuple(phrases)
