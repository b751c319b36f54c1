"""A training that is killed at any moment of its saving goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from avsr.training.checkpoint import CHECKPOINT, EARLIER, TORN, is_whole, keep_earlier, mend_checkpoint


def save(path: Path, number: int) -> Path:
    torch.save({"number": number, "weights": torch.zeros(1000)}, path)
    return path


def tear(path: Path, share: float = 0.5) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_torn_file_is_seen(tmp_path, share):
    path = save(tmp_path / "x.pth", 1)
    assert is_whole(path) and not is_whole(tmp_path / "absent.pth")
    tear(path, share)
    assert not is_whole(path)


def test_nothing_to_mend(tmp_path):
    assert mend_checkpoint(tmp_path / "absent") == mend_checkpoint(tmp_path) == ("", [])
    save(tmp_path / CHECKPOINT, 1)
    assert mend_checkpoint(tmp_path) == ("", [])


@pytest.mark.parametrize("cut_off", ["before", "while writing"])
def test_the_epoch_before_takes_the_place_of_a_torn_checkpoint(tmp_path, cut_off):
    save(tmp_path / CHECKPOINT, 4)
    keep_earlier(tmp_path)
    if cut_off == "while writing":
        tear(save(tmp_path / CHECKPOINT, 5))
    said, arguments = mend_checkpoint(tmp_path)
    assert "epoch before" in said and not arguments
    assert torch.load(tmp_path / CHECKPOINT)["number"] == 4
    assert mend_checkpoint(tmp_path) == ("", [])


def test_a_torn_checkpoint_is_not_kept_as_the_earlier_one(tmp_path):
    save(tmp_path / EARLIER, 3)
    tear(save(tmp_path / CHECKPOINT, 4))
    keep_earlier(tmp_path)
    assert torch.load(tmp_path / EARLIER)["number"] == 3


def test_without_one_before_it_begins_from_the_newest_weights(tmp_path):
    for epoch in (2, 9, 10):
        save(tmp_path / f"{epoch}epoch.pth", epoch)
    tear(save(tmp_path / "11epoch.pth", 11))
    tear(save(tmp_path / CHECKPOINT, 10))
    said, arguments = mend_checkpoint(tmp_path)
    assert "10epoch.pth" in said and arguments == ["--init_param", str(tmp_path / "10epoch.pth")]
    assert (tmp_path / TORN).exists() and not (tmp_path / CHECKPOINT).exists()


def test_torn_in_the_first_epoch_it_begins_anew(tmp_path):
    tear(save(tmp_path / CHECKPOINT, 1))
    said, arguments = mend_checkpoint(tmp_path)
    assert "begins anew" in said and not arguments and not list(tmp_path.iterdir()), "nothing is left of what is worth nothing"


@pytest.mark.parametrize(
    ("config", "variables", "mends"),
    [
        ("dist_launcher: slurm", {"SLURM_PROCID": "0"}, True),
        ("dist_launcher: slurm", {"SLURM_PROCID": "1"}, False),
        ("dist_rank: 1", {"RANK": "0"}, False),
        ("{}", {"RANK": "1"}, False),
        ("{}", {"SLURM_PROCID": "1"}, True),  # a job of one process
    ],
)
def test_of_processes_that_are_started_to_train_together_the_first_mends(tmp_path, monkeypatch, config, variables, mends):
    from avsr.training import train
    from avsr.training.task import AVSRTask

    monkeypatch.setattr(train, "_command", lambda *_: [])
    monkeypatch.setattr(AVSRTask, "main", staticmethod(lambda cmd: None))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    exp = tmp_path / "exp"
    exp.mkdir()
    tear(save(exp / CHECKPOINT, 2))
    save(exp / EARLIER, 1)
    (tmp_path / "c.yaml").write_text(config, "utf-8")
    given = [word for name in ("data", "tokens", "exp") for word in (f"--{name}", str(tmp_path / name))]
    assert train.main(["--config", str(tmp_path / "c.yaml"), *given]) == 0
    assert is_whole(exp / CHECKPOINT) == mends and (exp / EARLIER).exists() != mends


def options_of(exp: Path, **given):
    """ESPnet's options of a training in `exp`, all nought but for those given."""
    from dataclasses import fields

    from espnet2.train.trainer import TrainerOptions

    fixed = {"output_dir": exp, "resume": True, "best_model_criterion": [("valid", "acc", "max")], "keep_nbest_models": 2, "patience": None}
    return TrainerOptions(**dict.fromkeys((field.name for field in fields(TrainerOptions)), 0) | fixed | given)


