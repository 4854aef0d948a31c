"""Cut a large photograph into tiles that overlap; the network sees each at its full resolution.

A photograph is then a bag of tiles, uint8 [rows, columns, h, w, 3], wherever it would be one image
[h, w, 3]. A bundle's `predict.py` is made from the source of these functions.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Shaped, UInt8

from alvision.data.framing import Box, crop_box
from alvision.data.image_spec import ImageSpec
from alvision.data.pixels import UnreadableImage

OVERLAP = 16
"""Tiles share at least the 16th part of their side, so that a defect of that size is whole in one
of them: 14 of 224 pixels."""


def tiled(size: tuple[int, int], spec: ImageSpec) -> tuple[Box, tuple[int, int], tuple[int, int]]:
    """Return which box of an upright photograph is used, what it is scaled to, and its grid.

    Args:
        size: Width and height of the photograph, in pixels.
        spec: The region, the tile and the most tiles.

    Returns:
        The box, (width, height) in pixels, and (rows, columns) of tiles.

    Raises:
        UnreadableImage: The box is smaller than one tile.
    """
    source = crop_box(size, spec.region)
    inside = source[2] - source[0], source[3] - source[1]
    most = spec.tiles if isinstance(spec.tiles, int) else None
    return source, *layout(inside, spec.shape, most)


def layout(
    size: tuple[int, int], tile: tuple[int, int], most: int | None
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the size to which a photograph is scaled, and its rows and columns of tiles.

    Args:
        size: Width and height of the photograph, in pixels.
        tile: Height and width of a tile.
        most: Most tiles; the photograph is shrunk, and never enlarged, until it has no more. None:
            as many as it takes at its own size.

    Returns:
        (width, height) in pixels and (rows, columns).

    Raises:
        UnreadableImage: The photograph is smaller than one tile.

    >>> layout((4000, 3000), (224, 224), None)
    ((4000, 3000), (15, 19))
    >>> layout((4000, 3000), (224, 224), 70)
    ((1979, 1484), (7, 10))
    """
    width, height = size
    if width < tile[1] or height < tile[0]:
        raise UnreadableImage(
            f"{width} x {height} pixels, less than one tile of {tile[1]} x {tile[0]}: set a "
            "smaller data.image.size, or data.image.tiles=null"
        )
    # Between two counts of tiles the size is free, so only the largest size of each count matters.
    ends = {
        _longest(count, side) / length
        for side, length in zip(tile, (height, width), strict=True)
        for count in range(1, (most or 0) + 1)
    }
    for scale in (1.0, *sorted((end for end in ends if end < 1), reverse=True)):
        scaled = max(tile[1], round(scale * width)), max(tile[0], round(scale * height))
        grid = _count(scaled[1], tile[0]), _count(scaled[0], tile[1])
        if most is None or math.prod(grid) <= most:
            break
    return scaled, grid


def starts(length: int, tile: int) -> list[int]:
    """Return where the tiles along one side begin: evenly, from one edge to the other.

    >>> starts(500, 224)
    [0, 138, 276]
    """
    count = _count(length, tile)
    return [round(i * (length - tile) / max(1, count - 1)) for i in range(count)]


def _count(length: int, tile: int) -> int:
    shared = tile // OVERLAP
    return max(1, math.ceil((length - shared) / (tile - shared)))


def _longest(count: int, tile: int) -> int:
    """Return the longest side that so many tiles cover."""
    shared = tile // OVERLAP
    return shared + count * (tile - shared)


def bag(
    pixels: Shaped[np.ndarray, "y x c"], tile: tuple[int, int]
) -> UInt8[np.ndarray, "rows columns h w 3"]:
    """Cut an image [y, x, 1 or 3] into tiles.

    Args:
        pixels: The image, at least as large as a tile.
        tile: Height and width of a tile.
    """
    tops, lefts = starts(pixels.shape[0], tile[0]), starts(pixels.shape[1], tile[1])
    cut = np.empty((len(tops), len(lefts), *tile, 3), np.uint8)
    for row, top in enumerate(tops):
        for column, left in enumerate(lefts):
            cut[row, column] = pixels[top : top + tile[0], left : left + tile[1]]
    return cut


def black(spec: ImageSpec) -> np.ndarray:
    """Return a black image as `images.load` would give it; in tiles, of four."""
    return np.zeros((*(() if spec.tiles is None else (2, 2)), *spec.shape, 3), np.uint8)


def together(spec: ImageSpec, usual: int) -> int:
    """Return how many images are held in memory at once: of bags, one."""
    return usual if spec.tiles is None else 1


def overview(image: UInt8[np.ndarray, "*grid h w 3"], side: int) -> UInt8[np.ndarray, "y x 3"]:
    """Return an image as it is, or a bag as one small picture of about `side` pixels."""
    if image.ndim == 3:
        return image
    rows, columns, height, width, _ = image.shape
    step = max(1, max(rows * height, columns * width) // side)
    small = image[:, :, ::step, ::step].swapaxes(1, 2)
    return small.reshape(rows * small.shape[1], columns * small.shape[3], 3)
