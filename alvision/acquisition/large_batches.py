"""Cluster-margin and DropQuery: the doubtful rows first, and of these some of every kind."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from alvision.acquisition.contract import needs, properties
from alvision.acquisition.scores import margin
from alvision.acquisition.support.clusters import k_means
from alvision.acquisition.support.geometry import directions_of
from alvision.acquisition.support.ops import check_count, log_probs_of, map_rows, scores_of
from alvision.inference.predictions import Pick, Predictions, Score

# Candidates for each pick.
_CANDIDATES = 10
_MOST_CLUSTERS = 500


@needs("features", "scores")
@properties("deterministic")
def cluster_margin(
    pool: Predictions,
    labelled: Predictions,
    *,
    n: int,
    rng: torch.Generator,
    score: Score = margin,
) -> Pick:
    """Go round the clusters of the 10·n highest scores and take each one's best, small ones first.

    Citovsky, DeSalvo, Gentile, Karydas, Rajagopalan, Rostamizadeh and Kumar, arXiv 2107.14263, with
    k-means (`clusters.k_means`, n / 2 clusters, at most 500, features of length one) of the
    candidates in place of their hierarchical clustering of the whole pool, which needs all
    distances. A pick's score is its own `score` (`margin` unless another is given); a tie goes to
    the lowest row. The first pick of a batch of one is that of `top_k`. Cost O(N log N) after the
    score, and O(n·k·D) a round of k-means: the pool's size hardly matters; memory O(N·D): one copy
    of the features.

    Use it for batches of hundreds or thousands, where `top_k` takes near duplicates and herding's
    passes over the pool grow with n. In a small batch it gives up some of the highest scores for
    nothing, and it does not look at what is labelled.

    Raises:
        ValueError: n is negative or larger than the pool; features or scores are missing, NaN or
            infinite.

    >>> features = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.1], [0.0, 1.0]])
    >>> scores = torch.tensor([0.9, 0.8, 0.7, 0.6])
    >>> pool = Predictions(("a", "b", "c", "d"), features=features, scores=scores)
    >>> cluster_margin(pool, Predictions(()), n=3, rng=torch.Generator()).rows
    tensor([3, 0, 1])
    """
    check_count(n, pool)
    directions, _ = directions_of(pool, labelled)
    scores = scores_of(pool, score).to(directions)
    order = scores.sort(descending=True, stable=True).indices[: _CANDIDATES * n]
    if not n:
        return Pick(order, scores[order])
    cluster, _ = k_means(directions[order], min((n + 1) // 2, _MOST_CLUSTERS))
    # A candidate's lap is its place in its cluster, because candidates are in the order of scores.
    sizes = cluster.bincount()
    grouped = cluster.argsort(stable=True)
    place = torch.arange(len(order), device=order.device)
    lap = torch.empty_like(place)
    lap[grouped] = place - (sizes.cumsum(0) - sizes)[cluster[grouped]]
    turn = sizes[cluster].argsort(stable=True)
    turn = turn[lap[turn].argsort(stable=True)][:n]
    rows = order[turn]
    return Pick(rows, scores[rows])


@needs("features", "log_probs", "passes")
@properties("deterministic")
def drop_query(pool: Predictions, labelled: Predictions, *, n: int, rng: torch.Generator) -> Pick:
    """Take one row of each of n clusters of the rows whose class changes when features drop out.

    A row's score is the share of passes that predict another class than the mean of all passes
    does. Candidates are the rows that more than half of the passes disagree on, filled up to 10·n
    by the next highest scores (ties: the smaller margin between the two likeliest classes). They
    are clustered into n by k-means (`clusters.k_means`, features of length one), and the row
    nearest each centre is taken; where copies make fewer than n clusters the highest scores fill
    up. Gupte, Aklilu, Nirschl and Yeung-Levy, arXiv 2401.14555, with the passes of the head's
    dropout, whose inputs are the frozen features, and the passes' mean for their undropped
    prediction. Cost O(N·K·C) and O(n·n·D) a round of k-means; memory O(N·D).

    Use it with a frozen trunk, good features and a dropout head, for batches of tens to hundreds.
    It says little where dropout is weak, since then hardly a pass disagrees and it is clustering
    alone that chooses, and it does not look at what is labelled.

    Raises:
        ValueError: n is negative or larger than the pool; features or log_probs are missing or not
            finite, log_probs do not sum to one or have a single pass.

    >>> log_probs = torch.tensor([[[0.9, 0.1]] * 3, [[0.4, 0.6], [0.6, 0.4], [0.3, 0.7]]]).log()
    >>> pool = Predictions(("a", "b"), log_probs=log_probs, features=torch.eye(2))
    >>> drop_query(pool, Predictions(()), n=2, rng=torch.Generator()).scores
    tensor([0.3333, 0.0000])
    """
    check_count(n, pool)
    directions, _ = directions_of(pool, labelled)
    log_probs = log_probs_of(pool, "pool", passes=2)
    scores = map_rows(log_probs, _changed)
    order = margin(log_probs).argsort(descending=True, stable=True)
    order = order[scores[order].argsort(descending=True, stable=True)]
    count = max(_CANDIDATES * n, int((scores > 0.5).sum()))
    candidates = order[:count]
    if not n:
        return Pick(order[:0], scores[:0])
    points = directions[candidates]
    cluster, centres = k_means(points, n)
    distance = torch.linalg.vector_norm(points - centres[cluster], dim=1)
    first = torch.zeros(len(points), dtype=torch.bool, device=points.device)
    for number in range(len(centres)):
        inside = torch.where(cluster == number, distance, torch.inf)
        # Candidates are in order of their scores: argmax of a mask is the highest of a tie.
        near = inside <= inside.min() + 1e-6
        if bool((cluster == number).any()):
            first[near.to(torch.uint8).argmax()] = True
    chosen = torch.cat([candidates[first], candidates[~first], order[count:]])[:n]
    chosen = chosen[scores[chosen].argsort(descending=True, stable=True)]
    return Pick(chosen, scores[chosen])


def _changed(p: Float[Tensor, "n k c"], _: Float[Tensor, "n k c"]) -> Float[Tensor, " n"]:
    usual = p.mean(1).argmax(-1)
    return (p.argmax(-1) != usual[:, None]).to(p.dtype).mean(1)
