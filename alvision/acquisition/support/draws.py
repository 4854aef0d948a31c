"""Draws by weight that know their chances."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def draw_one(
    weights: Float[Tensor, " n"], left: Bool[Tensor, " n"], rng: torch.Generator
) -> tuple[int, float]:
    """Draw a row with a chance proportional to its weight; where all weigh 0, of those left alike.

    Args:
        weights: Not negative; 0 where a row is taken.
        left: The rows that are not taken; one at least.
        rng: The generator; one number is drawn.

    Returns:
        The row, and the chance that it had.

    >>> draw_one(torch.tensor([0.0, 3.0]), torch.tensor([True, True]), torch.Generator())
    (1, 1.0)
    """
    upto = weights.cumsum(0, dtype=torch.float64)
    if not upto[-1] > 0:
        weights = left.double()
        upto = weights.cumsum(0)
    total = float(upto[-1])
    share = float(torch.rand((), dtype=torch.float64, generator=rng, device=rng.device))
    # Rounded up to the total it would lie behind the last row.
    point = upto.new_tensor(min(share * total, math.nextafter(total, 0)))
    row = int(torch.searchsorted(upto, point, right=True))
    return row, float(weights[row]) / total


def draw_many(
    log_weights: Float[Tensor, " n"], n: int, rng: torch.Generator
) -> tuple[Int[Tensor, " b"], Float[Tensor, " b"]]:
    """Draw n rows one after the other without replacement, each in proportion to its weight.

    By the Gumbel trick: the order of log w - log E with E exponential is the order of such draws.
    Rows of weight 0 come when no other is left, all alike. Cost O(N log N).

    Args:
        log_weights: Logarithms of the weights; -inf is a weight of 0.
        n: How many, at most N.
        rng: The generator; N numbers are drawn.

    Returns:
        The rows in the order of their draw, and each one's chance given the earlier ones.
    """
    log_weights = log_weights.double()
    noise = torch.empty(len(log_weights), dtype=torch.float64, device=rng.device)
    noise = -noise.exponential_(generator=rng).log().to(log_weights.device)
    heavy = (log_weights > -torch.inf).nonzero()[:, 0]
    light = (log_weights == -torch.inf).nonzero()[:, 0]
    heavy = heavy[(log_weights + noise)[heavy].argsort(descending=True)]
    light = light[noise[light].argsort(descending=True)]
    # What is left at each draw is this row and those behind it: summed from the back, no digit of a
    # small rest is lost behind a large weight.
    ordered = log_weights[heavy]
    left = ordered.flip(0).logcumsumexp(0).flip(0)
    alike = 1 / torch.arange(len(light), 0, -1, device=light.device, dtype=torch.float64)
    chances = torch.cat([(ordered - left).exp(), alike])
    return torch.cat([heavy, light])[:n], chances[:n]
