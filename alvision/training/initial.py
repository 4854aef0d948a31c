"""What every round's network starts from: weights by name, or another run's model."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from alvision.core.errors import UserError
from alvision.models import heads
from alvision.models.backbones import Backbone, build_once, fingerprint
from alvision.run_folder.initial_model import initial_file
from alvision.training import checkpoint
from alvision.training.finetuning import inner

if TYPE_CHECKING:
    from alvision.config.schema import ModelConfig

_log = logging.getLogger(__name__)


def initial_backbone(model: ModelConfig, seed: int, shape: tuple[int, int]) -> Backbone:
    """Build the trunk that every round starts from; one for all runs of a study.

    Args:
        model: The network; `init` puts the trunk of another run's model in the weights' place.
        seed: The run's seed, which only random weights follow.
        shape: Height and width of the images.

    Raises:
        UserError: The network cannot be had, or `init` does not fit it.
    """
    backbone = build_once(
        model.backbone,
        model.weights,
        seed if model.weights is None else None,
        model.features,
        model.views,
        model.drop_path,
        shape,
    )
    return backbone if model.init is None else _started(backbone, model)


def initial_head(
    init: str, classes: Sequence[str], arguments: Mapping[str, Any]
) -> dict[str, Tensor] | None:
    """Return the weights of another run's head; None, with a line why, where it does not fit.

    Args:
        init: What `model.init` is.
        classes: The classes of this run.
        arguments: What this run's heads are built from.
    """
    content = _read(init)
    if tuple(content["classes"]) != tuple(classes):
        _log.warning(
            "model.init: the head starts anew, because that model's classes are %s",
            ", ".join(content["classes"]),
        )
        return None
    if content["head"] != dict(arguments):
        _log.warning("model.init: the head starts anew, because that model's is of another kind")
        return None
    state = content["state_dict"]
    if content["model"]["training"] == "mean":
        return _below("head.second.", state)
    with torch.random.fork_rng([]):
        head = heads.build(classes=len(classes), **arguments)
    return _below("head.", checkpoint.standardised(state, head))


def _started(backbone: Backbone, model: ModelConfig) -> Backbone:
    """Return a backbone with the trunk of another run's model."""
    content = _read(str(model.init))
    kind = content["model"]["training"]
    if kind == "frozen":
        if content["trunk"] != backbone.fingerprint:
            raise UserError(
                f"{_named(model, content)} learned on frozen features of other weights: set "
                "model.backbone, weights, features and views as that run has them"
            )
        return backbone
    state = _below("trunk.second." if kind == "mean" else "trunk.", content["state_dict"])
    while state and all(name.startswith("trunk.") for name in state):
        state = _below("trunk.", state)  # what only pools or turns features has no weights
    trunk = copy.deepcopy(backbone.trunk)  # the one of these weights is shared
    try:
        inner(trunk).load_state_dict(state)
    except RuntimeError as error:
        raise UserError(
            f"{_named(model, content)} does not fit model.backbone={model.backbone}: "
            f"{_first_difference(inner(trunk), state)}"
        ) from error
    return replace(
        backbone,
        trunk=trunk.eval(),
        mean=tuple(content["mean"]),
        std=tuple(content["std"]),
        # The name of the old weights is part of it: it holds what is done to the features.
        fingerprint=fingerprint(f"init|{backbone.fingerprint}|{content['mean']}", trunk),
    )


def _read(init: str) -> dict[str, Any]:
    content = checkpoint.read(initial_file(init))
    if not content["fitted"]:
        raise UserError(f"model.init={init}: that model has learned nothing yet")
    if content["mean"] is None:
        raise UserError(f"model.init={init}: that model is for embeddings and has no network")
    return content


def _named(model: ModelConfig, content: Mapping[str, Any]) -> str:
    return f"model.init={model.init}: that model ({content['model']['backbone']})"


def _first_difference(trunk: nn.Module, state: Mapping[str, Tensor]) -> str:
    own = trunk.state_dict()
    for name in sorted(own.keys() | state.keys()):
        if name not in state:
            return f"it lacks {name}"
        if name not in own:
            return f"it has {name}, which the network lacks"
        if own[name].shape != state[name].shape:
            return f"{name} is {list(state[name].shape)} there and {list(own[name].shape)} here"
    return "its tensors are others"


def _below(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)
    }
