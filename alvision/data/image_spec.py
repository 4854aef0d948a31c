"""Tell which files are images and how they are read. No Pillow here: listing needs none."""

from __future__ import annotations

import functools
import importlib.util
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alvision.core.errors import UserError

if TYPE_CHECKING:
    from alvision.config.schema import ImageConfig

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})
HEIC_SUFFIXES = frozenset({".heic", ".heif"})
"""Read only where pillow_heif is installed."""
AUTO = "auto"
"""The value of `data.image.value_range` that measures it when a run starts."""
RULES = 2
"""The version of the rules by which images are read now."""


@dataclass(frozen=True)
class ImageSpec:
    """Describe how a file becomes an array; stored with every model.

    Attributes:
        size: Side of the square, in pixels.
        crop: Region to use, (left, top, right, bottom) as fractions 0..1 of the upright image.
        value_range: Raw values (black, white) of images deeper than 8 bits; None: see `load`.
        reduced: Decode a JPEG that is at least twice as large as needed at half, a quarter or an
            eighth of its size, which the format allows for less than the price of the whole.
        page: Which page of a file with several is read, from 0; None: such a file is refused.
        rules: Version of the rules of reading: a model goes on reading as it was trained. By 1,
            16-bit values that count white as 0 are negatives, a range is for grey values alone, of
            several pages the first counts, and what TIFF says of its channels is not checked.

    >>> ImageSpec.from_dict(ImageSpec(64, crop=(0, 0, 1, 0.5)).to_dict()).crop
    (0.0, 0.0, 1.0, 0.5)
    """

    size: int
    crop: tuple[float, ...] | None = None
    value_range: tuple[float, ...] | None = None
    reduced: bool = False
    page: int | None = None
    rules: int = RULES

    def __post_init__(self) -> None:
        if isinstance(self.size, bool) or not isinstance(self.size, int) or self.size < 1:
            raise UserError(f"data.image.size={self.size} must be a whole number of pixels, from 1")
        crop = _numbers("crop", self.crop, 4)
        if crop and not (0 <= crop[0] < crop[2] <= 1 and 0 <= crop[1] < crop[3] <= 1):
            raise UserError(
                f"data.image.crop={list(crop)} must be [left, top, right, bottom] as fractions "
                "0..1, with left < right and top < bottom"
            )
        value_range = _numbers("value_range", self.value_range, 2)
        if value_range and not value_range[0] < value_range[1]:
            raise UserError(
                f"data.image.value_range={list(value_range)} must be [black, white], black < white"
            )
        object.__setattr__(self, "crop", crop)
        object.__setattr__(self, "value_range", value_range)

    @classmethod
    def from_config(cls, cfg: ImageConfig) -> ImageSpec:
        """Build the spec from `data.image`; UserError if a value makes no sense."""
        return cls(cfg.size, cfg.crop, cfg.value_range, cfg.reduced, cfg.page)  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, Any]:
        """Return the spec as plain JSON values."""
        values = {
            "size": self.size,
            "crop": list(self.crop) if self.crop else None,
            "value_range": list(self.value_range) if self.value_range else None,
            "reduced": self.reduced,
        }
        # An old bundle is written again as it was: its thresholds know it by its bytes.
        return values if self.rules == 1 else values | {"page": self.page, "rules": self.rules}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ImageSpec:
        """Build the spec from what `to_dict` gave; one without `rules` is older than these.

        Raises:
            UserError: It was made by a version that reads images by later rules.
        """
        if values.get("rules", 1) > RULES:
            raise UserError("these images are read by rules of a later version: update alvision")
        return cls(**{"rules": 1} | values)


def _numbers(key: str, values: Any, count: int) -> tuple[float, ...] | None:
    if values is None:
        return None
    try:
        numbers = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        auto = ", or auto" if key == "value_range" else ""
        raise UserError(f"data.image.{key}={values} must be a list of {count} numbers{auto}")
    return numbers


@functools.cache
def heic_is_supported() -> bool:
    """Tell whether the extra that reads HEIC is installed."""
    return importlib.util.find_spec("pillow_heif") is not None
