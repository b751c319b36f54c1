"""The model keeps its promises about shapes, modes, padding and dead streams."""

from __future__ import annotations

import pytest
import torch

from avsr.model.avsr_model import AVSRModel, ModelConfig, frames_of
from avsr.model.lip_encoder import LipEncoder

VOCABULARY = 12
MODES = {"av": (True, True), "audio": (True, False), "lip": (False, True)}  # may use sound, lips


def small_config(**changes) -> ModelConfig:
    return ModelConfig(
        size=32,
        lip_conf={"channels": (4, 6, 8), "hidden": 16, "layers": 1, "crop_size": 88},
        audio_conf={
            "channels": 4,
            "encoder_conf": {
                "num_blocks": 1, "attention_heads": 2, "linear_units": 32, "cnn_module_kernel": 5, "use_flash_attn": False
            },
        },
        decoder_conf={"num_blocks": 1, "attention_heads": 2, "linear_units": 32, "use_flash_attn": False},
        **changes,
    )  # fmt: skip


@pytest.fixture(scope="module")
def model() -> AVSRModel:
    torch.manual_seed(0)
    return AVSRModel(VOCABULARY, small_config()).eval()


def batch(seed: int = 0, lengths: tuple[int, ...] = (20, 12)) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    frames, size = max(lengths), len(lengths)
    video = torch.randint(0, 256, (size, frames, 96, 96), generator=generator).float()
    speech = torch.randn(size, frames * 640, generator=generator) * 0.1
    return {
        "text": torch.randint(2, VOCABULARY - 1, (size, 4), generator=generator),
        "text_lengths": torch.tensor([4] * size),
        "speech": speech,
        "speech_lengths": torch.tensor(lengths) * 640,
        "video": video,
        "video_lengths": torch.tensor(lengths),
        "confidence": torch.ones(size, frames),
    }


def encode(model: AVSRModel, b: dict, mode: str, **changes):
    b = {**b, **changes}
    names = ("speech", "speech_lengths", "video", "video_lengths", "confidence")
    with torch.no_grad():
        return model.encode(*(b[name] for name in names), torch.tensor([MODES[mode]]).expand(len(b["text"]), 2))


@pytest.mark.parametrize("mode", MODES)
def test_answers_at_25_hz_with_weights_that_sum_to_one(model, mode):
    out = encode(model, batch(), mode)
    assert out.fused.memory.shape == (2, 20, 32)
    assert out.fused.log_probs.shape == (2, 20, VOCABULARY)
    assert torch.allclose(out.fused.log_probs.exp().sum(-1), torch.ones(2, 20), atol=1e-5)
    assert torch.allclose(out.fused.weights.sum(-1), torch.ones(2, 20))
    assert out.lengths.tolist() == [20, 12]


def test_lip_mode_does_not_hear_and_audio_mode_does_not_see(model):
    one, other = batch(0), batch(1)
    heard = {name: other[name] for name in ("speech",)}
    seen = {name: other[name] for name in ("video",)}
    lip, audio = encode(model, one, "lip"), encode(model, one, "audio")
    assert torch.equal(lip.fused.log_probs, encode(model, one, "lip", **heard).fused.log_probs)
    assert torch.equal(audio.fused.log_probs, encode(model, one, "audio", **seen).fused.log_probs)
    assert torch.equal(lip.fused.log_probs, lip.lip.log_probs.log_softmax(-1))
    assert not torch.allclose(lip.fused.log_probs, encode(model, one, "lip", **seen).fused.log_probs)


def test_a_stream_that_is_not_given_leaves_the_other_alone(model):
    b = batch()
    no_sound = encode(model, b, "lip", speech=None, speech_lengths=None)
    no_picture = encode(model, b, "audio", video=None, video_lengths=None, confidence=None)
    assert torch.allclose(no_sound.fused.log_probs, encode(model, b, "lip").fused.log_probs, atol=1e-6)
    assert torch.allclose(no_picture.fused.log_probs, encode(model, b, "audio").fused.log_probs, atol=1e-6)
    with pytest.raises(ValueError, match="neither"):
        model.encode(None, None, None, None, None)


