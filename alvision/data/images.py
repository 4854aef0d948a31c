"""The one evaluation transform: from a file to the array that every network and report sees."""

from __future__ import annotations

import errno
import functools
import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from alvision.data.image_spec import HEIC_SUFFIXES, heic_is_supported
from alvision.data.image_spec import SUFFIXES as SUFFIXES
from alvision.data.image_spec import ImageSpec as ImageSpec

_FORMATS = ("PNG", "JPEG", "BMP", "DIB", "TIFF", "WEBP", "GIF")  # others may start programs
ORIENTATION = 0x0112
_MACHINE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
SIDEWAYS = range(5, 9)
"""EXIF orientations that swap width and height."""


class UnreadableImage(Exception):
    """An image that cannot be used; it is set aside and never stops a round.

    Attributes:
        reason: Why, in a few words.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def load(path: Path, spec: ImageSpec) -> np.ndarray:
    """Read an image as uint8 [size, size, 3], RGB, the way `spec` says.

    EXIF orientation is applied, then the crop, then an antialiased bilinear resize that does not
    keep the aspect ratio. Transparent pixels are laid on black. Of several frames the first counts.

    Grey values deeper than 8 bits are mapped linearly from `spec.value_range` to 0..255 and
    clipped. Without a range: 16 bits from 0..65535, 32-bit integers from 0..2^31 - 1, floats from
    0..1, where floats outside 0..1 are refused rather than clipped unseen; NaN is black.

    Raises:
        UnreadableImage: If the file is missing, broken, too large or no image.
    """
    with opened(path) as image:
        rgb = upright_rgb(image, spec)
        box = crop_box(rgb.size, spec.crop)
        if box != (0, 0, *rgb.size):
            rgb = rgb.crop(box)
        return np.array(rgb.resize((spec.size, spec.size), Image.Resampling.BILINEAR))


def read(path: Path) -> bytes:
    """Return a file's content.

    Raises:
        UnreadableImage: The file is missing or cannot be read.
        OSError: No handles or memory are left.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        if error.errno in _MACHINE:
            raise
        raise UnreadableImage(_reason(path, error)) from error


def upright_rgb(image: Image.Image, spec: ImageSpec) -> Image.Image:
    """Decode an opened image, turn it upright and make it 8 bits RGB."""
    if spec.reduced:
        draft(image, spec)
    ImageOps.exif_transpose(image, in_place=True)
    return _to_rgb(image, spec.value_range)


def draft(image: Image.Image, spec: ImageSpec) -> None:
    """Ask the decoder for less than the whole size, if it can and the spec needs no more."""
    left, top, right, bottom = spec.crop or (0, 0, 1, 1)
    needed = math.ceil(spec.size / (right - left)), math.ceil(spec.size / (bottom - top))
    sideways = header_exif(image).get(ORIENTATION) in SIDEWAYS
    image.draft(None, needed[::-1] if sideways else needed)


def shrink_factor(path: Path, spec: ImageSpec) -> float:
    """Return how many times the resize shrinks the longer-shrunk side, from the header alone.

    Raises:
        UnreadableImage: If the header cannot be read.
    """
    with opened(path) as image:
        width, height = image.size
        if header_exif(image).get(ORIENTATION) in SIDEWAYS:
            width, height = height, width
    left, top, right, bottom = crop_box((width, height), spec.crop)
    return max(right - left, bottom - top) / spec.size


def header_exif(image: Image.Image) -> Image.Exif:
    """Return the EXIF data that come before the pixels, without decoding them."""
    # The PNG reader's own method decodes the pixels, in case that EXIF data follow them.
    return Image.Image.getexif(image)


@contextmanager
def opened(path: Path, data: bytes | None = None) -> Iterator[Image.Image]:
    """Open an image; whatever is wrong with it becomes one UnreadableImage.

    Args:
        path: The file.
        data: Its content; None: it is read from the file.

    Raises:
        UnreadableImage: Something is wrong with the image.
        OSError, MemoryError: Something is wrong with the machine: no memory or handles are left.
    """
    try:
        formats = ("HEIF",) if register_heic(path) else _FORMATS
        with Image.open(path if data is None else io.BytesIO(data), formats=formats) as image:
            yield image
    except (UnreadableImage, MemoryError):
        raise
    except Exception as error:
        if getattr(error, "errno", None) in _MACHINE:
            raise
        # Decoders raise nearly every exception on a broken file, and none may stop a round.
        raise UnreadableImage(_reason(path, error)) from error


def _reason(path: Path, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "file is missing"
    if isinstance(error, PermissionError):
        return "no permission to read the file"
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return "too many pixels: more than a photograph has"
    if isinstance(error, UnidentifiedImageError):
        if path.stat().st_size == 0:
            return "file is empty"
        if path.suffix.lower() in HEIC_SUFFIXES and not heic_is_supported():
            return "HEIC needs: pip install alvision[heic]"
        return "not an image"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return f"broken: {text.splitlines()[0][:80]}"


def _to_rgb(image: Image.Image, value_range: tuple[float, ...] | None) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_to_8_bits(image, value_range)).convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "black"), layer).convert("RGB")
    return image.convert("RGB")


def _to_8_bits(image: Image.Image, value_range: tuple[float, ...] | None) -> np.ndarray:
    values = np.asarray(image).astype(np.float32)
    if image.mode == "F" and value_range is None:
        finite = values[np.isfinite(values)]
        if finite.size and (finite.min() < 0 or finite.max() > 1):
            raise UnreadableImage("float pixels outside 0..1: set data.image.value_range")
    return stretch(values, range_of(image, value_range))


def stretch(values: np.ndarray, value_range: tuple[float, ...]) -> np.ndarray:
    """Map raw values linearly from (black, white) to 0..255, as uint8; NaN is black."""
    black, white = value_range
    values = np.nan_to_num(values, nan=black, posinf=white, neginf=black).clip(black, white)
    return np.rint((values - black) / (white - black) * 255).astype(np.uint8)


def range_of(image: Image.Image, value_range: tuple[float, ...] | None) -> tuple[float, ...]:
    """Return the raw values of black and white: those given, or the full range of the type."""
    if value_range is not None:
        return value_range
    if image.mode == "F":
        return 0, 1
    # Some Pillow releases open a 16-bit PNG as 32-bit integers.
    sixteen_bits = image.mode.startswith("I;16") or image.format == "PNG"
    return 0, 65535 if sixteen_bits else 2**31 - 1


def crop_box(size: tuple[int, int], crop: tuple[float, ...] | None) -> tuple[int, int, int, int]:
    """Turn fractions into (left, top, right, bottom) in pixels of an image (width, height)."""
    if crop is None:
        return (0, 0, *size)
    (width, height), (left, top, right, bottom) = size, crop
    return (
        math.floor(left * width),
        math.floor(top * height),
        math.ceil(right * width),
        math.ceil(bottom * height),
    )


def register_heic(path: Path) -> bool:
    """Make Pillow able to open this path if it is HEIC; tell if so."""
    heic = path.suffix.lower() in HEIC_SUFFIXES and heic_is_supported()
    if heic:
        _register_heif_opener()
    return heic


@functools.cache
def _register_heif_opener() -> None:
    from pillow_heif import register_heif_opener

    register_heif_opener()
