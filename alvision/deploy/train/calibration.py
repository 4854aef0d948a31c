"""Calibrate a model's probabilities with one temperature, and measure how well they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

FEWEST = 20
"""Below so many labels a temperature would follow chance, so it stays 1."""
SHARPEST, FLATTEST = 0.05, 20.0
"""Bounds of the temperature: a model that makes no error would drive it to 0."""


@dataclass(frozen=True)
class Bin:
    """A bin of a reliability plot: images, mean probability of the called class, share correct."""

    count: int
    confidence: float
    accuracy: float


def fit_temperature(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """Return the temperature T that makes softmax(log p / T) likeliest for the labels.

    T > 1 flattens an overconfident model; the called classes stay the same. Guo et al.,
    arXiv 1706.04599. Bounded to 0.05..20; 1 with fewer than 20 labels.

    Args:
        probabilities: Of held-out images, [N, C].
        targets: Their classes as columns, [N].

    >>> fit_temperature(np.tile([0.99, 0.01], (40, 1)), np.arange(40) % 4 == 0) > 2
    True
    """
    if len(targets) < FEWEST:
        return 1.0
    logs = np.log(np.clip(probabilities.astype(np.float64), 1e-12, None))
    rows = np.arange(len(targets))

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(logs / np.exp(log_temperature), axis=1)
        return -float(scaled[rows, targets.astype(int)].mean())

    bounds = (np.log(SHARPEST), np.log(FLATTEST))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def calibrated(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return softmax(log p / T), [N, C]; a probability of 0 stays 0.

    >>> calibrated(np.array([[0.8, 0.2]]), 1.0).round(6).tolist()
    [[0.8, 0.2]]
    """
    with np.errstate(divide="ignore"):
        logs = np.log(probabilities.astype(np.float64))
    return np.exp(log_softmax(logs / temperature, axis=1))


def reliability(probabilities: np.ndarray, targets: np.ndarray, *, bins: int = 10) -> list[Bin]:
    """Return the non-empty bins of a reliability plot, least sure first.

    Args:
        probabilities: Of held-out images, [N, C].
        targets: Their classes as columns, [N].
        bins: Number of bins of equal width over 0..1.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == targets
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    return [
        Bin(int(own.sum()), float(confidence[own].mean()), float(right[own].mean()))
        for own in (place == b for b in range(bins))
        if own.any()
    ]
