"""Draw images to audit with known, unequal probabilities: mostly alike, the rest by doubt.

How much doubt decides is learned from the errors that were found. That is allowed, because limits
by betting hold for any rule that looks at earlier draws only (`evaluation.betting`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from alvision.evaluation.betting import Draws

UNIFORM_SHARE = 0.94
"""Share of the draws in which every image is as probable as any other, until doubt has shown its
worth. No image stands for more than 1 / .94 images: where there is no error to find, an audit needs
6 % more labels."""

LEAST_UNIFORM = 0.3
"""With less, an error where the model is sure would stand for so many images that one ends it."""

_SHARES = np.arange(UNIFORM_SHARE, LEAST_UNIFORM - 1e-9, -0.04)


@dataclass(frozen=True)
class Draw:
    """A drawn image.

    Attributes:
        id: The image.
        propensity: The probability of the draw, given the earlier ones.
        least: The lowest probability that any image had in it, or a lower bound of that.
    """

    id: str
    propensity: float
    least: float


def draws_of(drawn: Sequence[Draw], images: int) -> Draws:
    """Return draws from a set of images in the form that limits are computed from."""
    return Draws(
        images,
        np.array([one.propensity for one in drawn]),
        np.array([one.least for one in drawn]),
    )


def chances(doubts: np.ndarray, uniform: float = UNIFORM_SHARE) -> np.ndarray:
    """Return the probability of each of N images in the first draw, [N]; it sums to 1.

    uniform / N + (1 - uniform) · doubt / sum of doubts; without any doubt all are alike.

    Args:
        doubts: How much the model doubts each image, 0 or more, [N].
        uniform: Share of the draws that do not look at it.

    >>> chances(np.array([0.0, 0.0, 1.0, 1.0]), 0.8).round(3)
    array([0.2, 0.2, 0.3, 0.3])
    """
    total = doubts.sum()
    alike = np.full(len(doubts), 1 / max(len(doubts), 1))
    return uniform * alike + (1 - uniform) * (doubts / total) if total > 0 else alike


def uniform_share(found: Iterable[tuple[float, float]]) -> float:
    """Return the share of uniform draws with which the errors found until now vary least.

    An error with `lift` times the mean doubt stands for 1 / (u + (1 - u) · lift) images. The share
    u has the lowest mean of that over the errors and one more without any doubt: until doubt has
    found enough, u stays high.

    Args:
        found: Of each error the weight, for how many images it stands, and the lift of its image.

    >>> uniform_share([]), round(uniform_share([(0.8, 5.0), (0.8, 5.0)]), 2)
    (0.94, 0.78)
    """
    weight, lift = np.array([(1.0, 0.0), *found]).T[:, :, None]
    spread = (weight / (_SHARES + (1 - _SHARES) * lift)).sum(axis=0)
    return float(_SHARES[spread.argmin()])


def draw(
    doubts: Mapping[str, float], numbers: Sequence[float], n: int, uniform: float = UNIFORM_SHARE
) -> list[Draw]:
    """Draw n images one after another, without replacement.

    The image with the lowest -ln(number) / probability comes first. Of exponential clocks that run
    at different speeds, each rings first with the probability of its speed among those that are
    left (successive sampling). To draw more later, call it with the images that are left and fresh
    numbers.

    Args:
        doubts: How much the model doubts each image, by id.
        numbers: A random number in (0, 1) for each of them.
        n: Images to draw; all of them if there are not so many.
        uniform: Share of the draws that do not look at the doubt.

    >>> [one.id for one in draw({"a": 0.5, "b": 0.1, "c": 0.0}, [0.2, 0.9, 0.8], 2)]
    ['b', 'c']
    """
    ids = list(doubts)
    chance = chances(np.fromiter(doubts.values(), float, len(ids)), uniform)
    order = np.argsort(-np.log(np.asarray(numbers, float)) / chance, kind="stable")
    taken = chance[order]
    # Summed from the end: what is left is never 0 by rounding.
    left = np.cumsum(taken[::-1])[::-1]
    # Of those that are left, the least probable one: seen from the end, as above.
    least = np.minimum.accumulate(taken[::-1])[::-1] / left
    return [
        Draw(ids[i], float(taken[k] / left[k]), float(least[k])) for k, i in enumerate(order[:n])
    ]
