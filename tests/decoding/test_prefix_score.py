"""Our prefix scores against ESPnet's, and the shared projections against the plain ones."""

from __future__ import annotations

import pytest
import torch
from espnet.nets.batch_beam_search import BatchBeamSearch
from espnet.nets.scorers.ctc import CTCPrefixScorer as EspnetScorer

from avsr.decoding.prefix_score import CTCPrefixScorer
from avsr.decoding.search import DecodeOptions, search
from avsr.decoding.shared_memory import share_memory


class Posterior:
    """Stands where ESPnet's scorer wants a CTC head."""

    def __init__(self, log_probs: torch.Tensor) -> None:
        self.log_probs = log_probs

    def log_softmax(self, _: torch.Tensor) -> torch.Tensor:
        return self.log_probs[None]


def posterior(frames: int, vocabulary: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(frames, vocabulary, generator=generator) * 3).log_softmax(-1)


@pytest.mark.parametrize("candidates", [None, 4])
@pytest.mark.parametrize("frames", [1, 2, 7, 40])
def test_the_scores_are_espnets(frames, candidates):
    log_probs, x = posterior(frames, 9, seed=frames), torch.zeros(frames, 2)
    scorers = [CTCPrefixScorer(log_probs, 8), EspnetScorer(Posterior(log_probs), 8)]
    states = [[scorer.batch_init_state(x)] for scorer in scorers]
    ys = torch.tensor([[8]])
    for step in range(min(frames, 6)):
        ids = None if candidates is None else torch.stack([torch.arange(2, 6).roll(i) for i in range(len(ys))])
        ours, theirs = (s.batch_score_partial(ys, ids, state, x) for s, state in zip(scorers, states))
        alive = theirs[0] > -1e6
        assert torch.equal(alive, ours[0] > -1e6)
        assert torch.allclose(ours[0][alive], theirs[0][alive], atol=2e-3)
        # On with repeats of the last token and with others.
        chosen = [(i % len(ys), token) for i, token in enumerate((2, 3, 5))]
        states = [[s.select_state(new, i, token) for i, token in chosen] for s, (_, new) in zip(scorers, (ours, theirs))]
        ys = torch.stack([torch.cat([ys[i], torch.tensor([token])]) for i, token in chosen])


def test_searches_with_either_agree(recognizer):
    model = recognizer.packed.model
    size = model.eos + 1
    memory = torch.randn(30, 32, generator=torch.Generator().manual_seed(3))
    log_probs = posterior(30, size, seed=5)
    ours = search(model.decoder, memory, log_probs, DecodeOptions(5, 0.6, nbest=3, nbest_spread=0.0))
    scorers = {"decoder": model.decoder, "ctc": EspnetScorer(Posterior(log_probs), model.eos)}
    beam = BatchBeamSearch(scorers, {"decoder": 0.4, "ctc": 0.6}, 5, size, model.eos, model.eos, pre_beam_score_key="full")
    with torch.inference_mode():
        theirs = beam(memory)
    tokens = [tuple(token for token in h.yseq.tolist() if token != model.eos) for h in theirs[:3]]
    assert [h.tokens for h in ours] == tokens
    assert [h.score for h in ours] == pytest.approx([float(h.score) for h in theirs[:3]], abs=1e-3)


def test_a_shared_memory_changes_nothing():
    from espnet2.asr.decoder.transformer_decoder import TransformerDecoder

    torch.manual_seed(0)
    decoder = TransformerDecoder(11, 16, attention_heads=2, linear_units=16, num_blocks=2).eval()
    names = list(decoder.state_dict())
    memory, log_probs = torch.randn(12, 16), posterior(12, 11, seed=1)
    plain = search(decoder, memory, log_probs, DecodeOptions(4, 0.3))
    share_memory(decoder)
    assert list(decoder.state_dict()) == names
    shared = search(decoder, memory, log_probs, DecodeOptions(4, 0.3))
    assert [h.tokens for h in shared] == [h.tokens for h in plain]
    assert [h.score for h in shared] == pytest.approx([h.score for h in plain], abs=1e-4)
    ys, memories = torch.randint(0, 10, (3, 4)), torch.randn(3, 12, 16)
    one_by_one = [decoder.batch_score(ys[i : i + 1], [None], memories[i : i + 1])[0][0] for i in range(3)]
    assert torch.allclose(decoder.batch_score(ys, [None] * 3, memories)[0], torch.stack(one_by_one), atol=1e-5)
