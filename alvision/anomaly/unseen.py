"""How far images are from a memory that they are not in: the part of it that a bundle runs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from alvision.anomaly.memory import PatchMemory

FLOOR = 0.1
"""Share of the usual novelty below which all images score alike: the distance of near copies is
rounding, and its logarithm would differ between runtimes."""


class Distances(nn.Module):
    """How far the patches of images that are not in a memory are from it.

    The median over the folds (the lower one, of an even number), as `PatchMemory.distances` takes
    it over those that an image is not in. Made of operations that ONNX has.

    Args:
        memory: Patches of images believed good.
    """

    def __init__(self, memory: PatchMemory) -> None:
        super().__init__()
        self.mean, self.turn = (
            nn.Buffer(part.float().clone()) for part in (memory.standard.mean, memory.standard.turn)
        )
        self.parts = nn.ParameterList(
            nn.Parameter(part.T.float().contiguous(), requires_grad=False)
            for part in memory.parts
            if len(part)
        )

    def forward(self, patches: Float[Tensor, "b p d"]) -> Float[Tensor, "b p"]:
        """Return the distance of each patch, as the network gave it."""
        ready = (patches - self.mean) @ self.turn
        votes = [_nearest(ready, part) for part in self.parts]
        middle = (len(votes) - 1) // 2
        return torch.stack(votes, dim=2).sort(dim=2).values[:, :, middle]


def strangeness_logits(
    scores: Float[Tensor, " b"], usual: float, defects: Sequence[bool]
) -> Float[Tensor, "b c"]:
    """Return logits that order images by their novelty: 0 for a good class, log r for each defect.

    r is the novelty in units of the usual one. So an image that is as strange as usual at most is
    called good. With one class of defects the softmax is r / (1 + r): it is no probability, because
    no defect was seen. Several classes of defects are alike.

    Args:
        scores: Novelty of each image, from `image_scores`.
        usual: The novelty that is usual at most.
        defects: Whether each class is a defect.

    >>> strangeness_logits(torch.tensor([2.0, 4.0]), 2.0, [False, True]).exp()
    tensor([[1., 1.],
            [1., 2.]])
    """
    ratio = (scores / usual).clamp(min=FLOOR)
    return ratio.log()[:, None] * torch.tensor([list(defects)], dtype=torch.float32)


def _nearest(patches: Tensor, part: Float[Tensor, "d m"]) -> Float[Tensor, "b p"]:
    # |x|² is the same for all of a row, so it is added to the least alone.
    apart = part.square().sum(0) - 2 * patches @ part
    return (apart.amin(2) + patches.square().sum(2)).clamp(min=0).sqrt()
