"""MaxHerding and Uncertainty Herding: cover the pool's density, or its uncertainty, by a kernel."""

from __future__ import annotations

import torch
from torch import Tensor

from alvision.acquisition.contract import needs, properties
from alvision.acquisition.scores import margin
from alvision.acquisition.support.coverage import cover, rbf
from alvision.acquisition.support.geometry import directions_of, kernel_width, representatives
from alvision.acquisition.support.ops import check_count, rows_of, scores_of
from alvision.inference.predictions import Pick, Predictions, Score

# The coverage of larger pools is estimated on about so many rows.
_POPULATION = 10_000


@needs("features")
@properties("deterministic")
def max_herding(pool: Predictions, labelled: Predictions, *, n: int, rng: torch.Generator) -> Pick:
    """Cover the pool: take n times the row that makes the whole pool most similar to what is known.

    Greedy for the generalised coverage 1/N sum_i max_{j in labelled + picked} k(x_i, x_j), which
    reaches at least 1 - 1/e of the best; k = exp(-||x_i - x_j||² / w) between features of length
    one, w a quarter of their median squared distance. Bae, Noh and Sutherland, arXiv 2407.12212. A
    score is what the row adds to the coverage, 0 to 1. A tie goes to the lowest row; copies of a
    chosen row add nothing and come last.

    Lazy greedy with the picks of the plain one. The mean over a pool of more than 10,000 rows is
    estimated on about so many of them, P, spread over the pool whatever its order; every row may be
    picked. Cost O(N·P·D) a few times, without an N x N matrix; memory O(N·D): one copy of the
    features.

    Use it as a cold start, where it beats random and k_center (it wants the dense and typical, not
    the outlying), and while labels are few. It never looks at the model: once that has learned
    something, `uncertainty_herding` or `margin` need fewer labels, and kinds of image that are rare
    come late.

    Raises:
        ValueError: n is negative or larger than the pool; features are missing, hold NaN or
            infinity, or differ in width between pool and labelled.

    >>> features = torch.tensor([[1.0, 0.0], [1.0, 0.1], [1.0, -0.1], [0.0, 1.0]])
    >>> pool = Predictions(("a", "b", "c", "d"), features=features)
    >>> max_herding(pool, Predictions(()), n=2, rng=torch.Generator()).rows
    tensor([0, 3])
    """
    check_count(n, pool)
    directions, known = directions_of(pool, labelled)
    return _herd(directions, known, directions.new_ones(len(pool)), n)


@needs("features", "scores")
@properties("deterministic")
def uncertainty_herding(
    pool: Predictions,
    labelled: Predictions,
    *,
    n: int,
    rng: torch.Generator,
    score: Score = margin,
) -> Pick:
    """Cover the pool's uncertainty: like `max_herding`, with every row weighed by its score.

    Greedy for sum_i u(x_i) max_{j in labelled + picked} k(x_i, x_j) / sum_i u(x_i), u any score of
    0 or more (`margin` unless another is given) and k as in `max_herding`. Bae, Oliveira and
    Sutherland, arXiv 2412.20644, without that paper's rescaling of temperature and width. A score
    is what the row adds to the covered share of uncertainty, 0 to 1. Of rows that add the same, as
    copies do, the most uncertain comes first, then the lowest.
    Where every u is 0 (a model that is certain, or none) all rows weigh alike.

    Reads `pool.scores` where the score was computed inside the inference pass. Cost and memory as
    `max_herding`; of a pool of more than 10,000 rows the uncertain ones are sure to be among those
    that the sum is estimated on, for a row's chance is in proportion to its score.

    Use it by default where the features are good: it covers while little is known, when every row
    is uncertain, and asks at the boundary later, without the near duplicates of `top_k`. It loses
    to `margin` in small batches late on, where the redundancy it avoids is not there, and it
    inherits its score's weakness: ambiguous images keep drawing it.

    Raises:
        ValueError: As `max_herding`; or scores are missing, negative, NaN or infinite.

    >>> features = torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]])
    >>> scores = torch.tensor([0.1, 0.1, 0.9])
    >>> pool = Predictions(("a", "b", "c"), features=features, scores=scores)
    >>> uncertainty_herding(pool, Predictions(()), n=1, rng=torch.Generator()).rows
    tensor([2])
    """
    check_count(n, pool)
    directions, known = directions_of(pool, labelled)
    scores = scores_of(pool, score)
    weights = scores.to(directions)
    if (weights < 0).any():
        raise ValueError(
            f"pool.scores {list(scores.shape)}: negative in {rows_of(weights < 0)}, and as weights "
            "they must be 0 or more"
        )
    return _herd(directions, known, weights if weights.any() else torch.ones_like(weights), n)


def _herd(directions: Tensor, known: Tensor, weights: Tensor, n: int) -> Pick:
    kernel = rbf(kernel_width(directions))
    some, shares = representatives(directions, weights, _POPULATION)
    population = directions if len(some) == len(directions) else directions[some]
    rows, gains = cover(directions, known, population, shares, kernel, n, weights)
    device = directions.device
    return Pick(
        torch.tensor(rows, dtype=torch.int64, device=device),
        torch.tensor(gains, dtype=directions.dtype, device=device),
    )
