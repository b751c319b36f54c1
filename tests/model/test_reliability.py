"""Each reliability feature answers to the fault that it is meant for."""

from __future__ import annotations

import torch

from avsr.model.reliability import AUDIO_FEATURES, LIP_FEATURES, picture_features, posterior_features, sound_features

A = {name: i - 2 for i, name in enumerate(AUDIO_FEATURES)}  # the first two come from the posterior
L = {name: i - 2 for i, name in enumerate(LIP_FEATURES)}


def test_a_sure_head_has_low_entropy_and_a_wide_margin():
    sure = torch.tensor([[[10.0, 0.0, 0.0]]]).log_softmax(-1)
    unsure = torch.zeros(1, 1, 3).log_softmax(-1)
    entropy, margin = posterior_features(torch.cat([sure, unsure], 1))[0].T
    assert entropy[0] < 0.01 < 0.99 < entropy[1] <= 1.0001
    assert margin[0] > 0.99 and abs(margin[1]) < 1e-6


def test_sound_features_tell_silence_level_and_clipping():
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1, 640 * 20, generator=generator) * 0.1
    dead = noise.clone()
    dead[:, 640 * 10 :] = 0
    whole = torch.tensor([20])
    features = sound_features(dead, 20, whole)
    assert features[0, :10, A["silence"]].sum() == 0 and features[0, 10:, A["silence"]].sum() == 10
    assert features[0, 0, A["level"]] > features[0, 15, A["level"]]
    assert features[0, 0, A["snr"]] > 1 > features[0, 15, A["snr"]]
    clipped = (noise * 20).clamp(-1, 1)
    assert sound_features(clipped, 20, whole)[0, :, A["clipping"]].mean() > 10 * sound_features(noise, 20, whole)[0, :, A["clipping"]].mean()


def test_sound_that_ends_early_counts_as_silent():
    assert sound_features(torch.ones(1, 640) * 0.1, 3, torch.tensor([3]))[0, :, A["silence"]].tolist() == [0, 1, 1]


def test_the_noise_floor_does_not_depend_on_what_else_is_in_the_batch():
    sound = torch.randn(1, 640 * 10, generator=torch.Generator().manual_seed(0)) * 0.1
    alone = sound_features(sound, 10, torch.tensor([10]))
    batch = torch.cat([torch.nn.functional.pad(sound, (0, 640 * 20)), torch.ones(1, 640 * 30)])
    together = sound_features(batch, 30, torch.tensor([10, 30]))
    assert torch.allclose(alone[0], together[0, :10])


def test_picture_features_tell_blur_stillness_and_a_lost_face():
    generator = torch.Generator().manual_seed(0)
    frames = torch.randint(0, 256, (1, 6, 96, 96), generator=generator).float()
    blurred = torch.nn.functional.avg_pool2d(frames, 9, 1, 4)
    confidence = torch.tensor([[1.0, 1, 1, 0, 0, 1]])
    sharp, soft = picture_features(frames, confidence), picture_features(blurred, confidence)
    assert (sharp[..., L["sharpness"]] > soft[..., L["sharpness"]]).all()
    frozen = picture_features(frames[:, :1].expand(-1, 6, -1, -1), confidence)
    assert (frozen[0, 1:, L["motion"]] < sharp[0, 1:, L["motion"]]).all()
    assert sharp[0, :, L["missing"]].tolist() == [0, 0, 0, 1, 1, 0]
