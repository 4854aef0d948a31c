"""How a whole network learns from few labels: its rates by depth, its statistics, its average."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytorch_lightning as lightning
import torch
from timm.optim._param_groups import param_groups_layer_decay
from torch import Tensor, nn
from torch.optim.swa_utils import get_swa_multi_avg_fn

FEW = 1000
"""Below so many images the statistics of batch norm stay those of the weights that were given."""

DECAY = 0.85
"""Factor of the learning rate from one layer of a pretrained trunk to the layer below it."""

LEAST = 0.2
"""Layers whose rate would be below this share of the last one's do not learn at all: their steps
would cost half of the time and change next to nothing."""

AVERAGED = 0.2
"""Share of the steps, the last ones, whose weights are averaged."""


def freeze_statistics(trunk: nn.Module) -> None:
    """Keep the means and variances of batch norm as they are; its scales go on learning.

    A trunk without batch norm has none to keep, and stays as it is.
    """
    for module in trunk.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


@contextmanager
def fast_depthwise(trunk: nn.Module, *, half: bool) -> Iterator[None]:
    """Run depthwise convolutions in 32 bits while a trunk trains in bf16 on a processor.

    Their gradients have no fast kernel in bf16: in 32 bits a step takes half the time
    (docs/performance.md).

    Args:
        trunk: The trunk; only its `forward` of these layers is another one meanwhile.
        half: It trains in bf16 on a processor; else nothing is changed.
    """
    layers = [
        layer
        for layer in trunk.modules()
        if half and isinstance(layer, nn.Conv2d) and layer.groups == layer.in_channels > 1
    ]
    for layer in layers:
        vars(layer)["forward"] = partial(_in_full, layer)
    try:
        yield
    finally:
        for layer in layers:
            del vars(layer)["forward"]


def _in_full(layer: nn.Conv2d, images: Tensor) -> Tensor:
    with torch.autocast(images.device.type, enabled=False):
        return type(layer).forward(layer, images.float())


def parameter_groups(trunk: nn.Module, rate: float, weight_decay: float) -> list[dict[str, Any]]:
    """Return a pretrained trunk's parameters in groups whose rate falls with the depth.

    The first layers are edges and textures, which few labels teach nothing about; the last ones are
    about the classes that the weights were learned from. Each layer below the last learns at DECAY
    times the rate of the layer above it (arXiv 1801.06146; layers as timm names them, or twelve
    tensors each), and those below LEAST are frozen. Biases and the scales of norms do not decay.

    Args:
        trunk: The trunk.
        rate: Peak learning rate of its last layer.
        weight_decay: Of its matrices.

    Returns:
        Groups as an optimiser takes them: `params`, `lr` and `weight_decay`.
    """
    log = logging.getLogger("timm.optim._param_groups")
    level = log.level
    log.setLevel(logging.ERROR)  # a trunk of one layer is no mistake
    try:
        groups = param_groups_layer_decay(
            inner(trunk), weight_decay=weight_decay, layer_decay=DECAY, no_opt_scale=LEAST
        )
    finally:
        log.setLevel(level)
    return [
        {
            "params": group["params"],
            "lr": rate * group["lr_scale"],
            "weight_decay": group["weight_decay"],
        }
        for group in groups
    ]


def inner(trunk: nn.Module) -> nn.Module:
    """Return the network inside what only pools or turns its features; that has no parameters."""
    inside = getattr(trunk, "trunk", None)
    return inner(inside) if isinstance(inside, nn.Module) else trunk


class AverageWeights(lightning.Callback):
    """Give back the mean of the last steps' weights, which is steadier than the last ones.

    The mean is that of stochastic weight averaging (arXiv 1803.05407), over the last fifth of the
    optimiser steps.

    Args:
        steps: Optimiser steps of the whole fit.
    """

    def __init__(self, steps: int) -> None:
        self.start = steps - max(1, round(AVERAGED * steps))
        self.steps = self.averaged = 0
        self.mean: list[Tensor] = []

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Add the weights after an optimiser step, once the average has begun."""
        if trainer.global_step == self.steps:
            return  # gradients are still gathered
        self.steps = trainer.global_step
        if self.steps <= self.start:
            return
        weights = _learning(module)
        if self.averaged:
            get_swa_multi_avg_fn()(self.mean, weights, torch.tensor(self.averaged))
        else:
            self.mean = [value.clone() for value in weights]
        self.averaged += 1

    def on_fit_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Put the average in the weights' place."""
        with torch.no_grad():
            for value, mean in zip(_learning(module), self.mean, strict=bool(self.mean)):
                value.copy_(mean)


def _learning(module: nn.Module) -> list[Tensor]:
    return [value.detach() for value in module.parameters() if value.requires_grad]
