"""Where what the network sees of a photograph lies: in the photograph, and in the network's frame.

A bundle's `predict.py` is made from the source of these functions, so they use Pillow and numpy
alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from alvision.data.image_spec import ImageSpec

FILL = 127
"""Grey of what is not of the photograph: mid grey.

It is within half a deviation of 0 after every usual normalisation, and it is one grey for all
networks, because a photograph is read before any network is known.
"""

Box = tuple[int, int, int, int]
"""Left, top, right, bottom, in pixels."""


def placed(size: tuple[int, int], spec: ImageSpec) -> tuple[Box, Box]:
    """Return which box of an upright photograph becomes which box of the network's frame.

    `squash` stretches the region to the frame, whatever its proportions. `letterbox` keeps them:
    the whole region is seen, in the middle of a frame of grey. `crop` keeps them too: the frame is
    filled, by the middle of the region.

    Args:
        size: Width and height of the photograph, in pixels.
        spec: The region, the fit and the frame.
    """
    source, (height, width) = crop_box(size, spec.region), spec.shape
    left, top, right, bottom = source
    wide, high = right - left, bottom - top
    if spec.fit == "letterbox":
        scale = min(width / wide, height / high)
        inner_w, inner_h = max(1, round(wide * scale)), max(1, round(high * scale))
        x, y = (width - inner_w) // 2, (height - inner_h) // 2
        return source, (x, y, x + inner_w, y + inner_h)
    if spec.fit == "crop":
        scale = max(width / wide, height / high)
        kept_w = min(wide, max(1, round(width / scale)))
        kept_h = min(high, max(1, round(height / scale)))
        left, top = left + (wide - kept_w) // 2, top + (high - kept_h) // 2
        source = (left, top, left + kept_w, top + kept_h)
    return source, (0, 0, width, height)


def stretch(size: tuple[int, int], spec: ImageSpec) -> float:
    """Return how many times one side is stretched more than the other; 1: the proportions stay."""
    if spec.tiles is not None:
        return 1.0
    (x0, y0, x1, y1), (left, top, right, bottom) = placed(size, spec)
    ratio = (right - left) * (y1 - y0) / ((bottom - top) * (x1 - x0))
    return max(ratio, 1 / ratio)


def alike_frame(size: tuple[int, int], spec: ImageSpec) -> tuple[int, int]:
    """Return height and width of a frame of the region's proportions, with as many pixels.

    Both are multiples of 32, by which most networks shrink an image.

    >>> alike_frame((2048, 512), ImageSpec(224))
    (128, 448)
    """
    left, top, right, bottom = crop_box(size, spec.region)
    height, width = spec.shape
    side = math.sqrt(height * width * (bottom - top) / (right - left))
    return max(32, 32 * round(side / 32)), max(32, 32 * round(height * width / side / 32))


def cut_off(size: tuple[int, int], spec: ImageSpec) -> float:
    """Return the share of the region that the fit leaves out."""
    areas = [
        (right - left) * (bottom - top)
        for left, top, right, bottom in (placed(size, spec)[0], crop_box(size, spec.region))
    ]
    return 1 - areas[0] / areas[1]


@dataclass(frozen=True)
class Seen:
    """What the network sees of a photograph, in fractions of its width and height.

    Attributes:
        box: Left, top, right, bottom; what is beyond is cut off.
        corners: The region of interest; what is outside is grey. None: there is none.
    """

    box: tuple[float, float, float, float]
    corners: tuple[tuple[float, float], ...] | None


def seen(size: tuple[int, int], spec: ImageSpec) -> Seen | None:
    """Return what the network sees of a photograph of this size; None: all of it."""
    (left, top, right, bottom), _ = placed(size, spec)
    width, height = size
    if spec.roi is None and (right - left, bottom - top) == size:
        return None
    return Seen((left / width, top / height, right / width, bottom / height), spec.roi)


def crop_box(size: tuple[int, int], region: tuple[float, ...] | None) -> Box:
    """Turn fractions into (left, top, right, bottom) in pixels of an image (width, height)."""
    if region is None:
        return (0, 0, *size)
    (width, height), (left, top, right, bottom) = size, region
    return (
        math.floor(left * width),
        math.floor(top * height),
        math.ceil(right * width),
        math.ceil(bottom * height),
    )


def cut(pixels: UInt8[np.ndarray, "h w c"], source: Box, spec: ImageSpec) -> np.ndarray:
    """Cut a box out of a photograph, grey where it is outside the region of interest."""
    left, top, right, bottom = source
    part = pixels[top:bottom, left:right]
    if spec.roi is None:
        return part
    height, width = pixels.shape[:2]
    inside = inside_roi((width, height), source, spec.roi)
    return np.where(np.asarray(inside)[..., None] > 0, part, np.uint8(FILL))


def inside_roi(
    size: tuple[int, int], box: Box, roi: tuple[tuple[float, float], ...]
) -> Image.Image:
    """Return a mask of a box of a photograph: 255 inside the region of interest, else 0.

    Args:
        size: Width and height of the photograph, in pixels.
        box: The box.
        roi: The corners, as fractions of the photograph.
    """
    (width, height), (left, top, right, bottom) = size, box
    mask = Image.new("L", (right - left, bottom - top))
    corners = [(math.floor(x * width) - left, math.floor(y * height) - top) for x, y in roi]
    ImageDraw.Draw(mask).polygon(corners, fill=255)
    return mask


def framed(
    part: UInt8[np.ndarray, "h w 3"], target: Box, shape: tuple[int, int]
) -> UInt8[np.ndarray, "h w 3"]:
    """Lay a picture into its box of a grey frame [height, width]."""
    if part.shape[:2] == tuple(shape):
        return part
    frame = np.full((*shape, 3), FILL, np.uint8)
    left, top, right, bottom = target
    frame[top:bottom, left:right] = part
    return frame


def squared(pixels: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "s s 3"]:
    """Lay a picture into the middle of a grey square of its longer side."""
    height, width = pixels.shape[:2]
    side = max(height, width)
    left, top = (side - width) // 2, (side - height) // 2
    return framed(pixels, (left, top, left + width, top + height), (side, side))
