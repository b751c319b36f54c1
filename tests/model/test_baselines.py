"""What the fusion is measured against is a whole model too: it learns, and no answer depends on padding."""

from __future__ import annotations

import pytest
import torch

from avsr.model.avsr_model import AVSRModel
from tests.model.test_avsr_model import MODES, VOCABULARY, batch, encode, small_config

BASELINES = {
    "constant": {"fusion": "constant"},
    "concatenation": {"fusion": "concatenation"},
    "lipnet": {"lip_conf": {"encoder": "lipnet", "pool": 2, "dropout": 0.1}},
}


def make(name: str, **changes) -> AVSRModel:
    torch.manual_seed(0)
    config = small_config(shape_weight=1.0)
    for field, value in (BASELINES[name] | changes).items():
        setattr(config, field, value)
    return AVSRModel(VOCABULARY, config)


@pytest.mark.parametrize("name", BASELINES)
def test_it_learns(name):
    model = make(name, keep_both=1.0).train()
    b = batch()
    loss, stats, _ = model(**b, shape=torch.rand(2, 20, 7), shape_lengths=torch.tensor([20, 12]))
    assert torch.isfinite(loss) and torch.isfinite(stats["shape"])
    loss.backward()
    for part in (model.fusion, model.lip_encoder, model.audio_encoder):
        assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in part.parameters() if p.requires_grad)
        assert any(p.grad.abs().sum() > 0 for p in part.parameters())


@pytest.mark.parametrize("name", BASELINES)
def test_no_answer_depends_on_what_else_is_in_the_batch(name):
    model = make(name).eval()
    b = batch()
    together = encode(model, b, "lip")
    alone = {key: value[1:, :12] if value.dim() > 1 and key != "speech" and key != "text" else value[1:] for key, value in b.items()}
    alone["speech"] = b["speech"][1:, : 12 * 640]
    assert torch.allclose(encode(model, alone, "lip").fused.log_probs[0], together.fused.log_probs[1, :12], atol=1e-4)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["constant", "concatenation"])
def test_its_answer_is_a_posterior_and_its_weights_sum_to_one(name, mode):
    fused = encode(make(name).eval(), batch(), mode).fused
    assert torch.allclose(fused.log_probs.exp().sum(-1), torch.ones(2, 20), atol=1e-5)
    assert torch.allclose(fused.weights.sum(-1), torch.ones(2, 20))


def test_a_constant_weight_is_constant_where_both_are_there_and_gone_where_one_is():
    model = make("constant").eval()
    torch.nn.init.constant_(model.fusion.balance, 1.0)
    expected = torch.tensor([1.0, -1.0]).sigmoid()
    out = encode(model, batch(), "av")
    assert torch.allclose(out.fused.weights[0], expected.expand(20, 2))
    assert torch.allclose(out.fused.weights[1, :12], expected.expand(12, 2)), "the rest of it is padding"
    lip = encode(model, batch(), "lip")
    assert torch.equal(lip.fused.log_probs, lip.lip.log_probs.log_softmax(-1))


def test_concatenation_does_not_see_what_it_may_not_use():
    model = make("concatenation").eval()
    one, other = batch(0), batch(1)
    assert torch.equal(
        encode(model, one, "lip").fused.log_probs, encode(model, one, "lip", speech=other["speech"]).fused.log_probs
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"fusion": "early"}, "fusion is 'early'; it can be late, constant, concatenation"),
        ({"lip_conf": {"encoder": "resnet"}}, "lip_conf.encoder is 'resnet'; it can be stcnn_lstm, lipnet, conv3d_conformer"),
        ({"lip_conf": {"encoder": "lipnet", "pool": 8}}, "too few for three pooling layers"),
    ],
)
def test_what_there_is_not_is_a_sentence(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        make("constant", **changes)


def test_lipnet_drops_other_channels_in_every_frame():
    """All frames of a batch lie behind one another: one mask for all of them would be one for the whole batch."""
    from avsr.model.baselines import LipNetEncoder

    torch.manual_seed(0)
    block = LipNetEncoder(pool=2, dropout=0.5).train().convolutions[0]
    block[0].bias.data.fill_(1.0)
    kept = block(torch.zeros(1, 1, 6, 44, 44))[0].amax((-1, -2)) > 0  # (C, N)
    assert 0.2 < kept.float().mean() < 0.8 and (kept != kept[:, :1]).any()
