"""Confidence sequences by betting: limits of a rate that hold at every moment of an audit.

Images are drawn one after another, without replacement, with known and unequal probabilities. For
each rate that might be the true one somebody bets against it, at odds that would be fair if it
were. Whoever bets against the truth hardly gets rich: 20 times the stake ever, with a probability
of at most 1 / 20 (Ville's inequality). So the rates against which the capital once reached 20 are
excluded for good, however often one looks and whenever one stops (Waudby-Smith and Ramdas,
arXiv:2010.09686; with unequal probabilities and without replacement: arXiv:2107.11323).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# The next constants set how fast the limits close in. They hold whatever these are.
_LARGEST_BET = 0.98
"""Share of the capital at stake at most: with all of it, one surprise would end the betting."""
_EARLY_HITS = 0.5
"""Hits that are taken as seen before the first draw."""
_EARLY_RATE = 0.1
"""The rate of those, as a share of the rate that is bet against from above."""
_EARLY_WEIGHT = 0.5
"""How much the first guess of a hit's weight counts, in hits."""

_STEPS = 800

_ENDLESS = 10**12
"""Images of a source that never ends: so many that draws from it change nothing."""


@dataclass(frozen=True, eq=False)
class Draws:
    """Draws from a fixed set of images, in the order in which they were made; fields are [T].

    Attributes:
        images: Images in the set.
        probability: The probability of each draw, given the earlier ones.
        least: The lowest probability that any image had in that draw, or a lower bound of it.
    """

    images: int
    probability: np.ndarray
    least: np.ndarray

    def __post_init__(self) -> None:
        if not len(self.probability) == len(self.least) <= self.images:
            raise ValueError(
                f"{len(self.probability)} draws, {len(self.least)} bounds and {self.images} images"
            )
        if np.any(self.least <= 0) or np.any(self.probability < self.least * (1 - 1e-9)):
            raise ValueError("a draw's probability must be above 0, and at least the lowest one")

    def __len__(self) -> int:
        return len(self.probability)

    @classmethod
    def uniform(cls, images: int, draws: int) -> Draws:
        """Return draws in which every image that is left is as probable as any other."""
        chance = 1 / (images - np.arange(draws))
        return cls(images, chance, chance)

    @classmethod
    def independent(cls, draws: int) -> Draws:
        """Return draws from a source that never ends, as of parts like these from a line.

        Their limits speak of the source. They do not close because all images that were set apart
        have an answer.
        """
        chance = np.full(draws, 1 / _ENDLESS)
        return cls(_ENDLESS, chance, chance)

    @property
    def weights(self) -> np.ndarray:
        """Return how many images each draw stands for, as a share of the set, times T."""
        return 1 / (self.images * self.probability)


