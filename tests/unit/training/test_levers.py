"""Lightning's levers, as a configuration names them."""

from dataclasses import replace

import pytest
import torch

from alvision.core.errors import UserError
from alvision.training import fitter
from alvision.training.classifier import Classifier
from tests.unit.training.conftest import FINETUNE, ON_CPU, same, state

SCHEDULE = {"_target_": "torch.optim.lr_scheduler.PolynomialLR", "_partial_": True, "power": 1.0}
SMOOTH = {
    "_target_": "torch.nn.functional.cross_entropy",
    "_partial_": True,
    "label_smoothing": 0.2,
}
FOCAL = {"_target_": "alvision.training.losses.focal", "_partial_": True, "gamma": 3.0}


@pytest.mark.parametrize(
    "change",
    [{"schedule": SCHEDULE}, {"loss": SMOOTH}, {"loss": FOCAL}, {"gradient_clip": 0.001}],
    ids=["schedule", "label smoothing", "focal", "gradient clip"],
)
def test_a_lever_changes_what_is_learned(learn, embedded, truth, change):
    plain, other = (
        learn(of=embedded, trainer=trainer).fit(truth, round=1)
        for trainer in (ON_CPU, replace(ON_CPU, **change))
    )
    assert not same(state(plain), state(other))


def test_a_schedule_is_given_the_steps_and_moves_at_each(learn, embedded, truth, monkeypatch):
    rates, step = [], Classifier.training_step

    def noted(self, batch, index):
        rates.append(self.optimizers().param_groups[0]["lr"])
        return step(self, batch, index)

    monkeypatch.setattr(Classifier, "training_step", noted)
    trainer = replace(ON_CPU, schedule=SCHEDULE, head_learning_rate=1.0)
    learn(of=embedded, trainer=trainer).fit(truth, round=1)
    assert torch.allclose(torch.tensor(rates), 1 - torch.arange(20) / 20)


def test_a_short_gradient_changes_little(learn, embedded, truth):
    """Plain descent moves by the rate times the gradient's length, here at most 1e-6 a step."""
    own = {"_target_": "torch.optim.SGD", "_partial_": True, "lr": 1.0}
    trainer = replace(ON_CPU, optimizer=own, gradient_clip=1e-6)
    first, last = (
        learn(of=embedded, trainer=replace(trainer, head_steps=steps)).fit(truth, round=1)
        for steps in (1, 20)
    )
    moved = first.module.head.first.weight - last.module.head.first.weight
    assert 0 < moved.norm() < 21e-6


@pytest.mark.parametrize(
    ("make", "says"),
    [
        ({"_target_": "builtins.print", "_partial_": True}, "gave a NoneType"),
        ({"_target_": "torch.optim.lr_scheduler.OneCycleLR", "_partial_": True}, "cannot be made"),
        ({"_target_": "torch.optim.lr_scheduler.None", "_partial_": True}, "cannot be built"),
    ],
)
def test_what_is_no_schedule_is_refused(learn, embedded, truth, capsys, make, says):
    with pytest.raises(UserError, match=f"trainer.schedule.*{says}"):
        learn(of=embedded, trainer=replace(ON_CPU, schedule=make)).fit(truth, round=1)


@pytest.mark.slow
def test_batches_are_gathered_into_steps(learn, truth, monkeypatch):
    steps, run = [], fitter.run

    def counted(module, *args, **options):
        run(module, *args, **options)
        steps.append((module.steps, module.trainer.global_step))

    monkeypatch.setattr(fitter, "run", counted)
    for accumulate in (1, 4):
        trainer = replace(ON_CPU, accumulate=accumulate, gradient_clip=1.0)
        learn(FINETUNE, trainer).fit(truth, round=1)
    assert steps == [(30, 30), (9, 9)]  # 10 batches an epoch, 3 epochs; the last step has two
