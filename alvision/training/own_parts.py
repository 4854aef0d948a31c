"""The user's own parts of training, by `_target_`: loss, optimiser, schedule and callbacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytorch_lightning import Callback

from alvision.core import doors
from alvision.core.errors import UserError
from alvision.training.classifier import Loss, MakeOptimizer, MakeSchedule

if TYPE_CHECKING:
    from alvision.config.schema import TrainerConfig


def own_loss(trainer: TrainerConfig) -> Loss | None:
    """Build the user's own loss; None where there is none."""
    return None if trainer.loss is None else doors.function(trainer.loss, "trainer.loss")


def own_optimizer(trainer: TrainerConfig) -> MakeOptimizer | None:
    """Build what makes the user's own optimiser; None where there is none."""
    node = trainer.optimizer
    return None if node is None else doors.function(node, "trainer.optimizer")


def own_schedule(trainer: TrainerConfig) -> MakeSchedule | None:
    """Build what makes the user's own schedule of the rate; None where there is none."""
    node = trainer.schedule
    return None if node is None else doors.function(node, "trainer.schedule")


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
