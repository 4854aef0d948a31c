"""Trunks from torchvision, timm and the user's own code, with their weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from alvision.core import doors, seeding
from alvision.core.errors import UserError
from alvision.models import levels
from alvision.models.create import IMAGENET, cannot_take, create
from alvision.models.names import OWN_SIZE, resolve
from alvision.models.pooled import pooled
from alvision.models.weights import Normalisation, load


@dataclass(frozen=True)
class Backbone:
    """A network without its classifier.

    Attributes:
        trunk: Maps normalised images [B,3,H,W] to pooled features [B,width].
        width: Number of features.
        mean: What to subtract from each channel of an image scaled to 0..1.
        std: What to divide each channel by.
        fingerprint: sha256 of the name and the weights; equal trunks give equal features.
    """

    trunk: nn.Module
    width: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fingerprint: str


def build(
    name: str | Mapping[str, Any],
    weights: str | None = "auto",
    features: str = "final",
    views: str = "none",
    drop_path: float | None = None,
    shape: tuple[int, int] = OWN_SIZE,
) -> Backbone:
    """Build a trunk by name; a bare name is looked up in torchvision first, then in timm.

    A transformer gives the mean of its patches and its class token, see `pooled.Pooled`.

    Args:
        name: E.g. `resnet18`, `tf_efficientnet_lite0`, `vit_small_patch14_dinov2.lvd142m`,
            `timm:resnet18`, `hf_hub:timm/resnet18.a1_in1k`; or a node that names a network of the
            user's own, see `alvision.core.doors`.
        weights: `auto` for the weights that the name stands for (packaged, else downloaded), None
            for random ones from torch's global generator, or where they are, see `weights.load`.
        features: `final`, the pooled output; `multilevel`, see `levels.MultiLevel`.
        views: What the features are averaged over, a name of `levels.VIEWS`.
        drop_path: Probability that the last residual branch is dropped (stochastic depth, arXiv
            1603.09382), rising from 0 at the first; None: as the library has it.
        shape: Height and width of the images, in pixels.

    Raises:
        UserError: The name is unknown, the weights cannot be had or do not fit, or the network
            cannot take images of this size, has no stages or blocks to read or no residual
            branches to drop.

    >>> build("timm:resnet10t", weights=None).width
    512
    """
    if not isinstance(name, str):
        if not isinstance(name, Mapping):
            raise UserError(
                f"model.backbone={name} must be the name of a network, such as resnet18, or "
                "{_target_: my_net.make}"
            )
        return _own(name, weights, features, views, drop_path, shape)
    library, bare = resolve(name)
    auto = weights == "auto"
    if auto and ":" in bare:  # an address has weights of its own
        weights, auto = bare.removeprefix("local-dir:"), False
    created = create(library, bare, pretrained=auto, shape=shape, drop_path=drop_path, name=name)
    normalisation, kind = created.normalisation, [created.identity]
    if weights is not None and not auto:
        normalisation = _loaded(created.trunk, weights, name, normalisation, kind)
    try:
        trunk = pooled(created.trunk, shape)
        width = _width(trunk, shape)
    except Exception as error:  # every network fails in a way of its own
        raise cannot_take(shape, name, error) from error
    if width is None:
        raise UserError(f"model.backbone={name} is not supported: it gives no features [B, D]")
    probe = shape if trunk is not created.trunk else levels.PROBE
    return _finished(trunk, kind, width, normalisation, name, features, views, probe)


def _loaded(
    trunk: nn.Module, given: str, name: str, usual: Normalisation, kind: list[str]
) -> Normalisation:
    """Load weights from where the user says, and return the normalisation that belongs to them."""
    brought = load(trunk, given, name)
    if brought is None or brought == usual:
        return usual
    kind.append(f"normalisation {brought}")
    return brought


def _finished(
    trunk: nn.Module,
    kind: list[str],
    width: int,
    normalisation: Normalisation,
    name: str,
    features: str,
    views: str,
    probe: tuple[int, int],
) -> Backbone:
    """Wrap a trunk as `model.features` and `model.views` ask, and name all of it by a hash."""
    if features == "multilevel":
        library = kind[0].partition(":")[0]
        trunk = levels.MultiLevel(trunk, levels.stages(trunk, library, name, probe), probe)
        width = trunk.width
        kind = [*kind, features]
    if views != "none":
        trunk = levels.Views(trunk, views)
        kind = [*kind, views]
    return Backbone(trunk.eval(), width, *normalisation, fingerprint("|".join(kind), trunk))


def _width(trunk: nn.Module, shape: tuple[int, int]) -> int | None:
    """Return the number of features; None where something else than [1, D] comes out."""
    with torch.inference_mode():
        found = trunk.eval()(torch.zeros(1, 3, *shape))
    fits = isinstance(found, Tensor) and found.ndim == 2 and len(found) == 1
    return found.shape[1] if fits else None


def _own(
    node: Mapping[str, Any],
    given: str | None,
    features: str,
    views: str,
    drop_path: float | None,
    shape: tuple[int, int],
) -> Backbone:
    """Build a network of the user's own; its attributes `width`, `mean` and `std` count, if any."""
    target = str(node[doors.TARGET])
    what = f"model.backbone: {target}"
    if drop_path is not None:
        raise UserError(f"{what}: model.drop_path is for networks by name; set it in yours")
    trunk = doors.build(node, "model.backbone")
    if not isinstance(trunk, nn.Module):
        raise UserError(f"{what} gave a {type(trunk).__name__}, not a torch.nn.Module")
    # Its structure belongs to its name: a changed activation changes no weight.
    kind = [f"own:{json.dumps(node, sort_keys=True)}|{trunk}"]
    mean, std = (
        tuple(map(float, getattr(trunk, key, usual)))
        for key, usual in zip(("mean", "std"), IMAGENET, strict=True)
    )
    normalisation = (mean, std)
    if given not in (None, "auto"):
        normalisation = _loaded(trunk, str(given), target, normalisation, kind)
    width = getattr(trunk, "width", None)
    if not isinstance(width, int):
        width = _probed_width(trunk, what, shape)
    return _finished(trunk, kind, width, normalisation, target, features, views, shape)


