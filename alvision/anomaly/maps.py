"""From the distances of a photograph's places to a map of its own pixels.

Numpy and Pillow alone, so that what only judges photographs need not load torch.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from alvision.data.framing import inside_roi, placed
from alvision.data.image_spec import ImageSpec

SPREAD = 0.6
"""Deviation of the Gaussian by which a pixel takes from the places around it, in places. Much less
shows the grid, and much more joins a defect with what is beside it (docs/anomaly.md)."""
FINE = 4
"""Points a place at which a peak is looked for; between them a map is all but flat."""
USUAL = 0.05
"""Share of good photographs that have a hot spot."""


def photograph_map(
    distances: Float[np.ndarray, " p"],
    grid: tuple[int, int],
    size: tuple[int, int],
    spec: ImageSpec,
) -> Float[np.ndarray, "h w"]:
    """Return how strange each pixel of an upright photograph is, 0 or more.

    A pixel is the mean of the places by a Gaussian of its distance to their middles. So the map is
    smooth at any resolution, and never above the strangest place. What the network does not see
    (beyond the crop, outside the region of interest) is 0.

    Args:
        distances: One for each place, rows first.
        grid: Rows and columns of places.
        size: Width and height of the photograph, in pixels.
        spec: How the network saw it.
    """
    (left, top, right, bottom), target = placed(size, spec)
    height, width = spec.shape
    down = _weights(bottom - top, (target[1], target[3]), height, grid[0])
    across = _weights(right - left, (target[0], target[2]), width, grid[1])
    found = np.zeros((size[1], size[0]), np.float32)
    found[top:bottom, left:right] = down @ distances.reshape(grid).astype(np.float32) @ across.T
    if spec.roi is not None:
        found[np.asarray(inside_roi(size, (0, 0, *size), spec.roi)) == 0] = 0
    return found


def peaks(distances: Float[np.ndarray, "b p"], grid: tuple[int, int]) -> Float[np.ndarray, " b"]:
    """Return the highest value of the map of each photograph.

    >>> peaks(np.array([[0.0, 0.0, 5.0, 0.0]]), (1, 4)).round(2)
    array([3.27], dtype=float32)
    """
    down, across = (_weights(FINE * side, (0, side), side, side) for side in grid)
    laid = distances.reshape(-1, *grid).astype(np.float32)
    return (down @ laid @ across.T).max((1, 2))


def hot_level(peaks: Float[np.ndarray, " n"], share: float = USUAL) -> float:
    """Return the value above which a map is hot: few good photographs reach it.

    Some of the photographs may be defective, so the upper tail is not looked at: the level is as
    far above the median as that share of the peaks is below it, on a scale of ratios. Of good
    photographs about that share, or a little more, has a hot spot.

    Args:
        peaks: The highest value of each map, of photographs that most are good of; none was
            compared with itself.
        share: Share of good photographs that may have a hot spot.

    Raises:
        ValueError: There is no peak.

    >>> round(hot_level(np.array([1.0, 2.0, 2.0, 2.0, 100.0]), share=0.0), 2)
    4.0
    """
    if not len(peaks):
        raise ValueError("no peaks")
    low, middle = np.quantile(np.log(np.maximum(peaks, 1e-6)), (share, 0.5))
    return float(np.exp(2 * middle - low))


def _weights(
    pixels: int, box: tuple[int, int], side: int, places: int
) -> Float[np.ndarray, "pixels places"]:
    """Return how much each pixel of a line takes from each place; the rows have sum 1.

    Args:
        pixels: Pixels of the photograph.
        box: Where they begin and end in the frame.
        side: Length of the frame.
        places: Places along the frame.
    """
    start, end = box
    at = (start + (np.arange(pixels) + 0.5) * (end - start) / pixels) * places / side
    away = at[:, None] - (np.arange(places) + 0.5)
    # The nearest place has an exponent of 0, so that no row vanishes.
    power = -(away**2) / (2 * SPREAD**2)
    weights = np.exp(power - power.max(1, keepdims=True))
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)
