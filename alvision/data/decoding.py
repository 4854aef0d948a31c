"""Fast decoding for the pool pass and training, within one grey level of `images.load`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Shaped, UInt8
from torch.nn import functional

from alvision.data.images import ImageSpec, crop_box, opened
from alvision.data.pixels import upright_pixels


def decode(data: bytes, spec: ImageSpec, path: Path) -> UInt8[np.ndarray, "h w 3"]:
    """Turn a file's bytes into uint8 [size, size, 3], RGB, as `images.load` does.

    What differs is the antialiased resize, which uses the processor's vectors. No grey value is
    more than 1 from that of `load`, and what one refuses the other refuses, because both read by
    `pixels.upright_pixels`. The decoder itself is Pillow's: OpenCV's is faster, but it fills up
    what a broken JPEG lacks.

    Args:
        data: The file's content.
        spec: The evaluation transform.
        path: The file's name, for its suffix and for messages.

    Raises:
        UnreadableImage: If the content is broken, too large or no image.
    """
    with opened(path, data) as image:
        pixels = upright_pixels(image, spec)
    left, top, right, bottom = crop_box((pixels.shape[1], pixels.shape[0]), spec.crop)
    return _resize(pixels[top:bottom, left:right], spec.size)


def _resize(pixels: Shaped[np.ndarray, "h w c"], size: int) -> UInt8[np.ndarray, "s s 3"]:
    planes = torch.from_numpy(np.require(pixels, requirements=["C", "W"])).permute(2, 0, 1)[None]
    if planes.shape[-2:] != (size, size):
        planes = functional.interpolate(planes, (size, size), mode="bilinear", antialias=True)
    return planes.expand(1, 3, size, size)[0].permute(1, 2, 0).contiguous().numpy()
