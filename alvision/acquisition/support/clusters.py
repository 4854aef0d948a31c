"""k-means that gives the same clusters whatever the order of the rows."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alvision.acquisition.k_center import k_center
from alvision.acquisition.support.ops import block_rows
from alvision.inference.predictions import Predictions

_ROUNDS = 30


def k_means(
    points: Float[Tensor, "n d"], count: int
) -> tuple[Int[Tensor, " n"], Float[Tensor, "k d"]]:
    """Cluster rows by Lloyd's algorithm: at most 30 rounds from centres that lie far apart.

    Centres start at rows chosen farthest-first, which takes no random number and does not depend
    on the order of the rows; sums are taken in fp64 for the same reason. Copies of a centre cannot
    start another, and a centre that ends without a row is left out, so there are fewer clusters
    than asked for where the rows differ less. Cost O(N·k·D) a round, memory O(N + k·D).
    scikit-learn's k-means depends on order and threads.

    Args:
        points: The rows, finite, fp32 or better.
        count: Clusters wanted, at least 1.

    Returns:
        The cluster of each row, and the clusters' means.
    """
    centres = points[_far_apart(points, count)]
    nearest = _nearest(points, centres)
    for _ in range(_ROUNDS):
        total = torch.zeros_like(centres, dtype=torch.float64)
        rows = block_rows(points)
        for first in range(0, len(points), rows):
            here = slice(first, first + rows)
            total.index_add_(0, nearest[here], points[here].double())
        sizes = nearest.bincount(minlength=len(centres))[:, None]
        centres = torch.where(sizes > 0, total / sizes.clamp_min(1), centres).to(points)
        before, nearest = nearest, _nearest(points, centres)
        if torch.equal(before, nearest):
            break
    # Rounding may give every row of a centre to another one that lies hardly apart from it.
    owned = nearest.bincount(minlength=len(centres)) > 0
    return owned.cumsum(0)[nearest] - 1, centres[owned]


def _far_apart(points: Tensor, count: int) -> Tensor:
    pool = Predictions(tuple(map(str, range(len(points)))), features=points)
    pick = k_center(pool, Predictions(()), n=min(count, len(points)), rng=torch.Generator())
    apart = pick.scores > 0
    apart[:1] = True  # the first has nothing to be far from
    return pick.rows[apart]


def _nearest(points: Tensor, centres: Tensor) -> Tensor:
    squares = centres.square().sum(1)
    blocks = points.split(block_rows(points))
    return torch.cat([(squares - 2 * block @ centres.T).argmin(1) for block in blocks])
