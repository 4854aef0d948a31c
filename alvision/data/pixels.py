"""From an opened image to upright grey values of 8 bits: the one reading that everybody shares.

A bundle's `predict.py` is made from the source of these functions, so they use Pillow and numpy
alone.
"""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image, ImageOps

from alvision.data.image_spec import ImageSpec

ORIENTATION = 0x0112
SIDEWAYS = range(5, 9)
"""EXIF orientations that swap width and height."""
OTHER_BYTE = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
"""The end of a raw mode of 16-bit colours, and the one that takes the other byte of each value."""


class UnreadableImage(Exception):
    """An image that cannot be used; it is set aside and never stops a round.

    Attributes:
        reason: Why, in a few words.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def upright_pixels(image: Image.Image, spec: ImageSpec) -> UInt8[np.ndarray, "h w c"]:
    """Decode an opened image, turn it upright and make it 8 bits: [h, w, 1] grey or [h, w, 3] RGB.

    `images.load` states the rules.

    Raises:
        UnreadableImage: The image is broken, or its values have no one meaning.
    """
    if spec.rules > 1:
        select_page(image, spec.page)
        refuse_unclear(image)
    if spec.reduced:
        draft(image, spec)
    values = raw_values(image, spec)
    if values is not None:
        pixels = stretch(values[..., :3], range_of(image, values, spec))
        if values.shape[2] == 4:
            pixels = np.rint(pixels * (values[..., 3:] / np.float32(65535))).astype(np.uint8)
        return pixels
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode == "L" and not image.has_transparency_data:
        return np.asarray(image)[..., None]
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "black"), layer)
    # Converting copies also what is RGB already, and a photograph takes 4 bytes a pixel.
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def select_page(image: Image.Image, page: int | None) -> None:
    """Go to the page that is asked for; thumbnails that a TIFF holds are no pages.

    Raises:
        UnreadableImage: There is no such page, or there are several and none is named.
    """
    pages = list(range(getattr(image, "n_frames", 1)))
    if image.format in ("JPEG", "MPO"):  # a telephone adds previews to its photograph
        pages = [0]
    if len(pages) > 1 and tags_of(image):
        pages = [number for number in pages if not is_thumbnail(image, number)] or [0]
    if page is None and len(pages) > 1:
        raise UnreadableImage(f"{len(pages)} pages: name one with data.image.page, from 0")
    if page is not None and page >= len(pages):
        raise UnreadableImage(f"no page {page}: data.image.page is from 0 to {len(pages) - 1}")
    if image.tell() != pages[page or 0]:
        image.seek(pages[page or 0])


def is_thumbnail(image: Image.Image, page: int) -> bool:
    """Tell whether a page of a TIFF is a smaller copy of another one (NewSubfileType, bit 0)."""
    image.seek(page)
    return bool(tags_of(image).get(254, 0) & 1)


def refuse_unclear(image: Image.Image) -> None:
    """Refuse kinds of files that Pillow reads in a way that is wrong or that nobody stated.

    Raises:
        UnreadableImage: The image is of such a kind.
    """
    if "transparency" in image.info and deep_mode(image):
        raise UnreadableImage("16 bits with one value that is transparent: save them without")
    tags = tags_of(image)
    if not tags:
        return
    bits, white_is_zero = tags.get(258, (1,)), tags.get(262) == 0
    colours = {2: 3, 5: 4, 6: 3, 8: 3}.get(tags.get(262, 1), 1)
    others = tags.get(277, colours) - colours
    if others > 0 and not (others == 1 and tags.get(338) in ((1,), (2,))):
        raise UnreadableImage(
            f"{colours + others} channels, and not all are colours or transparency: save fewer"
        )
    if 2 in tags.get(339, ()) and max(bits) <= 8:
        raise UnreadableImage("8-bit values with a sign: save them without")
    if tags.get(284) == 2 and max(bits) > 8 and colours > 1:
        raise UnreadableImage("16-bit colours in separate planes: save them together")
    if image.mode == "F" and white_is_zero:
        raise UnreadableImage("float pixels that count white as 0: save them with black as 0")


def tags_of(image: Image.Image) -> Mapping[int, Any]:
    """Return the tags of a TIFF by number; none of another format."""
    return getattr(image, "tag_v2", {}) if image.format == "TIFF" else {}


def raw_mode(image: Image.Image) -> str:
    """Return how an image that is not decoded yet stores its values, e.g. `RGB;16B`."""
    arguments = image.tile[0][3] if getattr(image, "tile", None) else ""  # type: ignore[attr-defined]
    return str(arguments[0] if isinstance(arguments, tuple) else arguments)


def deep_mode(image: Image.Image) -> str | None:
    """Return the raw mode of an image with 16 bits a value that is not decoded yet; else None."""
    mode = raw_mode(image)
    # A BMP has 16 bits for a whole pixel.
    return mode if ";16" in mode and image.format != "BMP" else None


def raw_values(image: Image.Image, spec: ImageSpec) -> Shaped[np.ndarray, "h w c"] | None:
    """Return the upright values as stored, [h, w, c], with black at 0; None: 8 bits say it all.

    They do for 16-bit colours without a range too: it is their upper bytes that count then.

    Raises:
        UnreadableImage: The image is broken, or a range cannot be applied.
    """
    if image.mode != "F" and not image.mode.startswith("I"):
        mode = deep_mode(image)
        wanted = spec.value_range is not None and spec.rules > 1
        return deep_colours(image, mode) if mode and wanted else None
    tags = tags_of(image) if spec.rules > 1 else {}
    ImageOps.exif_transpose(image, in_place=True)
    values = np.asarray(image)[..., None]
    if image.mode.startswith("I;16"):
        values = values.astype(np.uint16, copy=False)
        return np.uint16(65535) - values if tags.get(262) == 0 else values
    if image.mode == "I" and tags.get(258) == (32,) and tags.get(339, (1,)) == (1,):
        return values.view(np.uint32)  # Pillow has 32 bits with a sign alone
    return values


def deep_colours(image: Any, mode: str) -> Shaped[np.ndarray, "h w c"]:
    """Return 16-bit colours, uint16 [h, w, 3], or [h, w, 4] with transparency.

    Pillow gives one byte of each value, so the image is decoded twice, once for either byte.

    Args:
        image: Not decoded yet.
        mode: Its raw mode.

    Raises:
        UnreadableImage: The colours are not plain.
    """
    if mode[:-1] not in ("RGB;16", "RGBA;16"):
        raise UnreadableImage(f"data.image.value_range needs grey or RGB, and this is {mode}")
    place = image.fp.tell()
    image.fp.seek(0)
    content = image.fp.read()
    image.fp.seek(place)
    other = mode[:-1] + OTHER_BYTE[mode[-1]]
    with Image.open(io.BytesIO(content), formats=[image.format]) as lower:
        if image.tell():
            lower.seek(image.tell())
        lower.tile = [
            tile._replace(
                args=other if isinstance(tile.args, str) else (other, *(tile.args or ())[1:])
            )
            for tile in lower.tile
        ]
        halves = [ImageOps.exif_transpose(half) for half in (image, lower)]
        upper, low = (np.asarray(half).astype(np.uint16) for half in halves)
    return upper * np.uint16(256) + low


def range_of(image: Image.Image, values: np.ndarray, spec: ImageSpec) -> tuple[float, ...]:
    """Return the raw values of black and white: those given, or the full range of the type.

    Raises:
        UnreadableImage: There are floats outside 0..1, and no range is given.
    """
    if spec.value_range is not None:
        return spec.value_range
    if values.dtype.kind == "f":
        finite = values[np.isfinite(values)]
        if finite.size and (finite.min() < 0 or finite.max() > 1):
            raise UnreadableImage("float pixels outside 0..1: set data.image.value_range")
        return 0, 1
    # Some Pillow releases open a 16-bit PNG as 32-bit integers.
    if values.dtype == np.uint16 or image.format == "PNG":
        return 0, 65535
    if values.dtype == np.uint32:
        return 0, 2**32 - 1
    short = spec.rules > 1 and tags_of(image).get(258) == (16,)
    return 0, 2**15 - 1 if short else 2**31 - 1


def stretch(values: np.ndarray, value_range: tuple[float, ...]) -> np.ndarray:
    """Map raw values linearly from (black, white) to 0..255, as uint8; NaN is black."""
    if values.dtype == np.uint16 and values.size > 2**16:  # a table is faster
        return stretch(np.arange(2**16, dtype=np.float32), value_range)[values]
    black, white = value_range
    values = values.astype(np.float32)
    values = np.nan_to_num(values, nan=black, posinf=white, neginf=black).clip(black, white)
    return np.rint((values - black) / (white - black) * 255).astype(np.uint8)


def draft(image: Image.Image, spec: ImageSpec) -> None:
    """Ask the decoder for less than the whole size, if it can and the spec needs no more."""
    left, top, right, bottom = spec.region or (0, 0, 1, 1)
    height, width = spec.shape
    sideways = header_exif(image).get(ORIENTATION) in SIDEWAYS
    if spec.fit == "squash":
        needed = math.ceil(width / (right - left)), math.ceil(height / (bottom - top))
    else:
        full = image.size[::-1] if sideways else image.size
        scales = width / (right - left) / full[0], height / (bottom - top) / full[1]
        scale = min(scales) if spec.fit == "letterbox" else max(scales)
        needed = math.ceil(full[0] * scale), math.ceil(full[1] * scale)
    image.draft(None, needed[::-1] if sideways else needed)


def header_exif(image: Image.Image) -> Image.Exif:
    """Return the EXIF data; the pixels are decoded only where EXIF data follow them."""
    # The PNG reader's own method decodes the pixels of every image.
    return image.getexif() if exif_follows(image) else Image.Image.getexif(image)


def exif_follows(image: Any) -> bool:
    """Tell whether a PNG that is not decoded yet has EXIF data or text behind its pixels."""
    if image.format != "PNG" or image.fp is None:
        return False
    place, passed, found = image.fp.tell(), False, False
    image.fp.seek(8)
    while not found and len(chunk := image.fp.read(8)) == 8:
        passed = passed or chunk[4:] == b"IDAT"
        found = passed and chunk[4:] in (b"eXIf", b"iTXt", b"zTXt", b"tEXt")
        image.fp.seek(int.from_bytes(chunk[:4], "big") + 4, 1)
    image.fp.seek(place)
    return found
