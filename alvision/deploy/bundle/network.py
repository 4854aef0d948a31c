"""The network of a bundle: from pixels to logits, features and activation maps."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, cast

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from alvision.models.heads import AnyHead, Head
from alvision.models.normalised import normalise
from alvision.models.pair import HeadPair, TrunkPair
from alvision.models.pooled import Pooled


class Deployed(nn.Module):
    """A trunk and a head as one network without randomness, in fp32.

    The activation map is that of Zhou et al., arXiv 1512.04150: a class's weights on the last
    feature map M [D,h,w], map_c = sum_d w[c,d]·g_d·(M_d - m_d), where m and g are what the head
    standardises its features by; with features of several depths it shows what
    the last stage contributes. Where the features do not begin with the mean of M, or the head is
    not linear, the map's energy is used instead, sqrt(mean_d M_d²), one map for all classes. Of two
    networks whose probabilities are averaged it is the mean of both maps.

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
        trunks = [trunk.first, trunk.second] if isinstance(trunk, TrunkPair) else [trunk]
        self._seen: list[list[Tensor]] = [[] for _ in trunks]
        self.eval()
        for number, one in enumerate(trunks):
            if place := _last_map(one, shape):
                one.get_submodule(place).register_forward_hook(partial(self._keep, number))
        with torch.inference_mode():
            self.of_classes = self._begins_with_mean(torch.rand(2, 3, *shape))

    def forward(
        self, pixels: UInt8[Tensor, "b h w 3"]
    ) -> tuple[Float[Tensor, "b c"], Float[Tensor, "b d"], Float[Tensor, "b m y x"]]:
        """Return logits [B,C], features [B,D] and activation maps [B,C,h,w] or [B,1,h,w]."""
        features, lasts = self._through(normalise(pixels, self.mean, self.std))
        if self.of_classes:
            parts = features.chunk(len(lasts), dim=1)
            maps = [
                _class_map(cast("Head", head), part, last)
                for head, part, last in zip(self._heads, parts, lasts, strict=True)
            ]
        else:
            maps = [last.square().mean(dim=1, keepdim=True).sqrt() for last in lasts]
        return self.head(features), features, sum(maps[1:], maps[0]) / len(maps)

    @property
    def _heads(self) -> list[nn.Module]:
        if isinstance(self.head, HeadPair):
            return [self.head.first, self.head.second]
        return [self.head]

    def _through(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the features, and the last map of each trunk."""
        self._seen = [[] for _ in self._seen]
        features = self.trunk(images)
        # With several views of an image, the map is that of the first: the image as it is.
        # A network of the user's own may have none at all.
        none = features.new_zeros(features.shape[0], 1, 1, 1)
        lasts = [seen[0] if seen else none for seen in self._seen]
        self._seen = [[] for _ in self._seen]
        return features, lasts

    # Not the list itself: an export to ONNX puts other lists into the module's place.
    def _keep(self, number: int, module: nn.Module, inputs: Any, output: Tensor) -> None:
        self._seen[number].append(output)

    def _begins_with_mean(self, images: Tensor) -> bool:
        features, lasts = self._through(images)
        parts = features.chunk(len(lasts), dim=1)
        return all(map(_is_mean, self._heads, parts, lasts))


def _is_mean(head: nn.Module, features: Tensor, last: Tensor) -> bool:
    """Tell whether features begin with the mean of a map, and a linear head reads them."""
    if not isinstance(head, Head) or head.last is not None:
        return False
    part = features[:, : last.shape[1]]
    mean = (last * _length(features, last)).mean(dim=(2, 3))
    return part.shape == mean.shape and torch.allclose(mean, part, rtol=1e-2, atol=1e-3)


def _class_map(head: Head, features: Tensor, last: Tensor) -> Tensor:
    depth = last.shape[1]
    weight = head.first.weight[:, :depth] * head.gain[:depth]
    last = last * _length(features, last) - head.mean[:depth, None, None]
    return torch.einsum("bdyx,cd->bcyx", last, weight)


def _length(features: Tensor, last: Tensor) -> Tensor:
    """Return the trunk's factor after the mean of the last map: 1, or what makes its norm 1."""
    part = features[:, : last.shape[1]]
    length = last.mean(dim=(2, 3)).norm(dim=1).clamp(min=1e-12)
    return (part.norm(dim=1) / length)[:, None, None, None]


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
