"""Features of several depths, and of several views of an image, from one trunk."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchvision.models import VisionTransformer

from alvision.core.errors import UserError
from alvision.models.pooled import Pooled

_heard = threading.local()  # batches may come from several threads at once

DEPTH = 3
"""How many of the last stages are read, or of a transformer's blocks, evenly spaced."""

PROBE = (128, 128)
"""Height and width of the image that shows what a convolutional trunk's stages look like."""

VIEWS = {
    "none": ((0, False),),
    "flips": ((0, False), (0, True), (2, False), (2, True)),
    "flips_and_turns": tuple((turns, mirrored) for turns in range(4) for mirrored in (False, True)),
}
"""Quarter turns, and whether the image is mirrored as well, by the name of a set of views."""


class MultiLevel(nn.Module):
    """Adds the mean and the maximum of each of some stages or blocks to a trunk's features.

    A defect of a few pixels is a local texture: the last layer has pooled it away, the stages
    before have not (hypercolumns, arXiv 1411.5752). A trunk whose features begin with the mean of
    its last stage has that mean once. The parts keep their scale: dividing each by its root mean
    square in the image lost more than it gave (docs/features.md).

    Args:
        trunk: Maps images [B,3,H,W] to pooled features [B,D].
        taps: Names of the submodules of the trunk whose outputs are read: maps [B,C,H,W], or what
            `Pooled.to_map` makes maps of.
        shape: Height and width of images that the trunk takes.
    """

    def __init__(
        self, trunk: nn.Module, taps: Sequence[str], shape: tuple[int, int] = PROBE
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.repeated = False
        for name in taps:
            trunk.get_submodule(name).register_forward_hook(_listen)
        images = torch.rand(1, 3, *shape, generator=torch.Generator().manual_seed(0))
        with torch.inference_mode():
            pooled, *parts = self.eval()._parts(images)
            mean = parts[-2]
            first = pooled[:, : mean.shape[1]] if isinstance(trunk, Pooled) else pooled
            self.repeated = mean.shape == first.shape and torch.allclose(mean, first, atol=1e-4)
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
        heard, _heard.stages = _heard.stages, []
        stages = [_map(self.trunk, stage) for stage in heard]
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
        """Return the mean over the views, one pass of the trunk for each; in training the first.

        What trains sees an image turned by its augmentation, if it is.
        """
        views = self.views[:1] if self.training else self.views
        total = self.trunk(_view(images, *views[0])).float()
        for view in views[1:]:
            total = total + self.trunk(_view(images, *view)).float()
        return total / len(views)


def stages(
    trunk: nn.Module,
    library: str,
    name: str,
    shape: tuple[int, int] = PROBE,
    instead: str = "set model.features=final",
) -> list[str]:
    """Name the last stages of a trunk, each the last module at its resolution, or its blocks.

    A transformer of one resolution is read after each third of its blocks.

    Args:
        trunk: A network of timm, which names them itself, or torchvision, where they are found;
            a transformer is one that `Pooled` pools.
        library: `timm` or `torchvision`.
        name: The network's name, for the message.
        shape: Height and width of images that it takes.
        instead: What to do where there are none, for the message.

    Raises:
        UserError: The network has no such stages or blocks.

    >>> import timm
    >>> stages(timm.create_model("test_resnet"), "timm", "test_resnet")
    ['layer2', 'layer3', 'layer4']
    """
    inside, prefix = (trunk.trunk, "trunk.") if isinstance(trunk, Pooled) else (trunk, "")
    names = _named_by_timm(inside) if library == "timm" else _children(inside)
    sizes = _sizes(trunk, [prefix + one for one in names], shape)
    last = {size: one for one, size in sizes.items()}
    if len(last) >= DEPTH:
        return list(last.values())[-DEPTH:]
    blocks = list(sizes)
    if prefix and len(last) == 1 and len(blocks) >= DEPTH:
        return [blocks[len(blocks) * third // DEPTH - 1] for third in range(1, DEPTH + 1)]
    raise UserError(f"{name} has not {DEPTH} stages or blocks that can be read; {instead}")


def _named_by_timm(trunk: nn.Module) -> list[str]:
    known = {name for name, _ in trunk.named_modules()}
    info = getattr(trunk, "feature_info", None) or ()
    return [stage["module"] for stage in info if stage["module"] in known]


def _children(trunk: nn.Module) -> list[str]:
    if isinstance(trunk, VisionTransformer):
        return [f"encoder.layers.{name}" for name, _ in trunk.encoder.layers.named_children()]
    inside = [name for name in ("features", "layers", "trunk_output") if hasattr(trunk, name)]
    prefix = f"{inside[0]}." if inside else ""
    children = trunk.get_submodule(prefix.rstrip(".")).named_children()
    # A single convolution is a stem, a step down or the closing one, and no stage.
    return [
        prefix + name
        for name, module in children
        if sum(isinstance(part, nn.Conv2d) for part in module.modules()) > 1
    ]


def _sizes(
    trunk: nn.Module, names: Sequence[str], shape: tuple[int, int]
) -> dict[str, tuple[int, ...]]:
    """Return the resolution of those modules whose output is a map, in order."""
    outputs: dict[str, Tensor] = {}
    dims = (3, 4) if isinstance(trunk, Pooled) else (4,)
    hooks = [
        trunk.get_submodule(name).register_forward_hook(partial(_store, outputs, name))
        for name in names
    ]
    try:
        with torch.inference_mode():
            trunk.eval()(torch.zeros(1, 3, *shape))
            return {
                name: tuple(_map(trunk, value).shape[2:])
                for name, value in outputs.items()
                if isinstance(value, Tensor) and value.ndim in dims
            }
    finally:
        for hook in hooks:
            hook.remove()


def _map(trunk: nn.Module, output: Tensor) -> Tensor:
    """Return what a stage gives as a map [B,C,H,W]."""
    return trunk.to_map(output) if isinstance(trunk, Pooled) else output


def _store(
    outputs: dict[str, Tensor], name: str, module: nn.Module, inputs: Any, output: Tensor
) -> None:
    outputs[name] = output


def _listen(module: nn.Module, inputs: Any, output: Tensor) -> None:
    _heard.stages.append(output)


def _view(images: Tensor, turns: int, mirrored: bool) -> Tensor:
    seen = images.flip(3) if mirrored else images
    return torch.rot90(seen, turns, (2, 3)) if turns else seen
