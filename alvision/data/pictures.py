"""Images as people look at them."""

from __future__ import annotations

from dataclasses import replace

from PIL import Image

from alvision.data import images
from alvision.data.image_spec import SQUASH, ImageSpec
from alvision.data.pixels import deep_mode, upright_pixels
from alvision.data.storage.stored_path import ImagePath


def picture(
    path: ImagePath, longest: int, spec: ImageSpec | None = None, data: bytes | None = None
) -> Image.Image:
    """Read an image to be looked at: upright, RGB, uncropped, at most `longest` pixels a side.

    Everything else is as `spec` says, so that people see the grey values that the network sees.

    Args:
        path: The file.
        longest: Pixels of the longer side.
        spec: How the network reads images; None: by the rules alone.
        data: The file's content; None: it is read.

    Raises:
        UnreadableImage: If the file is missing, broken, refused or no image.
    """
    seen = replace(_whole(spec), size=longest, reduced=True)
    with images.opened(path, data) as image:
        pixels = upright_pixels(image, seen)
    del image  # closed, but decoded: 4 bytes a pixel
    shown = Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0]).convert("RGB")
    shown.thumbnail((longest, longest), Image.Resampling.BILINEAR)
    return shown


MOST_PIXELS = 64_000_000
"""Pixels of a photograph that is shown at full resolution: 256 MB as it is kept."""


def halvings(size: tuple[int, int]) -> int:
    """Return how often a photograph is halved until it has `MOST_PIXELS` at most.

    >>> halvings((4000, 3000)), halvings((12000, 9000))
    (0, 1)
    """
    times = 0
    while (size[0] >> times) * (size[1] >> times) > MOST_PIXELS:
        times += 1
    return times


def finest(size: tuple[int, int]) -> tuple[int, int]:
    """Return width and height of the finest picture of a photograph, see `photograph`."""
    times = halvings(size)
    return max(1, size[0] >> times), max(1, size[1] >> times)


def photograph(path: ImagePath, spec: ImageSpec | None, data: bytes) -> Image.Image:
    """Read a photograph as `picture` does, at full resolution or, above `MOST_PIXELS`, halved.

    Args:
        path: The file.
        spec: How the network reads images; None: by the rules alone.
        data: The file's content.

    Returns:
        An image in grey (L) or RGB.

    Raises:
        UnreadableImage: If the content is broken, refused or no image.
    """
    spec = spec or ImageSpec(1)
    with images.opened(path, data) as image:
        size = finest(images.upright_size(image, spec))
        whole = halvings(images.upright_size(image, spec)) == 0
        seen = replace(_whole(spec), size=min(size), reduced=not whole)
        pixels = upright_pixels(image, seen)
    del image  # closed, but decoded: 4 bytes a pixel
    found = Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0])
    return found if found.size == size else found.resize(size, Image.Resampling.BILINEAR)


def _whole(spec: ImageSpec | None) -> ImageSpec:
    """Return how values are read, for all of a photograph: no region, no fit and no tiles."""
    return replace(spec or ImageSpec(1), crop=None, fit=SQUASH, roi=None, tiles=None)


def is_deep(path: ImagePath) -> bool:
    """Tell from the header alone whether an image has more than 8 bits.

    Raises:
        UnreadableImage: If the header cannot be read.
    """
    with images.opened(path) as image:
        return image.mode == "F" or image.mode.startswith("I") or deep_mode(image) is not None


def upright_size(
    path: ImagePath, spec: ImageSpec | None = None, data: bytes | None = None
) -> tuple[int, int]:
    """Return width and height of the whole picture, from the header alone.

    Raises:
        UnreadableImage: If the header cannot be read.
    """
    with images.opened(path, data) as image:
        return images.upright_size(image, spec or ImageSpec(1))
