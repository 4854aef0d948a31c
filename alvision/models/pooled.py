"""Transformers as trunks: their last tokens as a map of the image, and what is pooled from it."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchvision.models import VisionTransformer


class PatchMap(nn.Module):
    """Lays tokens out as a map [B,D,h,w]; a module, so that others can listen to it.

    Args:
        shape: Height and width of the images, which tell the proportions of the map.
        prefix: Tokens before those of the patches.
    """

    def __init__(self, shape: tuple[int, int], prefix: int) -> None:
        super().__init__()
        self.shape, self.prefix = shape, prefix

    def forward(self, tokens: Tensor) -> Float[Tensor, "b d y x"]:
        """Return the map of tokens [B,T,D], row by row, or of places [B,h,w,D]."""
        if tokens.ndim == 4:
            return tokens.permute(0, 3, 1, 2)
        patches = tokens[:, self.prefix :]
        rows, columns = grid(patches.shape[1], self.shape) or (1, patches.shape[1])
        return patches.transpose(1, 2).unflatten(2, (rows, columns))


class Pooled(nn.Module):
    """Gives the mean of a transformer's patches, its class token, and what its own head reads.

    The mean comes first, so that a linear head on it has an exact map of its class (arXiv
    1512.04150). What is the same twice, for one image, stands once.

    Args:
        trunk: A network whose last output is tokens [B,T,D] or places [B,h,w,D].
        shape: Height and width of the images.
        prefix: Tokens before those of the patches.

    Attributes:
        count: T; 0 where the last output is places.
    """

    def __init__(self, trunk: nn.Module, shape: tuple[int, int], prefix: int) -> None:
        super().__init__()
        self.trunk, self.map = trunk, PatchMap(shape, prefix)
        self.class_token = prefix > 0 and getattr(trunk, "cls_token", None) is not None
        self.class_token = self.class_token or isinstance(trunk, VisionTransformer)
        self.reads_own = False
        self.eval()
        with torch.inference_mode():
            last = encoded(
                trunk, torch.rand(1, 3, *shape, generator=torch.Generator().manual_seed(0))
            )
            parts = self._parts(last)
            own = self._own(last)
            self.count = last.shape[1] if last.ndim == 3 else 0
            self.reads_own = own is not None and not any(
                own.shape == part.shape and (own - part).norm() <= 1e-3 * part.norm()
                for part in parts
            )

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """Return [mean of the patches, class token, what the network's own head reads]."""
        last = encoded(self.trunk, images)
        parts = self._parts(last)
        if self.reads_own:
            own = self._own(last)
            assert own is not None
            parts.append(own)
        return torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]

    def to_map(self, output: Tensor) -> Float[Tensor, "b d y x"]:
        """Return what a block of the network gives as a map, normalised like its last one."""
        # Not by a call: those who listen to the map want the last one alone.
        return self.map.forward(self._last_norm(output))

    def blocks(self) -> list[nn.Module]:
        """Return the blocks that tokens go through, in order; none where it has no such list."""
        if isinstance(self.trunk, VisionTransformer):
            return list(self.trunk.encoder.layers.children())
        blocks: Any = getattr(self.trunk, "blocks", ())
        return [block for block in blocks if isinstance(block, nn.Module)]

    def _parts(self, last: Tensor) -> list[Tensor]:
        after = getattr(self.trunk, "fc_norm", nn.Identity())
        parts = [after(self.map(last).mean(dim=(2, 3)))]
        if self.class_token:
            parts.append(after(last[:, 0]))
        return parts

    def _own(self, last: Tensor) -> Tensor | None:
        head = getattr(self.trunk, "forward_head", None)
        return None if head is None else head(last, pre_logits=True)

    def _last_norm(self, output: Tensor) -> Tensor:
        """Normalise tokens as the network does after its last block (as DINOv2 reads blocks)."""
        owner: Any = self.trunk.encoder if isinstance(self.trunk, VisionTransformer) else self.trunk
        for name in ("norm", "fc_norm", "ln"):
            norm = getattr(owner, name, None)
            if isinstance(norm, nn.Module) and not isinstance(norm, nn.Identity):
                fits = getattr(norm, "normalized_shape", None) == (output.shape[-1],)
                return norm(output) if fits else output
        return output


def encoded(trunk: Any, images: Tensor) -> Any:
    """Return a network's last output before anything is pooled."""
    if isinstance(trunk, VisionTransformer):  # torchvision's has no function for this
        patches = trunk._process_input(images)
        first = trunk.class_token.expand(images.shape[0], -1, -1)
        return trunk.encoder(torch.cat([first, patches], dim=1))
    return trunk.forward_features(images)


def grid(places: int, shape: tuple[int, int]) -> tuple[int, int] | None:
    """Return the rows and columns of so many places in an image's proportions; None: none fit.

    >>> grid(60, (96, 160)), grid(61, (96, 160))
    ((6, 10), None)
    """
    rows = round((places * shape[0] / shape[1]) ** 0.5)
    if rows < 1 or places % rows:
        return None
    columns = places // rows
    return (rows, columns) if abs(columns * shape[0] - rows * shape[1]) <= max(shape) else None


def pooled(trunk: nn.Module, shape: tuple[int, int]) -> nn.Module:
    """Return a trunk that gives features [B,D]: itself, or a transformer with its tokens pooled.

    Args:
        trunk: A network of torchvision or timm without its classifier.
        shape: Height and width of the images.
    """
    if not isinstance(trunk, VisionTransformer) and not hasattr(trunk, "forward_features"):
        return trunk
    with torch.inference_mode():
        last = encoded(trunk.eval(), torch.zeros(1, 3, *shape))
    if not isinstance(last, Tensor):
        return trunk
    width = getattr(trunk, "num_features", None)
    if last.ndim == 4 and last.shape[3] == width != last.shape[1]:
        return Pooled(trunk, shape, 0)
    if last.ndim != 3:
        return trunk
    named = getattr(trunk, "cls_token", None) is not None or isinstance(trunk, VisionTransformer)
    prefix = getattr(trunk, "num_prefix_tokens", int(named))
    return Pooled(trunk, shape, prefix) if grid(last.shape[1] - prefix, shape) else trunk
