"""The labelled images that an image looks most like, as its features see it."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize


def nearest(
    features: Float[Tensor, "n d"], labelled: Float[Tensor, "m d"], k: int
) -> Int[Tensor, "n j"]:
    """Return the rows of the k labelled images of the highest cosine similarity, nearest first.

    cos(x, y) = x·y / (|x| |y|); ties go to the lowest row. j = min(k, m).

    >>> import torch
    >>> nearest(torch.tensor([[1.0, 0.1]]), torch.tensor([[0.0, 1.0], [2.0, 0.0]]), 1)
    tensor([[1]])
    """
    similarity = normalize(features.float(), dim=1) @ normalize(labelled.float(), dim=1).T
    order = similarity.argsort(dim=1, descending=True, stable=True)
    return order[:, : min(k, len(labelled))]
