"""How much of their depth images use: many cameras store 12 bits in files of 16."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from alvision.core.errors import UserError
from alvision.data.image_spec import ImageSpec
from alvision.data.images import UnreadableImage, opened
from alvision.data.pixels import range_of, raw_values
from alvision.data.storage.stored_path import ImagePath

DEPTHS = (8, 10, 12, 14, 16, 24, 32)
"""The bits that cameras and converters give."""
MEASURED = 50
"""Images that are decoded to measure the range that a run keeps."""
GLANCE = 8
"""Images that are decoded to warn: a page must show its first image at once."""
DARK = 4
"""How many times the full range is larger than the brightest value, from which on it is dark."""


@dataclass(frozen=True)
class Depth:
    """What the images deeper than 8 bits hold, as far as they were looked at.

    Attributes:
        low: The lowest raw value.
        high: The highest raw value.
        white: The raw value that is white without a range.
        floats: They hold floats.
    """

    low: float
    high: float
    white: float
    floats: bool

    @property
    def bits(self) -> int:
        """Return the least usual depth that holds the highest value."""
        return next((bits for bits in DEPTHS if self.high < 2**bits), DEPTHS[-1])

    @property
    def range(self) -> tuple[float, float]:
        """Return the raw values of black and white at that depth."""
        return 0, 2**self.bits - 1


def measure(paths: Sequence[ImagePath], spec: ImageSpec, most: int = MEASURED) -> Depth | None:
    """Decode some images, from the first to the last; None: none of them is deeper than 8 bits.

    Args:
        paths: The images.
        spec: How they are read; its range does not matter.
        most: How many are looked at.
    """
    found: list[Depth] = []
    for path in paths[:: max(1, -(-len(paths) // most))]:
        with suppress(UnreadableImage):  # it is set aside, and named, where all images are read
            if (depth := _depth(path, spec)) is not None:
                found.append(depth)
    if not found:
        return None
    return Depth(
        min(one.low for one in found),
        max(one.high for one in found),
        max(one.white for one in found),
        any(one.floats for one in found),
    )


def _depth(path: ImagePath, spec: ImageSpec) -> Depth | None:
    with opened(path) as image:
        # Any range at all, so that colours give their 16 bits.
        values = raw_values(image, replace(spec, value_range=(0, 1)))
        if values is None:
            return None
        finite = values[..., :3][np.isfinite(values[..., :3])]
        floats = values.dtype.kind == "f"
        white = 1 if floats else range_of(image, values, replace(spec, value_range=None))[1]
        low, high = (finite.min(), finite.max()) if finite.size else (0, 0)
    return Depth(float(low), float(high), white, floats)


def automatic(depth: Depth | None) -> tuple[float, float] | None:
    """Return what `data.image.value_range=auto` means for these images; None: the full range.

    Raises:
        UserError: They hold floats or negative numbers, whose depth says nothing.
    """
    if depth is None:
        return None
    if depth.floats or depth.low < 0:
        if depth.low >= 0 and depth.high <= 1:
            return None
        raise UserError(
            f"data.image.value_range=auto is for positive whole numbers, and these images hold "
            f"{depth.low:g} to {depth.high:g}: give the values of black and white, "
            f"data.image.value_range=[{depth.low:g},{depth.high:g}]"
        )
    return depth.range


def dark(depth: Depth | None, spec: ImageSpec) -> str | None:
    """Say that images are read nearly black because they use a part of their depth; else None."""
    if depth is None or depth.floats or spec.value_range is not None:
        return None
    if DARK * depth.high > depth.white:
        return None
    black, white = (f"{value:.0f}" for value in depth.range)
    return (
        f"the images hold values up to {depth.high:.0f} of {depth.white:.0f}, so they are read and "
        f"shown nearly black: set data.image.value_range=auto (here: [{black},{white}])"
    )
