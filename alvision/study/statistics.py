"""Statistics of a paired comparison with few seeds."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import optimize, special, stats

from alvision.evaluation.intervals import holm, ratio_interval

LEVEL = 0.05
"""The probability of any false claim in a table that is accepted: the convention of the field."""
POWER = 0.8
"""The share of studies that should find an effect: the usual choice for planning a study."""
EXACT_UP_TO = 20
"""Seeds up to which all 2^n sign patterns are counted; 2^20 sums take tens of milliseconds."""
FLIPS = 100_000
"""Drawn sign patterns beyond that: they give a p-value of .05 to within some .001."""
SIMULATED_UP_TO = 14
"""Seeds up to which the power of the test is simulated: 2^n subsets."""


@dataclass(frozen=True)
class Ratio:
    """How many times fewer labels than random: labels of random / labels of the strategy.

    Attributes:
        value: The ratio of the means over seeds.
        low: Lower end of its 95 % interval; None if unbounded.
        high: Upper end; None if unbounded.
        bound: `exact`; `at least`: random never got there in some seeds, so the true ratio is
            higher; `at most`: the strategy did not.
    """

    value: float
    low: float | None
    high: float | None
    bound: Literal["exact", "at least", "at most"] = "exact"


def sign_flip_test(differences: Sequence[float] | np.ndarray) -> float:
    """Return the two-sided p-value of the paired sign-flip permutation test.

    If two strategies are alike, a seed's difference is as likely to have the other sign. p is the
    share of all 2^n ways to flip signs whose absolute sum is at least the observed one. Up to 20
    seeds all ways are counted, so the smallest p is 2^(1-n); beyond, 100,000 drawn ones, of which
    the observed one is counted as one more, so that p is valid and never 0.

    Raises:
        ValueError: A difference is NaN or infinite.

    >>> sign_flip_test([0.1, 0.2, 0.3, 0.1])
    0.125
    """
    values = np.asarray(differences, dtype=float)
    if not np.isfinite(values).all():
        raise ValueError(f"differences {values.tolist()}: NaN or infinite ones compare nothing")
    observed = abs(values.sum())
    tolerance = 1e-9 * np.abs(values).sum()
    if len(values) <= EXACT_UP_TO:
        sums = np.zeros(1)
        for value in values:
            sums = np.concatenate([sums + value, sums - value])
        return float(np.mean(np.abs(sums) >= observed - tolerance))
    rng = np.random.default_rng(0)
    hits = 1
    for _ in range(FLIPS // 1000):
        signs = rng.choice([-1.0, 1.0], size=(1000, len(values)))
        hits += int(np.sum(np.abs(signs @ values) >= observed - tolerance))
    return hits / (FLIPS + 1)


def seeds_needed(comparisons: int, *, level: float = LEVEL) -> int:
    """Return the fewest seeds with which the corrected test can reject at all.

    The smallest p-value is comparisons · 2^(1-seeds).

    >>> seeds_needed(1), seeds_needed(4)
    (6, 8)
    """
    return max(2, math.ceil(1 + math.log2(comparisons / level)))


def paired_tests(differences: Sequence[np.ndarray]) -> list[float | None]:
    """Test every row of paired differences, [n] each, with Holm's correction over all of them.

    None for all where n is too small for any of them to reach the level, and for a row with a
    difference that is not finite, which still counts as a comparison.
    """
    if not differences or len(differences[0]) < seeds_needed(len(differences)):
        return [None] * len(differences)
    finite = [bool(np.isfinite(paired).all()) for paired in differences]
    raw = [
        sign_flip_test(paired) if whole else 1.0
        for paired, whole in zip(differences, finite, strict=True)
    ]
    return [p if whole else None for p, whole in zip(holm(raw), finite, strict=True)]


def minimum_detectable_effect(
    differences: Sequence[float] | np.ndarray, *, comparisons: int = 1, power: float = POWER
) -> float | None:
    """Return the true mean difference that this design finds with probability `power`.

    `standard_effect` times the standard deviation of the paired differences, freed of its bias
    with few seeds. A truth below it may well exist and be missed. None with too few seeds for the
    test to find anything, and where the differences are all alike or not finite: then they do not
    tell how much others would vary.

    >>> f"{minimum_detectable_effect([0.01, 0.03, 0.02, 0.02, 0.01, 0.03]):.4f}"
    '0.0167'
    """
    values = np.asarray(differences, dtype=float)
    n = len(values)
    if n < seeds_needed(comparisons) or not np.isfinite(values).all():
        return None
    if np.ptp(values) <= 1e-9 * np.abs(values).max():
        return None
    logarithm = special.gammaln(n / 2) - special.gammaln((n - 1) / 2)
    bias = math.sqrt(2 / (n - 1)) * math.exp(logarithm)
    return float(standard_effect(n, comparisons, power) * np.std(values, ddof=1) / bias)


@functools.cache
def standard_effect(n: int, comparisons: int = 1, power: float = POWER) -> float:
    """Return the effect, in standard deviations, that the sign-flip test finds with `power`.

    The test rejects at the strictest step of Holm's method if at most k - 1 other sign patterns
    reach the observed sum, k = floor(level / comparisons · 2^(n-1)). Flipping the seeds F leaves
    the sum as large iff the differences of F sum to 0 or less, so a draw z + effect is found iff
    the effect exceeds the k-th largest of -mean(z over F): its quantile over normal draws is the
    answer. Beyond 14 seeds the power of the t-test at level k / 2^(n-1) stands in, which has become
    the same by then.

    >>> 1.7 < standard_effect(6) < 1.9
    True
    """
    ways = 2.0 ** (n - 1)
    k = math.floor(LEVEL / comparisons * ways + 1e-9)
    if n > SIMULATED_UP_TO:
        critical = stats.t.ppf(1 - k / ways / 2, n - 1)
        missing = lambda d: stats.nct.sf(critical, n - 1, d * math.sqrt(n)) - power  # noqa: E731
        return float(optimize.brentq(missing, 1e-3, 6))
    sets = (np.arange(1, 2**n)[:, None] >> np.arange(n)) & 1
    weights = (-sets / sets.sum(axis=1, keepdims=True)).astype(np.float32)
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(min(4000, 2**23 // 2**n), n)).astype(np.float32)
    needed = np.partition(draws @ weights.T, -k, axis=1)[:, -k]
    return float(np.quantile(needed, power))


def label_ratio(
    random: Sequence[float | None],
    strategy: Sequence[float | None],
    least_random: Sequence[float],
    least_strategy: Sequence[float],
) -> Ratio | None:
    """Compare labels to target: mean of random / mean of the strategy, paired by seed.

    A seed that never reached the target counts as the least that it needed, and the ratio becomes
    a bound: at least that if only random has such seeds, at most if only the strategy has. None if
    both have: then nothing bounds it; and where a seed needed no label at all, which has no ratio.

    Args:
        random: Labels to target of random, one for each seed; None: never reached.
        strategy: The same of the strategy.
        least_random: What each seed of random needed, at the least where it never got there.
        least_strategy: The same of the strategy.

    >>> label_ratio([100, 120], [50, 60], [200, 200], [200, 200]).value
    2.0
    >>> label_ratio([100, None], [50, 50], [100, 100], [50, 50])
    Ratio(value=2.0, low=2.0, high=None, bound='at least')
    """
    open_random, open_strategy = None in random, None in strategy
    if open_random and open_strategy:
        return None
    top, bottom = (
        np.array([end if x is None else x for x, end in zip(labels, least, strict=True)], float)
        for labels, least in ((random, least_random), (strategy, least_strategy))
    )
    if not (top.all() and bottom.all()):
        return None
    found = ratio_interval(top, bottom)
    if open_random:
        return Ratio(found.value, found.low, None, "at least")
    if open_strategy:
        return Ratio(found.value, None, found.high, "at most")
    return Ratio(found.value, found.low, found.high)
