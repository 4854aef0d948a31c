"""Two-sample tests for drift of a line, without labels and corrected for repeated testing.

Each image has some statistics: outputs, features, light. Every test compares those of the newest
images with those of held-out images, one Kolmogorov-Smirnov distance for each statistic (Rabanser
et al., arXiv 1810.11953). The reference is finite and stays the same week after week, so an
unlucky one would raise alarms again and again. So the uncertainty of the reference is allowed for
once, and that of the newest images in every test.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

FEWEST = 50
"""Images below which nothing is compared, on either side: with fewer only gross changes show."""
EVERY = 50
"""New images between two tests."""
WINDOWS = (100, 1000)
"""Newest images that a test takes: few to find a sudden change, many to find a small one."""
ALPHA = 0.001
"""Probability of a false alarm in a week of any number of tests, unless a reference is unlucky."""
UNLUCKY = 0.01
"""Probability that a reference is unlucky, for all weeks together."""


@dataclass(frozen=True)
class DriftTest:
    """The result of one test.

    Attributes:
        chances: Upper limit of the p-value for each window and statistic, [2, S].
        level: A chance below it is an alarm.
    """

    chances: Float[np.ndarray, "w s"]
    level: float

    @property
    def alarmed(self) -> list[int]:
        """Return the statistics that changed, the clearest first."""
        best = self.chances.min(axis=0)
        return [int(s) for s in np.argsort(best, kind="stable") if best[s] < self.level]


def run_test(
    reference: Float[np.ndarray, "m s"], stream: Float[np.ndarray, "n s"], *, number: int
) -> DriftTest | None:
    """Compare the newest images with the reference; None if there are too few of either.

    Args:
        reference: Statistics of held-out images.
        stream: Statistics of the newest images in order of arrival, at most `max(WINDOWS)`.
        number: Number of this test in its week, from 1. The tests of a week share `ALPHA`: the
            k-th may spend ALPHA / (k (k + 1)) of it, divided among its comparisons (Bonferroni).
    """
    if min(len(reference), len(stream)) < FEWEST:
        return None
    chances = np.stack(
        [
            chance(distances(reference, fresh), len(reference), len(fresh))
            for fresh in (stream[-window:] for window in WINDOWS)
        ]
    )
    return DriftTest(chances, ALPHA / (number * (number + 1)) / chances.size)


def distances(
    reference: Float[np.ndarray, "m s"], fresh: Float[np.ndarray, "n s"]
) -> Float[np.ndarray, " s"]:
    """Return the Kolmogorov-Smirnov distance of each statistic, sup |F - G|.

    >>> distances(np.array([[1.0], [2.0]]), np.array([[2.0], [3.0]])).tolist()
    [0.5]
    """
    return abs(_gaps(reference, fresh)[1]).max(axis=0)


def chance(distance: Float[np.ndarray, " s"], m: int, n: int) -> Float[np.ndarray, " s"]:
    """Bound the probability of such distances, whatever the reference, unless it is unlucky.

    With d the distance of the samples and F their distribution, d <= sup |F_m - F| + sup |F - F_n|.
    The first part exceeds e = sqrt(log(2 S / UNLUCKY) / 2m) in some statistic with probability
    UNLUCKY at most. Otherwise the chance of d is at most 2 exp(-2 n (d - e)²). Both follow from the
    inequality of Dvoretzky, Kiefer, Wolfowitz and Massart (doi:10.1214/aop/1176990746), which holds
    for all sizes and for values that repeat.

    Args:
        distance: Kolmogorov-Smirnov distance of each of S statistics.
        m: Images of the reference.
        n: Newest images.

    >>> [f"{p:.2g}" for p in chance(np.array([0.1, 0.5]), 200, 100)]
    ['1', '8.2e-13']
    """
    slack = np.sqrt(np.log(2 * len(distance) / UNLUCKY) / (2 * m))
    beyond = np.clip(distance - slack, 0, None)
    return np.minimum(1.0, 2 * np.exp(-2 * n * np.square(beyond)))


def typical(
    reference: Float[np.ndarray, " m"], fresh: Float[np.ndarray, " n"]
) -> tuple[Int[np.ndarray, " a"], Int[np.ndarray, " b"], bool]:
    """Return the rows of the reference and of the fresh images that show a change best.

    The value t at which the two distributions are furthest apart splits both. The fresh images
    have more on one side of it, the reference on the other; the most typical ones are nearest to
    the median of their side.

    Returns:
        Rows of the reference, rows of the fresh images, the most typical first, and whether the
        fresh values are the higher ones.

    >>> reference, fresh, higher = typical(np.array([1.0, 2.0, 3.0]), np.array([2.0, 8.0, 9.0]))
    >>> reference.tolist(), fresh.tolist(), higher
    ([1, 0, 2], [1, 2], True)
    """
    values, gaps = _gaps(reference[:, None], fresh[:, None])
    place = int(abs(gaps[:, 0]).argmax())
    mark, higher = values[place, 0], bool(gaps[place, 0] > 0)
    below, above = reference <= mark, fresh > mark
    if not higher:
        below, above = reference > mark, fresh <= mark
    return _central(reference, below), _central(fresh, above), higher


def _central(values: np.ndarray, side: np.ndarray) -> np.ndarray:
    rows = np.flatnonzero(side)
    return rows[np.argsort(abs(values[rows] - np.median(values[rows])), kind="stable")]


def _gaps(reference: np.ndarray, fresh: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return all values of each statistic in order, and F - G after each; 0 inside equal values."""
    both = np.concatenate([reference, fresh])
    order = np.argsort(both, axis=0, kind="stable")
    values = np.take_along_axis(both, order, axis=0)
    steps = np.where(order < len(reference), 1 / len(reference), -1 / len(fresh))
    gaps = np.cumsum(steps, axis=0)
    gaps[:-1][values[1:] == values[:-1]] = 0
    return values, gaps
