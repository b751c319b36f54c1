"""The LSTM for padded sequences gives what torch's gives for packed ones, outputs and gradients."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from avsr.model.padded_lstm import PaddedLSTM


def run(lstm: nn.LSTM, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    return pad_packed_sequence(lstm(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))[0], True)[0]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=5), st.integers(1, 3), st.booleans())
def test_outputs_and_gradients_are_those_of_the_packed_one(lengths, layers, both):
    torch.manual_seed(sum(lengths))
    packed = nn.LSTM(5, 4, layers, batch_first=True, bidirectional=both)
    padded = PaddedLSTM(5, 4, layers, batch_first=True, bidirectional=both)
    padded.load_state_dict(packed.state_dict())
    x, steps = torch.randn(len(lengths), max(lengths), 5), torch.tensor(lengths)
    outputs = [run(lstm, x, steps) for lstm in (packed, padded)]
    torch.testing.assert_close(*outputs, atol=1e-5, rtol=1e-4)
    weights = torch.randn_like(outputs[0])
    for lstm, output in zip((packed, padded), outputs):
        (output * weights).sum().backward()
    for one, other in zip(packed.parameters(), padded.parameters()):
        torch.testing.assert_close(one.grad, other.grad, atol=1e-4, rtol=1e-3)


def test_dropout_lies_between_layers_in_training_alone():
    torch.manual_seed(0)
    lstm = PaddedLSTM(3, 4, 2, batch_first=True, dropout=0.5)
    x, steps = torch.randn(2, 6, 3), torch.tensor([6, 4])
    assert not torch.equal(run(lstm, x, steps), run(lstm, x, steps))
    lstm.eval()
    assert torch.equal(run(lstm, x, steps), run(lstm, x, steps))


def test_states_and_projections_are_refused():
    packed = pack_padded_sequence(torch.zeros(1, 2, 3), torch.tensor([2]), batch_first=True)
    with pytest.raises(ValueError, match="empty states"):
        PaddedLSTM(3, 4, proj_size=2)(packed)
