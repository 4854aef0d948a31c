"""Has the line changed? Two-sample tests without labels, with the many looks paid for.

Each image gives some numbers (`facts`): outputs, features, light. At every look the newest images'
are compared with those of held-out images, one Kolmogorov-Smirnov test a fact (Rabanser et al.,
arXiv 1810.11953). The reference is finite, so the test is two-sample, and its chance is a bound for
finite samples, so that the false alarms are at most as many as said.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

FEWEST = 50
"""Images below which nothing is compared, on either side."""
EVERY = 50
"""New images between two looks."""
WINDOWS = (100, 1000)
"""Newest images that a look takes: few for a sudden change, many for a small one."""
ALPHA = 0.001
"""Probability of a false alarm in a week of any number of looks."""


@dataclass(frozen=True)
class Look:
    """What one look found.

    Attributes:
        chances: For each window and fact, the chance that an undisturbed line looks so, [2, S].
        level: Below it a chance is an alarm.
    """

    chances: Float[np.ndarray, "w s"]
    level: float

    @property
    def alarmed(self) -> list[int]:
        """Return the facts that changed, the clearest first."""
        best = self.chances.min(axis=0)
        return [int(s) for s in np.argsort(best, kind="stable") if best[s] < self.level]


def look(
    reference: Float[np.ndarray, "m s"], stream: Float[np.ndarray, "n s"], *, number: int
) -> Look | None:
    """Compare the newest images with the reference; None if there are too few of either.

    Args:
        reference: Facts of held-out images.
        stream: Facts of the newest images in order of arrival, at most `max(WINDOWS)` of them.
        number: Of this look in its week, from 1. The looks of a week share `ALPHA`: the k-th may
            spend ALPHA / (k (k + 1)) of it, divided by its tests (Bonferroni).
    """
    if min(len(reference), len(stream)) < FEWEST:
        return None
    chances = np.stack(
        [
            chance(distances(reference, fresh), len(reference), len(fresh))
            for fresh in (stream[-window:] for window in WINDOWS)
        ]
    )
    return Look(chances, ALPHA / (number * (number + 1)) / chances.size)


def distances(
    reference: Float[np.ndarray, "m s"], fresh: Float[np.ndarray, "n s"]
) -> Float[np.ndarray, " s"]:
    """Return the Kolmogorov-Smirnov distance of each fact, sup |F - G|.

    >>> distances(np.array([[1.0], [2.0]]), np.array([[2.0], [3.0]])).tolist()
    [0.5]
    """
    return abs(_gaps(reference, fresh)[1]).max(axis=0)


def chance(distance: Float[np.ndarray, " s"], m: int, n: int) -> Float[np.ndarray, " s"]:
    """Bound the probability of such a distance between two samples of one distribution.

    exp(1 - 2 d² mn / (m + n)), the two-sample form of the inequality of Dvoretzky, Kiefer and
    Wolfowitz (Wei and Dudley, arXiv 1107.5356): shown for equal sizes, computed for unequal ones up
    to 200, where 2 would do for e, and conjectured above.

    Args:
        distance: Kolmogorov-Smirnov distances.
        m: Size of one sample.
        n: Size of the other.

    >>> [f"{p:.3g}" for p in chance(np.array([0.0, 0.5]), 100, 100)]
    ['1', '3.78e-11']
    """
    return np.minimum(1.0, np.exp(1 - 2 * np.square(distance) * (m * n / (m + n))))


def typical(
    reference: Float[np.ndarray, " m"], fresh: Float[np.ndarray, " n"]
) -> tuple[Int[np.ndarray, " a"], Int[np.ndarray, " b"], bool]:
    """Return the rows that show a change best: of the reference, of the fresh images.

    The value t at which the two distributions lie furthest apart splits both. The fresh images
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
    """Return all values of each fact in order, and F - G after each; 0 inside equal values."""
    both = np.concatenate([reference, fresh])
    order = np.argsort(both, axis=0, kind="stable")
    values = np.take_along_axis(both, order, axis=0)
    steps = np.where(order < len(reference), 1 / len(reference), -1 / len(fresh))
    gaps = np.cumsum(steps, axis=0)
    gaps[:-1][values[1:] == values[:-1]] = 0
    return values, gaps
