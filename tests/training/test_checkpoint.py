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
    assert "begins anew" in said and not arguments and not (tmp_path / CHECKPOINT).exists()


def test_the_trainer_keeps_the_earlier_checkpoint_and_writes_missing_weights(tmp_path):
    from dataclasses import fields

    from espnet2.train.distributed_utils import DistributedOption
    from espnet2.train.reporter import Reporter
    from espnet2.train.trainer import TrainerOptions

    from avsr.training.trainer import SafeTrainer

    model, reporter = torch.nn.Linear(2, 1), Reporter()
    reporter.set_epoch(7)
    state = {"model": model.state_dict(), "reporter": reporter.state_dict(), "optimizers": [], "schedulers": [], "scaler": None}
    torch.save(state, tmp_path / CHECKPOINT)
    tear(save(tmp_path / "7epoch.pth", 7))
    copy, again = torch.nn.Linear(2, 1), Reporter()
    nothing = {"optimizers": [], "schedulers": [], "scaler": None}
    SafeTrainer.resume(checkpoint=tmp_path / CHECKPOINT, model=copy, reporter=again, ngpu=0, strict=True, **nothing)
    assert again.get_epoch() == 7
    assert torch.equal(torch.load(tmp_path / "7epoch.pth")["weight"], model.weight)

    values = dict.fromkeys((field.name for field in fields(TrainerOptions)), 0) | {"output_dir": tmp_path}
    reporter.set_epoch(8)
    with reporter.observe("valid") as observed:
        SafeTrainer.validate_one_epoch(
            model=copy, iterator=[], reporter=observed, options=TrainerOptions(**values), distributed_option=DistributedOption()
        )
        observed.register({"loss": 1.0})
        observed.next()
    assert (tmp_path / EARLIER).exists() and not (tmp_path / CHECKPOINT).exists()
