"""Whether two streams agree, and how far apart they are in time, is told from their posteriors."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.model.agreement import MAX_LAG, assurance, correlations, distinctness, find_lag, has_moved_in, local_agreement, move
from avsr.model.fusion import LateFusion


def spoken(tokens: dict[int, int], frames: int = 60, vocabulary: int = 9, sure: float = 8.0) -> torch.Tensor:
    """(1, T, V) log posteriors: blank but for token tokens[t] at frame t."""
    logits = torch.zeros(1, frames, vocabulary)
    logits[..., 0] = sure
    for frame, token in tokens.items():
        logits[0, frame, [0, token]] = torch.tensor([0.0, sure])
    return logits.log_softmax(-1)


WORDS = {10: 3, 15: 1, 22: 5, 28: 2, 33: 7, 41: 4}


@settings(deadline=None, max_examples=40)
@given(st.integers(-MAX_LAG + 2, MAX_LAG - 2))
def test_an_offset_is_found_and_taken_back(lag):
    sound = spoken(WORDS)
    lips = spoken({frame - lag: token for frame, token in WORDS.items()})
    found = find_lag(correlations(sound, lips))
    assert found.item() == lag
    moved = move(lips, torch.tensor([lag]))
    inside = has_moved_in(torch.tensor([lag]), 60)
    assert torch.equal(moved[inside], sound[inside])


def test_strangers_agree_at_no_offset():
    lips = spoken({9: 6, 14: 8, 21: 6, 30: 8, 39: 6})
    found = correlations(spoken(WORDS), lips)
    assert find_lag(found).item() == 0 and found.max() < 0.1
    assert local_agreement(spoken(WORDS), lips).max() < 0.1 < 0.8 < local_agreement(spoken(WORDS), spoken(WORDS))[0, 10:42].min()


def test_the_same_words_stand_out_at_their_offset_and_strangers_nowhere():
    same = distinctness(correlations(spoken(WORDS), spoken({frame - 4: token for frame, token in WORDS.items()})))
    # The same few tokens in another order fit a little at many offsets.
    other = distinctness(correlations(spoken(WORDS), spoken({8: 7, 13: 3, 21: 2, 27: 1, 34: 4, 40: 5})))
    assert 0 <= other.item() < 0.5 < 0.7 < same.item() <= 1
    silent = distinctness(correlations(torch.zeros(1, 60, 9), spoken(WORDS)))
    assert silent.item() == 0


def test_a_network_from_before_the_last_feature_answers_as_it_did():
    """It is loaded with no weight for it."""
    torch.manual_seed(0)
    new, old = LateFusion().eval(), LateFusion().eval()
    state = {name: value.clone() for name, value in old.state_dict().items()}
    state["net.0.weight"][:, -1] = 0
    old.load_state_dict(state)
    new.load_state_dict({**state, "net.0.weight": state["net.0.weight"][:, :-1]})
    assert torch.equal(new.net[0].weight, old.net[0].weight)


def test_a_stream_that_says_little_is_not_believed():
    """Half a word that fits somewhere is no offset."""
    assert find_lag(correlations(spoken(WORDS), spoken({20: 3}))).item() == 0
    assert find_lag(correlations(spoken(WORDS), torch.zeros(1, 60, 9))).item() == 0


def test_assurance_is_about_what_is_said_not_about_blank():
    real = torch.ones(1, 60)
    sure, unsure = (assurance(spoken(WORDS, sure=sure), real)[0, 25] for sure in (8.0, 1.0))
    assert sure[1] > 0.7 and sure[3] > 0.7 and unsure[1] < 0.5
    nothing = assurance(torch.zeros(1, 60, 9), torch.zeros(1, 60))
    assert torch.isfinite(nothing).all() and (nothing == 0).all()


@pytest.mark.parametrize("lost", [0, 6 + 2, 6 + 5])
def test_what_the_network_is_told_stays_within_bounds_where_a_stream_has_holes(lost, monkeypatch):
    """A hole of silence, or of frames without a face, says nothing: it is not what the head is surest of."""
    from avsr.model import fusion as room

    told = []
    whole = room._features
    monkeypatch.setattr(room, "_features", lambda *given: told.append(whole(*given)) or told[-1])
    fusion = LateFusion().eval()
    reliability = torch.zeros(1, 60, 12)
    reliability[0, 20:50, [5, 11]] = torch.tensor([float(lost < 6), float(lost > 6)])  # silence, missing
    vectors = torch.randn(1, 60, 4), torch.randn(1, 60, 4)
    fusion(vectors, (spoken(WORDS), spoken(WORDS)), reliability, torch.ones(1, 60, 2, dtype=torch.bool))
    assert told[0].abs().max() <= 1.0


@pytest.mark.parametrize("lag", [-7, 0, 5])
def test_the_fusion_moves_the_lips_into_step(lag):
    torch.manual_seed(0)
    fusion = LateFusion().eval()
    sound, lips = spoken(WORDS), spoken({frame - lag: token for frame, token in WORDS.items()})
    vectors = torch.randn(1, 60, 4), torch.randn(1, 60, 4)
    reliability, present = torch.zeros(1, 60, 12), torch.ones(1, 60, 2, dtype=torch.bool)
    out = fusion(vectors, (sound, lips), reliability, present)
    assert out.lag.item() == lag
    beside = out.weights[0, :, 0] == 1  # where no lips came in, the sound is alone
    assert beside.sum() == abs(lag) and torch.equal(out.log_probs.argmax(-1)[0, 5:55], sound.argmax(-1)[0, 5:55])
    fusion.train()
    assert fusion(vectors, (sound, lips), reliability, present).lag.item() == 0, "in training what is out of step stays so"
    only_lips = present & torch.tensor([False, True])
    alone = fusion.eval()(vectors, (sound, lips), reliability, only_lips)
    assert alone.lag.item() == 0 and torch.allclose(alone.log_probs, lips, atol=1e-6)


def test_a_late_sound_that_ends_before_the_lips_is_moved_to_them():
    """Lips moved later would lose over the edge what the sound, which ends there, could not say in time either."""
    torch.manual_seed(0)
    fusion = LateFusion().eval()
    lips = spoken(WORDS | {52: 6, 57: 8})
    sound = spoken({frame + 5: token for frame, token in WORDS.items()} | {57: 6, 59: 8})  # the last one squeezed in
    vectors = torch.randn(1, 60, 4), torch.randn(1, 60, 4)
    reliability, present = torch.zeros(1, 60, 12), torch.ones(1, 60, 2, dtype=torch.bool)
    out = fusion(vectors, (sound, lips), reliability, present)
    assert out.lag.item() == 5
    assert (out.weights[0, 55:, 1] == 1).all() and not (out.weights[0, :55] == 1).any(), "where the sound was moved away the lips are alone"
    path = out.log_probs[0].argmax(-1)
    assert path[57] == 8 and path[52] == 6 and path[10] == 3
    short = present.clone()
    short[0, 54:, 1] = False  # no lips where the sound would be moved away: it stays, and they are moved
    assert (fusion(vectors, (sound, lips), reliability, short).weights[0, :5, 0] == 1).all()


@settings(deadline=None, max_examples=20)
@given(st.integers(-MAX_LAG + 2, MAX_LAG - 2), st.sampled_from([0, 1]), st.integers(45, 60))
def test_the_stream_that_is_chosen_comes_out_as_it_went_in_however_far_it_was_moved(lag, stream, frames):
    """In a batch with a longer utterance."""
    torch.manual_seed(1)
    fusion = LateFusion().eval()
    fusion.fallback.taught.fill_(True)
    fusion.fallback.net[3].bias.data.copy_(torch.tensor([-9.0] * 6))
    fusion.fallback.net[3].bias.data[stream] = 9.0
    heard, seen = dict(WORDS), {frame - lag: token for frame, token in WORDS.items()}
    # The other one is surer, and of one word of another opinion: that is what both read.
    (heard if stream else seen)[33 if stream else 33 - lag] = 8
    pair = [torch.cat([spoken(one, sure=8.0 if i == stream else 12.0)] * 2) for i, one in enumerate((heard, seen))]
    present = torch.ones(2, 60, 2, dtype=torch.bool)
    present[1, frames:] = False
    vectors = torch.randn(2, 60, 4), torch.randn(2, 60, 4)
    out = fusion(vectors, (pair[0], pair[1]), torch.zeros(2, 60, 12), present)
    for row, length in enumerate((60, frames)):
        assert torch.allclose(out.log_probs[row, :length], pair[stream][row, :length], atol=1e-6)
        assert torch.equal(out.memory[row, :length], vectors[stream][row, :length])


def test_a_stream_that_reads_what_both_read_is_not_chosen_for_it():
    torch.manual_seed(1)
    fusion = LateFusion().eval()
    fusion.fallback.taught.fill_(True)
    fusion.fallback.net[3].bias.data.copy_(torch.tensor([9.0] + [-9.0] * 5))
    vectors = torch.randn(1, 60, 4), torch.randn(1, 60, 4)
    out = fusion(vectors, (spoken(WORDS), spoken(WORDS)), torch.zeros(1, 60, 12), torch.ones(1, 60, 2, dtype=torch.bool))
    assert not (out.weights == 1).any()
