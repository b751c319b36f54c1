"""Finds the likeliest token sequences of one utterance: ESPnet's batch beam search, a search by frames whose best the decoder ranks, or
the best token of each frame."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avsr.runtime import one_thread, quiet_imports
from avsr.errors import AvsrError
from avsr.files import read_yaml

if TYPE_CHECKING:
    import torch
    from espnet.nets.scorer_interface import BatchScorerInterface
    from espnet2.asr.decoder.abs_decoder import AbsDecoder

    from avsr.language.ngram import Ngram
    from avsr.language.neural import NeuralLM

_DEAD = -1e7  # the prefix score gives -1e10 to what cannot be; weighted, that is still far below any real score


@dataclass(frozen=True)
class DecodeOptions:
    """How to search; conf/decode.yaml says what each means. `beam_size` 1 with `ctc_weight` 1 and `frame_beam` 0 is greedy CTC."""

    beam_size: int = 10
    ctc_weight: float = 0.4
    length_bonus: float = 0.0
    nbest: int = 5
    nbest_spread: float = 0.3
    maxlenratio: float = 0.0
    lm_weight: float = 0.3
    bias_weight: float = 1.0
    frame_beam: int = 0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value, whole = getattr(self, field.name), isinstance(field.default, int)
            if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
                raise AvsrError(f"decode option {field.name} is {value!r}; give a {'whole ' if whole else ''}number.")
        if self.beam_size < 1 or self.nbest < 1:
            raise AvsrError(f"beam_size {self.beam_size} and nbest {self.nbest} must both be 1 or more.")
        if self.frame_beam < 0:
            raise AvsrError(f"decode option frame_beam is {self.frame_beam}; give the prefixes to keep at each frame, or 0.")
        for name in ("ctc_weight", "nbest_spread"):
            if not 0 <= getattr(self, name) <= 1:
                raise AvsrError(f"decode option {name} is {getattr(self, name)}; give 0 to 1.")
        if not 0 <= self.maxlenratio <= 1:
            raise AvsrError(f"decode option maxlenratio is {self.maxlenratio}; give 0 to 1 tokens a frame.")
        for name in ("lm_weight", "bias_weight"):
            if not 0 <= getattr(self, name) <= 10:
                raise AvsrError(f"decode option {name} is {getattr(self, name)}; give 0 to 10.")

    @property
    def greedy(self) -> bool:
        return self.beam_size == 1 and self.ctc_weight == 1 and not self.frame_beam


def options_from(values: Any, where: object) -> DecodeOptions:
    """The options named in `values`, the others as they are by default; AvsrError names `where` and the field."""
    if not isinstance(values, dict):
        raise AvsrError(f"{where}: is not a table of decode options; see conf/decode.yaml.")
    unknown = sorted(map(str, values.keys() - {field.name for field in dataclasses.fields(DecodeOptions)}))
    if unknown:
        raise AvsrError(f"{where}: {unknown[0]} is no decode option; see conf/decode.yaml.")
    try:
        return DecodeOptions(**values)
    except AvsrError as error:
        raise AvsrError(f"{where}: {error}") from error


def read_options(path: Path) -> DecodeOptions:
    """Decode options from a YAML file."""
    return options_from(read_yaml(path), path)


@dataclass(frozen=True)
class Language:
    """What is known of the language beside the decoder: a language model, weighted by `lm_weight`, and the token ids of words
    and names that are expected, each token of which gains `bias_weight`. Of the recogniser's own tokens, both.

    spaces: ids after which a word begins; None for pieces that hold their spaces, where one may begin anywhere.
    """

    lm: Ngram | NeuralLM | None = None
    phrases: tuple[tuple[int, ...], ...] = ()
    spaces: tuple[int, ...] | None = ()


@dataclass(frozen=True)
class Hypothesis:
    """Token ids without sos and eos, and the weighted log probability that they were ranked by."""

    tokens: tuple[int, ...]
    score: float


def search(
    decoder: AbsDecoder | None,
    memory: torch.Tensor,
    log_probs: torch.Tensor,
    options: DecodeOptions,
    language: Language | None = None,
) -> list[Hypothesis]:
    """The best hypotheses, best first, at least one, no two alike.

    Joint CTC/attention decoding with CTC prefix scores: Watanabe et al., "Hybrid CTC/attention architecture for
    end-to-end speech recognition" (2017).

    Args:
        decoder: an ESPnet decoder; may be None where `ctc_weight` is 1.
        memory: (T, D) what the decoder attends to.
        log_probs: (T, V) the fused CTC log posterior; blank is 0, sos/eos the last.
        options: see `DecodeOptions`.
        language: see `Language`; shallow fusion (Gulcehre et al., "On using monolingual corpora in neural machine
            translation", 2015). The best token of each frame knows nothing of it.
    """
    import torch

    if not len(memory):
        return [Hypothesis((), 0.0)]
    with torch.inference_mode(), one_thread():
        if options.greedy:
            return [_greedy(log_probs)]
        if options.frame_beam:
            ranked = _by_frames(decoder, memory, log_probs, options, language or Language())
            return spread(ranked, options.nbest, options.nbest_spread)
        found = _beam_search(decoder, memory, log_probs, options, language or Language())
    eos = log_probs.shape[1] - 1
    scores: dict[tuple[int, ...], float] = {}
    for hypothesis in found:  # best first
        score = float(hypothesis.score)
        # An eos is added twice where a hypothesis ends in the very last step; a decoder alone might even say blank.
        tokens = tuple(token for token in hypothesis.yseq.tolist()[1:] if token not in (0, eos))
        if score > _DEAD:
            scores.setdefault(tokens, score)
    return spread([Hypothesis(tokens, score) for tokens, score in scores.items()], options.nbest, options.nbest_spread)


def spread(found: Sequence[Hypothesis], count: int, weight: float) -> list[Hypothesis]:
    """`count` of the hypotheses, best first, the best among them: those with the best scores (`weight` 0), or those that differ
    most from what was chosen before (1), or between (maximal marginal relevance: Carbonell and Goldstein, 1998).

    A beam's best differ in a syllable's coda, a particle or a space; who looks for what was said is helped by other readings.
    Likeness is 1 less the normalised edit distance of the tokens; scores and likenesses go from 0 to 1 over the readings that come
    into question, three times as many as are wanted.
    """
    from rapidfuzz.distance import Levenshtein

    found = found[: 3 * count]
    chosen, left = list(found[:1]), list(found[1:])
    reach = max(found[0].score - found[-1].score, 1e-9)
    alike = [Levenshtein.normalized_similarity(one.tokens, found[0].tokens) for one in left]
    least, most = min(alike, default=0.0), max(alike, default=1.0)
    nearest = [0.0] * len(left)
    while left and len(chosen) < count:
        near = [Levenshtein.normalized_similarity(one.tokens, chosen[-1].tokens) for one in left]
        nearest = [max(a, (b - least) / max(most - least, 1e-9)) for a, b in zip(nearest, near)]
        worth = [weight * a + (1 - weight) * (found[0].score - one.score) / reach for a, one in zip(nearest, left)]
        best = min(range(len(left)), key=worth.__getitem__)
        chosen.append(left.pop(best))
        nearest.pop(best)
    return sorted(chosen, key=lambda hypothesis: -hypothesis.score)


def _greedy(log_probs: torch.Tensor) -> Hypothesis:
    """The best token of each frame, repeats and blanks left out (Graves et al., "Connectionist temporal classification",
    2006: best path decoding). sos/eos is no token that CTC emits."""
    scores, path = log_probs[:, :-1].max(-1)
    tokens = path.unique_consecutive()
    return Hypothesis(tuple(tokens[tokens != 0].tolist()), float(scores.sum()))


def _beam_search(
    decoder, memory: torch.Tensor, log_probs: torch.Tensor, options: DecodeOptions, language: Language
) -> list:
    with quiet_imports():
        from espnet.nets.batch_beam_search import BatchBeamSearch
        from espnet.nets.scorers.length_bonus import LengthBonus

        from avsr.decoding.prefix_score import CTCPrefixScorer

    # It warns whenever a hypothesis is as long as it may be.
    logging.getLogger("espnet.nets.beam_search").setLevel(logging.ERROR)
    vocabulary = log_probs.shape[1]
    scorers = {"decoder": decoder, "ctc": CTCPrefixScorer(log_probs, vocabulary - 1)}
    scorers["length_bonus"] = LengthBonus(vocabulary)
    weights = {"decoder": 1 - options.ctc_weight, "ctc": options.ctc_weight, "length_bonus": options.length_bonus}
    for name, (scorer, weight) in _language_scorers(options, language, vocabulary).items():
        scorers[name], weights[name] = scorer, weight
    beam = BatchBeamSearch(
        scorers,
        weights,
        beam_size=min(options.beam_size, vocabulary),
        vocab_size=vocabulary,
        sos=vocabulary - 1,
        eos=vocabulary - 1,
        # What decoder and language find unlikely is not worth a CTC score; without a decoder there is little to tell by.
        pre_beam_score_key="full" if 0 < options.ctc_weight < 1 else None,
    )
    return beam(memory, maxlenratio=options.maxlenratio)


def _by_frames(
    decoder: AbsDecoder | None, memory: torch.Tensor, log_probs: torch.Tensor, options: DecodeOptions, language: Language
) -> list[Hypothesis]:
    """The best `beam_size` of a search by CTC and language alone, in which CTC stands for the decoder too, by the same score as
    `_beam_search` ranks by."""
    from avsr.decoding.frame_search import frame_search
    from avsr.decoding.likelihood import attention_log_likelihood, ctc_log_likelihood

    frames, vocabulary = log_probs.shape
    longest = max(1, int(options.maxlenratio * frames)) if options.maxlenratio else None
    scorers = _language_scorers(options, language, vocabulary).values()
    found = frame_search(
        log_probs, scorers, beam=options.frame_beam, ctc_weight=1.0, length_bonus=options.length_bonus, longest=longest
    )[: options.beam_size]  # fmt: skip
    texts, given = [tokens for tokens, _ in found], [score for _, score in found]
    scores = options.ctc_weight * ctc_log_likelihood(log_probs.cpu(), texts) + given
    if options.ctc_weight < 1:
        scores += (1 - options.ctc_weight) * attention_log_likelihood(decoder, memory, texts, vocabulary - 1)
    return [Hypothesis(texts[place], float(scores[place])) for place in (-scores).argsort(kind="stable")]


def _language_scorers(options: DecodeOptions, language: Language, vocabulary: int) -> dict[str, tuple[BatchScorerInterface, float]]:
    """What scores the language, and its weight, by name."""
    from avsr.language.ngram import Ngram
    from avsr.language.scorers import BiasScorer, NgramScorer

    scorers: dict[str, tuple[BatchScorerInterface, float]] = {}
    if language.lm is not None:
        scorers["lm"] = NgramScorer(language.lm) if isinstance(language.lm, Ngram) else language.lm.scorer, options.lm_weight
    if language.phrases:
        scorers["bias"] = BiasScorer(language.phrases, vocabulary, language.spaces), options.bias_weight
    return scorers
