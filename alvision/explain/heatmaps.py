"""Show where in an image a network sees its class."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image, ImageChops, ImageDraw
from torch import Tensor, nn

from alvision.anomaly.hot_spots import hot_spots
from alvision.anomaly.maps import photograph_map
from alvision.data.framing import inside_roi, placed
from alvision.data.image_spec import ImageSpec
from alvision.models.pooled import Pooled

COLOUR = (255, 45, 0)
_STRONGEST = 170
"""Opacity of the strongest place, of 255: the part itself must stay visible."""


def class_activation(
    trunk: nn.Module, head: nn.Module, images: Float[Tensor, "b 3 h w"], classes: Int[Tensor, " b"]
) -> Float[Tensor, "b y x"]:
    """Return how much each place speaks for a class, each map divided by its maximum.

    Of a convolutional network it is Grad-CAM on the last feature map, M = relu(sum_k a_k A_k) with
    a_k the mean over places of d logit / d A_k (arXiv 1610.02391); with a linear head on averaged
    features it is CAM (arXiv 1512.04150). A transformer's last patches know of the whole image, so
    of these it is gradient times activation (arXiv 1605.01713) of each patch as it enters the
    blocks: M = relu(sum_l sum_k d logit / d x_lk · x_lk). A map of zeros stays one.

    Args:
        trunk: Maps images to pooled features; in eval mode.
        head: Maps features to logits; in eval mode.
        images: Normalised images.
        classes: The class that is asked about, for each image.

    Raises:
        ValueError: The trunk has no feature map.
    """
    tokens = next((part for part in trunk.modules() if isinstance(part, Pooled)), None)
    last: list[Tensor] = []
    entered: list[Tensor] = []

    def keep_last(module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and max(output.shape[-2:]) > 1:
            last[:] = [output]

    def keep_entered(module: nn.Module, inputs: Any) -> None:
        if tokens and inputs[0].ndim == 3 and inputs[0].shape[1] == tokens.count:
            entered.append(inputs[0])

    maps = [tokens.map] if tokens else trunk.modules()
    handles = [module.register_forward_hook(keep_last) for module in maps]
    blocks = tokens.blocks() if tokens else []
    handles += [block.register_forward_pre_hook(keep_entered) for block in blocks]
    try:
        with torch.enable_grad():
            logits = head(trunk(images.detach().requires_grad_()))
            seen = entered or last
            if not seen:
                raise ValueError("the trunk has no feature map to look at")
            asked = logits.gather(1, classes[:, None]).sum()
            gradients = torch.autograd.grad(asked, seen)
    finally:
        for handle in handles:
            handle.remove()
    if tokens and entered:
        products = [gradient * given for gradient, given in zip(gradients, entered, strict=True)]
        found = torch.stack([tokens.map(product).sum(1) for product in products]).sum(0)
    else:
        found = (gradients[0].mean((2, 3), keepdim=True) * seen[0]).sum(1)
    found = found.relu().detach().float()
    return found / found.amax((1, 2), keepdim=True).clamp(min=1e-12)


def overlay(
    values: Float[np.ndarray, "y x"], size: tuple[int, int], spec: ImageSpec
) -> Image.Image:
    """Draw a map to lie over its image: one colour, as opaque as the map is strong.

    Args:
        values: The map, 0..1, [y, x].
        size: Width and height of the picture to draw, of the image's proportions.
        spec: How the network saw the image: where it did not look, there is nothing.
    """
    source, target = placed(size, spec)
    inside = (source[2] - source[0], source[3] - source[1])
    (rows, columns), (height, width) = values.shape, spec.shape
    across, down = columns / width, rows / height
    box = (target[0] * across, target[1] * down, target[2] * across, target[3] * down)
    seen = Image.fromarray(np.rint(values * _STRONGEST).astype(np.uint8))
    opacity = Image.new("L", size)
    opacity.paste(seen.resize(inside, Image.Resampling.BICUBIC, box=box), source[:2])
    if spec.roi is not None:
        opacity = ImageChops.multiply(opacity, inside_roi(size, (0, 0, *size), spec.roi))
    return _coloured(opacity)


def strangeness(
    places: Float[np.ndarray, " p"],
    grid: tuple[int, int],
    level: float,
    size: tuple[int, int],
    spec: ImageSpec,
) -> Image.Image:
    """Draw where an image is unlike the others, to lie over it, with a box around each hot spot.

    The colour begins at half the level and is strongest from twice the level on, so an image
    without a hot spot is hardly coloured, and two images can be compared.

    Args:
        places: How strange each place is, rows first.
        grid: Rows and columns of places.
        level: Where a map is hot, see `anomaly.maps.hot_level`.
        size: Width and height of the picture to draw, of the image's proportions.
        spec: How the network saw the image.
    """
    found = photograph_map(places, grid, size, spec)
    share = ((found / level - 0.5) / 1.5).clip(0, 1)
    opacity = Image.fromarray(np.rint(share * _STRONGEST).astype(np.uint8))
    draw = ImageDraw.Draw(opacity)
    for spot in hot_spots(found, level):
        corner = spot.x + spot.width, spot.y + spot.height
        draw.rectangle((spot.x - 1, spot.y - 1, *corner), outline=255)
    return _coloured(opacity)


def _coloured(opacity: Image.Image) -> Image.Image:
    picture = Image.new("RGBA", opacity.size, (*COLOUR, 0))
    picture.putalpha(opacity)
    return picture
