"""Fast decoding for the pool pass and training, within one grey level of `images.load`."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Shaped, UInt8
from torch.nn import functional

from alvision.data.framing import cut, framed, placed
from alvision.data.images import ImageSpec, opened
from alvision.data.pixels import upright_pixels
from alvision.data.storage.stored_path import ImagePath
from alvision.data.tiles import bag, tiled


def decode(data: bytes, spec: ImageSpec, path: ImagePath) -> UInt8[np.ndarray, "*grid h w 3"]:
    """Turn a file's bytes into uint8 [height, width, 3], RGB, or a bag, as `images.load` does.

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
    del image  # closed, but decoded: 4 bytes a pixel
    size = pixels.shape[1], pixels.shape[0]
    if spec.tiles is not None:
        source, (width, height), _ = tiled(size, spec)
        return bag(_resize(cut(pixels, source, spec), (height, width)), spec.shape)
    source, target = placed(size, spec)
    inner = target[3] - target[1], target[2] - target[0]
    return framed(_resize(cut(pixels, source, spec), inner), target, spec.shape)


def _resize(pixels: Shaped[np.ndarray, "h w c"], shape: tuple[int, int]) -> np.ndarray:
    planes = torch.from_numpy(np.require(pixels, requirements=["C", "W"])).permute(2, 0, 1)[None]
    if planes.shape[-2:] != shape:
        planes = functional.interpolate(planes, shape, mode="bilinear", antialias=True)
    return planes.expand(1, 3, *shape)[0].permute(1, 2, 0).contiguous().numpy()
