"""Learning curves: a metric over the number of answers given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.integrate import trapezoid

from alvision.evaluation.intervals import percentiles, resample, student

ROUNDS_ABOVE = 2
"""Rounds in a row that must hold a target before it counts as reached.

A curve of few held-out images jumps by some points from round to round, and one lucky round must
not count as a saving.
"""


@dataclass(frozen=True, eq=False)
class Band:
    """A mean curve over seeds and its pointwise bootstrap interval; all fields [X].

    Attributes:
        answers: The grid: answers given.
        mean: Mean over seeds.
        low: Lower end of the interval of the mean.
        high: Upper end.
    """

    answers: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def area(answers: Sequence[float], values: Sequence[float]) -> float:
    """Return the area under the curve by trapezoids, divided by the range of `answers` (aubc).

    It is the curve's mean height, so it has the metric's unit. A single round gives its value.

    >>> area([20, 40, 80], [0.5, 0.7, 0.7])
    0.6666666666666666
    """
    x, y = np.asarray(answers, dtype=float), np.asarray(values, dtype=float)
    if len(x) == 1:
        return float(y[0])
    if not np.all(np.diff(x) > 0):
        raise ValueError("answers must increase")
    return float(trapezoid(y, x) / (x[-1] - x[0]))


def labels_to_target(
    answers: Sequence[float], values: Sequence[float], target: float
) -> float | None:
    """Return the answers at which the curve reaches `target` to stay.

    That is where the straight line between two rounds crosses it, at the first round that is at
    or above the target and is followed by another one that is (`ROUNDS_ABOVE`): one lucky round,
    the last one included, reaches nothing. A curve that starts there needs the first round's
    answers. None: not reached within these rounds (censored, see `least_labels`).

    >>> labels_to_target([20, 40, 60, 80], [0.5, 0.7, 0.9, 0.9], 0.8)
    50.0
    >>> labels_to_target([20, 40, 60], [0.5, 0.9, 0.6], 0.8) is None
    True
    """
    above = np.asarray(values, dtype=float) >= target
    for k in range(len(above) - ROUNDS_ABOVE + 1):
        if above[k : k + ROUNDS_ABOVE].all():
            return _crossing(answers, values, target, k)
    return None


def least_labels(answers: Sequence[float], values: Sequence[float], target: float) -> float:
    """Return the fewest answers that a curve may need to reach the target to stay.

    That is `labels_to_target` where it is reached. Else it is all answers if the curve ends below;
    if its last round is at the target, the next one could have confirmed that, so no more than
    that crossing can be claimed.

    >>> least_labels([20, 40, 60], [0.5, 0.6, 0.7], 0.8)
    60.0
    >>> least_labels([20, 40, 60], [0.5, 0.7, 0.9], 0.8)
    50.0
    """
    reached, last = labels_to_target(answers, values, target), len(answers) - 1
    if reached is not None:
        return reached
    return (
        float(answers[last]) if values[last] < target else _crossing(answers, values, target, last)
    )


def _crossing(answers: Sequence[float], values: Sequence[float], target: float, k: int) -> float:
    """Return where the line to round k, the first one at the target, crosses it."""
    if k == 0:
        return float(answers[0])
    share = (target - values[k - 1]) / (values[k] - values[k - 1])
    return float(answers[k - 1] + share * (answers[k] - answers[k - 1]))


def band(
    answers: Sequence[Sequence[float]],
    values: Sequence[Sequence[float]],
    *,
    confidence: float = 0.95,
) -> Band:
    """Return the mean curve over seeds and its bootstrap band.

    The curves are read, by straight lines, on the union of their answers within the range that
    all of them have. Where Student's interval is wider than the bootstrap's, as with few seeds, it
    is the band. With one seed the band is the curve.

    Args:
        answers: Answers given, for each seed.
        values: The metric, for each seed.
        confidence: Share of bands that cover the true mean at one point.

    Raises:
        ValueError: No curve, or curves that share no range.
    """
    if not answers:
        raise ValueError("no curve")
    first, last = max(x[0] for x in answers), min(x[-1] for x in answers)
    if first > last:
        raise ValueError("the curves share no range of answers")
    grid = np.unique(np.concatenate([np.asarray(x, dtype=float) for x in answers]))
    grid = grid[(grid >= first) & (grid <= last)]
    curves = np.stack([np.interp(grid, x, y) for x, y in zip(answers, values, strict=True)])
    n = len(curves)
    rows = resample(n)
    weights = np.stack([(rows == seed).mean(axis=1) for seed in range(n)], axis=1)
    low, high = np.percentile(weights @ curves, percentiles(n, confidence=confidence), axis=0)
    mean, half = curves.mean(axis=0), student(curves, confidence=confidence)
    return Band(grid, mean, np.minimum(low, mean - half), np.maximum(high, mean + half))
