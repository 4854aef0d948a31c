"""Features of several depths, and of several views of an image, from one trunk."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from alvision.core.errors import UserError

_heard = threading.local()  # batches may come from several threads at once

DEPTH = 3
"""How many of the last stages are read."""

PROBE = 128
"""Side of the image that shows what a trunk's stages look like."""

VIEWS = {
    "none": ((0, False),),
    "flips": ((0, False), (0, True), (2, False), (2, True)),
    "flips_and_turns": tuple((turns, mirrored) for turns in range(4) for mirrored in (False, True)),
}
"""Quarter turns, and whether the image is mirrored as well, by the name of a set of views."""


class MultiLevel(nn.Module):
    """Adds the mean and the maximum of each of some stages to a trunk's pooled features.

    A defect of a few pixels is a local texture: the last layer has pooled it away, the stages
    before have not (hypercolumns, arXiv 1411.5752). A trunk that pools its last stage by the mean
    has that mean once. The parts keep their scale: dividing each by its root mean square in the
    image lost more than it gave (docs/features.md).

    Args:
        trunk: Maps images [B,3,H,W] to pooled features [B,D].
        taps: Names of the submodules of the trunk whose outputs [B,C,H,W] are read.
    """

    def __init__(self, trunk: nn.Module, taps: Sequence[str]) -> None:
        super().__init__()
        self.trunk = trunk
        self.repeated = False
        for name in taps:
            trunk.get_submodule(name).register_forward_hook(_listen)
        images = torch.rand(1, 3, PROBE, PROBE, generator=torch.Generator().manual_seed(0))
        with torch.inference_mode():
            pooled, *parts = self.eval()._parts(images)
            mean = parts[-2]
            self.repeated = mean.shape == pooled.shape and torch.allclose(mean, pooled, atol=1e-4)
            self.width = self(images).shape[1]

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """Return [pooled, mean of stage 1, maximum of stage 1, mean of stage 2, ...]."""
        parts = self._parts(images)
        if self.repeated:
            del parts[-2]
        return torch.cat([part.float() for part in parts], dim=1)

    def _parts(self, images: Tensor) -> list[Tensor]:
        _heard.stages = []
        pooled = self.trunk(images)
        stages, _heard.stages = _heard.stages, []
        parts = [(stage.mean(dim=(2, 3)), stage.amax(dim=(2, 3))) for stage in stages]
        return [pooled, *(part for pair in parts for part in pair)]


class Views(nn.Module):
    """Averages a trunk's features over flips and quarter turns of an image.

    Args:
        trunk: Maps square images [B,3,H,H] to features [B,D].
        kind: A name of VIEWS.
    """

    def __init__(self, trunk: nn.Module, kind: str) -> None:
        super().__init__()
        self.trunk = trunk
        self.views = VIEWS[kind]

    def forward(self, images: Float[Tensor, "b 3 h h"]) -> Float[Tensor, "b d"]:
        """Return the mean over the views, one pass of the trunk for each."""
        total = self.trunk(_view(images, *self.views[0])).float()
        for view in self.views[1:]:
            total = total + self.trunk(_view(images, *view)).float()
        return total / len(self.views)


def stages(trunk: nn.Module, library: str, name: str) -> list[str]:
    """Name the last stages of a trunk, each the last module at its resolution.

    Args:
        trunk: A network of timm, which names them itself, or torchvision, where they are found.
        library: `timm` or `torchvision`.
        name: The network's name, for the message.

    Raises:
        UserError: The network has no such stages.

    >>> import timm
    >>> stages(timm.create_model("test_resnet"), "timm", "test_resnet")
    ['layer2', 'layer3', 'layer4']
    """
    names = _named_by_timm(trunk) if library == "timm" else _children(trunk)
    last = {size: name for name, size in _sizes(trunk, names).items()}
    if len(last) < DEPTH:
        raise UserError(
            f"model.features=multilevel: {name} has not {DEPTH} stages that can be read; set "
            "model.features=final"
        )
    return list(last.values())[-DEPTH:]


def _named_by_timm(trunk: nn.Module) -> list[str]:
    known = {name for name, _ in trunk.named_modules()}
    info = getattr(trunk, "feature_info", None) or ()
    return [stage["module"] for stage in info if stage["module"] in known]


def _children(trunk: nn.Module) -> list[str]:
    inside = [name for name in ("features", "layers", "trunk_output") if hasattr(trunk, name)]
    prefix = f"{inside[0]}." if inside else ""
    children = trunk.get_submodule(prefix.rstrip(".")).named_children()
    # A single convolution is a stem, a step down or the closing one, and no stage.
    return [
        prefix + name
        for name, module in children
        if sum(isinstance(part, nn.Conv2d) for part in module.modules()) > 1
    ]


def _sizes(trunk: nn.Module, names: Sequence[str]) -> dict[str, int]:
    """Return the resolution of those modules whose output is an array of [B,C,H,W], in order."""
    outputs: dict[str, Tensor] = {}
    hooks = [
        trunk.get_submodule(name).register_forward_hook(partial(_store, outputs, name))
        for name in names
    ]
    with torch.inference_mode():
        trunk.eval()(torch.zeros(1, 3, PROBE, PROBE))
    for hook in hooks:
        hook.remove()
    return {
        name: value.shape[-1]
        for name, value in outputs.items()
        if isinstance(value, Tensor) and value.ndim == 4
    }


def _store(
    outputs: dict[str, Tensor], name: str, module: nn.Module, inputs: Any, output: Tensor
) -> None:
    outputs[name] = output


def _listen(module: nn.Module, inputs: Any, output: Tensor) -> None:
    _heard.stages.append(output)


def _view(images: Tensor, turns: int, mirrored: bool) -> Tensor:
    seen = images.flip(3) if mirrored else images
    return torch.rot90(seen, turns, (2, 3)) if turns else seen
