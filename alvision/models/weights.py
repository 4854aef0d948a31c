"""Weights from a file, a folder or the hub, found under whatever a training put around them."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn

from alvision.core.errors import UserError
from alvision.models.hub import from_the_hub
from alvision.models.names import SOURCES

Normalisation = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and deviation of each channel of an image scaled to 0..1."""

FILES = ("model.safetensors", "pytorch_model.bin")
"""What timm and the hub call the weights in a folder."""
DEEPEST = 3
"""Mappings within each other that are looked through for tensors."""
_FIRST, _LAST = ("teacher", "ema"), ("student", "momentum")
"""Of equal finds, what its name says is preferred, and what is not: the teacher is the average."""
_UNNEEDED = "num_batches_tracked"
"""Old files lack this counter, which nothing here reads."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Find:
    """Tensors of a checkpoint under the trunk's names.

    Attributes:
        tensors: The tensors, by the trunk's names.
        fitting: The names whose tensors fit.
        where: What was taken off to find them, in words; empty if nothing was.
    """

    tensors: Mapping[str, Tensor]
    fitting: frozenset[str]
    where: str


def load(trunk: nn.Module, weights: str, name: str) -> Normalisation | None:
    """Load weights into a trunk, all of its tensors or none, and tell where they were found.

    Around the names that the trunk has there may be mappings (`state_dict`, `model`, `teacher`) and
    prefixes (`module.` of DataParallel, `backbone.` of lightly): those are taken off under which
    most tensors fit. What timm knows of other forms of the same network is used, such as the names
    of DINOv2's and DINOv3's authors, and position embeddings of another size.

    Args:
        trunk: A network without its classifier.
        weights: A file (.pt, .pth, .ckpt, .bin, .safetensors), a folder that timm or the hub wrote,
            or `hf_hub:ORGANISATION/NAME`.
        name: The network's name, for messages.

    Returns:
        The normalisation that lies beside them, in `config.json`; None: there is none.

    Raises:
        UserError: They cannot be read safely, or do not fit.
    """
    content, normalisation = _read(weights)
    own = {key: value.shape for key, value in trunk.state_dict().items()}
    needed = frozenset(key for key in own if not key.endswith(_UNNEEDED))
    best = _Find({}, frozenset(), "")
    for find in _finds(content, trunk, own):
        if len(find.fitting & needed) > len(best.fitting & needed):
            best = find
    missing = [key for key in own if key in needed - best.fitting]
    if missing:
        raise UserError(
            f"model.weights={weights} does not fit {name}: {len(needed) - len(missing)} of "
            f"{len(needed)} tensors match, and not {_three(missing, own, best.tensors)}"
        )
    trunk.load_state_dict({key: best.tensors[key] for key in best.fitting}, strict=False)
    if best.where:
        _log.warning(
            "model.weights=%s: all %d tensors found %s", weights, len(best.fitting), best.where
        )
    return normalisation


def _three(missing: list[str], own: Mapping[str, Any], found: Mapping[str, Tensor]) -> str:
    told = [
        f"{key} ({list(found[key].shape)} there, {list(own[key])} here)" if key in found else key
        for key in missing[:3]
    ]
    more = len(missing) - len(told)
    return ", ".join(told) + (f" and {more} more" if more else "")


def _finds(content: Any, trunk: nn.Module, own: Mapping[str, Any]) -> Iterator[_Find]:
    """Yield ways to read a checkpoint, the preferred ones first."""
    numbered = {_numbered(key, trunk): key for key in own}
    forms: list[tuple[Callable[[dict[str, Tensor]], Mapping[str, Tensor]], str]] = [
        (lambda tensors: tensors, ""),
        (lambda tensors: {numbered.get(key, key): tensors[key] for key in tensors}, "by number"),
        (partial(_converted, trunk=trunk), "in another form"),
    ]
    for place, tensors in sorted(_mappings(content), key=lambda found: _rank(".".join(found[0]))):
        for prefix in _prefixes(tensors, own.keys() | numbered.keys()):
            bare = {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}
            for form, said in forms:
                read = form(bare)
                fitting = frozenset(k for k in own if k in read and read[k].shape == own[k])
                words = [
                    *([f"in {'.'.join(place)}"] if place else []),
                    *([f"under {prefix}"] if prefix else []),
                    *([said] if said else []),
                ]
                yield _Find(read, fitting, " ".join(words))
                if len(fitting) == len(own):
                    break


def _mappings(content: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[Any, dict[str, Tensor]]]:
    """Yield every mapping with tensors and where it is."""
    if not isinstance(content, Mapping) or len(place) > DEEPEST:
        return
    tensors = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
    if tensors:
        yield place, tensors
    for key, value in content.items():
        yield from _mappings(value, (*place, str(key)))


def _prefixes(tensors: Mapping[str, Tensor], names: Any) -> list[str]:
    """Return what stands before known names, the most frequent first, and nothing as well."""
    count: Counter[str] = Counter()
    for key in tensors:
        parts = key.split(".")
        for length in range(len(parts)):
            if ".".join(parts[length:]) in names:
                count[".".join([*parts[:length], ""]).lstrip(".")] += 1
                break
    found = sorted(count, key=lambda prefix: (-count[prefix], _rank(prefix), len(prefix)))[:4]
    # In another form no name may be known, but a wrapper's prefix is before all of them.
    firsts = {key.partition(".")[0] for key in tensors}
    wrapper = [f"{first}." for first in firsts] if len(firsts) == 1 else []
    return list(dict.fromkeys([*found, "", *wrapper]))


def _rank(name: str) -> int:
    if any(word in name for word in _LAST):
        return 2
    return 0 if any(word in name for word in _FIRST) else 1


def _numbered(key: str, trunk: nn.Module) -> str:
    """Return a tensor's name in `nn.Sequential(*children)`, as lightly's examples have it."""
    first, dot, rest = key.partition(".")
    places = {name: str(place) for place, (name, _) in enumerate(trunk.named_children())}
    return f"{places[first]}{dot}{rest}" if dot and first in places else key


def _converted(tensors: dict[str, Tensor], trunk: nn.Module) -> Mapping[str, Tensor]:
    """Return what timm's own conversion for this family makes of tensors; often it is them."""
    convert = getattr(sys.modules[type(trunk).__module__], "checkpoint_filter_fn", None)
    if convert is None:
        return tensors
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # some of them print
            return convert(dict(tensors), trunk)
    except Exception:  # not of this family: it fails in ways of its own
        return tensors