def test_the_lip_encoder_does_not_depend_on_what_else_is_in_the_batch(model):
    b = batch(2, (20, 9))
    together, _ = model.lip_encoder(b["video"], b["video_lengths"])
    alone, _ = model.lip_encoder(b["video"][1:, :9], b["video_lengths"][1:])
    assert torch.allclose(together[1, :9], alone[0], atol=1e-5)


def test_light_does_not_reach_the_convolutions(model):
    b = batch(3)
    darker = b["video"] * 0.5 + 20
    one, _ = model.lip_encoder(b["video"], b["video_lengths"])
    other, _ = model.lip_encoder(darker, b["video_lengths"])
    assert torch.allclose(one, other, atol=0.05)


def test_what_changes_is_seen_apart_from_the_face():
    """The first map is the picture less the clip's mean: the same movement on another face gives the same map."""
    encoder = LipEncoder(channels=(4,), hidden=8, layers=1, output_size=8, change=True)
    lengths = torch.tensor([20, 12])
    frames, face = batch(6)["video"] / 4, torch.rand(96, 96) * 40
    one, other = encoder.normalise(frames, lengths), encoder.normalise(frames + face, lengths)
    assert one.shape == (2, 2, 20, 44, 44)
    assert torch.allclose(one[1, 0, :12].mean(0), torch.zeros(44, 44), atol=1e-4) and (one[1, :, 12:] == 0).all()
    assert torch.allclose(one[:, 0], other[:, 0], atol=0.2) and not torch.allclose(one[:, 1], other[:, 1], atol=0.2)
    still = encoder.normalise(frames[:, :1].expand(2, 20, 96, 96), lengths)
    assert torch.allclose(still[:, 0], torch.zeros(()), atol=1e-3)


def test_the_shape_of_the_mouth_is_learnt_where_it_is_known():
    torch.manual_seed(0)
    model = AVSRModel(VOCABULARY, small_config(keep_both=1.0, shape_weight=1.0))
    b, shape = batch(7), torch.randn(2, 20, 7)
    known = {"shape": shape, "shape_lengths": b["video_lengths"]}
    loss, stats, _ = model(**b, **known)
    loss.backward()
    assert "shape" in stats and model.lip_shape.weight.grad.abs().sum() > 0
    model.eval()
    wider = {**known, "shape": shape + 3 * torch.arange(7)}  # another face at rest
    longer = {**known, "shape": torch.where(torch.arange(20)[None, :, None] < b["video_lengths"][:, None, None], shape, 9.0)}
    for other in (wider, longer):
        assert torch.allclose(model(**b, **known)[1]["shape"], model(**b, **other)[1]["shape"], rtol=1e-4)
    assert "shape" not in model(**b)[1]  # a corpus that does not know it


def test_weights_reach_zero_and_one_and_leave_no_trace(model):
    b = batch(8)
    strength = model.fusion.net[2].bias
    before = strength.detach().clone()
    try:
        for values, wanted, mode in (((20.0, -20.0), [1.0, 0.0], "audio"), ((-20.0, 20.0), [0.0, 1.0], "lip")):
            strength.data.copy_(torch.tensor(values))
            out = encode(model, b, "av")
            assert out.fused.weights[0, 5].tolist() == wanted
            assert torch.equal(out.fused.log_probs[0], encode(model, b, mode).fused.log_probs[0])
        strength.data.fill_(-20.0)  # a fusion that trusts neither
        assert torch.allclose(encode(model, b, "av").fused.weights.sum(-1), torch.ones(2, 20))
    finally:
        strength.data.copy_(before)


@pytest.mark.parametrize("lost, mode", [("sound", "lip"), ("picture", "audio")])
def test_a_lost_stream_needs_no_learning(model, lost, mode):
    """Digital silence, and frames without a face: exactly the other stream's answer, whatever the network would say."""
    b = batch(9)
    b |= {"speech": torch.zeros_like(b["speech"])} if lost == "sound" else {"confidence": torch.zeros_like(b["confidence"])}
    assert torch.equal(encode(model, b, "av").fused.log_probs, encode(model, b, mode).fused.log_probs)
    both = b | {"speech": torch.zeros_like(b["speech"]), "confidence": torch.zeros_like(b["confidence"])}
    weights = encode(model, both, "av").fused.weights
    assert torch.isfinite(weights).all() and torch.allclose(weights.sum(-1), torch.ones(2, 20))


