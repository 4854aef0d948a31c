"""The paired test that a new model is not worse than an old one by a stated margin.

It is exact: whatever the models and however few the images, a model that is worse by the margin is
let through with at most the stated probability. A normal approximation is not: with 268 images that
both models get right it lets a model through that is 1 point worse in 6.8 % of cases instead of 5.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from scipy import special, stats

from alvision.deploy.threshold.binomial import defects_needed

SHARES, FINER = 65, 17
"""Rates of the old model alone being wrong that the worst case is looked for among.

First over all of them, then between the two beside the worst; the error is below 1e-5.
"""
SPREADS = 8.0
"""Standard deviations on each side beyond which a binomial probability is left out, 1e-15."""
STEPS = 20
"""Halvings of the interval that the upper limit is in: to a millionth."""


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
        return excludes(self.worse, self.better, self.n, margin, confidence=self.confidence)


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


def excludes(worse: int, better: int, n: int, margin: float, *, confidence: float) -> bool:
    """Tell whether a model that is worse by `margin` would rarely do as well as this.

    "Rarely" is with a probability of at most 1 - confidence; see `chance`.
    """
    return n > 0 and chance(worse, better, n, margin) <= 1 - confidence


def chance(worse: int, better: int, n: int, margin: float) -> float:
    """Return the largest probability that a model which is worse by `margin` does at least as well.

    The exact unconditional test of paired rates: with b images that only the new model gets wrong
    and c that only the old one does, outcomes are ordered by the signed root of the likelihood
    ratio, and the probability of an outcome that is no worse than (b, c) is the largest over every
    share q of images that only the old model gets wrong (Lloyd and Moldovan 2007, Statistics in
    Medicine 26:3369). A model that is worse by more is let through more rarely still.

    Args:
        worse: b.
        better: c.
        n: Images, at least one, independent and like those to come.
        margin: The difference of the rates, in (0, 1).

    >>> [round(chance(0, 0, n, 0.01), 4) for n in (268, 299)]
    [0.0676, 0.0495]
    """
    limit = float(_score(np.array([worse]), np.array([better]), n, margin)[0])
    fewest = _fewest_better(limit, n, margin)

    def worst(shares: np.ndarray) -> tuple[int, float]:
        found = [_probability(fewest, n, margin, float(share)) for share in shares]
        return int(np.argmax(found)), max(found)

    # Dense near 0, where the probability changes fastest.
    shares = np.linspace(0, math.sqrt((1 - margin) / 2), SHARES) ** 2
    number, coarse = worst(shares)
    beside = shares[max(0, number - 1)], shares[min(SHARES - 1, number + 1)]
    return max(coarse, worst(np.linspace(*beside, FINER))[1])


def difference_at_most(worse: int, better: int, n: int, *, confidence: float) -> float:
    """Return the upper limit of a difference of paired rates: the smallest that is excluded.

    With b = c = 0 it is 1 - (1 - confidence)^(1/n), as for a rate of which no case was seen.

    Args:
        worse: b.
        better: c.
        n: Images; 0 shows nothing, and the limit is 1.
        confidence: Probability that the limit holds, one-sided.

    >>> round(difference_at_most(0, 0, 299, confidence=0.95), 5)
    0.00997
    """
    if worse >= n:
        return 1.0
    low, high = max(0.0, (worse - better) / n), 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        if excludes(worse, better, n, middle, confidence=confidence):
            high = middle
        else:
            low = middle
    return high


def pairs_needed(margin: float, *, confidence: float) -> int:
    """Return how many images show a margin if both models do the same on every one of them.

    As many as defects show an escape rate if none of them is missed.

    >>> [pairs_needed(m, confidence=0.95) for m in (0.01, 0.02, 0.05)]
    [299, 149, 59]
    """
    n = defects_needed(escape=margin, confidence=confidence)
    while not excludes(0, 0, n, margin, confidence=confidence):
        n += 1
    return n


def _score(
    worse: Int[np.ndarray, " k"], better: Int[np.ndarray, " k"], n: int, margin: float
) -> Float[np.ndarray, " k"]:
    """Return the signed root of the likelihood ratio of a difference D; below 0 if b - c < n·D.

    sign(b - c - n·D) sqrt(2 log(L / L_D)), L the largest likelihood and L_D that with a difference
    of D, where the likeliest share of the c's is a root of a quadratic (Tango 1998,
    doi:10.1002/(SICI)1097-0258(19980430)17:8<891::AID-SIM780>3.0.CO;2-B).
    """
    same, linear = n - worse - better, -(worse + better) + margin * (2 * n - worse + better)
    root = np.sqrt(linear * linear + 8 * n * better * margin * (1 - margin))
    share = np.clip((root - linear) / (4 * n), 0, (1 - margin) / 2)
    free = sum(special.xlogy(k, k / n) for k in (worse, better, same))
    fixed = (
        special.xlogy(worse, share + margin)
        + special.xlogy(better, share)
        + special.xlogy(same, np.maximum(0, 1 - 2 * share - margin))
    )
    return np.sign(worse - better - n * margin) * np.sqrt(np.maximum(0, 2 * (free - fixed)))


def _fewest_better(limit: float, n: int, margin: float) -> Int[np.ndarray, " n+1"]:
    """Return for each b = 0..n the smallest c whose score is at most `limit`; n - b + 1 if none."""
    worse = np.arange(n + 1)
    below, found = np.full(n + 1, -1), n - worse + 1
    while (found - below > 1).any():
        middle = np.clip((below + found) // 2, 0, n - worse)
        # The score falls with every better one; rounding must not part equal scores.
        reached = _score(worse, middle, n, margin) <= limit + 1e-9
        open_ = found - below > 1
        found = np.where(open_ & reached, middle, found)
        below = np.where(open_ & ~reached, middle, below)
    return found


def _probability(fewest: Int[np.ndarray, " n+1"], n: int, margin: float, share: float) -> float:
    """Return the probability of c >= fewest[b], with rates share + margin of b and share of c."""
    rate = min(share + margin, 1.0)
    mean, spread = n * rate, SPREADS * math.sqrt(n * rate * (1 - rate)) + 2
    worse = np.arange(max(0, math.floor(mean - spread)), min(n, math.ceil(mean + spread)) + 1)
    wanted = fewest[worse]
    rest = min(share / (1 - rate), 1.0) if rate < 1 else 0.0
    # bdtrc(k, m, p) is the probability of more than k in m.
    enough = np.where(wanted > 0, special.bdtrc(wanted - 1.0, n - worse, rest), 1.0)
    return float(stats.binom.pmf(worse, n, rate) @ np.where(wanted > n - worse, 0.0, enough))