def _read(weights: str) -> tuple[Any, Normalisation | None]:
    source, _, address = weights.partition(":")
    if SOURCES.get(source) == "hf-hub":
        with from_the_hub(f"model.weights={weights}"):
            content = timm.models.load_state_dict_from_hf(address, weights_only=True)
            config, _, _ = timm.models.load_model_config_from_hf(address)
            return content, _normalisation(config)
    path = Path(weights)
    if path.is_dir():
        there = [path / name for name in FILES if (path / name).is_file()]
        if not there:
            raise UserError(f"model.weights={weights}: the folder has none of {', '.join(FILES)}")
        path = there[0]
    if not path.is_file():
        raise UserError(
            f"model.weights={weights}: no such file (auto, null and hf_hub:ORGANISATION/NAME are "
            "the other choices)"
        )
    return _read_file(path), _normalisation_beside(path)


def _read_file(path: Path) -> Any:
    """Read a file of tensors; nothing in it is executed."""
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        # Many trainings keep their command line beside the tensors, and it is plain data.
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise UserError(
            f"model.weights={path} is not a state dict that can be read safely; save "
            "model.state_dict() with torch.save or safetensors"
        ) from error


def _normalisation_beside(path: Path) -> Normalisation | None:
    try:
        config = json.loads((path.parent / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(config, dict) or "architecture" not in config:
        return None  # not timm's
    return _normalisation(config.get("pretrained_cfg", config))


def _normalisation(config: Any) -> Normalisation | None:
    try:
        mean, std = (tuple(float(value) for value in config[key]) for key in ("mean", "std"))
    except (KeyError, TypeError, ValueError):
        return None
    return (mean, std) if len(mean) == len(std) == 3 and min(std) > 0 else None
