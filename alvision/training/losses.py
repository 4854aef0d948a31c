"""Losses that `trainer.loss` names and torch does not have."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional


def focal(
    logits: Float[Tensor, "b c"],
    targets: Int[Tensor, " b"],
    weights: Float[Tensor, " c"] | None = None,
    *,
    gamma: float = 2.0,
) -> Float[Tensor, ""]:
    """Return the focal loss: what is known already hardly counts (arXiv 1708.02002).

    mean_i w_i (1 - p_i)^gamma (-log p_i), p_i the probability of the image's class, the weights
    divided by their sum; gamma = 0 is class-weighted cross entropy.

    Args:
        logits: Of a batch.
        targets: Classes as integers.
        weights: Weight of each class; None: all alike.
        gamma: How fast an image that is called rightly stops to count.

    >>> sure, wrong = torch.tensor([[4.0, 0.0]]), torch.tensor([[0.0, 4.0]])
    >>> bool(focal(sure, torch.tensor([0])) < 1e-4 * focal(wrong, torch.tensor([0])))
    True
    """
    log_p = -functional.cross_entropy(logits, targets, reduction="none")
    share = torch.ones_like(log_p) if weights is None else weights[targets]
    missed = -torch.expm1(log_p)
    return -(share * missed**gamma * log_p).sum() / share.sum()


DOUBT = 0.5
"""The exponent of `generalised_cross_entropy`: the best of .3, .5 and .7 on solar cells."""


def generalised_cross_entropy(
    logits: Float[Tensor, "b c"],
    targets: Int[Tensor, " b"],
    weights: Float[Tensor, " c"] | None = None,
    *,
    q: float = DOUBT,
) -> Float[Tensor, ""]:
    """Return a loss that a doubtful label hardly counts in (arXiv 1805.07836).

    mean_i w_i (1 - p_i^q) / q, p_i the probability of the image's label, the weights divided by
    their sum. Its gradient is that of cross entropy times p_i^q: a label that the model does not
    believe pulls little. q = 1 is the mean absolute error, and q near 0 is cross entropy.

    Args:
        logits: Of a batch.
        targets: Classes as integers.
        weights: Weight of each class; None: all alike.
        q: How little a label counts that the model does not believe, in (0, 1].

    >>> doubted = torch.tensor([[8.0, 0.0]])
    >>> round(float(generalised_cross_entropy(doubted, torch.tensor([1]))), 2)
    1.96
    """
    log_p = -functional.cross_entropy(logits, targets, reduction="none")
    share = torch.ones_like(log_p) if weights is None else weights[targets]
    return -(share * torch.expm1(q * log_p) / q).sum() / share.sum()
