"""A model's configuration that is wrong is one sentence, said before anything is trained."""

from __future__ import annotations

import argparse

import pytest

from avsr.errors import AvsrError
from avsr.text.tokens import build_token_list
from avsr.training.task import AVSRTask

TINY = {
    "size": 32,
    "lip_conf": {"channels": [4, 8, 8], "pool": 4, "hidden": 16, "layers": 1},
    "audio_conf": {"channels": 4, "encoder": "rnn", "encoder_conf": {"hidden_size": 16, "num_layers": 1}},
    "decoder_conf": {"num_blocks": 1, "linear_units": 32, "attention_heads": 2},
}


@pytest.fixture(scope="module")
def token_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokens")
    build_token_list(["가 나"], "jamo", out_dir=folder)
    return folder


def build(token_dir, model_conf):
    return AVSRTask.build_model(argparse.Namespace(token_dir=str(token_dir), model_conf=model_conf, augment_conf={}))


def test_what_the_parts_know_makes_a_model(token_dir):
    build(token_dir, TINY)
    specaug = {"apply_time_warp": False, "time_mask_width_range": [0, 20]}
    encoder = {"num_blocks": 1, "linear_units": 32, "attention_heads": 2, "use_flash_attn": False}
    audio = {"channels": 4, "encoder_conf": encoder, "specaug_conf": specaug}
    build(token_dir, TINY | {"audio_conf": audio, "fusion_conf": {"hidden": 4}})


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"lip_conf": {"hiden": 16}}, "model_conf.lip_conf: there is no field 'hiden'; .*hidden"),
        ({"lip_conf": {"output_size": 16}}, "model_conf.lip_conf: there is no field 'output_size'"),
        ({"lip_conf": None}, "model_conf.lip_conf is None; give a table"),
        ({"audio_conf": {"specaug": {}}}, "model_conf.audio_conf: there is no field 'specaug'; .*specaug_conf"),
        ({"audio_conf": {"encoder": "lstm"}}, "model_conf.audio_conf.encoder is 'lstm'; it can be conformer"),
        ({"audio_conf": {"encoder_conf": {"blocks": 3}}}, "model_conf.audio_conf.encoder_conf: .*'blocks'; .*num_blocks"),
        ({"audio_conf": {"encoder": "rnn", "encoder_conf": {"subsample": [1]}}}, "encoder_conf: there is no field 'subsample'"),
        ({"audio_conf": {"specaug_conf": {"mask": 3}}}, "model_conf.audio_conf.specaug_conf: there is no field 'mask'"),
        ({"fusion_conf": {"heads": 3}}, "model_conf.fusion_conf: there is no field 'heads'"),
        ({"decoder_conf": {"blocks": 3}}, "model_conf.decoder_conf: there is no field 'blocks'; .*num_blocks"),
        ({"decoder_conf": {"attention_heads": 5}}, "no model can be made from model_conf"),
        ({"size": "big"}, "no model can be made from model_conf"),
    ],
)
def test_what_is_wrong_is_named(token_dir, changed, said):
    with pytest.raises(AvsrError, match=said):
        build(token_dir, TINY | changed)
