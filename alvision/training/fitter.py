"""Train a fresh module on what is labelled: a head on features, or the whole network on images."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from pytorch_lightning import Callback
from torch import nn

from alvision.core import doors, seeding
from alvision.core.errors import UserError
from alvision.inference.engine import threads
from alvision.inference.features import Features
from alvision.inference.predictions import SampleId
from alvision.inference.statistics import Statistics, unchanged
from alvision.models import heads
from alvision.models.backbones import Backbone, build_once
from alvision.models.heads import AnyHead
from alvision.training.augment import Augment
from alvision.training.checkpoint import Model
from alvision.training.classifier import (
    BestWeights,
    Classifier,
    Loss,
    MakeOptimizer,
    class_weights,
)
from alvision.training.datamodule import Batches, Examples, LabelledImages, Repeated, hold_out
from alvision.training.trainer import run, seeded

if TYPE_CHECKING:
    from alvision.config.schema import ModelConfig, TrainerConfig


FEW = 1000
"""Below so many images the statistics of batch norm stay those of the weights that were given."""


@dataclass(frozen=True)
class Fitter:
    """Train the networks of a run; every fit builds its module, Trainer and callbacks anew.

    Attributes:
        model: The network.
        trainer: How it is trained.
        classes: All classes by name, in the configuration's order.
        seed: The run's seed; every (seed, round, purpose) has its own randomness.
        features: The features and pixels of the images.
        groups: The group of each image; early stopping keeps groups whole.
    """

    model: ModelConfig
    trainer: TrainerConfig
    classes: tuple[str, ...]
    seed: int
    features: Features
    groups: Mapping[SampleId, str]

    def __post_init__(self) -> None:
        """Build the user's own parts once, so that a mistake in one shows before any work.

        Raises:
            UserError: One cannot be built, or two settings contradict each other.
        """
        own_loss(self.trainer), own_optimizer(self.trainer), own_callbacks(self.trainer)
        Augment(self.trainer.augment)
        if self.frozen and not isinstance(self.trainer.augment, str):
            raise UserError("trainer.augment is for model.training=finetune; here it is frozen")
        if self.trainer.loss is not None and self.model.head == "ensemble":
            raise UserError(
                "trainer.loss is for one head, and model.head=ensemble has a loss for all its "
                "members; use another head, or trainer.loss=null"
            )
        if not isinstance(self.model.head, str):
            self.new_head()

    @property
    def frozen(self) -> bool:
        """Tell whether only the head is trained, on features that never change."""
        return self.model.training == "frozen"

    @property
    def head_arguments(self) -> dict[str, Any]:
        """Return what a head is built from, besides the number of classes; a checkpoint keeps it.

        Plain values, because checkpoints are read with `weights_only`.
        """
        return {
            "width": self.features.width,
            "kind": self.model.head,
            "hidden": self.model.hidden,
            "dropout": self.model.dropout,
            "members": self.model.passes,
        }

    def new_head(self) -> AnyHead:
        """Build a head with random weights; torch's global generator stays as it was."""
        with torch.random.fork_rng([]):
            return heads.build(classes=len(self.classes), **self.head_arguments)

    def new_trunk(self) -> nn.Module:
        """Return a copy of the initial trunk to train, on the CPU."""
        # A copy: the initial trunk is shared by all rounds, and by all runs of a study.
        assert self.features.backbone is not None
        return copy.deepcopy(self.features.backbone.trunk).cpu()

    def fit(self, targets: Mapping[SampleId, int], round: int) -> Model:
        """Train on labelled images, the way that `model.training` says.

        Args:
            targets: Classes as integers, by id.
            round: Its number, which the randomness depends on.

        Returns:
            The model; unfitted if fewer than two classes have a readable image.
        """
        return self.fit_head(targets, round) if self.frozen else self.fit_net(targets, round)

    def fit_head(self, targets: Mapping[SampleId, int], round: int) -> Model:
        """Train a head on the features of the initial trunk, on all images in every step."""
        ids, inputs = self.features.initial(list(targets))
        goal = [targets[id] for id in ids]
        if len(set(goal)) < 2:
            return Model(self.classes, False)
        statistics = self.features.statistics
        # One thread: for so small a problem, waiting for other threads takes longer than the work.
        with seeded(seeding.derive(self.seed, round, "fit")), threads(1):
            steps = self.trainer.head_steps
            rate = self.trainer.head_learning_rate
            module = self._module(nn.Identity(), goal, rate, steps, statistics)
            run(
                module,
                Repeated((inputs, torch.tensor(goal)), steps),
                accelerator="cpu",
                max_epochs=1,
                callbacks=own_callbacks(self.trainer),
            )
        return Model(self.classes, True, module.eval())

    def fit_net(self, targets: Mapping[SampleId, int], round: int) -> Model:
        """Train the whole network on images, with early stopping where the labels are enough."""
        pixels = self.features.decode(list(targets))
        goal = [targets[id] for id in pixels]
        if len(set(goal)) < 2:
            return Model(self.classes, False)
        module = self._fit_pixels(
            list(pixels.values()),
            goal,
            [self.groups[id] for id in pixels],
            partial(seeding.derive, self.seed, round),
            self.features.statistics,
        )
        return Model(self.classes, True, module)

    def _fit_pixels(
        self,
        pixels: Sequence[np.ndarray],
        targets: Sequence[int],
        groups: Sequence[str],
        seed_of: Callable[[str], int],
        statistics: Statistics,
    ) -> Classifier:
        """Train on decoded images; `seed_of` gives the seed of each purpose.

        The statistics are those of the initial trunk, which the trained one starts as.
        """
        backbone, engine, trainer = self.features.backbone, self.features.engine, self.trainer
        assert backbone is not None
        examples = Examples(list(pixels), list(targets))
        generator = torch.Generator().manual_seed(seed_of("hold_out"))
        held = hold_out(groups, targets, trainer.validation_share, generator)
        learn, stop = map(examples.take, held) if held else (examples, None)
        shape = (backbone.mean, backbone.std, engine.batch_size, engine.workers)
        order = torch.Generator().manual_seed(seed_of("order"))
        train = Batches(learn, *shape, augment=Augment(trainer.augment), generator=order)
        validation = Batches(stop, *shape) if stop else None
        with seeded(seed_of("fit")):
            steps = trainer.epochs * len(train)
            module = self._module(
                self.new_trunk(), learn.targets, trainer.learning_rate, steps, statistics
            )
            # A trunk comes in eval mode, and Lightning keeps the mode of every module.
            module.train()
            if self.model.weights is not None and len(learn) < FEW:
                freeze_statistics(module.trunk)
            # The layout that convolutions are fastest in; the batches come in it, too.
            module.trunk.to(memory_format=torch.channels_last)
            run(
                module,
                LabelledImages(train, validation),
                accelerator="gpu" if engine.device.type == "cuda" else "cpu",
                precision=engine.precision,
                max_epochs=trainer.epochs,
                callbacks=[
                    *([BestWeights(trainer.patience)] if validation else []),
                    *own_callbacks(trainer),
                ],
                progress=engine.progress,
                devices=engine.devices,
            )
        return module.eval()

    def _module(
        self,
        trunk: nn.Module,
        targets: Sequence[int],
        rate: float,
        steps: int,
        statistics: Statistics,
    ) -> Classifier:
        count = len(self.classes)
        head = heads.build(classes=count, **self.head_arguments)
        head.standardise(statistics.mean, statistics.gain)
        head.prepare(torch.tensor(targets))
        weigh = self.trainer.class_weights
        weights = class_weights(torch.tensor(targets), count) if weigh else None
        return Classifier(
            trunk,
            head,
            weights,
            rate,
            self.trainer.weight_decay,
            steps,
            loss=own_loss(self.trainer),
            optimizer=own_optimizer(self.trainer),
        )


