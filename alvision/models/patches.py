"""Local features of a trunk's stages, from the same run that gives its pooled features."""

from __future__ import annotations

import copy
import threading
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from alvision.models import levels
from alvision.models.levels import MultiLevel, Views
from alvision.models.pooled import Pooled

PROGRAM = "3x3 means of the two stages before the last, 64 directions each"
"""Names how patches are read. Change it with any change of `WithPatches`, for it is part of the
patch cache's key."""
WIDTH = 64
"""Numbers that a stage gives of a patch at most, so that what is stored does not grow with the
network. A random projection keeps distances well enough (Johnson and Lindenstrauss, 1984)."""

_heard = threading.local()  # batches may come from several threads at once


class WithPatches(nn.Module):
    """Gives a trunk's features, and behind them those of each place of the image.

    A convolutional trunk is read at the two stages before its last, averaged over 3 x 3 places and
    brought to the finer one's resolution, as in PatchCore (arXiv 2106.08265): the last stage knows
    what a thing is, and no longer where a small mark on it is (docs/anomaly.md). A transformer is
    read at the tokens of its last block, as in AnomalyDINO (arXiv 2405.14529). Of several views the
    first is read.

    Args:
        trunk: Maps images [B,3,H,W] to features [B,D]; a copy of it is read.
        name: Its name, for the message.
        shape: Height and width of the images, in pixels.

    Attributes:
        grid: Rows and columns of places.
        width: Numbers of each place, d.

    Raises:
        UserError: The network has no stages or blocks that can be read.
    """

    def __init__(self, trunk: nn.Module, name: str, shape: tuple[int, int]) -> None:
        super().__init__()
        self.trunk = copy.deepcopy(trunk).eval()  # others run it without anybody listening
        inner = self._inner()
        taps = stages_read(inner, name, shape)
        self.count = len(taps)
        for tap in taps:
            inner.get_submodule(tap).register_forward_hook(_listen)
        with torch.inference_mode():
            stages = self._stages(torch.zeros(1, 3, *shape))[1]
        self.grid = (stages[0].shape[2], stages[0].shape[3])
        self.projections = nn.ParameterList(
            nn.Parameter(_projection(stage.shape[1]), requires_grad=False) for stage in stages
        )
        self.width = sum(projection.shape[1] for projection in self.projections)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b e"]:
        """Return [features, first place, second place, ...], row by row: D + P·d numbers."""
        features, stages = self._stages(images)
        parts = [
            torch.einsum("bchw,cd->bhwd", self._local(stage.float()), projection)
            for stage, projection in zip(stages, self.projections, strict=True)
        ]
        return torch.cat([features.float(), torch.cat(parts, dim=3).flatten(1)], dim=1)

    def _local(self, stage: Tensor) -> Tensor:
        if not isinstance(self._inner(), Pooled):  # a token has seen its neighbours already
            stage = functional.avg_pool2d(stage, 3, 1, 1, count_include_pad=False)
        return functional.adaptive_avg_pool2d(stage, self.grid)

    def _stages(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        _heard.stages = []
        features = self.trunk(images)
        heard, _heard.stages = _heard.stages, []
        inner = self._inner()
        first = heard[: self.count]
        if isinstance(inner, Pooled):
            return features, [inner.to_map(stage) for stage in first]
        return features, first

    def _inner(self) -> nn.Module:
        trunk = self.trunk
        while isinstance(trunk, MultiLevel | Views):
            trunk = trunk.trunk
        return trunk


def stages_read(inner: nn.Module, name: str, shape: tuple[int, int]) -> list[str]:
    """Return the names of the submodules whose outputs are the patches, the finest first.

    Args:
        inner: A network without its views and depths.
        name: Its name, for the message.
        shape: Height and width of the images, in pixels.

    Raises:
        UserError: The network has no stages or blocks that can be read.
    """
    network = inner.trunk if isinstance(inner, Pooled) else inner
    library = "timm" if getattr(network, "feature_info", None) else "torchvision"
    found = levels.stages(inner, library, name, shape)
    return found[-1:] if isinstance(inner, Pooled) else found[-3:-1]


def _projection(channels: int) -> Float[Tensor, "c d"]:
    if channels <= WIDTH:
        return torch.eye(channels)
    fixed = torch.Generator().manual_seed(0)
    return torch.randn(channels, WIDTH, generator=fixed) / WIDTH**0.5


def _listen(module: nn.Module, inputs: Any, output: Tensor) -> None:
    _heard.stages.append(output)
