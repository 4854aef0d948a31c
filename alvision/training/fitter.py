"""Train a fresh module on what is labelled: a head on features, or the whole network on images."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from pytorch_lightning import Callback
from torch import Tensor, nn

from alvision.core import seeding
from alvision.core.errors import UserError
from alvision.inference.engine import threads
from alvision.inference.executor import keep_freed_memory
from alvision.inference.features import Features
from alvision.inference.predictions import SampleId
from alvision.inference.statistics import Statistics
from alvision.models import heads
from alvision.models.heads import AnyHead
from alvision.training.augment import Augment
from alvision.training.checkpoint import Model
from alvision.training.classifier import (
    BestWeights,
    Classifier,
    class_weights,
)
from alvision.training.datamodule import (
    ENOUGH,
    Batches,
    Examples,
    LabelledImages,
    Repeated,
    hold_out,
)
from alvision.training.finetuning import (
    FEW,
    AverageWeights,
    fast_depthwise,
    freeze_statistics,
    parameter_groups,
)
from alvision.training.own_parts import own_callbacks, own_loss, own_optimizer, own_schedule
from alvision.training.trainer import run, seeded
from alvision.training.unlabelled import Entropy, of_pool

if TYPE_CHECKING:
    from alvision.config.schema import ModelConfig, TrainerConfig


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
        start: Weights that every head starts with, see `initial.initial_head`; None: random ones.
    """

    model: ModelConfig
    trainer: TrainerConfig
    classes: tuple[str, ...]
    seed: int
    features: Features
    groups: Mapping[SampleId, str]
    start: Mapping[str, Tensor] | None = None

    def __post_init__(self) -> None:
        """Build the user's own parts once, so that a mistake in one shows before any work.

        Raises:
            UserError: One cannot be built, or two settings contradict each other.
        """
        own_loss(self.trainer), own_optimizer(self.trainer)
        own_schedule(self.trainer), own_callbacks(self.trainer)
        Augment(self.trainer.augment)
        if self.model.training == "frozen" and not isinstance(self.trainer.augment, str):
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
        """Tell whether a round trains only the head, on features that never change.

        With `auto` it does, too: networks compete once, for the final model.
        """
        return self.model.training != "finetune"

    @property
    def pretrained(self) -> bool:
        """Tell whether the trunk starts from weights that know images."""
        return self.model.weights is not None or self.model.init is not None

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
            draws = seeding.generator(self.seed, round, "unlabelled")
            unlabelled = of_pool(self.features, targets, draws) if self.model.semi else None
            module = self._module(nn.Identity(), goal, rate, steps, statistics, unlabelled)
            run(
                module,
                Repeated((inputs, torch.tensor(goal)), steps),
                accelerator="cpu",
                max_epochs=1,
                callbacks=own_callbacks(self.trainer),
                gradient_clip_val=self.trainer.gradient_clip,
            )
        return Model(self.classes, True, module.eval())

    def fit_net(self, targets: Mapping[SampleId, int], round: int) -> Model:
        """Train the whole network on images; from given weights, the head is trained first.

        Early stopping follows held-back images where the labels are enough for that.
        """
        pixels = self.features.decode(list(targets))
        ids, goal = list(pixels), [targets[id] for id in pixels]
        if len(set(goal)) < 2:
            return Model(self.classes, False)
        seed_of = partial(seeding.derive, self.seed, round)
        examples = Examples(list(pixels.values()), goal)
        held = self._hold_out(ids, goal, seed_of)
        learn, stop = map(examples.take, held) if held else (examples, None)
        head = None
        if self.pretrained:
            known = [ids[row] for row in held[0]] if held else ids
            head = self.without_callbacks().fit_head({id: targets[id] for id in known}, round)
        module = self.fit_pixels(learn, stop, seed_of, self.features.statistics, head)
        return Model(self.classes, True, module)

    def without_callbacks(self) -> Fitter:
        """Return a fitter whose fits the user's callbacks do not hear of: they are no rounds."""
        return replace(self, trainer=replace(self.trainer, callbacks=None))

    def _hold_out(
        self, ids: Sequence[SampleId], targets: Sequence[int], seed_of: Callable[[str], int]
    ) -> tuple[list[int], list[int]] | None:
        share = self.trainer.validation_share
        if share * len(ids) < ENOUGH:
            return None
        generator = torch.Generator().manual_seed(seed_of("hold_out"))
        return hold_out([self.groups[id] for id in ids], targets, share, generator)

    def fit_pixels(
        self,
        learn: Examples,
        stop: Examples | None,
        seed_of: Callable[[str], int],
        statistics: Statistics,
        head: Model | None = None,
    ) -> Classifier:
        """Train on decoded images.

        Args:
            learn: What to learn from.
            stop: What early stopping follows; None: every epoch is trained.
            seed_of: Gives the seed of each purpose.
            statistics: Those of the initial trunk, which the trained one starts as.
            head: A model whose head the network starts with; None: a random one.
        """
        backbone, engine, trainer = self.features.backbone, self.features.engine, self.trainer
        assert backbone is not None
        shape = (backbone.mean, backbone.std, engine.batch_size, engine.workers)
        order = torch.Generator().manual_seed(seed_of("order"))
        train = Batches(learn, *shape, augment=Augment(trainer.augment), generator=order)
        validation = Batches(stop, *shape) if stop else None
        on_cpu = engine.device.type == "cpu"
        if on_cpu:
            keep_freed_memory()
        with seeded(seed_of("fit")):
            steps = trainer.epochs * -(-len(train) // trainer.accumulate)
            module = self._module(
                self.new_trunk(), learn.targets, trainer.learning_rate, steps, statistics
            )
            if head is not None and head.module is not None:
                module.head.load_state_dict(head.module.head.state_dict())
            # A trunk comes in eval mode, and Lightning keeps the mode of every module.
            module.train()
            if self.pretrained and len(learn) < FEW:
                freeze_statistics(module.trunk)
            if self.pretrained:
                # Before the ranks share the parameters: those that do not learn are none of theirs.
                parameter_groups(module.trunk, trainer.learning_rate, trainer.weight_decay)
            # The layout that convolutions are fastest in; the batches come in it, too.
            module.trunk.to(memory_format=torch.channels_last)
            half = on_cpu and engine.precision == "bf16-mixed"
            with fast_depthwise(module.trunk, half=half):
                run(
                    module,
                    LabelledImages(train, validation),
                    accelerator="cpu" if on_cpu else "gpu",
                    precision=engine.precision,
                    max_epochs=trainer.epochs,
                    callbacks=[*self._keepers(steps, validation), *own_callbacks(trainer)],
                    progress=engine.progress,
                    devices=engine.devices,
                    gradient_clip_val=trainer.gradient_clip,
                    accumulate_grad_batches=trainer.accumulate,
                )
        return module.eval()

    def _keepers(self, steps: int, validation: Batches | None) -> list[Callback]:
        """Return what decides which weights are kept: the best, an average, or else the last."""
        if validation is not None:
            return [BestWeights(self.trainer.patience)]
        return [AverageWeights(steps)] if self.pretrained else []

    def _module(
        self,
        trunk: nn.Module,
        targets: Sequence[int],
        rate: float,
        steps: int,
        statistics: Statistics,
        unlabelled: Entropy | None = None,
    ) -> Classifier:
        count = len(self.classes)
        head = heads.build(classes=count, **self.head_arguments)
        head.standardise(statistics.mean, statistics.gain)
        head.prepare(torch.tensor(targets))
        if self.start is not None:
            head.load_state_dict(self.start)
        weigh = self.trainer.class_weights
        weights = class_weights(torch.tensor(targets), count) if weigh else None
        return Classifier(
            trunk,
            head,
            weights,
            rate,
            self.trainer.weight_decay,
            steps,
            pretrained=self.pretrained and not isinstance(trunk, nn.Identity),
            loss=own_loss(self.trainer),
            optimizer=own_optimizer(self.trainer),
            schedule=own_schedule(self.trainer),
            unlabelled=unlabelled,
        )
