"""Where good ends and defective begins: rows on both sides of the best threshold so far."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from alvision.acquisition.contract import needs, properties
from alvision.acquisition.support.ops import check_count, labels_of, log_probs_of, upcast
from alvision.inference.predictions import Pick, Predictions


@needs("log_probs", "labels", "defects")
@properties("deterministic")
def threshold_search(
    pool: Predictions, labelled: Predictions, *, n: int, rng: torch.Generator
) -> Pick:
    """Take the n rows nearest in rank to the threshold that parts good from defective best.

    A model that has seen few defects gives them small probabilities, so rows at .5 are not at the
    boundary. As in DIRECT (Nuggehalli, Zhang, Jain and Nowak, arXiv 2312.09196) the rows are
    ordered by their probability q of a defect, the mean over the passes; the threshold is the one
    with the fewest errors on the labelled rows, the middle one where several have as few; and the
    rows nearest to it in this order are asked for. DIRECT does so for each class; here defects
    are one. A score is q. A tie goes to the row of larger q, then to the lowest. Cost O(N log N).

    Use it while defects are rare and a few are known, for a share of the batch (`rare`). It loses
    to `margin` where the classes are frequent, and before any defect is known it looks at the
    rows that are most like one by a model that has seen none.

    Raises:
        ValueError: No image is labelled or no class is a defect; n is negative or larger than the
            pool; labels are no classes of the model; log_probs are missing or do not sum to one.

    >>> p = torch.tensor([[0.9, 0.1], [0.72, 0.28], [0.6, 0.4], [0.95, 0.05]])
    >>> pool = Predictions(("a", "b", "c", "d"), log_probs=p[:, None].log())
    >>> q = torch.tensor([[0.75, 0.25], [0.65, 0.35]])
    >>> labelled = Predictions(
    ...     ("x", "y"), log_probs=q[:, None].log(), labels=torch.tensor([0, 1]), defects=(1,)
    ... )
    >>> threshold_search(pool, labelled, n=2, rng=torch.Generator()).rows
    tensor([2, 1])
    """
    check_count(n, pool)
    log_probs = log_probs_of(pool, "pool")
    labels = labels_of(labelled, log_probs.shape[-1])
    if not labelled.defects:
        raise ValueError(
            "labelled.defects is missing: say which classes are defects, in a run by defects=[...]"
        )
    chances = _chances(log_probs, labelled.defects)
    known = _chances(log_probs_of(labelled, "labelled"), labelled.defects).to(chances)
    bad = torch.isin(labels.to(known.device), torch.tensor(labelled.defects).to(known.device))
    limit = best_threshold(known, bad)
    order = chances.sort(descending=True, stable=True).indices
    place = float((chances > limit).sum()) - 0.5
    ahead = len(order) - torch.searchsorted(chances.sort().values, chances[order], right=True)
    apart = (ahead - place).abs()
    rows = order[apart.sort(stable=True).indices[:n]]
    return Pick(rows, chances[rows])


def best_threshold(chances: Float[Tensor, " m"], defective: Bool[Tensor, " m"]) -> float:
    """Return the threshold with the fewest errors, defective being above it.

    Of several that have as few, next to each other in the order, the middle one.

    >>> limit = best_threshold(torch.tensor([0.1, 0.2, 0.6]), torch.tensor([False, False, True]))
    >>> round(limit, 3)
    0.4
    """
    values, order = chances.double().sort()
    bad = defective[order].long()
    edges = torch.cat([values[:1] - 1e-9, (values[1:] + values[:-1]) / 2, values[-1:] + 1e-9])
    below = torch.cat([bad.new_zeros(1), bad.cumsum(0)])
    above = torch.cat([(1 - bad).sum()[None], (1 - bad).sum() - (1 - bad).cumsum(0)])
    errors = below + above
    best = (errors == errors.min()).nonzero()[:, 0]
    return float(edges[best[len(best) // 2]])


def _chances(log_probs: Float[Tensor, "n k c"], defects: tuple[int, ...]) -> Float[Tensor, " n"]:
    return upcast(log_probs).exp().mean(1)[:, list(defects)].sum(1)
