"""Our CTC prefix scorer against ESPnet's own, in the same ESPnet batch beam search: milliseconds an utterance.

    python -m benchmarks.prefix_score
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence

import torch

from avsr.decoding.prefix_score import CTCPrefixScorer
from avsr.decoding.runtime import one_thread, quiet_imports
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
    frames = round(options.seconds * 25)
    log_probs, memory = posterior(frames, options.vocabulary, seed=1), torch.randn(frames, SIZE)
    eos = options.vocabulary - 1
    best: dict[str, list[int]] = {}

    def run(name: str) -> None:
        ctc = CTCPrefixScorer(log_probs, eos) if name == "ours" else EspnetScorer(Posterior(log_probs), eos)
        with torch.inference_mode(), one_thread():
            best[name] = searcher(decoder, log_probs, ctc, options.beam)(memory)[0].yseq.tolist()

    times = medians({"ours": lambda: run("ours"), "espnet": lambda: run("espnet")}, options.runs)
    print_machine(options.runs)
    print(f"{options.seconds:g} s of media, beam {options.beam}, {len(best['ours']) - 2} tokens found,"
          f" {'the same' if best['ours'] == best['espnet'] else 'NOT THE SAME'} by both")
    for name, seconds in times.items():
        print(f"search with the prefix scorer of {name}: {1000 * seconds:.0f} ms")
    print(f"ours is {times['espnet'] / times['ours']:.2f} times as fast")


if __name__ == "__main__":
    main()
