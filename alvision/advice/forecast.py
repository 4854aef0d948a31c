"""A learning curve carried on: labels to a target, and what the next labels may bring.

An ensemble of curves, err(n) = a·(n + d)^-b + c and err(n) = a·exp(-n / b) + c, on a grid of b, c
and d with a by least squares. Each is weighted by how well it fits (a Student-t likelihood, so that
one lucky round does not decide) and by what is usual. No curve is drawn at random, so the same
rounds give the same forecast. The shape of learning curves: arXiv 2103.10948.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

LEAST_ROUNDS = 5
"""With fewer rounds no forecast is made: three figures of a curve would be read from four."""

_RATES = np.exp(np.linspace(math.log(0.1), math.log(3), 25))
_FLOORS = np.linspace(0, 1, 21)
"""Error that never goes away, as a share of the least that was seen."""
_SPANS = np.exp(np.linspace(math.log(0.5), math.log(20), 20))
"""Scales of the exponential curves, in labels of the first round."""

# A round misses its curve by some two points; that counts as much as four rounds do.
_NOISE, _NOISE_WEIGHT = 0.02, 4.0
_USUAL_RATE, _RATE_SPREAD = math.log(0.8), 0.7
_FLOOR_DECAY = 2.0

_USUAL_RATIO, _RATIO_SPREAD = math.log(1.8), 0.4
"""Labels to a target over the labels of now, as a logarithm. Over all rounds of the benchmark's
curves half of the ratios are between 1.2 and 2; early rounds, where a curve says least, have the
larger ones, so the middle is put there (docs/advice.md)."""

_TAIL = 0.1
_Z = 1.2815515655446004
"""The normal quantile of .9: the intervals here cover 80 %."""


@dataclass(frozen=True)
class Forecast:
    """A figure with its interval of 80 %."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class LearningCurves:
    """An ensemble of M curves through the rounds of a run; all arrays are [M].

    Attributes:
        labels: Labels of the last round.
        scale: a of each curve.
        shape: b of each curve.
        floor: c of each curve.
        shift: d of each curve.
        power: The curve is a power law, else an exponential.
        weight: Its weight; they sum to 1.
    """

    labels: float
    scale: np.ndarray
    shape: np.ndarray
    floor: np.ndarray
    shift: np.ndarray
    power: np.ndarray
    weight: np.ndarray

    def gain(self, more: float) -> Forecast:
        """Return what so many more labels bring, in the unit of the score."""
        before, after = self._errors(self.labels), self._errors(self.labels + more)
        low, middle, high = _quantiles(before - after, self.weight, (_TAIL, 0.5, 1 - _TAIL))
        return Forecast(middle, low, high)

    def labels_to(self, target: float) -> Forecast | None:
        """Return the labels, those of now included, at which a score is reached.

        None where more than half of the curves never reach it.
        """
        rest = (1 - target) - self.floor
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            power = (rest / self.scale) ** (-1 / self.shape) - self.shift
            exponential = -self.shape * np.log(rest / self.scale)
            reached = np.where(self.power, power, exponential)
        reached = np.nan_to_num(np.where(rest > 0, reached, np.inf), nan=np.inf, posinf=np.inf)
        low, middle, high = _quantiles(reached, self.weight, (_TAIL, 0.5, 1 - _TAIL))
        if not math.isfinite(middle):
            return None
        # As logarithms of ratios the curves and what is usual are joined by their precisions.
        bounds = (max(low, self.labels / 2), min(max(high, middle), 1e5 * self.labels))
        spread = math.log(bounds[1] / bounds[0]) / (2 * _Z) + 0.05
        own = math.log(min(max(middle / self.labels, 1.02), 50))
        precision = spread**-2 + _RATIO_SPREAD**-2
        ratio = (own * spread**-2 + _USUAL_RATIO * _RATIO_SPREAD**-2) / precision
        half = _Z * precision**-0.5
        ends = [self.labels * math.exp(ratio + sign * half) for sign in (0, -1, 1)]
        return Forecast(ends[0], max(self.labels, ends[1]), ends[2])

    def _errors(self, labels: float) -> np.ndarray:
        shape = np.where(self.power, self.shape, 1.0)
        power = (labels + self.shift) ** -shape
        exponential = np.exp(-labels / np.where(self.power, np.inf, self.shape))
        return np.asarray(self.scale * np.where(self.power, power, exponential) + self.floor)


@lru_cache(maxsize=64)  # the page asks every few seconds, and a round ends every few minutes
def fit(labels: tuple[float, ...], scores: tuple[float, ...]) -> LearningCurves | None:
    """Fit curves to the rounds of a run; None where there are too few rounds to say.

    Args:
        labels: Labels of each round, growing, from 1 on.
        scores: A metric of each round whose best value is 1.
    """
    if len(labels) < LEAST_ROUNDS:
        return None
    n, error = np.asarray(labels, dtype=float), 1 - np.asarray(scores, dtype=float)
    least = max(float(error.min()), 1e-3)
    b, c, d = (
        axis.ravel() for axis in np.meshgrid(_RATES, _FLOORS * least, [0.0, n[0]], indexing="ij")
    )
    spans, floors = (
        axis.ravel() for axis in np.meshgrid(_SPANS * n[0], _FLOORS * least, indexing="ij")
    )
    basis = np.vstack(
        [(n + d[:, None]) ** -b[:, None], np.maximum(np.exp(-n / spans[:, None]), 1e-300)]
    )
    power = np.arange(len(basis)) < len(b)
    floor = np.concatenate([c, floors])
    rest = error - floor[:, None]
    scale = np.maximum((basis * rest).sum(1) / (basis**2).sum(1), 1e-12)
    squares = ((rest - scale[:, None] * basis) ** 2).sum(1)
    usual = np.where(
        power, -0.5 * ((np.log(np.concatenate([b, spans])) - _USUAL_RATE) / _RATE_SPREAD) ** 2, -1.0
    )
    logs = usual - _FLOOR_DECAY * floor / least
    logs -= (len(n) + _NOISE_WEIGHT) / 2 * np.log(squares + _NOISE_WEIGHT * _NOISE**2)
    weight = np.exp(logs - logs.max())
    return LearningCurves(
        labels=float(n[-1]),
        scale=scale,
        shape=np.concatenate([b, spans]),
        floor=floor,
        shift=np.concatenate([d, np.zeros_like(spans)]),
        power=power,
        weight=weight / weight.sum(),
    )


def _quantiles(values: np.ndarray, weight: np.ndarray, places: Sequence[float]) -> list[float]:
    order = np.argsort(values)
    mass = np.cumsum(weight[order])
    rows = np.minimum(np.searchsorted(mass, places), len(values) - 1)
    return [float(one) for one in values[order][rows]]
