"""Train a module on what is labelled: a head on features, or the whole net on images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from alvision.inference.engine import Engine, threads
from alvision.models.backbones import Backbone
from alvision.training.augment import Augment
from alvision.training.classifier import BestWeights, Classifier
from alvision.training.datamodule import Batches, Examples, LabelledImages, Repeated, hold_out
from alvision.training.trainer import run, seeded

if TYPE_CHECKING:
    from alvision.config.schema import TrainerConfig

Make = Callable[[Sequence[int], int], Classifier]
"""Makes a fresh module for these classes as integers, and so many steps."""


def fit_head(
    make: Make, inputs: Tensor, targets: Sequence[int], steps: int, seed: int
) -> Classifier:
    """Train on features [N,D], all of them in every step.

    Args:
        make: Makes the module.
        inputs: Features [N,D].
        targets: Their classes.
        steps: Number of steps.
        seed: What weights and dropout follow.
    """
    with seeded(seed), threads(1):
        module = make(targets, steps)
        batch = (inputs, torch.tensor(targets))
        module.head.prepare(*batch)
        run(module, Repeated(batch, steps), accelerator="cpu", max_epochs=1)
    return module.eval()


def fit_net(
    make: Make,
    pixels: Sequence[np.ndarray],
    targets: Sequence[int],
    groups: Sequence[str],
    *,
    backbone: Backbone,
    engine: Engine,
    trainer: TrainerConfig,
    seed_of: Callable[[str], int],
) -> Classifier:
    """Train on images, with early stopping where the labels are enough for it.

    Args:
        make: Makes the module.
        pixels: Decoded images, uint8 [H,W,3] each.
        targets: Their classes.
        groups: Their groups, which early stopping keeps whole.
        backbone: Gives the normalisation.
        engine: Device, precision, batch size and threads.
        trainer: How it is trained.
        seed_of: The seed of each purpose.
    """
    examples = Examples(list(pixels), list(targets))
    share = trainer.validation_share
    held = hold_out(groups, targets, share, torch.Generator().manual_seed(seed_of("hold_out")))
    learn, stop = map(examples.take, held) if held else (examples, None)
    shape = (backbone.mean, backbone.std, engine.batch_size, engine.workers)
    order = torch.Generator().manual_seed(seed_of("order"))
    train = Batches(learn, *shape, augment=Augment(trainer.augment), generator=order)
    validation = Batches(stop, *shape) if stop else None
    with seeded(seed_of("fit")):
        module = make(learn.targets, trainer.epochs * len(train))
        module.trunk.to(memory_format=torch.channels_last)
        run(
            module,
            LabelledImages(train, validation),
            accelerator="gpu" if engine.device.type == "cuda" else "cpu",
            precision=engine.precision,
            max_epochs=trainer.epochs,
            callbacks=[BestWeights(trainer.patience)] if validation else [],
            progress=engine.progress,
            devices=engine.devices,
        )
    return module.eval()
