"""The network of a bundle: from pixels to logits, features and activation maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from alvision.models.heads import AnyHead, Head
from alvision.models.normalised import normalise
from alvision.models.pair import HeadPair
from alvision.models.pooled import Pooled


class Deployed(nn.Module):
    """A trunk and a head as one network without randomness, in fp32.

    The activation map is that of Zhou et al., arXiv 1512.04150: a class's weights on the last
    feature map M [D,h,w], map_c = sum_d w[c,d]·g_d·(M_d - m_d), where m and g are what the head
    standardises its features by; with features of several depths it shows what
    the last stage contributes. Where the features do not begin with the mean of M, or the head is
    not linear, the map's energy is used instead, sqrt(mean_d M_d²), one map for all classes.

    Args:
        trunk: Maps images [B,3,H,W] to features [B,D].
        head: Maps features to logits [B,C], see `alvision.models.heads`.
        mean: What to subtract from each channel of an image scaled to 0..1.
        std: What to divide it by.
        shape: Height and width of the images.
    """

    def __init__(
        self,
        trunk: nn.Module,
        head: AnyHead | HeadPair,
        mean: Sequence[float],
        std: Sequence[float],
        shape: tuple[int, int],
    ) -> None:
        super().__init__()
        self.trunk, self.head = trunk, head
        self.mean, self.std = tuple(mean), tuple(std)
        self._seen: list[Tensor] = []
        self.eval()
        if place := _last_map(trunk, shape):
            trunk.get_submodule(place).register_forward_hook(self._keep)
        with torch.inference_mode():
            self.of_classes = self._begins_with_mean(torch.rand(2, 3, *shape))

    def forward(
        self, pixels: UInt8[Tensor, "b h w 3"]
    ) -> tuple[Float[Tensor, "b c"], Float[Tensor, "b d"], Float[Tensor, "b m y x"]]:
        """Return logits [B,C], features [B,D] and activation maps [B,C,h,w] or [B,1,h,w]."""
        features, last = self._through(normalise(pixels, self.mean, self.std))
        if self.of_classes:
            head = cast("Head", self.head)
            depth = last.shape[1]
            weight = head.first.weight[:, :depth] * head.gain[:depth]
            last = last * self._length(features, last) - head.mean[:depth, None, None]
            maps = torch.einsum("bdyx,cd->bcyx", last, weight)
        else:
            maps = last.square().mean(dim=1, keepdim=True).sqrt()
        return self.head(features), features, maps

    def _through(self, images: Tensor) -> tuple[Tensor, Tensor]:
        self._seen = []
        features = self.trunk(images)
        # With several views of an image, the map is that of the first: the image as it is.
        # A network of the user's own may have none at all.
        seen, self._seen = [*self._seen, features.new_zeros(features.shape[0], 1, 1, 1)], []
        return features, seen[0]

    def _begins_with_mean(self, images: Tensor) -> bool:
        if not isinstance(self.head, Head) or self.head.last is not None:
            return False
        features, last = self._through(images)
        part = features[:, : last.shape[1]]
        mean = (last * self._length(features, last)).mean(dim=(2, 3))
        return part.shape == mean.shape and torch.allclose(mean, part, rtol=1e-2, atol=1e-3)

    def _length(self, features: Tensor, last: Tensor) -> Tensor:
        """Return the trunk's factor after the mean of the last map: 1, or what makes its norm 1."""
        part = features[:, : last.shape[1]]
        length = last.mean(dim=(2, 3)).norm(dim=1).clamp(min=1e-12)
        return (part.norm(dim=1) / length)[:, None, None, None]

    def _keep(self, module: nn.Module, inputs: Any, output: Tensor) -> None:
        self._seen.append(output)


def _last_map(trunk: nn.Module, shape: tuple[int, int]) -> str | None:
    """Return the name of the last module whose output is a feature map with more than one place."""
    for name, module in trunk.named_modules():
        if isinstance(module, Pooled):
            return f"{name}.map".lstrip(".")
    found: list[str] = []

    def hook(name: str) -> Any:
        def note(module: nn.Module, inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor) and output.ndim == 4 and max(output.shape[-2:]) > 1:
                found.append(name)

        return note

    hooks = [m.register_forward_hook(hook(name)) for name, m in trunk.named_modules() if name]
    with torch.inference_mode():
        trunk.eval()(torch.zeros(1, 3, *shape))
    for handle in hooks:
        handle.remove()
    return found[-1] if found else None
