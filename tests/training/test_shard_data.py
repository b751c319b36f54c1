"""ESPnet's loop is fed from shards with what the tables would have fed it, in the same order for any number of processes."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from espnet2.train.dataset import ESPnetDataset

from avsr.errors import AvsrError, MediaError
from avsr.shards.order import Dealing
from avsr.shards.store import ShardStore
from avsr.stages.shards import main as shards_main
from avsr.text.tokens import build_token_list, load_tokenizer
from avsr.training.augment import Augmentation
from avsr.training.preprocessor import AVSRPreprocessor
from avsr.training.shard_data import Neighbours, ShardDataset, ShardIterFactory
from avsr.training.task import AVSRTask, PictureBytes, dealing
from avsr.training.train import data_arguments, trained_streams
from avsr.training.train import main as train_main
from tests.shards.conftest import WORDS, dump, make_split, shards  # noqa: F401

NAMES = ("speech", "video", "align", "shape")


@pytest.fixture(scope="module")
def tokens(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tokens")
    build_token_list(WORDS, "jamo", out_dir=folder)
    return folder


def dataset(shards: Path, tokens: Path, *, train: bool, names=NAMES, where: str = "", **options) -> ShardDataset:
    preprocess = AVSRPreprocessor(train, load_tokenizer(tokens), Augmentation(), pictures=np.uint8)
    return ShardDataset(ShardStore(where or str(shards), "train", **options), names, preprocess, seed=3)


def factory(data: ShardDataset, **options) -> ShardIterFactory:
    options = {"train": True, "steps": 5, "collate_fn": PictureBytes(float_pad_value=0.0, int_pad_value=-1)} | options
    return ShardIterFactory(data, Dealing(6, window=3), **options)


def told(batches) -> list:
    return [(names, {name: value.numpy() for name, value in batch.items()}) for names, batch in batches]


def same(one, other) -> bool:
    return len(one) == len(other) and all(
        a[0] == b[0] and a[1].keys() == b[1].keys() and all(np.array_equal(a[1][name], b[1][name]) for name in a[1])
        for a, b in zip(one, other)
    )


def test_an_utterance_is_what_the_tables_give(dump, shards, tokens):  # noqa: F811
    data = dataset(shards, tokens, train=False)
    given = [word for word in data_arguments(dump / "train", dump / "dev", shapes=True) if word.startswith(str(dump / "train"))]
    preprocess = AVSRPreprocessor(False, load_tokenizer(tokens), Augmentation())
    tables = ESPnetDataset([tuple(word.split(",")) for word in given], preprocess)
    for row in range(len(data.index)):
        name, arrays = data[row, 0]
        _, wanted = tables[name]
        assert arrays.keys() == wanted.keys() and arrays["video"].dtype == np.uint8
        assert all(np.array_equal(arrays[kind], wanted[kind]) for kind in wanted)


def test_raw_pictures_and_sound_are_the_same_ones(dump, shards, tokens, tmp_path):  # noqa: F811
    assert shards_main(["--data", str(dump), "--out", str(tmp_path), "--size", "4", "--nj", "1", "--raw"]) == 0
    one, other = (dataset(where, tokens, train=True) for where in (shards, tmp_path))
    assert {".json", ".gray", ".wav", ".npy"} == other.members(0).keys()
    for row in range(len(one.index)):
        (name, arrays), (same_name, same_arrays) = one[row, 1], other[row, 1]
        assert name == same_name and all(np.array_equal(arrays[kind], same_arrays[kind]) for kind in arrays)


def test_no_number_of_loaders_and_no_interruption_changes_a_batch(shards, tokens):  # noqa: F811
    whole = [told(factory(dataset(shards, tokens, train=True)).build_iter(epoch)) for epoch in (1, 2, 3)]
    assert not same(whole[0], whole[1])
    for workers in (1, 2):
        again = factory(dataset(shards, tokens, train=True), num_workers=workers)  # begun anew with the second epoch
        assert same(told(again.build_iter(2)), whole[1])
    ranks = [told(factory(dataset(shards, tokens, train=True), rank=rank, world=2).build_iter(2)) for rank in range(2)]
    for (names, _), (one, _), (other, _) in zip(whole[1], *ranks):
        assert sorted(names) == sorted(one + other)


def test_fetched_shards_give_the_same_batches(shards, tokens, tmp_path):  # noqa: F811
    here = told(factory(dataset(shards, tokens, train=True)).build_iter(1))
    limit = 7 * max(shard.bytes for shard in ShardStore(str(shards), "train").manifest.shards)
    piped = dataset(shards, tokens, train=True, where=f"pipe:cat {shards}/{{}}", cache=tmp_path, limit=limit)
    assert same(told(factory(piped, num_workers=2).build_iter(1)), here)
    piped.store.limit //= 3
    with pytest.raises(AvsrError, match="two windows of 3 shards have .* give a larger --shard_cache_gb"):
        factory(piped)


def test_what_is_mixed_in_is_of_the_same_shard(shards, tokens):  # noqa: F811
    data = dataset(shards, tokens, train=True)
    around = Neighbours(data, 5)
    assert len(around) == 4 and np.array_equal(around[1], data.sound(5)) and np.array_equal(around[0], data.sound(4))
    assert len(Neighbours(dataset(shards, tokens, train=True, names=("video",)), 5)) == 0


def test_a_damaged_shard_is_a_sentence(shards, tokens, tmp_path):  # noqa: F811
    copy = shutil.copytree(shards, tmp_path / "copy")
    path = copy / "train" / "shard-000000.tar"
    path.write_bytes(b"\x01" * path.stat().st_size)
    with pytest.raises(MediaError, match="shard-000000.tar, s.-train.*: is damaged"):
        dataset(copy, tokens, train=False)[0, 0]


def test_how_batches_are_made_is_espnets_option():
    assert dealing("unsorted", 16, 0, 8) == Dealing(16) and dealing("length", 16, 900, 4) == Dealing(900, 900, 4)
    with pytest.raises(AvsrError, match="batch_type is 'numel'; with --shards it can be unsorted"):
        dealing("numel", 16, 900, 8)


TRAINING = {
    "seed": 1, "max_epoch": 3, "num_iters_per_epoch": 3, "batch_type": "unsorted", "batch_size": 6, "num_workers": 0,
    "use_matplotlib": False, "use_tensorboard": False, "log_interval": 1, "optim": "adam", "optim_conf": {"lr": 0.001},
    "best_model_criterion": [["valid", "acc", "max"]], "keep_nbest_models": 9,
    "model_conf": {
        "size": 16, "shape_weight": 0.1,
        "lip_conf": {"channels": [2, 2, 2], "pool": 4, "hidden": 4, "layers": 1},
        "audio_conf": {"channels": 2, "encoder": "rnn", "encoder_conf": {"hidden_size": 4, "num_layers": 1}},
        "decoder_conf": {"num_blocks": 1, "linear_units": 8, "attention_heads": 2},
    },
}  # fmt: skip


def train(folder: Path, shards: Path, tokens: Path, exp: str, **changes) -> int:
    (folder / f"{exp}.yaml").write_text(yaml.safe_dump(TRAINING | changes), "utf-8")
    arguments = ["--config", str(folder / f"{exp}.yaml"), "--shards", str(shards), "--tokens", str(tokens)]
    return train_main([*arguments, "--exp", str(folder / exp), "--ngpu", "0", "--resume", "true"])


def test_a_training_that_was_killed_within_an_epoch_ends_in_the_same_weights(shards, tokens, tmp_path, monkeypatch):  # noqa: F811
    assert train(tmp_path, shards, tokens, "whole") == 0
    config = yaml.safe_load((tmp_path / "whole" / "config.yaml").read_text("utf-8"))
    assert trained_streams(config) == {"speech", "video"}
    read, real = [], ShardDataset.__getitem__

    def killed(data: ShardDataset, key: tuple[int, int]):
        read.append(key)
        if key[1] == 2 and sum(draw == 2 for _, draw in read) == 8:
            raise KeyboardInterrupt
        return real(data, key)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(ShardDataset, "__getitem__", killed)
        train(tmp_path, shards, tokens, "killed")
    assert (tmp_path / "killed" / "1epoch.pth").exists() and not (tmp_path / "killed" / "2epoch.pth").exists()
    assert train(tmp_path, shards, tokens, "killed") == 0
    one, other = (torch.load(tmp_path / exp / "3epoch.pth", weights_only=True) for exp in ("whole", "killed"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_splits_that_do_not_go_together_are_a_sentence(tmp_path, tokens, capsys):
    for split in ("train", "dev"):
        make_split(tmp_path / "data" / split, 3)
    (tmp_path / "data" / "dev" / "wav.scp").unlink()
    shards_main(["--data", str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--nj", "1"])
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(TRAINING), "utf-8")
    arguments = ["--config", str(tmp_path / "c.yaml"), "--shards", str(tmp_path / "out"), "--tokens", str(tokens)]
    assert train_main([*arguments, "--exp", str(tmp_path / "exp")]) == 1
    assert "train has speech, video, align, shape and dev has video, align, shape; pack both splits" in capsys.readouterr().err


def test_the_task_builds_its_batches_from_shards(shards, tokens, tmp_path):  # noqa: F811
    from espnet2.train.distributed_utils import DistributedOption

    command = ["--token_dir", str(tokens), "--iterator_type", "task", "--shards", str(shards), "--output_dir", str(tmp_path)]
    command += ["--batch_type", "unsorted", "--batch_size", "5", "--num_workers", "0", "--ngpu", "0"]
    for name in ("speech", "video", "text"):
        command += ["--train_data_path_and_name_and_type", f"shards,{name},shards", "--valid_data_path_and_name_and_type", f"shards,{name},shards"]
    args: argparse.Namespace = AVSRTask.get_parser().parse_args(command)
    batches = {mode: told(AVSRTask.build_iter_factory(args, DistributedOption(), mode).build_iter(1)) for mode in ("train", "valid")}
    assert sum(len(names) for names, _ in batches["train"]) == 30 and sum(len(names) for names, _ in batches["valid"]) == 6
    assert batches["train"][0][1]["video"].dtype == np.uint8
