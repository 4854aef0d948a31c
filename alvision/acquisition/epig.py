"""EPIG: rows whose label would tell most about the labels of other images."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from alvision.acquisition.contract import needs, properties
from alvision.acquisition.support.ops import block_rows, check_count, log_probs_of, upcast
from alvision.inference.predictions import Pick, Predictions


@needs("log_probs", "passes")
@properties("disagreement")
def epig(
    pool: Predictions,
    labelled: Predictions,
    *,
    n: int,
    rng: torch.Generator,
    targets: int = 100,
) -> Pick:
    """Take the n rows whose label would tell most about the predictions on the pool itself.

    The expected predictive information gain: s(x) = E_x* I(y; y* | x, x*), with x* drawn from the
    pool and p(y, y*) = 1/K sum_k p_k(y) p_k(y*) over K MC-dropout passes. Bickford Smith et al.,
    arXiv 2304.08151. Scores are s in nats; a tie goes to the lowest row. A pool of no more than
    `targets` rows is its own target, a larger one is represented by a fair draw of that many.

    Time O(N·targets·K·C²) by chunked matrix products; memory O(N) and 8·C²·targets bytes, at least
    some 16 MB, beside log_probs.

    `bald` asks what a label tells about the network's weights, and is drawn to odd images that the
    network could learn without ever meeting their like again; this asks only for what matters to
    other images. Use it where a pool holds much that is beside the point. It loses where defects
    are rare: what is informative about a few images counts for as little as they are few. In large
    batches it takes near duplicates, and with many classes it is dear.

    Of the two that weigh information by where it is needed it is here in place of BAIT
    (arXiv 2106.09675) for what they cost: BAIT keeps and inverts a Fisher matrix of (D·C)² numbers,
    80 million for 1,280 features and 7 classes, and reads a linear last layer; this reads the
    passes that `bald` reads.

    Args:
        pool: The pool.
        labelled: Not read.
        n: How many rows.
        rng: Draws the targets.
        targets: How many images stand for the pool.

    Raises:
        ValueError: n is negative or larger than the pool; log_probs are missing, have a single
            pass or do not sum to one; targets is below 1.

    >>> p = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5]] * 2, [[0.9, 0.1], [0.1, 0.9]]])
    >>> pool = Predictions(("a", "b", "c"), log_probs=p.log())
    >>> epig(pool, Predictions(()), n=2, rng=torch.Generator()).rows
    tensor([0, 2])
    """
    check_count(n, pool)
    if targets < 1:
        raise ValueError(f"targets = {targets}: expected 1 or more")
    log_probs = log_probs_of(pool, "pool", passes=2)
    drawn = torch.arange(len(pool), device=log_probs.device)
    if len(pool) > targets:
        order = torch.randperm(len(pool), generator=rng, device=rng.device)
        drawn = order[:targets].sort().values.to(drawn.device)
    scores = _gains(log_probs, upcast(log_probs[drawn]).exp())
    rows = scores.sort(descending=True, stable=True).indices[:n]
    return Pick(rows, scores[rows])


def _gains(log_probs: Float[Tensor, "n k c"], aims: Float[Tensor, "m k c"]) -> Float[Tensor, " n"]:
    """Return the mutual information of each row's label with a target's, over the targets."""
    m, passes, classes = aims.shape
    columns = aims.permute(1, 0, 2).reshape(passes, m * classes) / passes
    apart = torch.special.entr(aims.mean(1)).sum(-1).mean() if m else 0.0
    gains = upcast(log_probs.new_empty(len(log_probs)))
    size = max(1, block_rows(gains) // max(1, m * classes**2))
    for first in range(0, len(log_probs), size):
        p = upcast(log_probs[first : first + size]).exp()
        joint = p.permute(0, 2, 1).reshape(-1, passes) @ columns
        joint = joint.clamp_min(1e-37).log().mul_(joint).view(len(p), -1)
        own = torch.special.entr(p.mean(1)).sum(-1)
        gains[first : first + size] = own + apart + joint.sum(1) / m
    return gains.clamp_min(0)
