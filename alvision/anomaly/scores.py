"""From the distances of an image's patches to one score, and to a map of the image."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

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


def maps(
    distances: Float[Tensor, "b p"], grid: tuple[int, int], shape: tuple[int, int]
) -> Float[Tensor, "b h w"]:
    """Return the distances as maps of the images, in the patches' order, rows first.

    Args:
        distances: One for each place.
        grid: Rows and columns of places.
        shape: Height and width of the images, in pixels.

    >>> import torch
    >>> maps(torch.tensor([[1.0, 3.0]]), (1, 2), (1, 4))
    tensor([[[1.0000, 1.5000, 2.5000, 3.0000]]])
    """
    laid = distances.unflatten(1, grid)[:, None]
    return functional.interpolate(laid, shape, mode="bilinear", align_corners=False)[:, 0]
