"""Images as people look at them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from alvision.data.images import (
    ORIENTATION,
    SIDEWAYS,
    ImageSpec,
    header_exif,
    opened,
    stretch,
    upright_rgb,
)


def picture(
    path: Path,
    longest: int,
    value_range: Sequence[float] | None = None,
    data: bytes | None = None,
) -> Image.Image:
    """Read an image to be looked at: upright, RGB, uncropped, at most `longest` pixels a side.

    Grey values deeper than 8 bits are mapped linearly from `value_range` (black, white); without
    one from the darkest to the brightest pixel, so that there is something to see.

    Args:
        path: The file.
        longest: Pixels of the longer side.
        value_range: Raw values (black, white).
        data: The file's content; None: it is read.

    Raises:
        UnreadableImage: If the file is missing, broken, too large or no image.
    """
    with opened(path, data) as image:
        image.draft("RGB", (longest, longest))
        if image.mode.startswith("I") or image.mode == "F":
            upright = ImageOps.exif_transpose(image)
            values = np.asarray(upright).astype(np.float32)
            shown = Image.fromarray(stretch(values, _range(values, value_range))).convert("RGB")
        else:
            shown = upright_rgb(image, ImageSpec(longest))
        shown.thumbnail((longest, longest), Image.Resampling.BILINEAR)
        return shown


def upright_size(path: Path, data: bytes | None = None) -> tuple[int, int]:
    """Return width and height as an upright image has them, from the header alone.

    Raises:
        UnreadableImage: If the header cannot be read.
    """
    with opened(path, data) as image:
        width, height = image.size
        sideways = header_exif(image).get(ORIENTATION) in SIDEWAYS
    return (height, width) if sideways else (width, height)


def _range(values: np.ndarray, given: Sequence[float] | None) -> tuple[float, ...]:
    if given is not None:
        return tuple(given)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    return low, high if high > low else low + 1
