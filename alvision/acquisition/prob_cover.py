"""ProbCover: cover the pool by balls of one radius."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from alvision.acquisition.contract import needs, properties
from alvision.acquisition.k_center import k_center
from alvision.acquisition.support.clusters import k_means
from alvision.acquisition.support.geometry import directions_of, highest_cosine, representatives
from alvision.acquisition.support.ops import check_count, tile_rows
from alvision.inference.predictions import Pick, Predictions

_IMPURE = 0.05
_PURITY_ROWS = 2000


@needs("features")
@properties("deterministic")
def prob_cover(
    pool: Predictions,
    labelled: Predictions,
    *,
    n: int,
    rng: torch.Generator,
    radius: float | None = None,
    clusters: int = 10,
) -> Pick:
    """Take n times the row whose ball holds most rows that no ball of a chosen row holds yet.

    Greedy for the share of the pool within `radius` of labelled + picked, between features of
    length one; at least 1 - 1/e of the best share. Yehuda, Dekel, Hacohen and Weinshall, arXiv
    2205.11320. Where no radius is given it is the largest at which 95 % of the balls are pure, that
    is, hold rows of one k-means cluster only; `clusters` should be about the number of classes. It
    is estimated on 2,000 rows. A score is the share of the pool that is newly covered. Ties, which
    counts often give, go to the row farthest from what is chosen (with nothing chosen: nearest the
    mean), then to the lowest. When everything is covered, the rest is picked by `k_center`.

    Counts are kept exactly for every row: a pick changes them only by the rows that it newly
    covers. Cost O(N²·D / 2) once and at most O(N²·D) for all picks together; memory O(N·D): one
    copy of the features and no graph.

    Use it as a cold start for a few labels a class. It depends on its radius, and from a small one
    nearly every ball holds its own centre alone; `max_herding` covers softly and does not. It never
    looks at the model.

    Raises:
        ValueError: n is negative or larger than the pool; features are missing, hold NaN or
            infinity, or differ in width between pool and labelled; radius or clusters are not
            positive.

    >>> features = torch.tensor([[1.0, 0.0], [1.0, 0.1], [1.0, -0.1], [0.0, 1.0]])
    >>> pool = Predictions(("a", "b", "c", "d"), features=features)
    >>> pick = prob_cover(pool, Predictions(()), n=2, rng=torch.Generator(), radius=0.15)
    >>> pick.rows, pick.scores
    (tensor([0, 3]), tensor([0.7500, 0.2500]))
    """
    check_count(n, pool)
    if radius is not None and not (radius > 0 and math.isfinite(radius)):
        raise ValueError(f"radius = {radius}: it must be a positive number")
    if clusters < 1:
        raise ValueError(f"clusters = {clusters}: it must be 1 or more")
    directions, known = directions_of(pool, labelled)
    if not n:
        return Pick(torch.empty(0, dtype=torch.int64), torch.empty(0))
    distance = pure_radius(directions, clusters) if radius is None else radius
    # A row is in its own ball, whatever its length was rounded to.
    least = min(1 - distance**2 / 2, 1 - 1e-6)
    rows, shares = _cover(directions, known, least, n)
    if missing := n - len(rows):
        left = torch.ones(len(pool), dtype=torch.bool, device=directions.device)
        left[rows] = False
        others = left.nonzero().flatten()
        rest = Predictions(tuple(map(str, others.tolist())), features=directions[others])
        chosen = torch.cat([known, directions[rows]])
        near = Predictions(tuple(map(str, range(len(chosen)))), features=chosen)
        rows += others[k_center(rest, near, n=missing, rng=rng).rows].tolist()
        shares += [0.0] * missing
    device = directions.device
    return Pick(
        torch.tensor(rows, dtype=torch.int64, device=device),
        torch.tensor(shares, dtype=directions.dtype, device=device),
    )


def pure_radius(directions: Float[Tensor, "n d"], clusters: int) -> float:
    """Return the largest radius at which 95 % of the balls hold rows of one cluster only.

    A ball is pure up to the nearest row of another cluster, so the radius is a quantile of these
    distances; 1 where there is one cluster alone.
    """
    cluster, centres = k_means(directions, min(clusters, len(directions)))
    alike = directions.new_ones(len(directions))
    some, _ = representatives(directions, alike, _PURITY_ROWS)
    few, own = directions[some], cluster[some]
    cosine = few.new_full((len(few),), -torch.inf)
    for number in range(len(centres)):
        outside = own != number
        inside = directions[cluster == number]
        cosine[outside] = torch.maximum(cosine[outside], highest_cosine(few[outside], inside))
    distance = (2 - 2 * cosine[cosine > -torch.inf]).clamp_min(0).sqrt()
    if not len(distance) or not distance.max() > 0:
        return 1.0
    return float(distance.quantile(_IMPURE, interpolation="lower").clamp_min(1e-3))


def _cover(
    directions: Tensor, known: Tensor, least: float, n: int
) -> tuple[list[int], list[float]]:
    """Pick until n rows are picked or everything is within the ball of one."""
    if len(known):
        nearest = highest_cosine(directions, known)
        covered = nearest >= least
    else:
        mean = directions.mean(0, dtype=torch.float64).to(directions)
        # Below every cosine, so that the first pick's replaces it.
        nearest = -(directions @ mean) - 3
        covered = torch.zeros(len(directions), dtype=torch.bool, device=directions.device)
    count = _degrees(directions, ~covered, least)
    rows: list[int] = []
    shares: list[float] = []
    while len(rows) < n and (most := int(count.max())) > 0:
        near = torch.where(count == most, nearest, torch.inf)
        # argmax of a mask: the first of all that tie up to rounding.
        row = int((near <= near.min() + 1e-6).to(torch.uint8).argmax())
        cosine = directions @ directions[row]
        nearest = torch.maximum(nearest, cosine)
        within = cosine >= least
        within[row] = True
        fresh = within & ~covered
        covered |= within
        count -= _within(directions, directions[fresh], least)
        count[row] = 0
        rows.append(row)
        shares.append(most / len(directions))
    return rows, shares


def _degrees(directions: Tensor, counted: Tensor, least: float) -> Tensor:
    """Count for each row how many of the counted rows are in its ball; each tile serves twice."""
    count = torch.zeros(len(directions), dtype=torch.int64, device=directions.device)
    counts = counted.to(directions)
    tile = tile_rows(directions)
    for first in range(0, len(directions), tile):
        a = slice(first, first + tile)
        for second in range(first, len(directions), tile):
            b = slice(second, second + tile)
            within = (directions[a] @ directions[b].T >= least).to(counts)
            count[a] += (within @ counts[b]).long()
            if second > first:
                count[b] += (counts[a] @ within).long()
    return count


def _within(directions: Tensor, others: Tensor, least: float) -> Tensor:
    """Count for each row how many of the others are in its ball."""
    count = torch.zeros(len(directions), dtype=torch.int64, device=directions.device)
    tile = tile_rows(directions)
    for first in range(0, len(directions), tile):
        here = slice(first, first + tile)
        for few in others.split(tile):
            within = (directions[here] @ few.T >= least).to(directions)
            count[here] += within.sum(1).long()
    return count
