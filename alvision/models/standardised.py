"""What every head begins with: features as they come, standardised one by one.

(x - mean) · gain for each feature, by numbers that are measured over the pool of a run
(`alvision.inference.statistics`) and kept with the head's weights. So no feature is louder than the
others only because its numbers are large, and no learning rate depends on the trunk.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional


class Standardised(nn.Module):
    """Base of all heads: knows what to standardise its features by.

    Args:
        width: Number of features, D.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mean: Tensor
        self.gain: Tensor
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("gain", torch.ones(width))

    def standardise(self, mean: Float[Tensor, " d"], gain: Float[Tensor, " d"]) -> None:
        """Set what is subtracted from the features, and what they are multiplied by then."""
        self.mean.copy_(mean)
        self.gain.copy_(gain)

    def prepare(self, targets: Int[Tensor, " b"]) -> None:
        """Draw what the head keeps for each labelled image; most keep nothing."""

    def standard(self, features: Float[Tensor, "*b d"]) -> Float[Tensor, "*b d"]:
        """Return the features standardised, in 32 bits."""
        return (features.float() - self.mean) * self.gain

    def loss(
        self,
        features: Float[Tensor, "b d"],
        targets: Int[Tensor, " b"],
        weights: Float[Tensor, " c"] | None,
    ) -> Float[Tensor, ""]:
        """Return the class-weighted cross entropy of a batch."""
        return functional.cross_entropy(self(features), targets, weight=weights)
