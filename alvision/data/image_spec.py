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


@dataclass(frozen=True)
class ImageSpec:
    """Describe how a file becomes an array; stored with every model.

    Attributes:
        size: Side of the square, in pixels.
        crop: Region to use, (left, top, right, bottom) as fractions 0..1 of the upright image.
        value_range: Raw values (black, white) of grey images deeper than 8 bits; None: see `load`.
        reduced: Decode a JPEG that is at least twice as large as needed at half, a quarter or an
            eighth of its size, which the format allows for less than the price of the whole.

    >>> ImageSpec.from_dict(ImageSpec(64, crop=(0, 0, 1, 0.5)).to_dict()).crop
    (0.0, 0.0, 1.0, 0.5)
    """

    size: int
    crop: tuple[float, ...] | None = None
    value_range: tuple[float, ...] | None = None
    reduced: bool = False

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
        return cls(cfg.size, cfg.crop, cfg.value_range, cfg.reduced)  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, Any]:
        """Return the spec as plain JSON values."""
        return {
            "size": self.size,
            "crop": list(self.crop) if self.crop else None,
            "value_range": list(self.value_range) if self.value_range else None,
            "reduced": self.reduced,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ImageSpec:
        """Build the spec from what `to_dict` gave."""
        return cls(
            values["size"], values["crop"], values["value_range"], values.get("reduced", False)
        )


def _numbers(key: str, values: Any, count: int) -> tuple[float, ...] | None:
    if values is None:
        return None
    try:
        numbers = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise UserError(f"data.image.{key}={values} must be a list of {count} numbers")
    return numbers


@functools.cache
def heic_is_supported() -> bool:
    """Tell whether the extra that reads HEIC is installed."""
    return importlib.util.find_spec("pillow_heif") is not None