def test_the_trainer_keeps_the_earlier_checkpoint(tmp_path):
    from espnet2.train.distributed_utils import DistributedOption
    from espnet2.train.reporter import Reporter

    from avsr.training.trainer import SafeTrainer

    reporter = Reporter()
    save(tmp_path / CHECKPOINT, 7)
    reporter.set_epoch(8)
    with reporter.observe("valid") as observed:
        SafeTrainer.validate_one_epoch(
            model=torch.nn.Linear(2, 1), iterator=[], reporter=observed, options=options_of(tmp_path), distributed_option=DistributedOption()
        )
        observed.register({"loss": 1.0})
        observed.next()
    assert (tmp_path / EARLIER).exists() and not (tmp_path / CHECKPOINT).exists()


@pytest.fixture
def last_epoch(tmp_path):
    """last_epoch(done=...): a training of three epochs, the first the worst, killed in the last when its checkpoint was whole; `done` of
    what comes then was done: none, its weights torn, or its weights."""

    def make(done: str) -> Path:
        accuracies, model = {1: 0.1, 2: 0.4, 3: 0.3}, torch.nn.Linear(2, 1)
        reporter = {"stats": {epoch: {"valid": {"acc": value}} for epoch, value in accuracies.items()}, "epoch": 3}
        state = {"model": model.state_dict(), "reporter": reporter, "optimizers": [], "schedulers": [], "scaler": None}
        torch.save(state, tmp_path / CHECKPOINT)
        for epoch in (1, 2):
            torch.save(torch.nn.Linear(2, 1).state_dict(), tmp_path / f"{epoch}epoch.pth")
        if done != "none":
            torch.save(model.state_dict(), tmp_path / "3epoch.pth")
        if done == "torn":
            tear(tmp_path / "3epoch.pth")
        (tmp_path / "latest.pth").symlink_to("2epoch.pth")
        return tmp_path

    return make


@pytest.mark.parametrize("done", ["none", "torn", "weights"])
def test_an_epoch_that_was_killed_after_its_checkpoint_is_finished(last_epoch, done):
    from avsr.training.trainer import _caught_up

    exp = last_epoch(done)
    options = options_of(exp, max_epoch=3)
    assert _caught_up(exp / CHECKPOINT, options, first=True) == options
    assert torch.equal(torch.load(exp / "3epoch.pth")["weight"], torch.load(exp / CHECKPOINT)["model"]["weight"])
    links = {path.name: str(path.readlink()) for path in exp.iterdir() if path.is_symlink()}
    assert links == {"latest.pth": "3epoch.pth", "valid.acc.best.pth": "2epoch.pth"}
    assert not (exp / "1epoch.pth").exists(), "two are kept"


def test_another_process_of_the_training_writes_nothing(last_epoch):
    from avsr.training.trainer import _caught_up

    exp = last_epoch("none")
    _caught_up(exp / CHECKPOINT, options_of(exp, max_epoch=3), first=False)
    assert not (exp / "3epoch.pth").exists()


@pytest.mark.parametrize(("patience", "last"), [(None, 9), (3, 9), (0, 3)])
def test_a_training_that_had_lost_patience_does_not_go_on(last_epoch, patience, last):
    from avsr.training.trainer import _caught_up

    exp = last_epoch("weights")
    options = options_of(exp, max_epoch=9, patience=patience, early_stopping_criterion=("valid", "acc", "max"))
    assert _caught_up(exp / CHECKPOINT, options, first=True).max_epoch == last
