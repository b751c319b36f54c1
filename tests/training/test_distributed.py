"""Two processes that train together (gloo, ESPnet's launcher) go the way of one that has the whole batch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from avsr.stages.shards import main as shards_main
from avsr.text.tokens import build_token_list
from tests.shards.conftest import WORDS, make_split

# No batch normalisation, which measures what a process has of a batch, and no chance: LipNet's layers, without their dropout.
TRAINING = {
    "seed": 1, "max_epoch": 2, "num_iters_per_epoch": 4, "batch_type": "unsorted", "batch_size": 6, "num_workers": 0,
    "use_matplotlib": False, "use_tensorboard": False, "log_interval": 1, "optim": "sgd", "optim_conf": {"lr": 0.01},
    "best_model_criterion": [["valid", "acc", "max"]], "keep_nbest_models": 9, "grad_clip": 5.0,
    "model_conf": {
        "size": 16,
        "lip_conf": {"encoder": "lipnet", "pool": 2, "dropout": 0.0},
        "audio_conf": {"channels": 2, "encoder": "rnn", "encoder_conf": {"hidden_size": 4, "num_layers": 1}},
        "decoder_conf": {
            "num_blocks": 1, "linear_units": 8, "attention_heads": 2, "dropout_rate": 0.0, "positional_dropout_rate": 0.0,
            "self_attention_dropout_rate": 0.0, "src_attention_dropout_rate": 0.0,
        },
    },
}  # fmt: skip

# ESPnet is imported once, for it takes longer than all three trainings.
LAUNCH = """
import json, os, sys
import avsr.training.task
from avsr.training.train import main
runs = json.load(open(sys.argv[1]))
children = []
for arguments in runs:
    child = os.fork()
    if not child:
        os._exit(main(arguments))
    children.append(child)
sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""


def curve(exp: Path) -> list[float]:
    """The training loss of each epoch."""
    import torch

    reporter = torch.load(exp / "checkpoint.pth", weights_only=False)["reporter"]
    return [float(reporter["stats"][epoch]["train"]["loss"]) for epoch in (1, 2)]


def free_port() -> int:
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_two_processes_are_one_with_the_whole_batch(tmp_path):
    import torch

    make_split(tmp_path / "data" / "train", 12)
    make_split(tmp_path / "data" / "dev", 4, seed=2)
    build_token_list(WORDS, "jamo", out_dir=tmp_path / "tokens")
    assert shards_main(["--data", str(tmp_path / "data"), "--out", str(tmp_path / "shards"), "--size", "4", "--nj", "1"]) == 0
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(TRAINING), "utf-8")
    common = ["--config", str(tmp_path / "c.yaml"), "--shards", str(tmp_path / "shards"), "--tokens", str(tmp_path / "tokens")]
    common += ["--streams", "lips", "--ngpu", "0"]
    together = ["--dist_backend", "gloo", "--dist_world_size", "2", "--multiprocessing_distributed", "false"]
    together += ["--dist_master_addr", "127.0.0.1", "--dist_master_port", str(free_port())]
    runs = [[*common, "--exp", str(tmp_path / "one")]]
    runs += [[*common, "--exp", str(tmp_path / "two"), *together, "--dist_rank", str(rank)] for rank in (0, 1)]
    (tmp_path / "runs.json").write_text(json.dumps(runs))
    done = subprocess.run(
        [sys.executable, "-c", LAUNCH, str(tmp_path / "runs.json")], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert curve(tmp_path / "two") == pytest.approx(curve(tmp_path / "one"), rel=1e-4)
    early, one, two = (
        torch.cat([value.flatten() for value in torch.load(tmp_path / path, weights_only=True).values() if value.is_floating_point()])
        for path in ("one/1epoch.pth", "one/2epoch.pth", "two/2epoch.pth")
    )
    assert float((one - early).norm()) > 0.01, "it learns"
    assert float((one - two).norm()) < 0.01 * float((one - early).norm())
