"""The network of a bundle for photographs that are cut into tiles, as two graphs.

One graph gives the features of a few tiles, the other pools those of a photograph and judges it. A
single graph would hold a whole photograph's tiles at once: over a gigabyte in its first layers.
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float, UInt8
from torch import Tensor, nn

from alvision.models import bags
from alvision.models.heads import AnyHead
from alvision.models.normalised import Normalised


class BagHead(nn.Module):
    """Pools the features of one photograph's tiles, judges them, and says which tiles speak for it.

    Args:
        head: Maps the features of bags to logits.
    """

    def __init__(self, head: AnyHead) -> None:
        super().__init__()
        self.head = head

    def forward(
        self, tiles: Float[Tensor, "t d"]
    ) -> tuple[Float[Tensor, "1 c"], Float[Tensor, "1 e"], Float[Tensor, "t c"]]:
        """Return logits, features and heat, see `bags.heat`."""
        features = bags.pool(tiles)
        return self.head(features), features, bags.heat(self.head, tiles)


class TiledNetwork(nn.Module):
    """Both graphs as one network without randomness, in fp32: what the exported ones must equal.

    Args:
        trunk: Maps images [B,3,H,W] to features [B,D].
        head: Maps the features of bags to logits.
        mean: What to subtract from each channel of an image scaled to 0..1.
        std: What to divide it by.
    """

    of_classes = True
    """There is heat of every class."""

    def __init__(
        self, trunk: nn.Module, head: AnyHead, mean: Sequence[float], std: Sequence[float]
    ) -> None:
        super().__init__()
        self.photograph = bags.Bags(Normalised(trunk, mean, std))
        self.bag = BagHead(head)
        self.eval()

    def forward(
        self, pixels: UInt8[Tensor, "1 rows columns h w 3"]
    ) -> tuple[Float[Tensor, "1 c"], Float[Tensor, "1 e"], Float[Tensor, "1 c rows columns"]]:
        """Return logits, features and heat of one photograph."""
        logits, features, heat = self.bag(self.photograph.of_tiles(pixels[0]))
        return logits, features, heat.T.reshape(1, -1, *pixels.shape[1:3])
