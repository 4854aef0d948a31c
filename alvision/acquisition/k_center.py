"""k-center (core-set): cover the pool by rows that are far from everything labelled."""

from __future__ import annotations

import torch

from alvision.acquisition.contract import needs, properties
from alvision.acquisition.support.farthest import farthest_first
from alvision.acquisition.support.ops import check_count, features_of, known_features
from alvision.inference.predictions import Pick, Predictions


@needs("features")
@properties("deterministic", "distance")
def k_center(pool: Predictions, labelled: Predictions, *, n: int, rng: torch.Generator) -> Pick:
    """Take n times the row that is farthest from everything labelled or already picked.

    Exact farthest-first traversal, at most twice the best possible covering radius:
    row = argmax_i min_{j in labelled + picked} ||x_i - x_j||. Sener and Savarese, arXiv 1708.00489;
    Gonzalez, doi:10.1016/0304-3975(85)90224-5. Scores are these distances (Euclidean, in the
    features' unit). A tie goes to the lowest row, copies of a chosen row come last. Half precision
    is computed in fp32.

    Lazy, and yet exact: a row's distance to its nearest centre only shrinks as centres are added,
    so an old distance is an upper bound. Only the rows of the largest bounds are kept up to date;
    while the best of them beats every other bound, no other row is looked at.
    Time O(N·D·labelled) and then, at worst, O(N·D·n); how much of that is spared depends on the
    features. Memory O(N) beside the features, which may be a memory map, and O(n·D) for the picks.

    With nothing labelled there is no distance to begin with: the first pick is then the row nearest
    the pool's mean, a typical image, and scores 0.

    Use it for a cold start and where the features are good and the kinds of image many. It looks
    for the unusual, not for the boundary between classes, so once a model has learned something
    uncertainty needs fewer labels, and outliers (dust, a bad exposure) are among its first picks.

    Raises:
        ValueError: n is negative or larger than the pool; features are missing, hold NaN or
            infinity, or differ in width between pool and labelled.

    >>> features = torch.tensor([[0.0], [1.0], [2.0], [9.0]])
    >>> pool = Predictions(("a", "b", "c", "d"), features=features)
    >>> k_center(pool, Predictions(()), n=3, rng=torch.Generator())
    Pick(rows=tensor([2, 3, 0]), scores=tensor([0., 7., 2.]), slots=None, propensity=None)
    """
    check_count(n, pool)
    features = features_of(pool, "pool")
    return Pick(*farthest_first(features, known_features(labelled, features), n))
