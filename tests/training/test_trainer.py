"""ESPnet's loop in half precision on a CPU: each step is computed with the weights that the step before it left."""

from __future__ import annotations

import pytest
import torch
from espnet2.train.distributed_utils import DistributedOption
from espnet2.train.reporter import Reporter
from espnet2.train.trainer import TrainerOptions

from avsr.training import trainer
from avsr.training.trainer import SafeTrainer


class Line(torch.nn.Module):
    """Learns y = 0; notes the weight that each step was computed with."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(1, 1, bias=False)
        self.used: list[float] = []

    def forward(self, x: torch.Tensor, **_: object):
        y = self.linear(x)
        self.used.append(float(y[0, 0]))
        loss = (y.float() ** 2).mean()[None]
        return loss, {"loss": loss.detach()}, torch.tensor([1.0])


@pytest.mark.parametrize("lower", [True, False])
def test_each_step_sees_the_weights_of_the_one_before(lower, monkeypatch):
    monkeypatch.setattr(trainer, "multiplies_bfloat16", lambda: lower)
    model = Line()
    torch.nn.init.constant_(model.linear.weight, 1.0)
    options = TrainerOptions.__new__(TrainerOptions)  # by themselves: those that an epoch asks for
    vars(options).update(
        use_amp=True, ngpu=0, grad_noise=False, accum_grad=1, grad_clip=5.0, grad_clip_type=2.0, log_interval=None,
        no_forward_run=False, use_wandb=False, create_graph_in_tensorboard=False,
    )  # fmt: skip
    optimizer = torch.optim.SGD(model.parameters(), lr=0.25)
    batches = [(["a"], {"x": torch.ones(1, 1)})] * 4
    reporter = Reporter()
    reporter.set_epoch(1)
    with reporter.observe("train") as observed:
        SafeTrainer.train_one_epoch(
            model=model, iterator=batches, optimizers=[optimizer], schedulers=[None], scaler=None, reporter=observed,
            summary_writer=None, options=options, distributed_option=DistributedOption(),
        )  # fmt: skip
    assert model.used == pytest.approx([1.0, 0.5, 0.25, 0.125])
    assert "forward" not in vars(model)
