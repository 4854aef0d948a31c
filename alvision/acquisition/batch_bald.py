"""BatchBALD: rows whose labels together tell most about the model."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alvision.acquisition.contract import needs, properties
from alvision.acquisition.scores import bald
from alvision.acquisition.support.ops import block_rows, check_count, log_probs_of
from alvision.inference.predictions import Pick, Predictions

# Gains are sums over many fp32 numbers: what differs by less, in nats, is equal.
_TIE = 2e-6

# Where the outcomes are sampled, so many of them tell which rows are worth all of them.
_SCREEN, _FINALISTS = 2_500, 128


@needs("log_probs", "passes")
@properties("disagreement", "deterministic")
def batch_bald(
    pool: Predictions,
    labelled: Predictions,
    *,
    n: int,
    rng: torch.Generator,
    outcomes: int = 40_000,
) -> Pick:
    """Take n times the row whose label would tell most beside the labels of the rows picked so far.

    Greedy on the joint mutual information I(y_1..y_n; model), which is at least 1 - 1/e of the best
    there is: row = argmax_i H[y_i | y_B] - E_k H[p_ik], with the labels y_B of the rows picked so
    far, over K MC-dropout passes. Kirsch, van Amersfoort and Gal, arXiv 1906.08158. Scores are
    these gains in nats; the first is `bald`, their sum is the information of the batch.

    The sum over y_B is exact while the possible labels of the picked rows, C^|B|, are at most
    `outcomes`. Then it is thinned to that number: likely outcomes stay as they are, the unlikely
    ones are sampled in strata (Fearnhead and Clifford, doi:10.1111/1467-9868.00421), without bias.
    The sampling has a fixed seed of its own, as it stands for an integral, so the generator handed
    in decides nothing. A gain only shrinks as rows are picked, so an old one is an upper bound, and
    only rows whose bound beats the best gain are computed again, by chunked matrix products. In the
    sampled part 2,500 outcomes choose the 128 rows that are then compared by all of them.

    Time O(N·K·C) for the first pick, then O(outcomes·K·C) for each row that is looked at again: in
    the exact part at worst all N a pick, in the sampled part 128 and N at 2,500 outcomes. Memory
    beside the pool: at most outcomes·(24·K + 160·C) + 16·N bytes and 128 MB.

    Use it in place of `bald` for batches, where that takes near duplicates; both find images that
    the model's passes disagree on and not those that are ambiguous in themselves. It loses where
    `bald` does, and with more than some ten rows a batch the K passes run out of information: later
    gains are then noise, and `power_sampling` is as good and much cheaper.

    Args:
        pool: The pool.
        labelled: Not read.
        n: How many rows.
        rng: Not read.
        outcomes: How many joint labels to look at; K or a few times K are far too few.

    Raises:
        ValueError: n is negative or larger than the pool; log_probs are missing, have a single
            pass or do not sum to one; outcomes is below 1.

    >>> p = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]], [[0.9, 0.1]] * 2])
    >>> pool = Predictions(("a", "its copy", "b"), log_probs=p.log())
    >>> batch_bald(pool, Predictions(()), n=2, rng=torch.Generator())
    Pick(rows=tensor([0, 1]), scores=tensor([0.6931, 0.0000]), slots=None, propensity=None)
    """
    check_count(n, pool)
    if outcomes < 1:
        raise ValueError(f"outcomes = {outcomes}: expected 1 or more")
    log_probs = log_probs_of(pool, "pool", passes=2)
    gains = bald(log_probs)
    fresh = torch.ones_like(gains, dtype=torch.bool)
    # In fp64: a sum in fp32 depends on the number of threads in its last digits, and so would the
    # outcomes that are sampled by such sums.
    weights = gains.new_ones(1, dtype=torch.float64)
    posterior = (weights / log_probs.shape[1]).repeat(1, log_probs.shape[1])
    own = torch.Generator().manual_seed(0)
    rows: list[int] = []
    scores: list[float] = []
    for i in range(n):
        # Where nothing is left to be told, every gain stays 0.
        if i and float(gains.max()) > _TIE:
            p = log_probs[rows[-1]].double().exp()
            weights, posterior = _extend(weights, posterior, p, outcomes, own)
            fresh = torch.zeros_like(fresh)
            if log_probs.shape[2] ** i <= outcomes:
                _refresh(gains, fresh, log_probs, weights, posterior)
            else:
                _screen(gains, fresh, log_probs, weights, posterior, own)
        best = max(0.0, float(gains[fresh].max())) if fresh.any() else 0.0
        # The first of equals; a bound that is nearly 0 has a gain that is nearly 0.
        row = int(((fresh | (gains <= _TIE)) & (gains >= best - _TIE)).nonzero()[0])
        rows.append(row)
        scores.append(max(0.0, float(gains[row])) if fresh[row] else 0.0)
        gains[row] = -torch.inf
    return Pick(
        torch.tensor(rows, dtype=torch.int64, device=gains.device),
        torch.tensor(scores, dtype=gains.dtype, device=gains.device),
    )


def _refresh(
    gains: Float[Tensor, " n"],
    fresh: Tensor,
    log_probs: Float[Tensor, "n k c"],
    weights: Float[Tensor, " m"],
    posterior: Float[Tensor, "m k"],
) -> None:
    """Bring gains up to date, in place, until one beats all that are not."""
    count = 16
    while True:
        old = gains.masked_fill(fresh, -torch.inf)
        best = float(gains[fresh].max()) if fresh.any() else -torch.inf
        candidates = int((old > max(best - _TIE, _TIE)).sum())
        if not candidates:
            return
        which = old.topk(min(count, candidates)).indices.sort().values
        gains[which] = _gains(log_probs[which], weights, posterior).to(gains)
        fresh[which] = True
        count = min(2 * count, block_rows(log_probs))


def _screen(
    gains: Float[Tensor, " n"],
    fresh: Tensor,
    log_probs: Float[Tensor, "n k c"],
    weights: Float[Tensor, " m"],
    posterior: Float[Tensor, "m k"],
    rng: torch.Generator,
) -> None:
    """Bring the most promising gains up to date, in place, judged by a part of the outcomes."""
    guess, seen = gains.clone(), fresh.clone()
    kept, fair = torch.arange(len(weights), device=weights.device), weights
    if len(weights) > _SCREEN:
        kept, fair = thin(weights, _SCREEN, rng)
    _refresh(guess, seen, log_probs, fair / fair.sum(), posterior[kept])
    order = guess.masked_fill(~seen, -torch.inf).sort(descending=True, stable=True).indices
    which = order[: min(_FINALISTS, int(seen.sum()))]
    gains[which] = _gains(log_probs[which], weights, posterior).to(gains)
    fresh[which] = True


def _gains(
    log_p: Float[Tensor, "b k c"], weights: Float[Tensor, " m"], posterior: Float[Tensor, "m k"]
) -> Float[Tensor, " b"]:
    """Return H[y | outcome] expected over the outcomes, less E_k H[p_k]."""
    b, passes, classes = log_p.shape
    p = log_p.double().exp()
    certain = torch.special.entr(p).sum(-1).mean(1)
    columns = p.permute(1, 0, 2).reshape(passes, b * classes)
    total = torch.zeros_like(columns[0])
    for part, weight in _together(posterior, weights, b * classes):
        chances = part @ columns
        total -= weight @ chances.clamp_min(1e-37).log().mul_(chances)
    return (total.view(b, classes).sum(1) - certain).clamp_min(0)


def _together(
    posterior: Float[Tensor, "m k"], weights: Float[Tensor, " m"], width: int
) -> zip[tuple[Tensor, Tensor]]:
    rows = max(1, block_rows(posterior[:, :1]) // max(1, width))
    return zip(posterior.split(rows), weights.split(rows), strict=True)


def _extend(
    weights: Float[Tensor, " m"],
    posterior: Float[Tensor, "m k"],
    p: Float[Tensor, "k c"],
    limit: int,
    rng: torch.Generator,
) -> tuple[Float[Tensor, " l"], Float[Tensor, "l k"]]:
    """Return the outcomes with one more row's label, and what each makes of the passes.

    Args:
        weights: Probability of each outcome, the labels of the rows so far.
        posterior: Weight of each pass given the outcome.
        p: The new row's probabilities.
        limit: How many outcomes to keep.
        rng: For the sampling.
    """
    joint = (weights[:, None] * (posterior @ p)).flatten()
    possible = (joint > 0).nonzero()[:, 0]
    joint = joint[possible]
    if len(joint) > limit:
        kept, joint = thin(joint, limit, rng)
        possible = possible[kept]
    label = possible % p.shape[1]
    posterior = posterior[possible // p.shape[1]].mul_(p.T[label])
    posterior /= posterior.sum(1, keepdim=True)
    return joint / joint.sum(), posterior


def thin(
    weights: Float[Tensor, " m"], limit: int, rng: torch.Generator
) -> tuple[Int[Tensor, " l"], Float[Tensor, " l"]]:
    """Keep at most `limit` of more weighted points, so that every sum stays right on average.

    Points above a threshold keep their weight. The others are sampled, one in each of equal strata
    of their weight, and share it. The threshold is such that no point is expected twice.

    Args:
        weights: Positive, more than `limit` of them.
        limit: At least 1.
        rng: One number a stratum is drawn.

    Returns:
        Which points are kept, and their new weights.

    >>> which, weights = thin(torch.tensor([6.0, 1.0, 1.0, 1.0, 1.0]), 3, torch.Generator())
    >>> len(which), weights.sum()
    (3, tensor(10.))
    """
    ordered, order = weights.topk(limit)
    total = weights.sum(dtype=torch.float64)
    above = ordered.cumsum(0, dtype=torch.float64) - ordered
    step = (total - above) / torch.arange(limit, 0, -1, device=weights.device)
    below = (ordered <= step).nonzero()[:, 0]
    if not len(below):  # all others together are lost in rounding
        return order, ordered
    count = int(below[0])
    kept = order[:count]
    small = torch.ones_like(weights, dtype=torch.bool).index_fill_(0, kept, False).nonzero()[:, 0]
    upto = weights[small].cumsum(0, dtype=torch.float64)
    strata = limit - count
    share = torch.rand(strata, dtype=torch.float64, generator=rng).to(upto.device)
    points = (torch.arange(strata, device=upto.device) + share) * (upto[-1] / strata)
    drawn = torch.searchsorted(upto, points, right=True).clamp_max(len(small) - 1)
    drawn, times = drawn.unique(return_counts=True)
    fair = (times * (upto[-1] / strata)).to(weights.dtype)
    return torch.cat([kept, small[drawn]]), torch.cat([weights[kept], fair])
