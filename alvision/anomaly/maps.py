"""From the distances of a photograph's places to a map of its own pixels.

Numpy and Pillow alone, so that what only judges photographs need not load torch.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from jaxtyping import Bool, Float, Int

from alvision.data.framing import Box, inside_roi, placed
from alvision.data.image_spec import ImageSpec
from alvision.data.tiles import starts, tiled

SPREAD = 0.8
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
    box: Box | None = None,
) -> Float[np.ndarray, "h w"]:
    """Return how strange each pixel of an upright photograph is, 0 or more.

    A pixel is the mean of the places by a Gaussian of its distance to their middles. So the map is
    smooth at any resolution, and never above the strangest place. What the network does not see
    (beyond the crop, outside the region of interest) is 0. Where tiles overlap the higher counts.

    Args:
        distances: One for each place, rows first; of tiles one after the other, rows first.
        grid: Rows and columns of places, of each tile.
        size: Width and height of the photograph, in pixels.
        spec: How the network saw it.
        box: What of it is wanted; None: all.
    """
    left, top, right, bottom = box or (0, 0, *size)
    found = np.zeros((bottom - top, right - left), np.float32)
    height, width = spec.shape
    laid = distances.reshape(-1, *grid).astype(np.float32)
    for one, (source, target) in zip(laid, _views(size, spec), strict=True):
        y0, y1 = max(top, source[1]), min(bottom, source[3])
        x0, x1 = max(left, source[0]), min(right, source[2])
        if y0 >= y1 or x0 >= x1:
            continue
        rows = np.arange(y0, y1), source[1::2], target[1::2]
        columns = np.arange(x0, x1), source[::2], target[::2]
        values = _weights(*rows, height, grid[0]) @ one @ _weights(*columns, width, grid[1]).T
        part = found[y0 - top : y1 - top, x0 - left : x1 - left]
        np.maximum(part, values, out=part)
    if spec.roi is not None:
        # Of the whole photograph: an edge of a part would be drawn a pixel beside it.
        inside = np.asarray(inside_roi(size, (0, 0, *size), spec.roi))[top:bottom, left:right]
        found[inside == 0] = 0
    return found


def places_in(
    boxes: Iterable[Box], grid: tuple[int, int], size: tuple[int, int], spec: ImageSpec
) -> Bool[np.ndarray, " p"]:
    """Return which places of a photograph touch one of some boxes; of tiles as in its map.

    Args:
        boxes: In pixels of the upright photograph.
        grid: Rows and columns of places, of each tile.
        size: Width and height of the photograph, in pixels.
        spec: How the network saw it.
    """
    views = _views(size, spec)
    touched = np.zeros((len(views), *grid), bool)
    for inside, (source, target) in zip(touched, views, strict=True):
        for box in boxes:
            spans = []
            for k, side in enumerate(spec.shape[::-1]):
                scale = (target[k + 2] - target[k]) / (source[k + 2] - source[k])
                ends = [target[k] + (box[end] - source[k]) * scale for end in (k, k + 2)]
                first, last = (end * grid[1 - k] / side for end in ends)
                spans.append(slice(max(0, math.floor(first)), max(0, math.ceil(last))))
            inside[spans[1], spans[0]] = True
    return touched.ravel()


def _views(size: tuple[int, int], spec: ImageSpec) -> list[tuple[Box, Box]]:
    """Return which box of a photograph becomes which box of the frame; tiles rows first."""
    if spec.tiles is None:
        return [placed(size, spec)]
    height, width = spec.shape
    (left, top, right, bottom), inner, _ = tiled(size, spec)
    x, y = (right - left) / inner[0], (bottom - top) / inner[1]
    return [
        (
            (
                left + round(column * x),
                top + round(row * y),
                left + round((column + width) * x),
                top + round((row + height) * y),
            ),
            (0, 0, width, height),
        )
        for row in starts(inner[1], height)
        for column in starts(inner[0], width)
    ]


def peaks(distances: Float[np.ndarray, "b p"], grid: tuple[int, int]) -> Float[np.ndarray, " b"]:
    """Return the highest value of the map of each frame.

    >>> peaks(np.array([[0.0, 0.0, 5.0, 0.0]]), (1, 4)).round(2)
    array([2.55], dtype=float32)
    """
    down, across = (
        _weights(np.arange(FINE * side), (0, FINE * side), (0, side), side, side) for side in grid
    )
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
    pixels: Int[np.ndarray, " n"],
    source: tuple[int, int],
    target: tuple[int, int],
    side: int,
    places: int,
) -> Float[np.ndarray, "n places"]:
    """Return how much each pixel of a line takes from each place; the rows have sum 1.

    Args:
        pixels: Pixels of the photograph.
        source: Where what is seen begins and ends, in these pixels.
        target: Where it begins and ends in the frame.
        side: Length of the frame.
        places: Places along the frame.
    """
    share = (pixels + 0.5 - source[0]) / (source[1] - source[0])
    at = (target[0] + share * (target[1] - target[0])) * places / side
    away = at[:, None] - (np.arange(places) + 0.5)
    # The nearest place has an exponent of 0, so that no row vanishes.
    power = -(away**2) / (2 * SPREAD**2)
    weights = np.exp(power - power.max(1, keepdims=True))
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)