def freeze_statistics(trunk: nn.Module) -> None:
    """Keep the means and variances of batch norm as they are; its scales go on learning."""
    for module in trunk.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def initial_backbone(model: ModelConfig, seed: int, shape: tuple[int, int]) -> Backbone:
    """Build the trunk that every round starts from; one for all runs of a study.

    Args:
        model: The network.
        seed: The run's seed, which only random weights follow.
        shape: Height and width of the images.
    """
    return build_once(
        model.backbone,
        model.weights,
        seed if model.weights is None else None,
        model.features,
        model.views,
        model.drop_path,
        shape,
    )


def own_loss(trainer: TrainerConfig) -> Loss | None:
    """Build the user's own loss; None where there is none."""
    return None if trainer.loss is None else doors.function(trainer.loss, "trainer.loss")


def own_optimizer(trainer: TrainerConfig) -> MakeOptimizer | None:
    """Build what makes the user's own optimiser; None where there is none."""
    node = trainer.optimizer
    return None if node is None else doors.function(node, "trainer.optimizer")


def own_callbacks(trainer: TrainerConfig) -> list[Callback]:
    """Build the user's own callbacks: a list of nodes, or nodes by name, or a single one.

    Raises:
        UserError: One cannot be built or is no callback.
    """
    nodes = trainer.callbacks or []
    if isinstance(nodes, Mapping):
        nodes = [nodes] if doors.is_node(nodes) else list(nodes.values())
    made = [doors.build(node, "trainer.callbacks") for node in nodes]
    for callback in made:
        if not isinstance(callback, Callback):
            raise UserError(
                f"trainer.callbacks: {type(callback).__name__} is not a Lightning callback "
                "(pytorch_lightning.Callback)"
            )
    return made


def warm_up(fitter: Fitter) -> None:
    """Train and infer on one blank batch, as a round does, so that its memory is known before.

    Nothing is kept.
    """
    features = fitter.features
    if fitter.frozen or features.backbone is None:
        features.warm_up()
        return
    count, shape = features.engine.batch_size, features.spec.shape
    # Without callbacks: what they count or write is the rounds' own.
    blank = replace(fitter.trainer, epochs=1, validation_share=0.0, callbacks=None)
    once = replace(fitter, trainer=blank)
    module = once._fit_pixels(
        [np.zeros((*shape, 3), np.uint8)] * count,
        [row % len(fitter.classes) for row in range(count)],
        [str(row) for row in range(count)],
        partial(seeding.derive, fitter.seed),
        unchanged(features.width),
    )
    features.warm_up(module.trunk)
