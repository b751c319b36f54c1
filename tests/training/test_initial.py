"""Fine-tuning: what a training starts from has the same tokens, or only parts that know none; what is frozen is there."""

from __future__ import annotations

import argparse

import pytest
import torch
import yaml
from espnet2.torch_utils.load_pretrained_model import load_pretrained_model

from avsr.errors import AvsrError
from avsr.text.tokens import build_token_list
from avsr.training.initial import initial_arguments
from avsr.training.task import AVSRTask
from tests.decoding.conftest import TINY, packed, run, write_run  # noqa: F401


def test_a_packed_model_of_the_same_tokens_is_what_training_starts_from(run, packed, tmp_path):  # noqa: F811
    typed = ["--max_epoch", "3", "--init_param", str(packed), "--ngpu", "0"]
    made = initial_arguments({}, typed, run[2], tmp_path)
    assert made[:3] == typed[:3] and made[4:] == typed[4:] and made[3].endswith("initial/tiny.pth")
    model = AVSRTask.build_model(argparse.Namespace(token_dir=str(run[2]), model_conf=TINY, augment_conf={}))
    load_pretrained_model(made[3], model, False)
    saved = torch.load(run[1], weights_only=True)
    assert all(torch.equal(value, saved[name]) for name, value in model.state_dict().items())
    assert initial_arguments({"init_param": [str(packed)]}, typed[:2], run[2], tmp_path) == [*typed[:2], "--init_param", made[3]]
    assert initial_arguments({}, typed[:2], run[2], tmp_path) == typed[:2]
    assert initial_arguments({}, [f"--init_param={packed}"], run[2], tmp_path) == ["--init_param", made[3]]


@pytest.mark.parametrize("kind", ["zip", "pth with its config", "pth alone"])
@pytest.mark.parametrize("other", ["as many", "more"])
def test_a_model_of_other_tokens_is_a_sentence(run, packed, tmp_path, kind, other):  # noqa: F811
    count = len((run[2] / "tokens.txt").read_text("utf-8").splitlines())
    build_token_list(["가나다라마바사아자차카타파하" * 3], "jamo", out_dir=tmp_path / "tokens")
    if other == "as many":  # the same number, and other letters
        lines = (run[2] / "tokens.txt").read_text("utf-8").splitlines()
        lines[2], lines[3] = lines[3], lines[2]
        (tmp_path / "tokens" / "tokens.txt").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    given = str(packed if kind == "zip" else run[1])
    config = yaml.safe_load(run[0].read_text("utf-8"))
    if kind == "pth with its config":
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "config.yaml").write_text(yaml.safe_dump(config | {"token_dir": str(run[2])}), "utf-8")
        given = str(tmp_path / "run" / "w.pth")
        torch.save(torch.load(run[1], weights_only=True), given)
    if kind == "pth alone" and other == "as many":
        pytest.skip("weights alone do not tell which tokens they are of")
    with pytest.raises(AvsrError, match=f"is a model of {'other' if other == 'as many' else count} tokens, .*leave out"):
        initial_arguments({}, ["--init_param", given], tmp_path / "tokens", tmp_path)
    for part in (":lip_encoder:lip_encoder", ":::audio_ctc,lip_ctc,audio_align,lip_align,decoder,fusion.head"):
        (made,) = initial_arguments({}, ["--init_param", given + part], tmp_path / "tokens", tmp_path)[1:]
        assert made.endswith(part)


def test_what_is_not_there_is_a_sentence(run, packed, tmp_path):  # noqa: F811
    with pytest.raises(AvsrError, match="nowhere.zip: there is no such file"):
        initial_arguments({}, ["--init_param", "nowhere.zip"], run[2], tmp_path)
    with pytest.raises(AvsrError, match="has no weights of that name; its parts are .*lip_encoder"):
        initial_arguments({}, ["--init_param", f"{packed}:lips:lips"], run[2], tmp_path)


def test_what_is_of_other_sizes_is_a_sentence(run, packed, tmp_path):  # noqa: F811
    args = argparse.Namespace(token_dir=str(run[2]), model_conf=TINY | {"size": 16}, augment_conf={})
    for part in ("", ":decoder:decoder"):
        args.init_param = initial_arguments({}, ["--init_param", f"{packed}{part}"], run[2], tmp_path)[1:]
        with pytest.raises(AvsrError, match=r"tiny.pth: its \S+ has the sizes .*32.*, the model of the training configuration has "):
            AVSRTask.build_model(args)
    args.ignore_init_mismatch = True
    AVSRTask.build_model(args)
    args.model_conf, args.ignore_init_mismatch = TINY, False
    AVSRTask.build_model(args)


def test_a_part_is_frozen_by_its_name_or_it_is_a_sentence(run):  # noqa: F811
    args = argparse.Namespace(token_dir=str(run[2]), model_conf=TINY, augment_conf={}, freeze_param=["lip_encoder.lstm", "decoder"])
    AVSRTask.build_model(args)
    args.freeze_param = ["lips"]
    with pytest.raises(AvsrError, match="--freeze_param lips: the model has no such part; it has .*lip_encoder"):
        AVSRTask.build_model(args)
