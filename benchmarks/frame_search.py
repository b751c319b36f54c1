"""The search frame by frame against ESPnet's own and against the one token by token, with the same n-gram model: milliseconds an utterance.

    python -m benchmarks.frame_search
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence

import numpy as np
import torch

from avsr.decoding.frame_search import frame_search
from avsr.decoding.search import DecodeOptions, Language, search
from avsr.decoding.shared_memory import share_memory
from avsr.language.kneser_ney import train_ngram
from avsr.language.ngram import Ngram
from avsr.language.scorers import NgramScorer
from avsr.runtime import one_thread, quiet_imports
from benchmarks.measure import medians, print_machine
from benchmarks.prefix_score import SIZE, Posterior, posterior

with quiet_imports():
    from espnet.nets.beam_search_timesync import BeamSearchTimeSync
    from espnet.nets.scorer_interface import ScorerInterface
    from espnet2.asr.decoder.transformer_decoder import TransformerDecoder

LM_WEIGHT, BONUS = 0.5, 1.0


class OneByOne(ScorerInterface):
    """The n-gram model as ESPnet's search by frames asks for it: one prefix at a time."""

    def __init__(self, lm: Ngram) -> None:
        self.lm = lm

    def score(self, y: torch.Tensor, state: None, x: torch.Tensor) -> tuple[torch.Tensor, None]:
        return torch.from_numpy(self.lm.log_probs(y.tolist())), None


def sentences(vocabulary: int, seed: int, count: int = 3000) -> list[list[int]]:
    """Token ids in which some pairs come much more often than others."""
    rng = np.random.default_rng(seed)
    likely = rng.integers(1, vocabulary - 1, (vocabulary, 4))
    told = []
    for _ in range(count):
        said = [int(rng.integers(1, vocabulary - 1))]
        while len(said) < rng.integers(10, 40):
            said.append(int(rng.choice(likely[said[-1]])))
        told.append(said)
    return told


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=4.0, help="of media, 25 frames each (default: %(default)s)")
    parser.add_argument("--vocabulary", type=int, default=71, help="tokens (default: %(default)s)")
    parser.add_argument("--beam", type=int, default=200, help="prefixes a frame (default: %(default)s)")
    parser.add_argument("--token_beam", type=int, default=20, help="hypotheses of the search by tokens (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args(arguments)
    for name in ("espnet.nets.beam_search", "root"):
        logging.getLogger(name).setLevel(logging.ERROR)
    torch.manual_seed(0)
    with quiet_imports():
        decoder = TransformerDecoder(options.vocabulary, SIZE, attention_heads=4, linear_units=384, num_blocks=2).eval()
    share_memory(decoder)  # as the recogniser has it
    frames, eos = round(options.seconds * 25), options.vocabulary - 1
    tokens = ["<blank>", *(f"t{n}" for n in range(1, eos)), "<sos/eos>"]
    log_probs, memory = (1.5 * posterior(frames, options.vocabulary, seed=1)).log_softmax(-1), torch.randn(frames, SIZE)
    lm = train_ngram(sentences(options.vocabulary, 2), tokens, order=4)
    best: dict[str, list[int]] = {}

    def fresh() -> Ngram:
        return Ngram(lm.levels, lm.token_list)  # remembers nothing of the turn before

    def ours() -> None:
        found = frame_search(log_probs, [(NgramScorer(fresh()), LM_WEIGHT)], beam=options.beam, ctc_weight=1.0, length_bonus=BONUS)
        best["ours"] = list(found[0][0])

    def espnet() -> None:
        scorers = {"ctc": Posterior(log_probs), "decoder": None, "lm": OneByOne(fresh())}
        weights = {"ctc": 1.0, "decoder": 0.0, "lm": LM_WEIGHT, "length_bonus": BONUS}
        found = BeamSearchTimeSync(eos, options.beam, scorers, weights, tokens, pre_beam_ratio=options.vocabulary / options.beam)(memory)
        best["espnet"] = found[0].yseq.tolist()[1:-1]

    def searched(**beams: int) -> None:
        asked = DecodeOptions(ctc_weight=0.7, lm_weight=LM_WEIGHT, length_bonus=BONUS, **beams)
        search(decoder, memory, log_probs, asked, Language(fresh()))

    turns = {
        "frame by frame": ours,
        "frame by frame, ESPnet's": espnet,
        "both passes, the decoder's too": lambda: searched(frame_beam=options.beam, beam_size=60),
        "token by token": lambda: searched(beam_size=options.token_beam),
    }
    with torch.inference_mode(), one_thread():
        times = medians(turns, options.runs)
    print_machine(options.runs)
    alike = "the same" if best["ours"] == best["espnet"] else "NOT THE SAME"
    print(f"{options.seconds:g} s of media, {options.beam} prefixes a frame, {options.token_beam} a token; {len(best['ours'])} tokens, {alike} by both")
    for name, seconds in times.items():
        print(f"{name}: {1000 * seconds:.0f} ms")
    ours_, theirs, both, tokenwise = times.values()
    print(f"ours is {theirs / ours_:.1f} times as fast as ESPnet's, both passes {tokenwise / both:.2f} times as fast as token by token")


if __name__ == "__main__":
    main()
