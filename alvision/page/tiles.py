"""Full resolution on the page: tiles of a photograph, cut out of it while it is kept decoded."""

from __future__ import annotations

import io
from dataclasses import dataclass

from PIL import Image

SIDE = 512
"""Pixels of a tile's side: a screen at 100 % shows a dozen of them, of some 60 kB each."""
LEVELS = 8
"""A tile of level k shows the photograph at 1 / 2^k of its size; the last level shows it whole."""


@dataclass(frozen=True)
class Tile:
    """One tile: level from 0 (full resolution), column and row from 0."""

    level: int
    column: int
    row: int


def box(size: tuple[int, int], tile: Tile) -> tuple[int, int, int, int] | None:
    """Return what a tile shows, (left, top, right, bottom) in pixels; None: it lies outside.

    >>> box((1000, 600), Tile(0, 1, 1)), box((1000, 600), Tile(1, 0, 0)), box((9, 9), Tile(0, 1, 0))
    ((512, 512, 1000, 600), (0, 0, 1000, 600), None)
    """
    side = SIDE << tile.level
    left, top = tile.column * side, tile.row * side
    if left >= size[0] or top >= size[1]:
        return None
    return left, top, min(left + side, size[0]), min(top + side, size[1])


def jpeg(photograph: Image.Image, tile: Tile) -> bytes | None:
    """Return a tile as JPEG; None: it lies outside the photograph."""
    part = box(photograph.size, tile)
    if part is None:
        return None
    content = io.BytesIO()
    # With all of its colour: a scratch one pixel wide keeps its own.
    photograph.reduce(1 << tile.level, part).save(content, "JPEG", quality=92, subsampling=0)
    return content.getvalue()
