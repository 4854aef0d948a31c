"""From the distances of an image's patches to one score."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

TOP = 0.1
"""Share of the patches that make an image's score: one patch alone is a speck of dust, and the mean
of all hides a small defect (docs/anomaly.md)."""


def image_scores(distances: Float[Tensor, "b p"], top: float = TOP) -> Float[Tensor, " b"]:
    """Return the mean distance of each image's strangest patches; higher = stranger.

    Args:
        distances: How far each patch is from what is known to be good.
        top: Share of the patches, of which at least one counts.

    >>> import torch
    >>> image_scores(torch.tensor([[0.0, 1.0, 4.0, 2.0]]), top=0.5)
    tensor([3.])
    """
    count = max(1, round(top * distances.shape[1]))
    return distances.topk(count, dim=1).values.mean(1)