def _probed_width(trunk: nn.Module, what: str, shape: tuple[int, int]) -> int:
    try:
        width = _width(trunk, shape)
        reason = "it gives something else"
    except Exception as error:  # code of the user's own fails in ways of its own
        width, reason = None, " ".join(f"{type(error).__name__}: {error}".split())[:300]
    if width is None:
        raise UserError(
            f"{what} must map images [B, 3, {shape[0]}, {shape[1]}] to features [B, D] ({reason})"
        )
    return width


def build_once(
    name: str | Mapping[str, Any],
    weights: str | None,
    seed: int | None,
    features: str = "final",
    views: str = "none",
    drop_path: float | None = None,
    shape: tuple[int, int] = OWN_SIZE,
) -> Backbone:
    """Build a trunk once for all the runs of a study; nobody may train it, only copies of it.

    Args:
        name: As for `build`.
        weights: As for `build`.
        seed: The run's seed, which random weights follow; None where there is nothing random.
        features: As for `build`.
        views: As for `build`.
        drop_path: As for `build`.
        shape: As for `build`.
    """
    key = name if isinstance(name, str) else json.dumps(name, sort_keys=True)
    return _build_once(key, isinstance(name, str), weights, seed, features, views, drop_path, shape)


@lru_cache(maxsize=1)  # one: a study's runs differ in nothing else, and a trunk takes memory
def _build_once(
    key: str, by_name: bool, weights: str | None, seed: int | None, *options: Any
) -> Backbone:
    with torch.random.fork_rng([]):
        torch.manual_seed(seeding.derive(seed or 0, "trunk"))
        return build(key if by_name else json.loads(key), weights, *options)


def fingerprint(name: str, trunk: nn.Module) -> str:
    """Hash a trunk's name and weights with sha256."""
    digest = hashlib.sha256(name.encode())
    for key, value in trunk.state_dict().items():
        digest.update(f"\x1f{key}\x1f{value.dtype}\x1f{tuple(value.shape)}\x1f".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()
