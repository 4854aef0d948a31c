"""K networks out of one with dropout or stochastic depth inside, for little more than one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from timm.layers import DropPath
from torch import Tensor, nn
from torchvision.ops import StochasticDepth

from alvision import seeding

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
    the modules that end before it are kept, and given again in the K passes that follow.

    Args:
        trunk: Maps images [B,3,H,W] to features [B,D]; it is left as it is.
        passes: K.
        seed: What the draws follow.
    """

    def __init__(self, trunk: nn.Module, passes: int, seed: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.passes = passes
        self.seed = seed
        self._draws: dict[tuple[int, str], Tensor] = {}
        self._kept: dict[nn.Module, list[Tensor]] = {}
        self._given: dict[nn.Module, int] = {}
        self._pass: int | None = None
        self._open = False

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b k d"]:
        """Return the features of the whole network, then those of the K sampled ones."""
        with self._instead():
            self._kept, self._pass, self._open = {}, None, True
            features = [self.trunk(images)]
            self._open = False
            for number in range(self.passes):
                self._given, self._pass = {}, number
                features.append(self.trunk(images))
        self._kept = {}
        return torch.stack(features, dim=1)

    @contextmanager
    def _instead(self) -> Iterator[None]:
        """Put own functions in the place of the forward functions that matter."""
        sources = stochastic(self.trunk)
        changed: list[nn.Module] = []
        try:
            for name, module in sources.items():
                module.forward = self._drop(name, module)
                changed.append(module)
            for module in _apart(self.trunk, set(sources.values())):
                module.forward = self._keep(module, module.forward)
                changed.append(module)
            yield
        finally:
            for module in changed:
                del module.forward

    def _drop(self, name: str, module: nn.Module) -> Callable[[Tensor], Tensor]:
        def forward(inputs: Tensor) -> Tensor:
            self._open = False
            if self._pass is None:
                return inputs
            key = (self._pass, name)
            if key not in self._draws:
                generator = seeding.generator(self.seed, self._pass, name)
                keep = 1 - _probability(module)
                drawn = torch.rand(_mask_shape(module, inputs), generator=generator)
                self._draws[key] = (drawn < keep).float() / max(keep, 1e-6)
            return inputs * self._draws[key].to(inputs.device, inputs.dtype)

        return forward

    def _keep(self, module: nn.Module, original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(*args: Any, **kwargs: Any) -> Any:
            kept, given = self._kept.get(module, []), self._given.get(module, 0)
            if self._pass is not None and given < len(kept):
                self._given[module] = given + 1
                return kept[given].clone()  # what follows may write into it
            output = original(*args, **kwargs)
            if self._open and isinstance(output, Tensor):
                self._kept.setdefault(module, []).append(output.clone())
            return output

        return forward


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
