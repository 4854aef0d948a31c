"""Tell which files are images and how they are read. No Pillow here: listing needs none."""

from __future__ import annotations

import functools
import importlib.util
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from alvision.core.errors import UserError
from alvision.data.polygon import polygon_of

if TYPE_CHECKING:
    from alvision.config.schema import ImageConfig

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})
HEIC_SUFFIXES = frozenset({".heic", ".heif"})
"""Read only where pillow_heif is installed."""
AUTO = "auto"
"""The value of `data.image.value_range` that measures it when a run starts."""
LEAST_TILE = 16
"""Fewest pixels of a tile's side; with less, a photograph has tiles without end."""
PLAIN_RULES, SHAPED_RULES, RULES = 2, 3, 4
"""The version of the rules by which images are read now: without fit, roi, two sides or tiles; with
any of them but tiles; with tiles."""
SQUASH, LETTERBOX, CROP = FITS = ("squash", "letterbox", "crop")
"""How a region of other proportions comes into the network's frame, see `framing.placed`."""


@dataclass(frozen=True)
class ImageSpec:
    """Describe how a file becomes an array; stored with every model.

    Attributes:
        size: Side of the square that the network sees, in pixels, or (height, width).
        crop: Region to use, (left, top, right, bottom) as fractions 0..1 of the upright image.
        value_range: Raw values (black, white) of images deeper than 8 bits; None: see `load`.
        reduced: Decode a JPEG that is at least twice as large as needed at half, a quarter or an
            eighth of its size, which the format allows for less than the price of the whole.
        page: Which page of a file with several is read, from 0; None: such a file is refused.
        rules: Version of the rules of reading: a model goes on reading as it was trained. By 1,
            16-bit values that count white as 0 are negatives, a range is for grey values alone, of
            several pages the first counts, and what TIFF says of its channels is not checked. 3 is
            2 with a fit, a roi or two sides, which an older alvision cannot read, and 4 has tiles.
        fit: `squash` | `letterbox` | `crop`, see `framing.placed`.
        roi: Region of interest, the corners ((x, y), ...) of a polygon as fractions 0..1 of the
            upright image; what is outside is grey, and its bounding box takes the place of `crop`.
            A box (left, top, right, bottom) becomes its four corners.
        tiles: None: the region becomes one frame. `auto`: it is cut into tiles of `size` at its own
            resolution; a number: it is shrunk first until there are no more (`tiles.layout`).

    >>> ImageSpec.from_dict(ImageSpec(64, crop=(0, 0, 1, 0.5)).to_dict()).crop
    (0.0, 0.0, 1.0, 0.5)
    >>> ImageSpec((32, 512)).shape, ImageSpec(64, roi=((0, 0.5), (1, 0.5), (0.5, 1))).region
    ((32, 512), (0.0, 0.5, 1.0, 1.0))
    """

    size: int | tuple[int, int]
    crop: tuple[float, ...] | None = None
    value_range: tuple[float, ...] | None = None
    reduced: bool = False
    page: int | None = None
    rules: int = PLAIN_RULES
    fit: str = SQUASH
    roi: tuple[tuple[float, float], ...] | None = None
    tiles: str | int | None = None

    def __post_init__(self) -> None:
        height, width = shape_of(self.size)
        if self.fit not in FITS:
            raise UserError(f"data.image.fit={self.fit} is unknown; one of: {', '.join(FITS)}")
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
        roi = polygon_of(self.roi)
        if roi and crop:
            raise UserError(
                "data.image.crop and data.image.roi are both given, and the bounding box of a roi "
                "is its crop: remove data.image.crop"
            )
        if self.tiles is not None:
            self._check_tiles()
        # One form for one meaning: equal specs are equal, and so are their features.
        shaped = height != width or self.fit != SQUASH or roi is not None
        object.__setattr__(self, "size", height if height == width else (height, width))
        object.__setattr__(self, "crop", crop)
        object.__setattr__(self, "value_range", value_range)
        object.__setattr__(self, "roi", roi)
        rules = SHAPED_RULES if shaped else min(self.rules, PLAIN_RULES)
        object.__setattr__(self, "rules", rules if self.tiles is None else RULES)

    def _check_tiles(self) -> None:
        if min(self.shape) < LEAST_TILE:
            raise UserError(
                f"data.image.size={self.size} makes tiles too small to see anything in: with "
                f"data.image.tiles a side has at least {LEAST_TILE} pixels"
            )
        if self.tiles != AUTO and (type(self.tiles) is not int or self.tiles < 1):
            raise UserError(
                f"data.image.tiles={self.tiles} must be auto, the most tiles of a photograph (a "
                "whole number from 1), or null"
            )
        if self.fit != SQUASH or self.reduced:
            key = f"fit={self.fit}" if self.fit != SQUASH else "reduced=true"
            raise UserError(
                f"data.image.{key} is for photographs that become one frame, and data.image.tiles="
                f"{self.tiles} cuts them into many: leave one of the two out"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """Return height and width of what the network sees, in pixels."""
        return shape_of(self.size)

    @property
    def sides(self) -> str:
        """Return the size for a reader: `224`, or `32 x 512`, height first."""
        return " x ".join(map(str, self.shape)) if isinstance(self.size, tuple) else str(self.size)

    @property
    def region(self) -> tuple[float, ...] | None:
        """Return the box that is used, as `crop`: that of the roi, if there is one."""
        return region_of(self.crop, self.roi)

    def scaled(self, longest: int) -> ImageSpec:
        """Return the spec of the same view in one frame, `longest` pixels at its longer side."""
        height, width = (max(1, round(longest * side / max(self.shape))) for side in self.shape)
        return replace(self, size=(height, width), tiles=None)

    @classmethod
    def from_config(cls, cfg: ImageConfig) -> ImageSpec:
        """Build the spec from `data.image`; UserError if a value makes no sense."""
        return cls(
            cfg.size,
            cfg.crop,  # type: ignore[arg-type]
            cfg.value_range,
            cfg.reduced,
            cfg.page,
            fit=cfg.fit,
            roi=cfg.roi,
            tiles=cfg.tiles,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the spec as plain JSON values."""
        values: dict[str, Any] = {
            "size": list(self.shape) if isinstance(self.size, tuple) else self.size,
            "crop": list(self.crop) if self.crop else None,
            "value_range": list(self.value_range) if self.value_range else None,
            "reduced": self.reduced,
        }
        # An old bundle is written again as it was: its thresholds know it by its bytes.
        if self.rules > 1:
            values |= {"page": self.page, "rules": self.rules}
        if self.rules > PLAIN_RULES:
            values |= {"fit": self.fit, "roi": [list(p) for p in self.roi] if self.roi else None}
        return values if self.tiles is None else values | {"tiles": self.tiles}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ImageSpec:
        """Build the spec from what `to_dict` gave; one without `rules` is older than these.

        Raises:
            UserError: It was made by a version that reads images by later rules.
        """
        if values.get("rules", 1) > RULES:
            raise UserError("these images are read by rules of a later version: update alvision")
        return cls(**{"rules": 1} | values)


def shape_of(size: Any) -> tuple[int, int]:
    """Return (height, width) of a size in pixels, which is a number or [height, width].

    Raises:
        UserError: It is neither.
    """
    sides = tuple(size) if isinstance(size, list | tuple) else (size, size)
    if len(sides) != 2 or any(type(side) is not int or side < 1 for side in sides):
        raise UserError(
            f"data.image.size={size} must be a whole number of pixels, from 1, or "
            "[height,width] of two such numbers"
        )
    return sides


def region_of(
    crop: tuple[float, ...] | None, roi: tuple[tuple[float, float], ...] | None
) -> tuple[float, ...] | None:
    """Return the box of a crop or a region of interest, as fractions; None: all of the image."""
    if roi is None:
        return crop
    across, down = zip(*roi, strict=True)
    return (min(across), min(down), max(across), max(down))


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
