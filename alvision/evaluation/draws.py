"""Draw images to audit with known, unequal probabilities: mostly alike, the rest by doubt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

UNIFORM_SHARE = 0.9
"""Share of the draws in which every image is as probable as any other.

The rest finds errors where the model doubts. No image stands for more than 1 / .9 images, so where
the doubt is worth nothing, or there is no error to find, an audit needs 11 % more labels at most.
"""


@dataclass(frozen=True)
class Draw:
    """A drawn image and the probability of that draw, given the earlier ones."""

    id: str
    propensity: float


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
    return uniform * alike + (1 - uniform) * doubts / total if total > 0 else alike


def draw(doubts: Mapping[str, float], numbers: Sequence[float], n: int) -> list[Draw]:
    """Draw n images one after another, without replacement.

    The image with the lowest -ln(number) / probability comes first. Of exponential clocks that run
    at different speeds, each rings first with the probability of its speed among those that are
    left (successive sampling).

    Args:
        doubts: How much the model doubts each image, by id.
        numbers: A random number in (0, 1) for each of them.
        n: Images to draw; all of them if there are not so many.

    >>> [one.id for one in draw({"a": 0.5, "b": 0.1, "c": 0.0}, [0.2, 0.9, 0.8], 2)]
    ['b', 'c']
    """
    ids = list(doubts)
    chance = chances(np.fromiter(doubts.values(), float, len(ids)))
    order = np.argsort(-np.log(np.asarray(numbers, float)) / chance, kind="stable")
    taken = chance[order]
    # Summed from the end: what is left is never 0 by rounding.
    left = np.cumsum(taken[::-1])[::-1]
    return [Draw(ids[i], float(taken[k] / left[k])) for k, i in enumerate(order[:n])]
