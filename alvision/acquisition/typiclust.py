"""TypiClust: the most typical row of each cluster that has no label yet."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from alvision.acquisition.contract import needs, properties
from alvision.acquisition.support.clusters import k_means
from alvision.acquisition.support.geometry import directions_of
from alvision.acquisition.support.ops import check_count, tile_rows
from alvision.inference.predictions import Pick, Predictions

_NEIGHBOURS = 20
_MOST_CLUSTERS = 500


@needs("features")
@properties("deterministic")
def typiclust(pool: Predictions, labelled: Predictions, *, n: int, rng: torch.Generator) -> Pick:
    """Take the most typical row of the largest cluster with the fewest labels, n times.

    k-means (see `clusters.k_means`) on features of length one, of pool and labelled together, into
    as many clusters as there will be labels (labelled + n, at most 500). Typicality is one over the
    mean distance to the 20 nearest rows of the pool in the same cluster, or to all of them in a
    smaller one. Hacohen, Dekel and Weinshall, arXiv 2202.02794. A score is the typicality; a row
    that is alone in its cluster has 0. Unlike the authors' code this keeps clusters of five rows or
    fewer, where rare defects live: they come last of those without a label, but they come. Ties,
    such as the two rows of a pair, go to what is nearest the mean of everything, then to the lowest
    row.

    Deterministic, as its k-means is. Cost O(N·k·D) a round of k-means and O(s²·D) for a cluster of
    s rows that is picked from, in blocks; memory O(N·D): one copy of the features.

    Use it as a cold start for a few labels a class. Later the clusters follow the labels' number
    and not the model's doubts, so that uncertainty needs fewer labels, and where the features do
    not separate the classes a typical row is no more use than another.

    Raises:
        ValueError: n is negative or larger than the pool; features are missing, hold NaN or
            infinity, or differ in width between pool and labelled.

    >>> features = torch.tensor([[1.0, 0.0], [1.0, 0.1], [1.0, -0.1], [0.0, 1.0], [0.1, 1.0]])
    >>> pool = Predictions(("a", "b", "c", "d", "e"), features=features)
    >>> typiclust(pool, Predictions(()), n=2, rng=torch.Generator()).rows
    tensor([0, 4])
    """
    check_count(n, pool)
    directions, known = directions_of(pool, labelled)
    device = directions.device
    rows = torch.empty(n, dtype=torch.int64, device=device)
    scores = torch.empty(n, dtype=directions.dtype, device=device)
    if not n:
        return Pick(rows, scores)
    every = torch.cat([directions, known]) if len(known) else directions
    mean = every.mean(0, dtype=torch.float64).to(every)
    cluster, centres = k_means(every, min(len(known) + n, _MOST_CLUSTERS))
    ours = cluster[: len(pool)]
    labels = cluster[len(pool) :].bincount(minlength=len(centres))
    sizes = ours.bincount(minlength=len(centres))
    left = sizes.clone()
    away = torch.linalg.vector_norm(centres - mean, dim=1)
    ranked: dict[int, tuple[list[int], list[float]]] = {}
    for i in range(n):
        few = (left > 0) & (labels == labels[left > 0].min())
        largest = few & (sizes == sizes[few].max())
        number = int(torch.where(largest, away, torch.inf).argmin())
        if number not in ranked:
            members = (ours == number).nonzero().flatten()
            ranked[number] = _ranked(members, directions[members], mean)
        place = int(sizes[number] - left[number])
        rows[i], scores[i] = ranked[number][0][place], ranked[number][1][place]
        labels[number] += 1
        left[number] -= 1
    return Pick(rows, scores)


def _ranked(members: Tensor, points: Tensor, mean: Tensor) -> tuple[list[int], list[float]]:
    values = typicality(points)
    # Rounded, so that what differs by its last digits is a tie, whatever the order of the rows.
    away = (torch.linalg.vector_norm(points - mean, dim=1) * 1e5).round()
    order = away.argsort(stable=True)
    first = (
        (values.clamp_min(1e-30).log() * 1e5).round()[order].argsort(stable=True, descending=True)
    )
    order = order[first]
    return members[order].tolist(), values[order].tolist()


def typicality(points: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    """Return one over the mean distance to the 20 nearest other rows; 0 for a row alone.

    >>> typicality(torch.tensor([[0.0], [1.0], [3.0]]))
    tensor([0.5000, 0.6667, 0.4000])
    """
    count = min(_NEIGHBOURS, len(points) - 1)
    if not count:
        return points.new_zeros(len(points))
    tile = tile_rows(points)
    means = []
    for first in range(0, len(points), tile):
        block = points[first : first + tile]
        nearest = points.new_empty(len(block), 0)
        for start in range(0, len(points), tile):
            distance = torch.cdist(block, points[start : start + tile])
            if start == first:
                distance.fill_diagonal_(torch.inf)
            joined = torch.cat([nearest, distance], dim=1)
            nearest = joined.topk(min(count, joined.shape[1]), dim=1, largest=False).values
        means.append(nearest.mean(1))
    # A row among its copies is as typical as can be, but finite.
    return 1 / torch.cat(means).clamp_min(1e-6)
