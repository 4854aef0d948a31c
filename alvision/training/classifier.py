"""One Lightning module for both ways of training: a trunk, or nothing, and a head."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytorch_lightning as lightning
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR

from alvision.core import stopping
from alvision.core.errors import UserError
from alvision.models.heads import AnyHead
from alvision.models.pair import HeadPair
from alvision.training.datamodule import rank_and_world
from alvision.training.finetuning import parameter_groups
from alvision.training.unlabelled import Entropy

Loss = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""A loss of the user's own: logits [B,C], targets [B] and the classes' weights [C] to a number."""
MakeOptimizer = Callable[..., torch.optim.Optimizer]
"""An optimiser of the user's own: makes it for parameters and `lr`, the peak learning rate."""
MakeSchedule = Callable[[torch.optim.Optimizer, int], LRScheduler]
"""A schedule of the user's own: makes it for an optimiser and the steps of the whole fit."""

WARM_UP = 0.2
"""Share of the steps in which the rate of a pretrained network rises to its peak."""


def class_weights(targets: Int[Tensor, " n"], classes: int) -> Float[Tensor, " c"]:
    """Weigh each class by n / (C_seen n_c), so that every class seen counts alike; 0 if unseen.

    >>> class_weights(torch.tensor([0, 0, 0, 2]), 3)
    tensor([0.6667, 0.0000, 2.0000])
    """
    counts = torch.bincount(targets, minlength=classes)
    weights = len(targets) / (int((counts > 0).sum()) * counts.clamp(min=1))
    return torch.where(counts > 0, weights, 0.0)


