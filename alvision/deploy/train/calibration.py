"""Calibrate a model's probabilities with one temperature, and measure how well they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

FEWEST = 20
"""Below so many labels a temperature would follow chance, so it stays 1."""
SHARPEST, FLATTEST = 0.05, 1000.0
"""Bounds of the temperature: a model that makes no error would drive it to 0, and one that knows
nothing to infinity."""


@dataclass(frozen=True)
class Bin:
    """A bin of a reliability plot: images, mean probability of the called class, share correct."""

    count: int
    confidence: float
    accuracy: float


def fit_temperature(logits: Float[np.ndarray, "n c"], targets: Int[np.ndarray, " n"]) -> float:
    """Return the temperature T that makes softmax(logits / T) likeliest for the labels.

    T > 1 flattens an overconfident model; the called classes stay the same. Guo et al.,
    arXiv 1706.04599. Bounded to 0.05..1000; 1 with fewer than 20 labels. Not fitted on
    probabilities: those of an overconfident model are 0 and 1 to the last digit.

    Args:
        logits: Of held-out images.
        targets: Their classes as columns.

    >>> fit_temperature(np.tile([60.0, 0.0], (40, 1)), np.arange(40) % 4 // 3) > 50
    True
    """
    if len(targets) < FEWEST:
        return 1.0
    exact = logits.astype(np.float64)
    rows = np.arange(len(targets))

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(exact / np.exp(log_temperature), axis=1)
        return -float(scaled[rows, targets].mean())

    bounds = (np.log(SHARPEST), np.log(FLATTEST))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def calibrated(logits: Float[np.ndarray, "n c"], temperature: float) -> Float[np.ndarray, "n c"]:
    """Return softmax(logits / T), in float64.

    >>> calibrated(np.log([[0.8, 0.2]]), 1.0).round(6).tolist()
    [[0.8, 0.2]]
    """
    return softmax(logits.astype(np.float64) / temperature, axis=1)


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
