"""The fusion learns, with the encoders left alone, to trust the stream that is right."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from avsr.errors import AvsrError
from avsr.model.avsr_model import AVSRModel
from avsr.model.encode import Said, as_stream, encode_stream
from avsr.training.fuse import Schedule, Utterance, corrupted_streams, teach
from avsr.training.teach_fallback import FallbackSchedule, teach_fallback
from tests.model.test_avsr_model import VOCABULARY, batch, small_config


def said(tokens: list[int], right: bool, rng: np.random.Generator, frames: int = 40, *, sure: float = 6.0) -> Said:
    """A head that spikes at the right tokens, so sharply, and has a good picture or sound; or at others and has not."""
    logits = np.zeros((frames, VOCABULARY), np.float32)
    logits[:, 0] = 6.0
    for place, token in enumerate(tokens):
        spoken = token if right else 1 + int(rng.integers(VOCABULARY - 2))
        logits[4 + 6 * place] = sure * (np.arange(VOCABULARY) == spoken)
    features = np.full((frames, 6), 0.6 if right else -0.6, np.float32)
    features[:, 5] = 0.0
    log_probs = torch.from_numpy(logits).log_softmax(-1).numpy()
    return Said(log_probs, features, np.zeros((frames, 0), np.float32), frames)


def test_it_learns_whom_to_trust():
    rng = np.random.default_rng(3)
    torch.manual_seed(0)
    model = AVSRModel(VOCABULARY, small_config())
    before = {name: value.clone() for name, value in model.state_dict().items() if not name.startswith("fusion.")}
    utterances = []
    for _ in range(8):
        tokens = [int(token) for token in rng.integers(1, VOCABULARY - 1, 5)]
        streams = [[said(tokens, right, rng) for right in (True, False)] for _ in range(2)]
        utterances.append(Utterance(np.array(tokens), *streams))
    losses = teach(model, utterances, 1, Schedule(steps=200, batch=16))
    assert losses[-1] < losses[0]
    good, bad = said([1, 2, 3, 4, 5], True, rng), said([1, 2, 3, 4, 5], False, rng)
    for sound, lips, wanted in ((good, bad, 1.0), (bad, good, 0.0)):
        (audio, lengths), (lip, _) = as_stream([sound]), as_stream([lips])
        with torch.no_grad():
            fused = model.fuse(audio, lip, lengths)
        assert abs(fused.weights[..., 0].mean().item() - wanted) < 0.4
        path = fused.log_probs[0].argmax(-1).unique_consecutive()
        assert path[path != 0].tolist() == [1, 2, 3, 4, 5]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items() if name in before)
    again = AVSRModel(VOCABULARY, small_config())
    again.load_state_dict(model.state_dict())
    assert teach(again, utterances, 1, Schedule(steps=200, batch=16)) == losses, "the same seed, the same fusion"


def test_it_learns_when_to_choose_one_stream_for_the_whole_utterance():
    """A fusion that believes both alike follows the one that is surer, here the wrong one; what is chosen after it does not."""
    rng = np.random.default_rng(3)
    torch.manual_seed(0)
    model = AVSRModel(VOCABULARY, small_config()).eval()
    torch.nn.init.zeros_(model.fusion.net[2].weight)
    before = {name: value.clone() for name, value in model.state_dict().items() if ".fallback." not in name}
    rights = ((True, False), (False, True), (True, True))

    def draw(rng: np.random.Generator, size: int) -> tuple[list, list, list]:
        tokens = [rng.integers(1, VOCABULARY - 1, 5) for _ in range(size)]
        which = [rights[place] for place in rng.integers(3, size=size)]
        pairs = [[said(t.tolist(), right, rng, sure=6.0 if right else 7.0) for right in pair] for t, pair in zip(tokens, which)]
        return tokens, [one for one, _ in pairs], [one for _, one in pairs]

    schedule = FallbackSchedule(pairs=480, steps=600)
    found = teach_fallback(model, draw, 1, schedule)
    assert found[3] < 5 < min(found[:3]), "sound, lips and both are each wrong somewhere"
    for right, wanted in zip(rights, (1.0, 0.0, 0.5), strict=True):
        tokens = draw(rng, 40)[0]
        pairs = [[said(t.tolist(), one, rng, sure=6.0 if one else 7.0) for one in right] for t in tokens]
        (audio, lengths), (lip, _) = (as_stream(list(stream)) for stream in zip(*pairs))
        with torch.no_grad():
            fused = model.fuse(audio, lip, lengths)
        as_wanted = 0
        for row, one in zip(fused.log_probs, tokens):
            path = row.argmax(-1).unique_consecutive()
            as_wanted += path[path != 0].tolist() == one.tolist()
        assert as_wanted > 34
        chosen = (fused.weights[..., 0] == wanted).all(1).sum()
        assert chosen > 34 or wanted == 0.5
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items() if name in before)
    assert not any(weight.requires_grad for weight in model.fusion.fallback.parameters())
    assert np.array_equal(teach_fallback(model, draw, 1, schedule), found), "the same seed, the same choice"


def test_a_constant_weight_goes_on_from_its_training_towards_the_better_stream():
    rng = np.random.default_rng(3)
    torch.manual_seed(0)
    model = AVSRModel(VOCABULARY, small_config(fusion="constant"))
    torch.nn.init.constant_(model.fusion.balance, 1.0)  # a sound's weight of 0.73
    utterances = []
    for _ in range(8):
        tokens = [int(token) for token in rng.integers(1, VOCABULARY - 1, 5)]
        good, bad = said(tokens, True, rng), said(tokens, False, rng)
        utterances.append(Utterance(np.array(tokens), [good, good], [bad, bad]))
    losses = teach(model, utterances, 1, Schedule(steps=200, batch=8))
    assert losses[-1] < losses[0] and model.fusion.balance.item() > 1.0


def test_streams_one_by_one_are_what_the_model_says_at_once():
    torch.manual_seed(0)
    config = small_config()
    # Not ESPnet's conformer, whose convolutions look past an utterance's end in a batch.
    lstm = {"rnn_type": "lstm", "bidirectional": True, "use_projection": False, "num_layers": 1, "hidden_size": 16, "dropout": 0.0}
    config.audio_conf = {"channels": 4, "encoder": "rnn", "encoder_conf": lstm}
    model = AVSRModel(VOCABULARY, config).eval()
    b = batch(5, (20, 12))
    pcm = (b["speech"].clamp(-1, 1) * 32767).round().to(torch.int16)
    sounds = encode_stream(model, "sound", [(pcm[0].numpy(),), (pcm[1, : 12 * 640].numpy(),)], [20, 12], vectors=True)
    clips = [(b["video"][i, :n].byte().numpy(), np.ones(n, np.float32)) for i, n in ((0, 20), (1, 12))]
    pictures = encode_stream(model, "picture", clips, [20, 12], vectors=True)
    for place, frames in ((0, 20), (1, 12)):
        (audio, lengths), (lip, _) = as_stream([sounds[place]]), as_stream([pictures[place]])
        names = ("video", "confidence")
        video, confidence = (b[name][place : place + 1, :frames] for name in names)
        speech = pcm[place : place + 1, : frames * 640].float() / 32768
        with torch.no_grad():
            fused = model.fuse(audio, lip, lengths)
            whole = model.encode(speech, torch.tensor([frames * 640]), video, torch.tensor([frames]), confidence)
        assert torch.allclose(fused.log_probs, whole.fused.log_probs, atol=1e-4)
        assert torch.allclose(fused.memory, whole.fused.memory, atol=1e-4)


def test_too_little_to_learn_from_is_a_sentence(tmp_path):
    for name in ("text", "wav.scp", "video.scp"):
        (tmp_path / name).write_text("one x\n")
    with pytest.raises(AvsrError, match="needs two to learn from"):
        corrupted_streams(None, tmp_path, None, [], np.random.default_rng(0))
