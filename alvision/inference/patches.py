"""Patches of the pool's images, read in the same pass as their features and kept by content."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from alvision.core.errors import UserError
from alvision.inference.feature_cache import FeatureCache
from alvision.models.backbones import Backbone
from alvision.models.patches import PROGRAM, WithPatches

BYTES_AT_ONCE = 2**27
"""Most bytes of patches that are handed on at once, in 32 bits; some are there twice meanwhile."""

Pass = Callable[[WithPatches, list[str]], Iterator[tuple[list[str], np.ndarray]]]


class Patches:
    """The patches of images under one trunk, on disk in 16 bits.

    Args:
        backbone: The initial trunk.
        name: Its name, for the message.
        shape: Height and width of the images, in pixels.
        root: Folder of all caches.
        key: What the features depend on beside the image, see `FeatureCache`.

    Attributes:
        grid: Rows and columns of places, P of them.
        width: Numbers of each place, d.

    Raises:
        UserError: The network has no stages or blocks that can be read.
    """

    def __init__(
        self,
        backbone: Backbone,
        name: str,
        shape: tuple[int, int],
        root: Path,
        key: dict[str, object],
    ) -> None:
        self.trunk = WithPatches(backbone.trunk, name, shape)
        self.grid, self.width = self.trunk.grid, self.trunk.width
        self._features = backbone.width
        self._cache = FeatureCache(root, {**key, "patches": PROGRAM}, dtype=np.float16)

    @property
    def bytes_an_image(self) -> int:
        """Return what the patches of an image take on disk."""
        return self.grid[0] * self.grid[1] * self.width * self._cache.dtype.itemsize

    def fill(self, hashes: Sequence[str], features: FeatureCache, run: Pass) -> None:
        """Read what is missing, and put the features that come from the same pass in their cache.

        Args:
            hashes: What must be there afterwards, but for what cannot be read.
            features: The cache of the features.
            run: Runs a trunk over the images of such hashes.
        """

        def compute(pending: list[str]) -> Iterator[tuple[list[str], np.ndarray]]:
            beside: dict[str, np.ndarray] = {}
            for names, both in run(self.trunk, pending):
                beside.update(zip(names, both[:, : self._features], strict=True))
                yield names, both[:, self._features :].astype(np.float16)
                if len(beside) * self._features * 4 > BYTES_AT_ONCE:
                    _store(beside, features)
            _store(beside, features)

        self._cache.fill(hashes, compute)

    def of(self, hashes: Collection[str]) -> Iterator[tuple[Sequence[str], Float[Tensor, "b p d"]]]:
        """Yield the hashes that could be read, each once, and their patches; some at a time."""
        missing = set(self._cache.missing(hashes))
        there = [one for one in dict.fromkeys(hashes) if one not in missing]
        few = max(1, BYTES_AT_ONCE // (2 * self.bytes_an_image))
        for start in range(0, len(there), few):
            names = there[start : start + few]
            flat = torch.from_numpy(self._cache.features(names))
            yield names, flat.unflatten(1, (-1, self.width))


def refuse_without_images(*, images: bool, tiles: bool) -> None:
    """Refuse novelty where patches cannot be read, before any work.

    Raises:
        UserError: There are embeddings in place of images, or photographs are cut into tiles.
    """
    if not images:
        raise UserError(
            "novelty is read from the patches of images, and data=embeddings has none: take "
            "cold_start=typiclust and acquisition=uncertainty_herding"
        )
    if tiles:
        raise UserError(
            "novelty is not read from tiles yet: set data.image.tiles=null, or take "
            "cold_start=k_center and acquisition=uncertainty_herding"
        )


def _store(beside: dict[str, np.ndarray], features: FeatureCache) -> None:
    def of(pending: list[str]) -> Iterable[tuple[list[str], np.ndarray]]:
        return [(pending, np.stack([beside[one] for one in pending]))]

    features.fill(list(beside), of)
    beside.clear()
