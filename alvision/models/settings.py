"""Which settings of a network and its training make sense together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alvision.core.errors import UserError
from alvision.models.backbones import Backbone, build_once
from alvision.models.levels import VIEWS

if TYPE_CHECKING:
    from alvision.config.schema import ModelConfig, TrainerConfig


def check(model: ModelConfig, trainer: TrainerConfig, *, embeddings: bool) -> None:
    """Refuse settings that make no sense, before any work.

    Args:
        model: The network.
        trainer: Its training.
        embeddings: The data are embeddings, so that there is no trunk to train.

    Raises:
        UserError: Naming the first setting that makes no sense.
    """
    for value, name, choices in (
        (model.features, "model.features", ("final", "multilevel")),
        (model.views, "model.views", tuple(VIEWS)),
        (model.training, "model.training", ("frozen", "finetune")),
        (model.head, "model.head", ("dropout", "linear", "ensemble")),
    ):
        if value not in choices:
            raise UserError(f"{name}={value}: choose {' or '.join(choices)}")
    if embeddings and model.training == "finetune":
        raise UserError("embeddings have no network to train; set model.training=frozen")
    if model.views != "none" and model.training == "finetune":
        raise UserError(
            f"model.views={model.views} is for the features of a frozen trunk; set "
            "model.training=frozen, or model.views=none"
        )
    if model.engine != "eager" and model.training == "finetune":
        raise UserError(
            f"model.engine={model.engine} prepares a network once, and a finetuned one is another "
            "in every round; set model.training=frozen, or model.engine=eager"
        )
    if model.drop_path is not None:
        if model.training == "frozen":
            raise UserError(
                "model.drop_path is for a trunk that trains; set model.training=finetune"
            )
        if not 0 <= model.drop_path < 1:
            raise UserError(f"model.drop_path={model.drop_path}: it must be from 0 to below 1")
    if model.head == "ensemble" and model.training == "finetune":
        raise UserError(
            "model.head=ensemble trains K heads at once on frozen features, not K whole networks; "
            "set model.training=frozen, or model.head=dropout to finetune"
        )
    for number, name, least in (
        (model.hidden, "model.hidden", 0),
        (model.passes, "model.passes", 1),
        (trainer.head_steps, "trainer.head_steps", 1),
        (trainer.epochs, "trainer.epochs", 1),
        (trainer.patience, "trainer.patience", 1),
        (trainer.weight_decay, "trainer.weight_decay", 0),
    ):
        if number < least:
            raise UserError(f"{name}={number}: it must be at least {least}")
    for rate, name in (
        (trainer.learning_rate, "trainer.learning_rate"),
        (trainer.head_learning_rate, "trainer.head_learning_rate"),
    ):
        if not rate > 0:
            raise UserError(f"{name}={rate}: it must be above 0")
    for share, name in (
        (model.dropout, "model.dropout"),
        (trainer.validation_share, "trainer.validation_share"),
    ):
        if not 0 <= share < 1:
            raise UserError(f"{name}={share}: it must be from 0 to below 1")
    if model.training == "finetune" and trainer.batch_size < 2 * trainer.devices:
        raise UserError(
            f"trainer.batch_size={trainer.batch_size}: batch norm needs at least 2 images a step "
            "on each device"
        )


def backbone(model: ModelConfig, seed: int) -> Backbone:
    """Build the trunk that a configuration asks for, once for all the runs of a study.

    Args:
        model: The network.
        seed: The run's seed, which random weights follow.
    """
    return build_once(
        model.backbone,
        model.weights,
        seed if model.weights is None else None,
        model.features,
        model.views,
        model.drop_path,
    )
