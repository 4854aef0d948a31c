"""What a head learns from images that nobody has labelled: to be sure of them."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from alvision.inference.features import Features
from alvision.inference.predictions import SampleId

WEIGHT = 0.1
"""What the entropy weighs beside the loss of the labels (docs/features.md)."""

IMAGES = 256
"""Unlabelled images in a step."""

MOST = 4096
"""Unlabelled images in a fit: their features stay in memory."""


@dataclass(frozen=True)
class Entropy:
    """The mean entropy of what a head says about unlabelled images (Grandvalet and Bengio 2004).

    Attributes:
        features: Of these images, as they come from the trunk.
    """

    features: Float[Tensor, "n d"]

    def __call__(self, head: Callable[[Tensor], Tensor]) -> Float[Tensor, ""]:
        """Return the entropy over a draw of them, weighed; the draw is torch's global one."""
        rows = torch.randint(len(self.features), (IMAGES,))
        log_p = head(self.features[rows]).log_softmax(-1)
        return -WEIGHT * (log_p.exp() * log_p).sum(1).mean()


def of_pool(
    features: Features, labelled: Container[SampleId], generator: torch.Generator
) -> Entropy | None:
    """Take up to MOST images of the pool that have no label.

    Args:
        features: The features, and which images are the pool.
        labelled: The images that the head is taught.
        generator: Draws which images, if the pool has more.

    Returns:
        The term of the loss; None where every image has a label, or none can be read.
    """
    others = [id for id in features.readable(features.standard_of) if id not in labelled]
    rows = torch.randperm(len(others), generator=generator)[:MOST].tolist()
    _, seen = features.initial([others[row] for row in sorted(rows)])
    return Entropy(seen) if len(seen) else None
