"""Images like the defects found so far, for pools in which one in a hundred is a defect."""

from __future__ import annotations

import torch

from alvision.acquisition.contract import needs, properties
from alvision.acquisition.support.coverage import rbf
from alvision.acquisition.support.geometry import directions_of, kernel_width
from alvision.acquisition.support.ops import block_rows, check_count, labels_of
from alvision.inference.predictions import Pick, Predictions


@needs("features", "labels", "defects")
@properties("deterministic")
def similar_to_defects(
    pool: Predictions, labelled: Predictions, *, n: int, rng: torch.Generator
) -> Pick:
    """Take the n rows most likely to be defects, judged by the labelled images around them.

    score(x) = (r + sum_j k(x, x_j) [j is a defect]) / (1 + sum_j k(x, x_j)) over the labelled
    images j, with r = (defects found + 1) / (labelled + 2), what is expected where nothing is near,
    and k as in `max_herding`: the nearest-neighbour posterior of active search (Garnett,
    Krishnamurthy, Xiong, Schneider and Mann, arXiv 1206.6406) with a kernel for the neighbours.
    0 to 1; a tie goes to the lowest row. Where no defect has been found the rows least like what is
    known to be good come first. Which classes are defects comes with the labelled images
    (`labelled.defects`; in a run: `defects=[...]`). Cost O(N·M·D) for M labelled, memory O(N·D).

    Use it in pools with few defects, where every find is worth more than a doubt resolved: it
    exploits, and gathers examples of the kinds of defect that are known. It does not look for new
    kinds and its batch holds near duplicates, so give it a share of a `mixture` beside random and
    uncertainty. Where defects are common, or it is the boundary that matters, `margin` needs fewer
    labels.

    Raises:
        ValueError: No image is labelled or no class is a defect; n is negative or larger than the
            pool; features are missing, hold NaN or infinity, or differ in width.

    >>> pool = Predictions(("a", "b"), features=torch.tensor([[1.0, 0.0], [0.1, 1.0]]))
    >>> known = torch.tensor([[1.0, 0.1], [0.0, 1.0]])
    >>> labelled = Predictions(
    ...     ("x", "y"), features=known, labels=torch.tensor([0, 1]), defects=(1,)
    ... )
    >>> similar_to_defects(pool, labelled, n=1, rng=torch.Generator()).rows
    tensor([1])
    """
    check_count(n, pool)
    labels = labels_of(labelled)
    if not labelled.defects:
        raise ValueError(
            "labelled.defects is missing: say which classes are defects, in a run by defects=[...]"
        )
    directions, known = directions_of(pool, labelled)
    found = torch.isin(labels.to(known.device), torch.tensor(labelled.defects).to(known.device))
    expected = float(found.sum() + 1) / (len(found) + 2)
    kernel = rbf(kernel_width(directions))
    scores = directions.new_empty(len(pool))
    rows = max(1, min(block_rows(directions), 2**22 // len(known)))
    for first in range(0, len(pool), rows):
        near = kernel(directions[first : first + rows] @ known.T)
        scores[first : first + rows] = (expected + near @ found.to(near)) / (1 + near.sum(1))
    order = scores.sort(descending=True, stable=True).indices[:n]
    return Pick(order, scores[order])
