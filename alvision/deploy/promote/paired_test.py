"""The paired test that a new model is not worse than an old one by a stated margin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import optimize, stats


@dataclass(frozen=True)
class Paired:
    """The errors of two models on the same n independent images.

    Attributes:
        n: Images.
        worse: Images that only the new model gets wrong.
        better: Images that only the old model gets wrong.
        confidence: Probability that `at_most` holds, one-sided.
    """

    n: int
    worse: int
    better: int
    confidence: float

    @property
    def difference(self) -> float:
        """Return the new model's rate of errors minus the old one's; 0 without images."""
        return (self.worse - self.better) / self.n if self.n else 0.0

    @cached_property
    def at_most(self) -> float:
        """Return the upper limit of that difference, see `difference_at_most`."""
        return difference_at_most(self.worse, self.better, self.n, confidence=self.confidence)

    def within(self, margin: float) -> bool:
        """Tell whether the new model is shown not to be worse by `margin` or more."""
        return self.at_most < margin


def paired(
    old: Sequence[bool] | np.ndarray, new: Sequence[bool] | np.ndarray, *, confidence: float
) -> Paired:
    """Compare two models on the same images.

    Args:
        old: For each of n independent images, whether the old model gets it wrong.
        new: The same for the new model.
        confidence: Probability that the limit holds, in (0, 1).

    >>> paired([True, False, False], [False, False, False], confidence=0.95).difference
    -0.3333333333333333
    """
    before, after = np.asarray(old, dtype=bool), np.asarray(new, dtype=bool)
    worse, better = int((after & ~before).sum()), int((before & ~after).sum())
    return Paired(len(before), worse, better, confidence)


def difference_at_most(worse: int, better: int, n: int, *, confidence: float) -> float:
    """Return the upper score limit of a difference of paired rates.

    With b images that only the new model gets wrong, and c that only the old one does, it is the
    largest D with (b - c - n·D) / sqrt(n (2q + D (1 - D))) >= -z, where q is the likeliest share of
    the c's if the difference is D (Tango 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<891::
    AID-SIM780>3.0.CO;2-B). Unlike Wald's interval it is right where the models hardly differ: with
    b = c = 0 it is z² / (n + z²) and not 0. Assumes that the images are independent and like those
    to come. It is an approximation: with n = 60 to 300 a model that is worse by exactly the margin
    is let through with a probability of at most 5.9 % where 5 % are meant (by enumeration).

    Args:
        worse: b.
        better: c.
        n: Images; 0 shows nothing, and the limit is 1.
        confidence: Probability that the limit holds, one-sided.

    >>> round(difference_at_most(0, 0, 268, confidence=0.95), 5)
    0.00999
    >>> round(difference_at_most(5, 12, 100, confidence=0.975), 4)  # both sides: 95 %
    0.0119
    """
    z = float(stats.norm.ppf(confidence))
    if worse >= n:
        return 1.0

    def above(limit: float) -> float:
        return _score(worse, better, n, limit) + z

    start = (worse - better) / n
    # From the observed difference, where the score is 0, it falls to minus infinity at 1.
    return float(optimize.brentq(above, start, 1 - 1e-9, xtol=1e-12))


def pairs_needed(margin: float, *, confidence: float) -> int:
    """Return how many images show a margin if both models do the same on every one of them.

    The smallest n with z² / (n + z²) < margin.

    >>> [pairs_needed(m, confidence=0.95) for m in (0.01, 0.02, 0.05)]
    [268, 133, 52]
    """
    square = float(stats.norm.ppf(confidence)) ** 2
    return math.floor(square * (1 - margin) / margin) + 1


def _score(worse: int, better: int, n: int, difference: float) -> float:
    linear = -(worse + better) + difference * (2 * n - worse + better)
    constant = -better * difference * (1 - difference)
    root = math.sqrt(max(0.0, linear * linear - 8 * n * constant))
    share = max(0.0, (root - linear) / (4 * n))
    spread = n * (2 * share + difference * (1 - difference))
    if spread <= 0:
        return 0.0
    return (worse - better - n * difference) / math.sqrt(spread)
