"""Backbones by name: which library has a network, and what its weights were trained on."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import timm
import torchvision

from alvision.core.errors import UserError
from alvision.models.hub import from_the_hub

PACKAGED = "tf_efficientnet_lite0"
SOURCES = {"hf_hub": "hf-hub", "hf-hub": "hf-hub", "local-dir": "local-dir"}
"""Where timm finds a network by an address of its own; the values are its words for it."""
OWN_SIZE = (224, 224)
"""Height and width that the weights of torchvision's networks and the packaged ones know."""
TORCHVISION_FAMILIES = (
    "convnext", "densenet", "efficientnet", "mnasnet", "mobilenet", "regnet", "resnet", "resnext",
    "shufflenet", "swin_", "vit_", "wide_resnet",
)  # fmt: skip


def resolve(name: str) -> tuple[str, str]:
    """Split a backbone's name into library and bare name; a tag (`.a1_in1k`) is timm's.

    Raises:
        UserError: The name or its tag is unknown, or the network cannot give features.

    >>> resolve("resnet18"), resolve("timm:resnet18"), resolve("resnet18.a1_in1k")
    (('torchvision', 'resnet18'), ('timm', 'resnet18'), ('timm', 'resnet18.a1_in1k'))
    """
    library, colon, bare = name.partition(":")
    if colon and library in SOURCES and bare:
        return "timm", f"{SOURCES[library]}:{bare}"
    if not colon:
        library, bare = "", name
    known = {"torchvision": _torchvision_names(), "timm": _timm_names()}
    if library and library not in known:
        raise UserError(
            f"model.backbone={name}: before the colon goes timm, torchvision, hf_hub (a timm model "
            "on the hub) or local-dir (a folder with config.json and weights)"
        )
    architecture, dot, _ = bare.partition(".")
    candidates = [library] if library else ["timm"] if dot else list(known)
    for candidate in candidates:
        if architecture in known[candidate]:
            _check_tag(candidate, bare, name)
            return candidate, bare
    if architecture in torchvision.models.list_models(module=torchvision.models):
        raise UserError(
            f"model.backbone={name} is not supported: its features cannot be read; use a network "
            "such as resnet18, convnext_tiny, vit_small_patch14_dinov2.lvd142m"
        )
    supported = sorted(set().union(*(known[candidate] for candidate in candidates)))
    close = difflib.get_close_matches(architecture, supported, n=3, cutoff=0.5)
    raise UserError(
        f"model.backbone={name} is unknown; did you mean "
        f"{', '.join(close or ['resnet18', 'tf_efficientnet_lite0'])}?"
    )


def own_size(name: str) -> tuple[int, int]:
    """Return the height and width of the images that a network's weights were trained on.

    Args:
        name: As for `resolve`; one that timm finds by an address is looked up there.

    >>> own_size("vit_small_patch14_dinov2.lvd142m"), own_size("resnet18")
    ((518, 518), (224, 224))
    """
    library, bare = resolve(name)
    if library == "torchvision":
        return OWN_SIZE
    with from_the_hub(f"the size of {name}", ", and data.image.size to a number"):
        known = description(bare)
    _, height, width = known.get("input_size") or (3, *OWN_SIZE)
    return height, width


def description(bare: str) -> Mapping[str, Any]:
    """Return what timm knows of a network's weights: its `pretrained_cfg`.

    Args:
        bare: A name of timm, or an address, which is looked up.

    Raises:
        UserError: The folder has no description that timm wrote.
    """
    source, colon, address = bare.partition(":")
    if not colon:
        return _registered(bare)
    if source == "local-dir":
        own, architecture = _local(Path(address))
    else:
        own, architecture, _ = timm.models.load_model_config_from_hf(address)
    return {**_registered(architecture), **own}


def _local(folder: Path) -> tuple[dict[str, Any], str]:
    """Return what a folder's `config.json` says of its weights, and the architecture."""
    try:
        content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        own, architecture = content.get("pretrained_cfg", content), content["architecture"]
        known = architecture.partition(".")[0] in _timm_names()
        if known and isinstance(own, dict):
            return own, architecture
        reason = "pretrained_cfg is no mapping" if known else f"timm knows no {architecture}"
    except OSError as error:
        reason = error.strerror or str(error)
    except (ValueError, KeyError, TypeError, AttributeError):
        reason = "it does not say its architecture"
    raise UserError(
        f"model.backbone=local-dir:{folder}: {folder / 'config.json'} is not the description of a "
        f"network of timm ({reason})"
    )


def _registered(bare: str) -> dict[str, Any]:
    config = timm.get_pretrained_cfg(bare)
    return {} if config is None else config.to_dict()


def _check_tag(library: str, bare: str, name: str) -> None:
    """Refuse a tag that nobody has published weights under."""
    architecture, dot, tag = bare.partition(".")
    if not dot:
        return
    if library == "torchvision":
        raise UserError(f"model.backbone={name}: tags are timm's; use timm:{bare}")
    try:
        if tag:
            timm.get_pretrained_cfg(bare, allow_unregistered=False)
            return
    except RuntimeError:
        pass  # refused below
    tags = [one.partition(".")[2] for one in timm.list_pretrained(f"{architecture}.*")]
    close = difflib.get_close_matches(tag, tags, n=3, cutoff=0.4) or tags[:3]
    raise UserError(
        f"model.backbone={name}: {architecture} has no weights {tag or 'of an empty tag'}; "
        + (f"it has {', '.join(close)}" if close else "it has none")
    )


@cache
def _torchvision_names() -> frozenset[str]:
    names = torchvision.models.list_models(module=torchvision.models)
    return frozenset(n for n in names if n.startswith(TORCHVISION_FAMILIES))


@cache
def _timm_names() -> frozenset[str]:
    return frozenset(timm.list_models())
