"""How unlike everything known an image is: the distance to its nearest known neighbours."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

NEIGHBOURS = 5
QUANTILE = 0.99


def novelty(
    features: Float[np.ndarray, "n d"], reference: Float[np.ndarray, "m d"]
) -> Float[np.ndarray, " n"]:
    """Return the mean distance to the nearest known features, on the unit sphere.

    Distances of normalised features, a mean over the 5 nearest (Sun et al., arXiv 2204.06507).
    0 = a copy of known images, at most 2.

    Args:
        features: Of the images in question.
        reference: Of known images, at least one.

    >>> far = novelty(np.array([[2.0, 0.0], [0.0, 1.0]]), np.array([[1.0, 0.0]]))
    >>> [f"{distance:.3f}" for distance in far]
    ['0.000', '1.414']
    """
    likeness = _unit(features) @ _unit(reference).T
    nearest = min(NEIGHBOURS, len(reference))
    closest = np.partition(likeness, len(reference) - nearest, axis=1)[:, -nearest:]
    return np.sqrt(np.clip(2 - 2 * closest, 0, None)).mean(axis=1)


def usual(features: Float[np.ndarray, "n d"], reference: Float[np.ndarray, "m d"]) -> float:
    """Return the novelty that 99 in 100 images like the held-out ones stay below.

    Args:
        features: Of held-out images; without any, the reference is measured against itself.
        reference: Of known images.
    """
    if len(features):
        return float(np.quantile(novelty(features, reference), QUANTILE))
    halves = reference[::2], reference[1::2]
    return float(np.quantile(novelty(*halves), QUANTILE)) if len(reference) > 1 else 2.0


def _unit(features: np.ndarray) -> np.ndarray:
    values = features.astype(np.float32)
    return values / np.clip(np.linalg.norm(values, axis=1, keepdims=True), 1e-12, None)