def test_streams_of_unequal_length_share_the_longer_one(model):
    b = batch(4, (20,))
    out = encode(model, b, "av", speech=b["speech"][:, : 15 * 640], speech_lengths=torch.tensor([15 * 640]))
    assert out.lengths.tolist() == [20]
    assert (out.fused.weights[0, 15:, 1] == 1).all()  # where the sound has ended the lips carry on


@pytest.mark.parametrize("frames, held", [(18, True), (17, True), (16, False)])
def test_a_picture_that_ends_a_moment_early_is_not_outvoted_by_silence(model, frames, held):
    """Sound and picture of a file seldom end together: in the last frames the sound would be alone, and believed."""
    b = batch(4, (20,))
    silent = {"speech": torch.zeros_like(b["speech"])}
    short = {"video": b["video"][:, :frames], "video_lengths": torch.tensor([frames]), "confidence": b["confidence"][:, :frames]}
    both, lips = encode(model, b | silent | short, "av").fused, encode(model, b | short, "lip").fused
    assert (both.weights[0, :frames, 1] == 1).all() and bool((both.weights[0, frames:, 1] == 1).all()) == held
    if held:
        assert torch.equal(both.log_probs, lips.log_probs)
        assert torch.equal(both.log_probs[0, -1], both.log_probs[0, frames - 1])


def test_the_choice_for_the_utterance_leaves_one_stream_or_both(model):
    b = batch(8)
    both = encode(model, b, "av").fused
    fallback = model.fusion.fallback
    assert not fallback.taught and both.overall is None, "nothing is worked out that nothing is chosen by"
    fallback.taught.fill_(True)
    last = fallback.net[-1]
    kept, no_scores = (last.weight.data.clone(), last.bias.data.clone()), torch.full((3,), -30.0)
    try:
        last.weight.data.zero_()
        for place, mode in ((0, "audio"), (1, "lip"), (2, None)):
            last.bias.data.copy_(torch.cat([torch.eye(3)[place], no_scores]))
            found = encode(model, b, "av").fused
            wanted = both if mode is None else encode(model, b, mode).fused
            assert torch.equal(found.log_probs[0], wanted.log_probs[0]) and torch.equal(found.memory[0], wanted.memory[0])
            assert torch.equal(found.weights[0], wanted.weights[0])
            alone = encode(model, b, "lip")
            assert (alone.fused.weights[..., 1] == 1).all(), "there is nothing to choose where one is all there is"
        last.bias.data.copy_(torch.cat([torch.eye(3)[0], no_scores]))
        short = encode(model, b, "av", speech=b["speech"][:, : 8 * 640], speech_lengths=torch.tensor([8 * 640, 8 * 640]))
        assert (short.fused.weights[0, :8, 0] == 1).all() and (short.fused.weights[0, 11:, 1] == 1).all()
    finally:
        fallback.taught.fill_(False)
        last.weight.data.copy_(kept[0])
        last.bias.data.copy_(kept[1])


def test_a_model_from_before_the_choice_makes_none(model):
    old = {name: value for name, value in model.state_dict().items() if ".fallback." not in name}
    again = AVSRModel(VOCABULARY, small_config()).eval()
    again.load_state_dict(old)
    b = batch(8)
    assert torch.equal(encode(again, b, "av").fused.log_probs, encode(model, b, "av").fused.log_probs)


def test_a_choice_that_an_earlier_version_taught_is_not_made_and_that_is_said(model, caplog):
    state = {name: value.clone() for name, value in model.state_dict().items()}
    for name, value in (("net.0.weight", torch.ones(32, 40)), ("net.3.weight", torch.ones(3, 32)), ("net.3.bias", torch.eye(3)[0]),
                        ("mean", torch.zeros(40)), ("deviation", torch.ones(40)), ("taught", torch.tensor(True))):  # fmt: skip
        state["fusion.fallback." + name] = value
    again = AVSRModel(VOCABULARY, small_config()).eval()
    again.load_state_dict(state)
    assert torch.equal(encode(again, batch(8), "av").fused.log_probs, encode(model, batch(8), "av").fused.log_probs)
    assert "earlier version" in caplog.text and "stage fuse" in caplog.text


