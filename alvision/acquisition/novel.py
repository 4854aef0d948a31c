"""The strangest images first, spread out: what to look at while nothing is labelled."""

from __future__ import annotations

import torch

from alvision.acquisition.contract import needs, properties
from alvision.acquisition.support.coverage import cover, rbf
from alvision.acquisition.support.geometry import directions_of, kernel_width
from alvision.acquisition.support.ops import check_count, check_scores, field
from alvision.inference.predictions import Pick, Predictions

CANDIDATES = 3
"""Of so many times the rows asked for the strangest are spread over: more of them spread it better,
and look at what is less strange."""


@needs("features", "novelty")
@properties("deterministic")
def novel(pool: Predictions, labelled: Predictions, *, n: int, rng: torch.Generator) -> Pick:
    """Take n of the strangest rows, no two of them alike.

    `pool.novelty` says how strange a row is (in a run: how far its patches are from those of other
    images, see `alvision.anomaly`). Of the 3n strangest rows those n are taken that cover them best
    by a kernel, weighed by their novelty: greedy for sum_i v(i) max_j k(x_i, x_j), as in
    `max_herding` (arXiv 2407.12212). So ten pictures of one kind of dirt do not fill the batch. A
    score is the row's novelty. A tie goes to the lowest row. Cost O(N·D + n²·D).

    Use it while no defect is known: what is rare is strange, though not all that is strange is a
    defect. So give it a share of a `mixture` beside random draws, and once some defects are known
    look for what is like them (`rare` does both). It loses to `max_herding` where the classes are
    frequent and look alike.

    Raises:
        ValueError: n is negative or larger than the pool; novelty is missing, NaN or infinite;
            features are missing, hold NaN or infinity, or differ in width.

    >>> features = torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [-1.0, 0.0]])
    >>> novelty = torch.tensor([9.0, 8.0, 7.0, 0.0])
    >>> pool = Predictions(("a", "b", "c", "d"), features=features, novelty=novelty)
    >>> novel(pool, Predictions(()), n=2, rng=torch.Generator()).rows
    tensor([1, 2])
    """
    check_count(n, pool)
    directions, known = directions_of(pool, labelled)
    novelty = check_scores(field(pool, "novelty", "pool"), "pool.novelty").to(directions)
    order = novelty.sort(descending=True, stable=True).indices[: CANDIDATES * n]
    few, worth = directions[order], (novelty[order] - novelty.amin()) if n else novelty[order]
    if not worth.any():
        worth = torch.ones_like(worth)
    chosen, _ = cover(few, known, few, worth, rbf(kernel_width(directions)), n, worth)
    rows = order[torch.tensor(chosen, dtype=torch.int64, device=order.device)]
    return Pick(rows, novelty[rows])
