"""A trained model as a file: plain values and tensors, the same bytes for the same weights."""

from __future__ import annotations

import copy
import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from alvision.anomaly.joined import Joined
from alvision.core.errors import UserError
from alvision.models import heads
from alvision.models.heads import AnyHead
from alvision.models.pair import HeadPair, TrunkPair
from alvision.training.classifier import Classifier

FORMAT = 1


@dataclass(frozen=True)
class Model:
    """The model that a round has learned.

    Attributes:
        classes: The class of each output, by name.
        fitted: False if fewer than two classes were labelled; the model is then uniform.
        module: The network, None if it is not fitted. Its trunk is `nn.Identity()` if frozen.
        joined: How novelty and the network become one score of a defect; None: the network is all.
    """

    classes: tuple[str, ...]
    fitted: bool
    module: Classifier | None = None
    joined: Joined | None = None

    @property
    def kind(self) -> str:
        """Return `frozen`, `finetune`, or `mean`: that of both; frozen if it is not fitted."""
        if self.module is None or isinstance(self.module.trunk, nn.Identity):
            return "frozen"
        return "mean" if isinstance(self.module.trunk, TrunkPair) else "finetune"


def write(model: Model, path: Path, about: dict[str, Any]) -> None:
    """Write a model; a frozen trunk is named by its hash in `about`, not stored.

    Args:
        model: The model.
        path: The file.
        about: What belongs to the model beside its weights: the head's shape and kind, the image
            spec, the trunk's name, normalisation and fingerprint.
    """
    state = {} if model.module is None else model.module.state_dict()
    plain = {"format": FORMAT, "classes": list(model.classes), "fitted": model.fitted, **about}
    if model.joined is not None:  # a model without has the bytes that it always had
        plain["joined"] = asdict(model.joined)
    content = {
        # Made anew: torch.save notes which strings are one object, and equal models must
        # give equal bytes.
        **json.loads(json.dumps(plain)),
        "state_dict": {name: value.detach().cpu().contiguous() for name, value in state.items()},
    }
    # Into a buffer first: torch.save writes the file's own name into what it saves.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    path.write_bytes(buffer.getvalue())


def read(path: Path) -> dict[str, Any]:
    """Read a checkpoint's content; nothing in it is executed.

    Raises:
        UserError: It is no checkpoint of alvision, damaged, or of a newer format.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged archive raises errors of many kinds
        raise UserError(
            f"{path} is not a checkpoint that can be read; delete it and run again"
        ) from (error)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(f"{path} is not a checkpoint of this version of alvision")
    return content


def restore(content: dict[str, Any], trunk: nn.Module | None) -> Model:
    """Build the model that `read` found the content of.

    Args:
        content: What `read` gave.
        trunk: A network like the initial trunk, which becomes part of the model unless that is
            frozen; None where there are no images.

    Raises:
        UserError: The weights do not fit the trunk.
    """
    classes = tuple(content["classes"])
    joined = Joined.of(content["joined"]) if "joined" in content else None
    if not content["fitted"]:
        return Model(classes, False, joined=joined)
    module = _skeleton(content["model"]["training"], trunk, len(classes), content["head"])
    try:
        module.load_state_dict(standardised(content["state_dict"], module.head))
    except RuntimeError as error:
        raise UserError("the checkpoint's weights do not fit the configured network") from error
    return Model(classes, True, module.eval(), joined)


def standardised(state: dict[str, Tensor], head: AnyHead | HeadPair) -> dict[str, Tensor]:
    """Return the weights of a model; one of an early version goes on as it was.

    Heads used to divide all features by one number, and a head of the user's own was given them as
    they were.
    """
    if isinstance(head, HeadPair) or "head.gain" in state:
        return state
    state = dict(state)
    divisor = state.pop("head.scale", torch.ones(()))
    return state | {
        "head.mean": torch.zeros_like(head.mean),
        "head.gain": torch.ones_like(head.gain) / divisor,
    }


def _skeleton(kind: str, trunk: nn.Module | None, classes: int, head: dict[str, Any]) -> Classifier:
    """Build a network of a kind; its weights come from the checkpoint."""
    first = heads.build(classes=classes, **head)
    if kind == "frozen" or trunk is None:
        return Classifier(nn.Identity(), first)
    if kind == "mean":
        second = heads.build(classes=classes, **head)
        return Classifier(TrunkPair(trunk, copy.deepcopy(trunk)), HeadPair(first, second))
    return Classifier(trunk, first)
