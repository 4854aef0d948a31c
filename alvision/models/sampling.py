"""K networks out of one with dropout or stochastic depth inside, for little more than one pass."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from timm.layers import DropPath
from torch import Tensor, nn
from torchvision.ops import StochasticDepth

from alvision.core import seeding

_ELEMENTS = (nn.Dropout,)
_CHANNELS = (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
_BRANCHES = (DropPath, StochasticDepth)


def stochastic(trunk: nn.Module) -> dict[str, nn.Module]:
    """Find the modules of a trunk that drop something while it trains, by name.

    >>> list(stochastic(nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.1), nn.Dropout(0.0))))
    ['1']
    """
    return {
        name: module
        for name, module in trunk.named_modules()
        if isinstance(module, _ELEMENTS + _CHANNELS + _BRANCHES) and _probability(module) > 0
    }


class Sampled(nn.Module):
    """Runs a trunk as one whole network and as K sampled ones, over the same images.

    A sampled network is one draw of what every dropout and stochastic-depth module drops, the same
    for every image (consistent dropout, arXiv 1906.08158) and in every call; all else is in eval
    mode. What the trunk computes before the first such module is computed once: the outputs of
    the modules that end before it are kept, and given again in the K passes that follow. Threads
    may run it at once.

    Args:
        trunk: Maps images [B,3,H,W] to features [B,D]; a copy of it is run.
        passes: K.
        seed: What the draws follow.
    """

    def __init__(self, trunk: nn.Module, passes: int, seed: int) -> None:
        super().__init__()
        self.trunk = copy.deepcopy(trunk)
        self.passes = passes
        self.seed = seed
        sources = stochastic(self.trunk)
        for name, module in sources.items():
            vars(module)["forward"] = partial(_drop, name, module)
        for module in _apart(self.trunk, set(sources.values())):
            vars(module)["forward"] = partial(_keep, module)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b k d"]:
        """Return the features of the whole network, then those of the K sampled ones."""
        _local.run = run = _Run(self.seed)
        features = [self.trunk(images)]
        for number in range(self.passes):
            run.start(number)
            features.append(self.trunk(images))
        del _local.run
        return torch.stack(features, dim=1)


class _Run:
    """State that the modules of one trunk share during one call.

    Attributes:
        number: The pass, None for the whole network.
        before: Whether the first stochastic module is still to come.
        kept: What each module gave before it, in the whole network's pass.
        given: How many of these were given again in this pass.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.number: int | None = None
        self.before = True
        self.kept: dict[nn.Module, list[Tensor]] = {}
        self.given: dict[nn.Module, int] = {}

    def start(self, number: int) -> None:
        self.number, self.before, self.given = number, False, {}


_local = threading.local()


def _drop(name: str, module: nn.Module, inputs: Tensor) -> Tensor:
    run: _Run = _local.run
    run.before = False
    if run.number is None:
        return inputs
    shape = _mask_shape(module, inputs)
    drawn = torch.rand(shape, generator=seeding.generator(run.seed, run.number, name))
    keep = 1 - _probability(module)
    mask = (drawn < keep).float() / max(keep, 1e-6)
    return inputs * mask.to(inputs.device, inputs.dtype)


def _keep(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
    run: _Run = _local.run
    kept, given = run.kept.get(module, []), run.given.get(module, 0)
    if run.number is not None and given < len(kept):
        run.given[module] = given + 1
        return kept[given].clone()  # what follows may write into it
    output = type(module).forward(module, *args, **kwargs)
    if run.before and isinstance(output, Tensor):
        run.kept.setdefault(module, []).append(output.clone())
    return output


def _apart(module: nn.Module, sources: set[nn.Module]) -> Iterator[nn.Module]:
    """Yield the largest modules that hold no stochastic one, and none that somebody listens to."""
    if module in sources:
        return
    inside = [part for part in module.modules() if part is not module]
    if any(part in sources or part._forward_hooks for part in inside):
        for child in module.children():
            yield from _apart(child, sources)
    else:
        yield module


def _probability(module: nn.Module) -> float:
    return float(getattr(module, "drop_prob", None) or getattr(module, "p", None) or 0.0)


def _mask_shape(module: nn.Module, inputs: Tensor) -> tuple[int, ...]:
    if isinstance(module, _ELEMENTS):
        return tuple(inputs.shape[1:])
    if isinstance(module, _CHANNELS):
        return (inputs.shape[1], *(1 for _ in inputs.shape[2:]))
    return (1,)
