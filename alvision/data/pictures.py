"""Images as people look at them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PIL import Image

from alvision.data import images
from alvision.data.image_spec import SQUASH, ImageSpec
from alvision.data.pixels import deep_mode, upright_pixels


def picture(
    path: Path, longest: int, spec: ImageSpec | None = None, data: bytes | None = None
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
    seen = replace(
        spec or ImageSpec(longest), size=longest, crop=None, reduced=True, fit=SQUASH, roi=None
    )
    with images.opened(path, data) as image:
        pixels = upright_pixels(image, seen)
    shown = Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0]).convert("RGB")
    shown.thumbnail((longest, longest), Image.Resampling.BILINEAR)
    return shown


def is_deep(path: Path) -> bool:
    """Tell from the header alone whether an image has more than 8 bits.

    Raises:
        UnreadableImage: If the header cannot be read.
    """
    with images.opened(path) as image:
        return image.mode == "F" or image.mode.startswith("I") or deep_mode(image) is not None


def upright_size(
    path: Path, spec: ImageSpec | None = None, data: bytes | None = None
) -> tuple[int, int]:
    """Return width and height of the whole picture, from the header alone.

    Raises:
        UnreadableImage: If the header cannot be read.
    """
    with images.opened(path, data) as image:
        return images.upright_size(image, spec or ImageSpec(1))
