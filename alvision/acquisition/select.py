"""Selects that look at one row at a time: a fair draw, and the highest scores."""

from __future__ import annotations

import torch

from alvision.acquisition.contract import needs, properties
from alvision.acquisition.support.ops import check_count, scores_of
from alvision.inference.predictions import Pick, Predictions, Score


@needs()
@properties("sampled")
def random_sampling(
    pool: Predictions, labelled: Predictions, *, n: int, rng: torch.Generator
) -> Pick:
    """Draw n rows without replacement, every row alike.

    The i-th draw (from 0) takes one of the N - i rows left: propensity 1 / (N - i). Every row
    scores 0. Cost O(N).
    The baseline that every other strategy must beat, and the only one whose labels are a fair
    sample of the pool, so estimates made on them need no correction. It loses where the classes of
    interest are rare.

    Raises:
        ValueError: n is negative or larger than the pool.

    >>> pool = Predictions(("a", "b", "c", "d"))
    >>> pick = random_sampling(pool, Predictions(()), n=2, rng=torch.Generator().manual_seed(0))
    >>> len(set(pick.rows.tolist())), pick.propensity
    (2, tensor([0.2500, 0.3333]))
    """
    check_count(n, pool)
    rows = torch.randperm(len(pool), generator=rng, device=rng.device)[:n]
    left = len(pool) - torch.arange(n, device=rng.device)
    return Pick(rows, torch.zeros(n, device=rng.device), propensity=1 / left)


@needs("scores")
@properties("deterministic")
def top_k(
    pool: Predictions, labelled: Predictions, *, n: int, rng: torch.Generator, score: Score
) -> Pick:
    """Take the n rows of the highest score; a tie goes to the lowest row.

    Reads `pool.scores` where the score was computed inside the inference pass, and else computes
    `score(pool.log_probs)`. Cost O(N log N) after the score; memory O(N).
    The plain form of uncertainty sampling: fast and strong for small batches. In a large batch it
    takes near duplicates, because it does not look at what else it picked.

    Raises:
        ValueError: n is negative or larger than the pool; neither scores nor log_probs are there;
            a score is NaN or infinite.

    >>> from alvision.acquisition import entropy
    >>> pool = Predictions(("a", "b", "c"), scores=torch.tensor([0.1, 0.9, 0.9]))
    >>> rng = torch.Generator()
    >>> top_k(pool, Predictions(()), n=2, rng=rng, score=entropy).rows
    tensor([1, 2])
    """
    check_count(n, pool)
    scores = scores_of(pool, score)
    rows = scores.sort(descending=True, stable=True).indices[:n]
    return Pick(rows, scores[rows])