@pytest.mark.parametrize("samples, frames", [(1, 1), (640, 1), (641, 2), (48000, 75)])
def test_frames_of(samples, frames):
    assert frames_of(samples) == frames


def test_trains_on_either_stream_and_on_both():
    torch.manual_seed(0)
    model = AVSRModel(VOCABULARY, small_config())
    full = {**batch(), "align": torch.randint(-1, 5, (2, 20))}
    without_sound = {k: v for k, v in full.items() if "speech" not in k}
    without_picture = {k: v for k, v in full.items() if "video" not in k and k != "confidence"}
    for b in (full, without_sound, without_picture):
        loss, stats, weight = model(**b)
        loss.backward()
        assert torch.isfinite(loss) and weight.item() == 2
        assert ("ctc_lip" in stats) == ("video" in b) and ("ctc_audio" in stats) == ("speech" in b)
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters() if p.requires_grad)


def test_learns_one_batch_by_heart():
    torch.manual_seed(1)
    model = AVSRModel(VOCABULARY, small_config(keep_both=1.0))
    b = batch(5, (24, 24))
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    first = None
    for _ in range(30):
        loss, stats, _ = model(**b)
        first = first if first is not None else loss.item()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.6 * first


def test_what_is_reported_does_not_hang_on_chance():
    """Processes that train together exchange what they report by name."""
    b = {**batch(), "align": torch.full((2, 20), -1)}
    both = AVSRModel(VOCABULARY, small_config(keep_both=1.0))(**b)[1]
    loss, one, _ = AVSRModel(VOCABULARY, small_config(keep_both=0.0))(**b)
    assert both.keys() == one.keys()
    assert torch.isfinite(both["audio_weight"]) and torch.isnan(one["audio_weight"]) and torch.isfinite(loss)


def test_what_is_returned_can_be_added_up_over_processes():
    """ESPnet's distributed training wants one element in each, none without a dimension."""
    loss, stats, weight = AVSRModel(VOCABULARY, small_config())(**batch())
    assert loss.shape == weight.shape == (1,) and {value.shape for value in stats.values()} == {(1,)}


def test_the_recurrent_audio_encoder_takes_utterances_in_any_order():
    torch.manual_seed(0)
    config = small_config()
    recurrent = {"rnn_type": "lstm", "use_projection": False, "num_layers": 1, "hidden_size": 16, "dropout": 0.0}
    config.audio_conf = {"channels": 4, "encoder": "rnn", "encoder_conf": recurrent}
    model = AVSRModel(VOCABULARY, config).eval()
    speech = torch.randn(2, 20 * 640) * 0.1
    together, lengths = model.audio_encoder(speech, torch.tensor([9 * 640, 20 * 640]))
    alone, _ = model.audio_encoder(speech[1:], torch.tensor([20 * 640]))
    assert lengths.tolist() == [9, 20]
    assert torch.allclose(together[1], alone[0], atol=1e-5)


def test_half_precision_gives_nearly_the_same_losses():
    """As AMP trains: what leaves the encoders is rounded, logarithms and losses are not."""
    torch.manual_seed(0)
    model = AVSRModel(VOCABULARY, small_config(keep_both=1.0, shape_weight=1.0)).eval()
    b = batch(8) | {"align": torch.randint(0, 5, (2, 20)), "shape": torch.randn(2, 20, 7), "shape_lengths": torch.tensor([20, 12])}
    whole, stats, _ = model(**b)
    with torch.autocast("cpu", torch.bfloat16):
        rough, rough_stats, _ = model(**b)
    assert rough.dtype == torch.float32 and all(value.dtype == torch.float32 for value in rough_stats.values())
    for name, value in stats.items():
        if name != "acc":
            assert rough_stats[name] == pytest.approx(value.item(), rel=0.03, abs=0.02), name