class Classifier(lightning.LightningModule):
    """A trunk and a head, trained with AdamW (arXiv 1711.05101) on class-weighted cross entropy.

    The user may bring another loss, optimiser and schedule.

    Args:
        trunk: Maps images to features; `nn.Identity()` where features are what comes in.
        head: Maps features to logits.
        weights: Weight of each class in the loss; None: all alike.
        learning_rate: AdamW's peak learning rate.
        weight_decay: AdamW's weight decay.
        steps: Optimiser steps of the whole fit.
        pretrained: The trunk starts from weights that know images, so its rate falls with depth,
            and the first fifth of the steps warms up (one cycle).
        loss: The user's own loss; None: the head's, class-weighted cross entropy.
        optimizer: Makes the user's own optimiser; None: AdamW.
        schedule: Makes the user's own schedule of the rate; None: a cosine decay to zero.
        unlabelled: Another term of the loss, of the head alone, on one device; None: there is none.
    """

    def __init__(
        self,
        trunk: nn.Module,
        head: AnyHead | HeadPair,
        weights: Float[Tensor, " c"] | None = None,
        learning_rate: float = 0.001,
        weight_decay: float = 0.01,
        steps: int = 100,
        pretrained: bool = False,
        loss: Loss | None = None,
        optimizer: MakeOptimizer | None = None,
        schedule: MakeSchedule | None = None,
        unlabelled: Entropy | None = None,
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = head
        self.weights: Tensor | None
        self.register_buffer("weights", weights, persistent=False)
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.steps = steps
        self.pretrained = pretrained
        # In a list: a loss that is a module must not become part of the model's state.
        self._own_loss = [loss] if loss else []
        self._make_optimizer = optimizer
        self._make_schedule = schedule
        self._unlabelled = unlabelled

    def forward(self, inputs: Tensor) -> Float[Tensor, "b c"]:
        """Return logits; the head computes in 32 bits whatever the trunk does."""
        features = self.trunk(inputs)
        with torch.autocast(features.device.type, enabled=False):
            return self.head(features)

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """Return the loss of a batch; over several ranks, that of all their parts together."""
        stopping.safe_point()
        loss, (_, world) = self._loss(batch), rank_and_world()
        if self._unlabelled is not None:
            loss = loss + self._unlabelled(self.head)
        if world == 1:
            return loss
        # DistributedDataParallel averages the ranks' gradients, but the class weights of their
        # parts differ: scaled so, the average is the gradient of the whole batch.
        targets = batch[1]
        own = torch.ones_like(targets) if self.weights is None else self.weights[targets]
        own = own.sum().float()
        total = own.clone()
        torch.distributed.all_reduce(total)
        return loss * own * world / total

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        """Log the loss of a batch as `validation_loss`."""
        self.log("validation_loss", self._loss(batch), batch_size=len(batch[1]), sync_dist=True)

    def configure_optimizers(self) -> Any:
        """Return the optimiser and the schedule of its rate."""
        optimizer = self._optimizer()
        schedule = self._schedule(optimizer)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]

    def _optimizer(self) -> torch.optim.Optimizer:
        rate, decay = self.learning_rate, self.weight_decay
        parameters: Any = self.parameters()
        if self.pretrained:
            head = {"params": self.head.parameters(), "lr": rate, "weight_decay": decay}
            parameters = [*parameter_groups(self.trunk, rate, decay), head]
        if self._make_optimizer is not None:
            return _own_optimizer(self._make_optimizer, parameters, rate)
        # Fused: one kernel for all parameters; on a CPU a head's step is mostly overhead.
        # Lightning refuses to clip the gradients of a fused one in mixed precision.
        clips = self._trainer is not None and bool(self._trainer.gradient_clip_val)
        fused = self.device.type in ("cpu", "cuda") and not clips
        return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay, fused=fused)

    def _schedule(self, optimizer: torch.optim.Optimizer) -> LRScheduler:
        """Return a cosine decay (arXiv 1608.03983), after a warm-up where weights are given."""
        if self._make_schedule is not None:
            return _own_schedule(self._make_schedule, optimizer, self.steps)
        if not self.pretrained:
            return CosineAnnealingLR(optimizer, self.steps)
        # One cycle (arXiv 1708.07120): at full rate Adam's first steps, which hardly know the
        # gradients' size, undo much of what the weights know.
        peaks = [group["lr"] for group in optimizer.param_groups]
        return OneCycleLR(
            optimizer, peaks, total_steps=self.steps, pct_start=WARM_UP, cycle_momentum=False
        )

    def _loss(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        inputs, targets = batch
        features = self.trunk(inputs)
        # A loss in half precision loses the small probabilities that it is about.
        with torch.autocast(features.device.type, enabled=False):
            for loss in self._own_loss:
                return _checked(loss(self.head(features), targets, self.weights))
            return self.head.loss(features, targets, self.weights)


def _own_optimizer(make: MakeOptimizer, parameters: Any, peak: float) -> torch.optim.Optimizer:
    given = getattr(make, "keywords", {})
    if isinstance(parameters, list):
        # The user's rate is that of the head and the last layer; the others stay below it. What
        # decays, and how much, is the user's.
        scale = given.get("lr", peak) / peak
        parameters = [{"params": g["params"], "lr": g["lr"] * scale} for g in parameters]
    rate = {} if "lr" in given else {"lr": peak}
    try:
        optimizer = make(parameters, **rate)
    except Exception as error:  # code of the user's own fails in ways of its own
        raise UserError(f"trainer.optimizer cannot be made ({error})") from error
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise UserError(
            f"trainer.optimizer gave a {type(optimizer).__name__}, not a torch.optim.Optimizer"
        )
    return optimizer


def _own_schedule(make: MakeSchedule, optimizer: torch.optim.Optimizer, steps: int) -> LRScheduler:
    try:
        schedule = make(optimizer, steps)
    except Exception as error:  # code of the user's own fails in ways of its own
        raise UserError(f"trainer.schedule cannot be made ({error})") from error
    if not isinstance(schedule, LRScheduler):
        raise UserError(
            f"trainer.schedule gave a {type(schedule).__name__}, not a schedule of "
            "torch.optim.lr_scheduler"
        )
    return schedule


def _checked(loss: Tensor) -> Tensor:
    if not isinstance(loss, Tensor) or loss.ndim:
        found = list(loss.shape) if isinstance(loss, Tensor) else type(loss).__name__
        raise UserError(f"trainer.loss gave {found}; it must give one number, a scalar tensor")
    return loss


class BestWeights(lightning.Callback):
    """Stop when the validation loss no longer falls, and give the best weights back.

    Args:
        patience: Epochs without improvement before training stops.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.lowest = float("inf")
        self.waited = 0
        self.best: dict[str, Tensor] = {}

    def on_validation_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        """Keep a copy of the weights if they are the best so far."""
        loss = float(trainer.callback_metrics["validation_loss"])
        if loss < self.lowest or not self.best:
            self.lowest, self.waited = loss, 0
            self.best = {name: value.clone() for name, value in module.state_dict().items()}
            return
        self.waited += 1
        trainer.should_stop = trainer.should_stop or self.waited >= self.patience

    def on_fit_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Put the best weights back."""
        if self.best:
            module.load_state_dict(self.best)
