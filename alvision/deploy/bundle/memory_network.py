"""The network of a bundle that knows good parts only: distances of patches instead of a head."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float, UInt8
from torch import Tensor, nn

from alvision.anomaly.memory import PatchMemory
from alvision.anomaly.scores import image_scores
from alvision.anomaly.unseen import Distances, strangeness_logits
from alvision.models.normalised import normalise
from alvision.models.patches import WithPatches


class MemoryNetwork(nn.Module):
    """A trunk and a memory of patches as one network without randomness, in fp32.

    Its logits are `strangeness_logits`, and its map is the distance of each place.

    Args:
        trunk: Gives features and patches.
        memory: Patches of images believed good.
        mean: What to subtract from each channel of an image scaled to 0..1.
        std: What to divide it by.
        usual: The novelty that is usual at most.
        defects: Whether each class is a defect.
    """

    def __init__(
        self,
        trunk: WithPatches,
        memory: PatchMemory,
        mean: Sequence[float],
        std: Sequence[float],
        *,
        usual: float,
        defects: Sequence[bool],
    ) -> None:
        super().__init__()
        self.trunk, self.distances = trunk, Distances(memory)
        self.mean, self.std = tuple(mean), tuple(std)
        self.usual, self.defects = usual, tuple(defects)
        self.eval()

    def forward(
        self, pixels: UInt8[Tensor, "b h w 3"]
    ) -> tuple[Float[Tensor, "b c"], Float[Tensor, "b d"], Float[Tensor, "b 1 y x"]]:
        """Return logits [B,C], features [B,D] and the distance of each place [B,1,h,w]."""
        rows, columns = self.trunk.grid
        both = self.trunk(normalise(pixels, self.mean, self.std))
        end = both.shape[1] - rows * columns * self.trunk.width
        distances = self.distances(both[:, end:].unflatten(1, (-1, self.trunk.width)))
        logits = strangeness_logits(image_scores(distances), self.usual, self.defects)
        return logits, both[:, :end], distances.unflatten(1, (1, rows, columns))
