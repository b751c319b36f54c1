"""Our CTC prefix scorer against ESPnet's own, in the same ESPnet batch beam search: milliseconds an utterance.

    python -m benchmarks.prefix_score
"""

from __future__ import annotations

import argparse
import logging
import statistics
import time
from collections.abc import Sequence

import torch

from avsr.decoding.prefix_score import CTCPrefixScorer
from avsr.runtime import one_thread, quiet_imports
from avsr.decoding.shared_memory import share_memory
from benchmarks.measure import medians, print_machine

with quiet_imports():
    from espnet.nets.batch_beam_search import BatchBeamSearch
    from espnet.nets.scorers.ctc import CTCPrefixScorer as EspnetScorer
    from espnet2.asr.decoder.transformer_decoder import TransformerDecoder

SIZE = 192  # of the decoder's vectors, as in recipes/grid


class Posterior:
    """Stands where ESPnet's scorer wants a CTC head."""

    def __init__(self, log_probs: torch.Tensor) -> None:
        self.log_probs = log_probs

    def log_softmax(self, _: torch.Tensor) -> torch.Tensor:
        return self.log_probs[None]


def posterior(frames: int, vocabulary: int, seed: int) -> torch.Tensor:
    """(T, V) log posterior as CTC gives it: a token every fifth frame, blanks between, some doubt everywhere."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(frames, vocabulary, generator=generator)
    logits[:, 0] += 6
    spoken = torch.arange(2, frames, 5)
    logits[spoken, torch.randint(1, vocabulary - 1, (len(spoken),), generator=generator)] += 9
    return logits.log_softmax(-1)


def searcher(decoder: TransformerDecoder, log_probs: torch.Tensor, ctc, beam: int) -> BatchBeamSearch:
    """The search of avsr.decoding.search with the given prefix scorer."""
    eos = log_probs.shape[1] - 1
    scorers, weights = {"decoder": decoder, "ctc": ctc}, {"decoder": 0.4, "ctc": 0.6}
    return BatchBeamSearch(scorers, weights, beam, eos + 1, eos, eos, pre_beam_score_key="full")


class Watch:
    """Seconds spent in the methods of a scorer that a search calls."""

    def __init__(self, scorer) -> None:
        self.seconds = 0.0
        for name in ("batch_init_state", "batch_score_partial", "select_state"):
            setattr(scorer, name, self._timed(getattr(scorer, name)))

    def _timed(self, method):
        def call(*args, **kwargs):
            begun = time.perf_counter()
            try:
                return method(*args, **kwargs)
            finally:
                self.seconds += time.perf_counter() - begun

        return call


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=6.0, help="of media, 25 frames each (default: %(default)s)")
    parser.add_argument("--vocabulary", type=int, default=80, help="tokens (default: %(default)s)")
    parser.add_argument("--beam", type=int, default=10)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args(arguments)
    logging.getLogger("espnet.nets.beam_search").setLevel(logging.ERROR)
    torch.manual_seed(0)
    with quiet_imports():
        decoder = TransformerDecoder(options.vocabulary, SIZE, attention_heads=4, linear_units=384, num_blocks=2).eval()
    share_memory(decoder)  # as the recogniser has it
    frames = round(options.seconds * 25)
    log_probs, memory = posterior(frames, options.vocabulary, seed=1), torch.randn(frames, SIZE)
    eos = options.vocabulary - 1
    best: dict[str, list[int]] = {}
    scoring: dict[str, list[float]] = {"ours": [], "espnet": []}

    def run(name: str) -> None:
        ctc = CTCPrefixScorer(log_probs, eos) if name == "ours" else EspnetScorer(Posterior(log_probs), eos)
        watch = Watch(ctc)
        with torch.inference_mode(), one_thread():
            best[name] = searcher(decoder, log_probs, ctc, options.beam)(memory)[0].yseq.tolist()
        scoring[name].append(watch.seconds)

    times = medians({"ours": lambda: run("ours"), "espnet": lambda: run("espnet")}, options.runs)
    print_machine(options.runs)
    print(f"{options.seconds:g} s of media, beam {options.beam}, {len(best['ours']) - 2} tokens found,"
          f" {'the same' if best['ours'] == best['espnet'] else 'NOT THE SAME'} by both")
    for name, seconds in times.items():
        own = statistics.median(scoring[name][1:])  # without the turn that is thrown away
        scoring[name] = [own]
        print(f"search with the prefix scorer of {name}: {1000 * seconds:.0f} ms, {1000 * own:.0f} of them in the scorer")
    ratio = scoring["espnet"][0] / scoring["ours"][0]
    print(f"ours is {times['espnet'] / times['ours']:.2f} times as fast, the scorer by itself {ratio:.2f} times")


if __name__ == "__main__":
    main()
