"""Directions of features: rows of length one, how far apart they lie, the width of a kernel."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alvision.acquisition.support.ops import block_rows, features_of, known_features, upcast
from alvision.inference.predictions import Predictions

_WIDTH_ROWS = 2000
# Below this squared distance two rows of length one are copies: it is fp32's rounding of 2 - 2 x·y.
_COPY = 1e-6


def directions_of(
    pool: Predictions, labelled: Predictions
) -> tuple[Float[Tensor, "n d"], Float[Tensor, "m d"]]:
    """Return the features of pool and labelled with rows of length one, in fp32 or better.

    Labelled may be empty; a row of zeros stays one.

    Raises:
        ValueError: Features are missing, hold NaN or infinity, or differ in width.
    """
    features = features_of(pool, "pool")
    known = known_features(labelled, features)
    directions = _unit(features)
    return directions, _unit(known).to(directions)


def kernel_width(directions: Float[Tensor, "n d"]) -> float:
    """Return a quarter of the median squared distance between rows of length one; 1 if all agree.

    Large pools are judged by about 2,000 representatives.

    >>> kernel_width(torch.eye(4))
    0.5
    """
    alike = directions.new_ones(len(directions))
    few = directions[representatives(directions, alike, _WIDTH_ROWS)[0]]
    above = torch.ones(len(few), len(few), dtype=torch.bool, device=few.device).triu(1)
    squares = (2 - 2 * few @ few.T)[above]
    apart = squares[squares > _COPY]
    return float(apart.median()) / 4 if len(apart) else 1.0


def representatives(
    directions: Float[Tensor, "n d"], weights: Float[Tensor, " n"], most: int
) -> tuple[Int[Tensor, " r"], Float[Tensor, " r"]]:
    """Return about `most` rows that stand for all, and the weight that each then has.

    A systematic sample along a fixed random direction, each row with a chance in proportion to its
    weight: its sums estimate the pool's without bias, heavy rows are all in it, and which images
    they are does not depend on the order of the pool, as it would if they were drawn.

    Args:
        directions: The pool.
        weights: 0 or more, not all 0.
        most: A pool of at most so many rows is returned whole.
    """
    if len(directions) <= most:
        return torch.arange(len(directions), device=directions.device), weights
    chance = weights.double() / weights.sum(dtype=torch.float64) * most
    # What a chance of more than one would waste goes to the others.
    for _ in range(8):
        light = chance < 1
        if (left := chance[light].sum()) > 0:
            room = (most - (~light).sum()).clamp_min(1)
            chance = torch.where(light, chance * (room / left), chance).clamp_max(1)
    fixed = torch.Generator().manual_seed(0)
    line = torch.randn(directions.shape[1], generator=fixed, dtype=torch.float64).to(directions)
    order = (directions @ line).argsort(stable=True)
    steps = (chance[order].cumsum(0) + 0.5).floor().diff(prepend=chance.new_zeros(1))
    rows = order[steps > 0]
    return rows, (weights[rows] / chance[rows]).to(weights)


def highest_cosine(
    directions: Float[Tensor, "n d"], others: Float[Tensor, "m d"]
) -> Float[Tensor, " n"]:
    """Return each row's highest cosine with any of the others; -infinity if there is none."""
    best = directions.new_full((len(directions),), -torch.inf)
    rows = block_rows(directions)
    for first in range(0, len(directions), rows):
        here = slice(first, first + rows)
        for few in others.split(4096):
            best[here] = torch.maximum(best[here], (directions[here] @ few.T).amax(1))
    return best


def _unit(features: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    unit = upcast(features.new_empty(features.shape))
    rows = block_rows(features)
    for first in range(0, len(features), rows):
        block = upcast(features[first : first + rows])
        # Scaled by the largest first, so that squares neither overflow nor vanish.
        block = block / block.abs().amax(1, keepdim=True).clamp_min(1e-30)
        torch.nn.functional.normalize(block, dim=1, eps=1e-12, out=unit[first : first + rows])
    return unit
