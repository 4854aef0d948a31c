"""Two networks as one: the features side by side, the probabilities averaged."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from alvision.models.heads import AnyHead, Masks


class TrunkPair(nn.Module):
    """Gives the features of two trunks side by side.

    Args:
        first: Maps images [B,3,H,W] to features [B,D].
        second: Maps the same images to features [B,D].
    """

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b f"]:
        """Return features [B,2D]."""
        return torch.cat([self.first(images).float(), self.second(images).float()], dim=1)


class HeadPair(nn.Module):
    """Gives the mean of the probabilities of two heads, each on the features of its own trunk.

    Args:
        first: Maps features [B,D] to logits [B,C].
        second: Maps features [B,D] to logits [B,C].
    """

    def __init__(self, first: AnyHead, second: AnyHead) -> None:
        super().__init__()
        self.first, self.second = first, second

    @property
    def stochastic(self) -> bool:
        """Tell whether passes differ from each other."""
        return self.first.stochastic or self.second.stochastic

    def loss(
        self,
        features: Float[Tensor, "b d"],
        targets: Int[Tensor, " b"],
        weights: Float[Tensor, " c"] | None,
    ) -> Float[Tensor, ""]:
        """Return the class-weighted cross entropy of a batch."""
        return nn.functional.nll_loss(self(features), targets, weight=weights)

    def forward(self, features: Float[Tensor, "b f"]) -> Float[Tensor, "b c"]:
        """Return the logarithm of the mean probabilities; its softmax is that mean."""
        mine, other = (
            head(part).log_softmax(dim=-1)
            for head, part in zip((self.first, self.second), self._parts(features), strict=True)
        )
        return torch.logaddexp(mine, other) - math.log(2)

    def masks(self, passes: int, generator: torch.Generator) -> Masks:
        """Draw the masks of K passes of both heads, one after the other."""
        mine = self.first.masks(passes, generator)
        return (torch.tensor(len(mine)), *mine, *self.second.masks(passes, generator))

    def passes(self, features: Float[Tensor, "b *k f"], masks: Masks) -> Float[Tensor, "b k c"]:
        """Return the log-probabilities of K pairs of passes."""
        count = int(masks[0])
        first, second = self._parts(features)
        mine = self.first.passes(first, masks[1 : 1 + count])
        other = self.second.passes(second, masks[1 + count :])
        return torch.logaddexp(mine, other) - math.log(2)

    def _parts(self, features: Tensor) -> tuple[Tensor, Tensor]:
        half = features.shape[-1] // 2
        return features[..., :half], features[..., half:]
