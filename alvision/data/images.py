"""The one evaluation transform: from a file to the array that every network and report sees."""

from __future__ import annotations

import errno
import functools
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image, UnidentifiedImageError

from alvision.core.errors import UserError
from alvision.data.framing import cut, framed, placed
from alvision.data.image_spec import HEIC_SUFFIXES, heic_is_supported
from alvision.data.image_spec import SUFFIXES as SUFFIXES
from alvision.data.image_spec import ImageSpec as ImageSpec
from alvision.data.pixels import (
    ORIENTATION,
    SIDEWAYS,
    header_exif,
    select_page,
    tags_of,
    upright_pixels,
)
from alvision.data.pixels import UnreadableImage as UnreadableImage
from alvision.data.storage.stored_path import ImagePath
from alvision.data.tiles import bag, tiled

FORMATS = ("PNG", "JPEG", "BMP", "DIB", "TIFF", "WEBP", "GIF")  # others may start programs
# Pillow warns of an attack from half of the pixels on at which it refuses.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
MACHINE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""Failures of the machine, which say nothing about an image."""
PASSED_ON = (UnreadableImage, MemoryError, UserError)
"""What is in order as it is: storage that refuses says nothing about an image either."""


def load(path: ImagePath, spec: ImageSpec) -> np.ndarray:
    """Read an image as uint8 [height, width, 3], RGB, the way `spec` says.

    With `spec.tiles` it is a bag of them, [rows, columns, height, width, 3].

    EXIF orientation is applied, then the crop or the region of interest, then the fit into the
    frame (`framing.placed`) by an antialiased bilinear resize. Transparent pixels are laid on
    black.

    Grey and RGB values deeper than 8 bits are mapped linearly from `spec.value_range` to 0..255 and
    clipped. Without a range: 16 bits from 0..65535 (0..32767 with a sign), 32-bit integers from the
    positive numbers of their type, floats from 0..1, where floats outside 0..1 are refused rather
    than clipped unseen; NaN is black. Files that count white as 0 are turned round first.

    Refused are several pages where `spec.page` names none, channels that are neither colours nor
    transparency, and more than 178 megapixels.

    Raises:
        UnreadableImage: If the file is missing, broken, refused or no image.
    """
    with opened(path) as image:
        pixels = upright_pixels(image, spec)
    del image  # closed, but decoded: 4 bytes a pixel
    return as_seen(pixels, spec)


def as_seen(pixels: np.ndarray, spec: ImageSpec) -> np.ndarray:
    """Return an upright photograph, uint8 [h, w, 1 or 3], as the network sees it, see `load`.

    Raises:
        UnreadableImage: It is smaller than a tile.
    """
    size = pixels.shape[1], pixels.shape[0]
    if spec.tiles is not None:
        source, inner, _ = tiled(size, spec)
        return bag(resized(cut(pixels, source, spec), inner), spec.shape)
    source, target = placed(size, spec)
    inner = target[2] - target[0], target[3] - target[1]
    return framed(resized(cut(pixels, source, spec), inner), target, spec.shape)


def resized(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize uint8 [h, w, 1 or 3] to a width and height, antialiased and bilinear; RGB."""
    image = Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0])
    return np.array(image.resize(size, Image.Resampling.BILINEAR).convert("RGB"))


def read(path: ImagePath) -> bytes:
    """Return a file's content.

    Raises:
        UnreadableImage: The file is missing or cannot be read.
        OSError: No handles or memory are left.
        UserError: The storage that it lies in refuses.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        if error.errno in MACHINE:
            raise
        raise UnreadableImage(reason(path, error)) from error


def shrink_factor(path: ImagePath, spec: ImageSpec) -> float:
    """Return how many times the resize shrinks the longer-shrunk side, from the header alone.

    Raises:
        UnreadableImage: If the header cannot be read.
    """
    with opened(path) as image:
        return shrink_of(upright_size(image, spec), spec)


def shrink_of(size: tuple[int, int], spec: ImageSpec) -> float:
    """Return how many times the resize shrinks the longer-shrunk side of an upright image."""
    if spec.tiles is not None:
        source, inner, _ = tiled(size, spec)
        return max((source[i + 2] - source[i]) / inner[i] for i in (0, 1))
    source, target = placed(size, spec)
    return max((source[i + 2] - source[i]) / (target[i + 2] - target[i]) for i in (0, 1))


def upright_size(image: Image.Image, spec: ImageSpec) -> tuple[int, int]:
    """Return width and height as the upright image has them, from the header alone."""
    if spec.rules > 1:
        select_page(image, spec.page)
    # Some Pillow releases turn the size of a TIFF before it is decoded.
    width, height = (tags_of(image).get(256 + i, image.size[i]) for i in (0, 1))
    return (height, width) if header_exif(image).get(ORIENTATION) in SIDEWAYS else (width, height)


@contextmanager
def opened(path: ImagePath, data: bytes | None = None) -> Iterator[Image.Image]:
    """Open an image; whatever is wrong with it becomes one UnreadableImage.

    Args:
        path: The file.
        data: Its content; None: it is read from the file.

    Raises:
        UnreadableImage: Something is wrong with the image.
        OSError, MemoryError: Something is wrong with the machine: no memory or handles are left.
        UserError: The storage that it lies in refuses.
    """
    try:
        # A file and not its path: from a path Pillow maps pixels into memory with the sides of a
        # turned TIFF exchanged.
        with (
            path.open("rb") if data is None else io.BytesIO(data) as file,
            Image.open(file, formats=formats(path)) as image,
        ):
            yield image
    except PASSED_ON:
        raise
    except Exception as error:
        if getattr(error, "errno", None) in MACHINE:
            raise
        # Decoders raise nearly every exception on a broken file, and none may stop a round.
        raise UnreadableImage(reason(path, error)) from error


def reason(path: ImagePath, error: Exception) -> str:
    """Say in a few words why a file could not be read."""
    if isinstance(error, FileNotFoundError):
        return "file is missing"
    if isinstance(error, PermissionError):
        return "no permission to read the file"
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"too many pixels: at most {2 * (Image.MAX_IMAGE_PIXELS or 0) // 10**6} megapixels"
    if isinstance(error, UnidentifiedImageError):
        with path.open("rb") as file:
            start = file.read(4)
        if not start:
            return "file is empty"
        if start in (b"II*\0", b"MM\0*"):
            return "a kind of TIFF that cannot be read: save it as PNG"
        if path.suffix.lower() in HEIC_SUFFIXES and not heic_is_supported():
            return "HEIC needs: pip install alvision[heic]"
        return "not an image"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return f"broken: {text.splitlines()[0][:80]}"


def formats(path: ImagePath) -> tuple[str, ...]:
    """Return the formats that a file may have, as Pillow names them."""
    return ("HEIF",) if register_heic(path) else FORMATS


def register_heic(path: ImagePath) -> bool:
    """Make Pillow able to open this path if it is HEIC; tell if so."""
    heic = path.suffix.lower() in HEIC_SUFFIXES and heic_is_supported()
    if heic:
        _register_heif_opener()
    return heic


@functools.cache
def _register_heif_opener() -> None:
    from pillow_heif import register_heif_opener

    register_heif_opener()
