"""Power sampling: a batch drawn in proportion to a power of the scores, at the price of top-k."""

from __future__ import annotations

import torch

from alvision.acquisition.contract import needs, properties
from alvision.acquisition.support.draws import draw_many
from alvision.acquisition.support.ops import check_count, rows_of, scores_of
from alvision.inference.predictions import Pick, Predictions, Score


@needs("scores")
@properties("sampled")
def power_sampling(
    pool: Predictions,
    labelled: Predictions,
    *,
    n: int,
    rng: torch.Generator,
    score: Score,
    coldness: float = 1.0,
    form: str = "power",
) -> Pick:
    """Draw n rows without replacement, each with a chance that grows with its score s.

    power: P(i) ∝ s_i^coldness. softmax: P(i) ∝ exp(coldness · s_i). Kirsch et al., Stochastic Batch
    Acquisition, arXiv 2106.12059. Reads `pool.scores`, as `top_k` does. Propensities are the
    chances P(i) among the rows not drawn before. In the power form a row of score 0 is drawn only
    when nothing else is left. Scores are the rows' own, without the noise. Cost O(N log N); memory
    O(N).

    Scores change as labels come in, so the highest n of today are not the best n together: the
    noise stands for that change, and keeps near duplicates from filling the batch. Use it for large
    batches instead of `top_k`; its authors find it level with BatchBALD and BADGE at a fraction of
    the cost, and its propensities make estimates on the labels correctable. The power form takes
    scores as they are spread over orders of magnitude and needs no unit; the softmax form depends
    on the unit, for coldness 1 and scores in nats it is close to random. A large coldness is
    `top_k`, 0 is `random_sampling`. It loses against `top_k` for batches of one or two, and where
    few rows matter in a large pool: many small chances add up to most of the batch.

    Args:
        pool: The pool.
        labelled: Not read.
        n: How many rows.
        rng: The generator.
        score: The score, higher = more worth labelling; not negative for the power form.
        coldness: The exponent, at least 0.
        form: power or softmax.

    Raises:
        ValueError: n is negative or larger than the pool; neither scores nor log_probs are there;
            a score is NaN or infinite, or negative in the power form; coldness is negative or not
            finite; there is no such form.

    >>> from alvision.acquisition import entropy
    >>> pool = Predictions(("a", "b", "c"), scores=torch.tensor([0.0, 0.5, 0.0]))
    >>> rng = torch.Generator().manual_seed(0)
    >>> power_sampling(pool, Predictions(()), n=2, rng=rng, score=entropy).propensity
    tensor([1.0000, 0.5000])
    """
    check_count(n, pool)
    if not 0 <= coldness < torch.inf:
        raise ValueError(f"coldness = {coldness}: expected a number from 0 on")
    if form not in ("power", "softmax"):
        raise ValueError(f"form = {form!r}: expected power or softmax")
    scores = scores_of(pool, score)
    if form == "power":
        if (scores < 0).any():
            raise ValueError(
                f"pool.scores {list(scores.shape)}: negative in {rows_of(scores < 0)}, which has "
                "no power; use form=softmax"
            )
        log_weights = torch.special.xlogy(coldness, scores.double())
        log_weights[scores == 0] = -torch.inf
    else:
        log_weights = coldness * scores.double()
    rows, chances = draw_many(log_weights, n, rng)
    return Pick(rows, scores[rows], propensity=chances.float())
