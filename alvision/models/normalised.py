"""From pixels to what a trunk was trained on; a module, so that a compiler sees all of it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def normalise(pixels: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Scale pixels to 0..1, then to the mean and deviation that the trunk was trained with.

    The result is channels_last, as the pixels are, so that nothing is moved.

    Args:
        pixels: uint8 [B,H,W,3].
        mean: The trunk's mean of each channel.
        std: The trunk's deviation of each channel.

    Returns:
        Images [B,3,H,W], float32.
    """
    images = pixels.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.channels_last)
    shift = 255 * torch.tensor(mean, device=pixels.device)[:, None, None]
    scale = 255 * torch.tensor(std, device=pixels.device)[:, None, None]
    return images.sub_(shift).div_(scale)


class Normalised(nn.Module):
    """A trunk that takes pixels.

    Args:
        trunk: Maps normalised images to features.
        mean: The trunk's mean of each channel.
        std: The trunk's deviation of each channel.
    """

    def __init__(self, trunk: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.trunk, self.mean, self.std = trunk, tuple(mean), tuple(std)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return features [B,D] of pixels, uint8 [B,H,W,3]."""
        return self.trunk(normalise(pixels, self.mean, self.std))
