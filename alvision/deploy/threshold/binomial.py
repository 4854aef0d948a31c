"""The arithmetic of a promise: how many defects prove which escape rate.

Everything here follows from one fact: if n held-out defects are like those to come, the escape
rate of the threshold at the k-th smallest score is at most Beta(k, n - k + 1) distributed.
"""

from __future__ import annotations

import math
from functools import cache

from scipy import stats


@cache
def allowed_misses(n: int, *, escape: float, confidence: float) -> int | None:
    """Return how many of n held-out defects may be below the threshold; None if not even 0 may.

    The largest k - 1 with BetaCDF(escape; k, n - k + 1) >= confidence (the tolerance limits of
    Wilks 1941, doi:10.1214/aoms/1177731788).

    Args:
        n: Independent held-out defects.
        escape: Highest escape rate to allow, in (0, 1).
        confidence: Probability that the promise holds, in (0, 1).

    >>> [allowed_misses(n, escape=0.05, confidence=0.95) for n in (58, 59, 93)]
    [None, 0, 1]
    """
    if n < 1 or stats.beta.cdf(escape, 1, n) < confidence:
        return None
    low, high = 1, n
    while low < high:
        middle = (low + high + 1) // 2
        if stats.beta.cdf(escape, middle, n - middle + 1) >= confidence:
            low = middle
        else:
            high = middle - 1
    return low - 1


def defects_needed(*, escape: float, confidence: float) -> int:
    """Return how many held-out defects prove an escape rate if none of them is missed.

    The smallest n with 1 - (1 - escape)^n >= confidence.

    >>> [defects_needed(escape=e, confidence=0.95) for e in (0.10, 0.05, 0.02, 0.01)]
    [29, 59, 149, 299]
    """
    # The logarithms may be off by a rounding error, the rule itself decides.
    n = max(1, math.floor(math.log1p(-confidence) / math.log1p(-escape)))
    while allowed_misses(n, escape=escape, confidence=confidence) is None:
        n += 1
    return n


def best_escape(n: int, *, confidence: float) -> float:
    """Return the lowest escape rate that n held-out defects can prove, none of them missed.

    >>> round(best_escape(59, confidence=0.95), 4), best_escape(0, confidence=0.95)
    (0.0495, 1.0)
    """
    return 1.0 if n < 1 else -math.expm1(math.log1p(-confidence) / n)


def percent_up(limit: float) -> str:
    """Return an upper limit in percent, three digits and rounded up: rounded down it is false.

    >>> percent_up(0.0495099), percent_up(0.02), percent_up(1.0)
    ('4.96', '2', '100')
    """
    percent = 100 * limit
    step = 10.0 ** (math.floor(math.log10(percent)) - 2) if percent > 0 else 1.0
    return f"{math.ceil(round(percent / step, 6)) * step:.3g}"


def rate_at_most(count: int, n: int, *, confidence: float) -> float:
    """Return the upper limit of a rate after `count` events in n trials (Clopper and Pearson).

    Args:
        count: Events.
        n: Trials; 0 proves nothing, and the limit is 1.
        confidence: Probability that the limit holds, one-sided. doi:10.1093/biomet/26.4.404

    >>> round(rate_at_most(0, 59, confidence=0.95), 4)
    0.0495
    """
    return 1.0 if count >= n else float(stats.beta.ppf(confidence, count + 1, n - count))
