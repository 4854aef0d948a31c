"""From the features of a photograph's tiles to those of the photograph: one label for a bag.

The label is the photograph's, and nobody says which tile it is about (multiple-instance learning).
Pooling without weights comes before the head, so that a photograph's features are computed once and
cached like those of an image, and everything after them need not know of tiles.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

POOLING = "max, (max - mean) / deviation, least .1"
"""Names how tiles are pooled. Change it with any change of `pool`, for it is part of the feature
cache's key; models that were trained before then need a new version of the rules of reading."""
PARTS = 2
"""Features of a bag for each feature of a tile."""
TOGETHER = 8
"""Tiles that run at once where a whole photograph is given: memory does not grow with it."""
TINY = 1e-8
LEAST = 0.1
"""What a feature's deviation counts at least, as a share of all features' (their root mean square):
without it the rounding of one that is nearly always 0 would stand out."""


def pool(tiles: Float[Tensor, "t d"]) -> Float[Tensor, "1 e"]:
    """Return the features of a bag: of each feature its maximum, and how far one tile stands out.

    (max - mean) / deviation, over the tiles of this photograph. Light, grain and texture move all
    tiles of a photograph alike, and so both the maximum and the mean; only a place that differs
    from its own surroundings moves this. The maximum tells what the whole surface is like, also of
    a photograph that is one tile. Measured against other pooling in docs/tiles.md.

    >>> pool(torch.tensor([[0.0, 1.0], [0.0, 1.0], [0.0, 1.0], [4.0, 1.0]])).round(decimals=2)
    tensor([[4.0000, 1.0000, 1.7300, 0.0000]])
    """
    highest = tiles.amax(0)
    centre = tiles.mean(0)
    spread = (tiles - centre).square().mean(0)
    return torch.cat([highest, _standing_out(highest - centre, spread)])[None]


def without_each(tiles: Float[Tensor, "t d"]) -> Float[Tensor, "t e"]:
    """Return the bag's features as they were without the first tile, the second, ...: for heat.

    A bag of one tile keeps it.
    """
    centre = tiles.mean(0)
    apart = tiles - centre
    others = torch.ones_like(tiles[:, :1]).sum(0).sub(1).clamp(min=1)  # a tensor, to be exported
    highest = apart.amax(0)
    is_highest = apart == highest
    second = apart.masked_fill(is_highest, -torch.inf).amax(0)
    second = torch.where((is_highest.sum(0) > 1) | second.isinf(), highest, second)
    left = torch.where(is_highest, second, highest)
    shift = -apart / others
    squares = apart.square()
    spread = (squares.sum(0) - squares) / others - shift.square()
    return torch.cat([centre + left, _standing_out(left - shift, spread)], dim=1)


def _standing_out(highest: Tensor, spread: Tensor) -> Tensor:
    spread = spread.clamp(min=0)  # rounding
    least = LEAST**2 * spread.mean(-1, keepdim=True)
    # Not added: the exporter leaves out what it adds to a number if it is as small as this.
    return highest / (spread + least).clamp(min=TINY).sqrt()


def heat(head: nn.Module, tiles: Float[Tensor, "t d"]) -> Float[Tensor, "t c"]:
    """Return how much each tile speaks for each class: what its logit loses without the tile.

    Occlusion (arXiv 1311.2901), of a whole tile, and so for any head. 0 where it loses nothing.

    Args:
        head: Maps the features of bags to logits; in eval mode.
        tiles: Features of the tiles of one photograph.
    """
    return (head(pool(tiles)) - head(without_each(tiles))).relu()


class Bags(nn.Module):
    """Gives the features of photographs, one after the other and a few tiles at a time.

    Args:
        tiles: Maps tiles, uint8 [B,H,W,3], to features [B,D].
    """

    def __init__(self, tiles: nn.Module) -> None:
        super().__init__()
        self.tiles = tiles

    def forward(self, pixels: UInt8[Tensor, "b rows columns h w 3"]) -> Float[Tensor, "b e"]:
        """Return [B,E], see `pool`."""
        return torch.cat([pool(self.of_tiles(one)) for one in pixels])

    def of_tiles(self, photograph: UInt8[Tensor, "rows columns h w 3"]) -> Float[Tensor, "t d"]:
        """Return the features of each tile of one photograph."""
        parts = photograph.flatten(0, 1).split(TOGETHER)
        return torch.cat([self.tiles(part) for part in parts])