def share_limits(
    hits: np.ndarray, draws: Draws, *, among: int | None = None, confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Return both limits of (hits in the set) / (a known number of images), after each draw.

    Args:
        hits: Whether each drawn image is a hit, [T].
        draws: How they were drawn.
        among: The known denominator; a hit is one of these images. None: all images of the set.
        confidence: Probability that both limits hold at every moment.

    Returns:
        Lower and upper limits, [T] each: the lower ones never fall, the upper ones never rise.

    >>> low, high = share_limits(np.zeros(400, bool), Draws.uniform(20_000, 400))
    >>> round(float(high[99]), 3), round(float(high[399]), 4)
    (0.04, 0.01)
    """
    found = np.asarray(hits, float)
    total = draws.images if among is None else among
    null = _grid()
    seen, left = np.cumsum(found), draws.images - 1 - np.arange(len(draws))
    sure = seen / max(total, 1), np.minimum((seen + left) / max(total, 1), 1)
    return _limits(found, np.ones_like(found), draws, null, total, confidence, sure)


def ratio_limits(
    hits: np.ndarray, among: np.ndarray, draws: Draws, *, confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Return both limits of (hits) / (images among which they can be), after each draw.

    Nobody knows the denominator, as with the escape rate, a share of all defects. A rate r is the
    true one where hit - r · among is 0 on average over the set, and that is what is bet against.

    Args:
        hits: Whether each drawn image is a hit, [T]; then it is also among.
        among: Whether each drawn image counts in the denominator, [T].
        draws: How they were drawn.
        confidence: Probability that both limits hold at every moment.

    Returns:
        Lower and upper limits, [T] each; 0 and 1 until something is known.

    >>> defect = np.ones(60, bool)
    >>> low, high = ratio_limits(~defect, defect, Draws.uniform(20_000, 60))
    >>> round(float(high[-1]), 2)
    0.07
    """
    found, counted = np.asarray(hits, float), np.asarray(among, float)
    if np.any(found > counted):
        raise ValueError("a hit that is not among the images of the denominator")
    seen, base = np.cumsum(found), np.cumsum(counted)
    left = draws.images - 1 - np.arange(len(draws))
    most = np.maximum(base + left, 1)
    sure = seen / most, np.where(base + left > 0, (seen + left) / most, 1)
    return _limits(found, counted, draws, _grid(), None, confidence, sure)


def log_capital(
    hits: np.ndarray,
    draws: Draws,
    null: np.ndarray,
    *,
    above: bool,
    total: int | None,
    among: np.ndarray | None = None,
) -> np.ndarray:
    """Return the logarithm of the capital of the bets against each rate, after each draw: [T, G].

    With weights w = 1 / (N q) a drawn value z = w (hit - r · among), or z = w · hit where the
    denominator is known, has the mean mu of what is left if r is the true rate. So the product of
    1 + bet · (mu - z) over the draws is a martingale for any bet that looks at earlier draws only.
    The bet is Kelly's for a value of two points, mean difference / variance, estimated from them.

    Args:
        hits: Whether each drawn image is a hit, [T].
        draws: How they were drawn.
        null: The rates that are bet against, [G], inside (0, 1).
        above: Bet that the true rate is lower than these, which gives an upper limit; else higher.
        total: The denominator where it is known.
        among: Whether a drawn image counts in the denominator where it is not known, [T].
    """
    found = np.asarray(hits, float)
    counted = np.ones_like(found) if among is None else np.asarray(among, float)
    weight, largest = draws.weights, 1 / (draws.images * draws.least)
    known = total is not None
    value = found[:, None] if known else found[:, None] - null * counted[:, None]
    ends = (0.0, 1.0) if known else (-null, 1 - null)
    mean = ((null * total if total is not None else 0) - _before(value)) / draws.images
    z = weight[:, None] * value
    # Past hits and their weights, from which the next bet is made.
    hit_weight = _before(weight * found)
    typical = _before(weight**2 * counted * (found if known else 1)) + _EARLY_WEIGHT * largest**2
    typical /= _before(weight * counted * (found if known else 1)) + _EARLY_WEIGHT * largest
    if known:
        base = np.arange(len(found))
        rate = mean
        scale = np.asarray(null * total / draws.images)
    else:
        base = _before(weight * counted)
        rate = np.broadcast_to(null, value.shape)
        scale = null
    # Against a high rate a bold first bet would be lost at once.
    prior = np.minimum(_EARLY_RATE + 1.5 * scale, 1) if above else np.ones_like(scale)
    boldest = _LARGEST_BET * (1 - scale if above else scale.clip(0.5))
    guess = (_EARLY_HITS + hit_weight)[:, None] / (base[:, None] + _EARLY_HITS / (prior * scale))
    if known:
        variance = rate * np.maximum(typical[:, None] - rate, 0.05 * typical[:, None])
    else:
        variance = rate * (1 - rate) * typical[:, None]
    possible = rate > 0
    bet = np.where(possible, rate - guess, 0) / np.where(possible, variance, 1)
    room = (
        ends[1] * largest[:, None] - mean if above else mean - ends[0] * largest[:, None]
    )  # what a bet of 1 can lose
    bet = (bet if above else -bet).clip(0, boldest / np.maximum(room, 1e-9))
    gain = bet * (mean - z if above else z - mean)
    gain = np.where(possible & (room > 0), gain, 0)
    capital = np.cumsum(np.log1p(np.maximum(gain, -1 + 1e-12)), axis=0)
    # What the images that are left cannot make up for is excluded for good.
    left = (1 - np.arange(len(found)) / draws.images)[:, None]
    out = mean > ends[1] * left + 1e-9 if above else mean < ends[0] * left - 1e-9
    return np.where(np.logical_or.accumulate(out, axis=0), np.inf, capital)


def _limits(
    hits: np.ndarray,
    among: np.ndarray,
    draws: Draws,
    null: np.ndarray,
    total: int | None,
    confidence: float,
    sure: tuple[np.ndarray, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Return the limits that follow from the capitals, and from what the draws leave possible."""
    needed = np.log(2 / (1 - confidence))
    edges = np.concatenate([[0.0], null, [1.0]])
    counted = None if total is not None else among
    rejected = [
        np.maximum.accumulate(
            log_capital(hits, draws, null, above=above, total=total, among=counted), axis=0
        )
        >= needed
        for above in (False, True)
    ]
    # The limit is the next rate beyond the last one that is not excluded.
    first = np.argmin(np.pad(rejected[0], ((0, 0), (0, 1))), axis=1)
    last = len(null) - np.argmin(np.pad(rejected[1], ((0, 0), (1, 0)))[:, ::-1], axis=1)
    low, high = np.maximum(edges[first], sure[0]), np.minimum(edges[last + 1], sure[1])
    low, high = np.maximum.accumulate(low), np.minimum.accumulate(high)
    # In the few audits that miss the truth they may cross; then only what is sure stays.
    crossed = low > high
    return np.where(crossed, sure[0], low), np.where(crossed, sure[1], high)


def _before(values: np.ndarray) -> np.ndarray:
    """Return the sum of what came before each row."""
    return np.cumsum(values, axis=0) - values


def _grid() -> np.ndarray:
    """Return rates inside (0, 1), closer to each other at both ends, where limits are narrow."""
    return np.sin(np.pi * np.arange(1, _STEPS) / (2 * _STEPS)) ** 2
