"""Build a memory of images of which some may be defects: nobody has looked at them yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from alvision.anomaly.memory import PatchMemory, coreset, fold_of, nearest_few
from alvision.anomaly.whitening import whiten
from alvision.core.seeding import derive

FOLDS = 5
"""Parts of the images that vote. Two would not outvote anything; ten have a tenth of the images
each, which is little for a small pool."""
SIZE = 2000
"""Patches in the memory, of all folds together: .8 MB of 104 numbers each. A pool of 1,000 images
of 28 x 28 places has 784,000 patches; PatchCore (arXiv 2106.08265) keeps a hundredth to a tenth.
Each place is compared with all of them, so twice as many take twice the time."""
SAMPLE = 40_000
"""Patches that the coresets are chosen from, of all folds together: what bounds memory and time
however large the pool is."""
DROPPED = 0.15
"""Share of the sampled patches, the strangest ones, that never come into the memory (SoftPatch,
arXiv 2403.14233, has the same). The greedy of k-center takes outliers first, so that a defect among
the good images would be among its first patches."""
ALIKE = 0.01
"""Patches that are nearer than this, in each number's deviation, are copies: none is stranger."""
NEIGHBOUR = 3
"""The neighbour whose distance says how strange a patch is: two copies of a defect hide each other
from the first one."""


@dataclass(frozen=True)
class Sample:
    """Some patches of many images, fold by fold.

    Attributes:
        patches: [n,d] of each fold.
    """

    patches: tuple[Float[Tensor, "n d"], ...]


def sample(
    chunks: Iterable[tuple[Sequence[str], Float[Tensor, "b p d"]]],
    images: int,
    size: int = SAMPLE,
    left_out: Mapping[str, Bool[np.ndarray, " p"]] | None = None,
) -> Sample:
    """Draw patches evenly from images; which ones depends on an image's content alone.

    Args:
        chunks: Digests of the images' contents and their patches, some images at a time.
        images: How many will come; from each comes the same number of patches, at least one.
        size: About how many patches are drawn; a pool of more images than that gives one each.
        left_out: The places of an image that are never drawn, by its digest.
    """
    kept: list[list[Tensor]] = [[] for _ in range(FOLDS)]
    each = max(1, size // max(1, images))
    for digests, patches in chunks:
        for digest, own in zip(digests, patches, strict=True):
            rng = torch.Generator().manual_seed(derive(0, "patches", digest))
            places = torch.randperm(len(own), generator=rng)
            if left_out and digest in left_out:
                places = places[~torch.from_numpy(left_out[digest])[places]]
            places = places[:each]
            kept[fold_of(digest, FOLDS)].append(own[places].float())
    width = next((part[0].shape[1] for part in kept if part), 0)
    return Sample(tuple(torch.cat(part) if part else torch.empty(0, width) for part in kept))


def build(drawn: Sample, size: int = SIZE) -> PatchMemory:
    """Return a memory of the patches that are like those of other images.

    Patches are whitened over the sample. Then each fold's patches are compared
    with the other folds', and those that are strangest are left out; a coreset of each fold's
    others is its part of the memory.

    Args:
        drawn: Patches of images, most of which are good.
        size: Patches in the memory.
    """
    together = torch.cat(drawn.patches)
    standard = whiten(together)
    ready = [standard(part) for part in drawn.patches]
    strange = [_strangeness(ready, number) for number in range(len(ready))]
    limit = torch.cat(strange).quantile(1 - DROPPED).clamp(min=ALIKE * together.shape[1] ** 0.5)
    share = max(1, size // sum(len(part) > 0 for part in ready))
    return PatchMemory(
        tuple(coreset(part[own <= limit], share) for part, own in zip(ready, strange, strict=True)),
        standard,
    )


def _strangeness(parts: Sequence[Tensor], number: int) -> Float[Tensor, " n"]:
    """Return how far each patch of a part is from those of the others; 0 without others."""
    others = [part for place, part in enumerate(parts) if place != number and len(part)]
    if not others or not len(parts[number]):
        return torch.zeros(len(parts[number]))
    thinned = torch.cat([part[:: max(1, len(part) * len(others) // SIZE)] for part in others])
    return nearest_few(parts[number][None], thinned, NEIGHBOUR)[0]
