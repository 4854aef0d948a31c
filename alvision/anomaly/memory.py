"""A memory of patches: a coreset that covers them, and each new patch's distance to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from alvision.acquisition.support.farthest import farthest_first
from alvision.anomaly.whitening import Whitening

BLOCK = 2**22
"""Distances that are in memory at once, 16 MB of them."""


@dataclass(frozen=True)
class PatchMemory:
    """Coresets of patches, one a fold of the images, and what whitens a patch.

    An image that is in the memory would find its own patches there. So each image belongs to a
    fold, and is compared with the coresets of the others.

    Attributes:
        parts: The coresets, whitened, [m,d] each; a fold without images has none.
        standard: What brings a patch to the same numbers.
    """

    parts: tuple[Float[Tensor, "m d"], ...]
    standard: Whitening

    def distances(
        self, patches: Float[Tensor, "b p d"], folds: Sequence[int]
    ) -> Float[Tensor, "b p"]:
        """Return how far each patch is from what the memory holds of other folds.

        The median over those folds (the lower one, of an even number): a defect that is in few of
        them is in the memory, and is outvoted.

        Args:
            patches: As the network gave them.
            folds: The fold of each image.
        """
        found = patches.new_empty(patches.shape[:2], dtype=torch.float32)
        numbers = torch.tensor(list(folds), dtype=torch.int64)
        for fold in sorted(set(folds)):
            rows = (numbers == fold).nonzero()[:, 0]
            found[rows] = self.votes(patches[rows], fold).median(0).values
        return found

    def votes(self, patches: Float[Tensor, "b p d"], fold: int) -> Float[Tensor, "f b p"]:
        """Return how far each patch is from each part of the memory but its own fold's."""
        mine = self.standard(patches)
        filled = {number: part for number, part in enumerate(self.parts) if len(part)}
        others = [part for number, part in filled.items() if number != fold]
        return torch.stack([nearest(mine, part) for part in others or filled.values()])


def nearest(patches: Float[Tensor, "b p d"], memory: Float[Tensor, "m d"]) -> Float[Tensor, "b p"]:
    """Return each patch's distance to the nearest patch of a memory: exact, Euclidean, in fp32.

    Cost O(b·p·m·d); memory O(b·p) beside one block.

    >>> nearest(torch.tensor([[[0.0, 0.0], [3.0, 4.0]]]), torch.tensor([[0.0, 0.0], [9.0, 9.0]]))
    tensor([[0., 5.]])
    """
    return nearest_few(patches, memory, 1)


def nearest_few(
    patches: Float[Tensor, "b p d"], memory: Float[Tensor, "m d"], k: int
) -> Float[Tensor, "b p"]:
    """Return each patch's distance to the k-th nearest patch of a memory, or to its farthest."""
    flat = patches.flatten(0, 1).float()
    found = flat.new_empty(len(flat))
    squares = memory.square().sum(1)
    rows = max(1, BLOCK // len(memory))
    for start in range(0, len(flat), rows):
        block = flat[start : start + rows]
        # |x|² is the same for all of a row, so it is added to the least alone.
        apart = torch.addmm(squares, block, memory.T, alpha=-2)
        least = apart.amin(1) if k == 1 else apart.kthvalue(min(k, len(memory)), dim=1).values
        found[start : start + rows] = (least + block.square().sum(1)).clamp(min=0).sqrt()
    return found.view(patches.shape[:2])


def coreset(patches: Float[Tensor, "n d"], size: int) -> Float[Tensor, "m d"]:
    """Return so many patches that cover all: the exact greedy of k-center, as PatchCore does it.

    That (arXiv 2106.08265) projects to fewer numbers and starts at random; here neither is needed.
    """
    if not len(patches):
        return patches
    rows, _ = farthest_first(patches, patches[:0], min(size, len(patches)))
    return patches[rows]


def fold_of(digest: str, folds: int) -> int:
    """Return the fold of an image by its content, so that copies share one.

    >>> fold_of("00ff", 5)
    0
    """
    return int(digest, 16) % folds
