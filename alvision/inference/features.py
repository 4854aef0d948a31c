"""The features of a run's images: embeddings, cached ones, or those of a trained trunk."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from alvision.core.errors import UserError
from alvision.data.cache import cache_folder, cache_limit
from alvision.data.images import ImageSpec
from alvision.inference import cache_maintenance, pool, ranks, statistics, tiled
from alvision.inference.engine import Engine, threads
from alvision.inference.executor import Executor
from alvision.inference.feature_cache import FeatureCache
from alvision.inference.memory import available
from alvision.inference.patches import BYTES_AT_ONCE, Patches, refuse_without_images
from alvision.inference.predictions import SampleId
from alvision.inference.statistics import Statistics
from alvision.models import bags
from alvision.models.backbones import Backbone

if TYPE_CHECKING:
    from alvision.data.manifest import Manifest

_log = logging.getLogger(__name__)

PIXELS = 2**29
"""Most bytes of decoded training images that are kept from one round to the next."""

PATCH_BYTES = 3 * BYTES_AT_ONCE
"""About what patches take at once, where they are read."""

CHUNK = 4096
"""Rows of cached features that are handed on at once."""


class Features:
    """Gives features by id, and keeps account of the images that have none.

    Args:
        manifest: The images, or their embeddings.
        hashes: sha256 of each image's bytes; an image without one cannot be opened.
        spec: The evaluation transform.
        engine: What the trunk runs on.
        backbone: The initial trunk; None for embeddings.
        standard_of: The images that the features are standardised by; nobody's label says which.
        kept: The file that keeps the statistics of these; None: they are kept nowhere.

    Attributes:
        tell: Is told while the initial trunk reads images: how many are read, and of how many.
        tile_bytes: About what photographs cut into tiles take at once, beside the batches.

    Raises:
        UserError: That is more than this computer has.
    """

    def __init__(
        self,
        manifest: Manifest,
        hashes: Mapping[SampleId, str],
        spec: ImageSpec,
        engine: Engine,
        backbone: Backbone | None,
        standard_of: Sequence[SampleId],
        kept: Path | None = None,
    ) -> None:
        self.manifest = manifest
        self.hashes = hashes
        self.spec = spec
        self.engine = engine
        self.backbone = backbone
        self.standard_of, self.kept = standard_of, kept
        self.tell: Callable[[int, int], None] = lambda done, total: None
        self._set_aside: dict[SampleId, str] = {}
        self._pixels: dict[SampleId, np.ndarray] = {}
        self._patches: Patches | None = None
        if backbone is not None:
            missing = (id for id in manifest.ids if id not in hashes)
            self._set_aside.update(dict.fromkeys(missing, "the file cannot be opened"))
        self.tile_bytes = 0
        if backbone is not None and spec.tiles is not None:
            self.tile_bytes = tiled.bytes_at_once(manifest.paths, spec, engine)

    @property
    def set_aside(self) -> dict[SampleId, str]:
        """Return all images that cannot be read, and the reason.

        All of them from the start: were they found one by one, a resumed run would choose from
        another pool than one that was never stopped.
        """
        if self.backbone is not None:
            _ = self._cache
        return self._set_aside

    @property
    def width(self) -> int:
        """Return the number of features of an image, D."""
        if self.backbone is None:
            return self._embeddings.shape[1]
        return self.backbone.width * (1 if self.spec.tiles is None else bags.PARTS)

    @property
    def fingerprint(self) -> str:
        """Name what gives the features, so that a head is never put on others."""
        if self.backbone is None:
            return f"embeddings {self.width} {self.manifest.features_by}".rstrip()
        return self.backbone.fingerprint

    @cached_property
    def statistics(self) -> Statistics:
        """Return the mean and gain of each feature of the initial trunk over the run's pool.

        Raises:
            UserError: No feature tells two images of the pool apart, or the file does not fit.
        """
        return statistics.once(
            self.kept,
            self.fingerprint,
            lambda: statistics.measure(self.chunks(None, self.standard_of), self.width),
        )

    def readable(self, ids: Sequence[SampleId]) -> list[SampleId]:
        """Return the images that are not set aside."""
        set_aside = self.set_aside
        return [id for id in ids if id not in set_aside]

    def initial(self, ids: Sequence[SampleId]) -> tuple[list[SampleId], Float[Tensor, "n d"]]:
        """Return the readable images and their features under the initial trunk."""
        if self.backbone is None:
            rows = [self.manifest.row(id) for id in ids]
            return list(ids), torch.from_numpy(self._embeddings[rows].astype(np.float32))
        cache = self._cache
        readable = self.readable(ids)
        return readable, torch.from_numpy(cache.features([self.hashes[id] for id in readable]))

    def chunks(self, trunk: nn.Module | None, ids: Sequence[SampleId]) -> Iterator[pool.Chunk]:
        """Yield the readable images and their features, some at a time.

        Args:
            trunk: A trained trunk; None: the initial one, whose features are cached.
            ids: Images.
        """
        if trunk is not None:
            yield from self._trunk_pass(trunk, self.readable(ids))
            return
        for start in range(0, len(ids), CHUNK):
            readable, features = self.initial(ids[start : start + CHUNK])
            yield tuple(readable), features

    def read_patches(self, name: str) -> None:
        """Read patches in the same pass as the features; say so before any image is read.

        Args:
            name: The network's name, for the message.

        Raises:
            UserError: There are no images, they are cut into tiles, or this network has no stages;
                or this computer has too little memory.
        """
        tiles = self.spec.tiles is not None
        refuse_without_images(images=self.backbone is not None, tiles=tiles)
        assert self.backbone is not None
        free = available()
        if free is not None and free < PATCH_BYTES:
            raise UserError(
                f"novelty takes {PATCH_BYTES / 1e9:.2f} GB of memory and {free / 1e9:.2f} GB are "
                "free: end other programs, or take cold_start=typiclust and "
                "acquisition=uncertainty_herding"
            )
        root = cache_folder() / "features"
        self._patches = Patches(self.backbone, name, self.spec.shape, root, self._key)

    @property
    def patch_bytes(self) -> int:
        """Return about what patches take at once, where they are read."""
        return 0 if self._patches is None else PATCH_BYTES

    @property
    def patch_grid(self) -> tuple[int, int]:
        """Return rows and columns of an image's patches; `read_patches` comes before."""
        assert self._patches is not None
        return self._patches.grid

    @property
    def patches(self) -> Patches:
        """Return the patches of the manifest's images; `read_patches` comes before."""
        _ = self._cache
        assert self._patches is not None
        return self._patches

    def decode(self, ids: Sequence[SampleId]) -> dict[SampleId, np.ndarray]:
        """Return the pixels of the readable images, uint8 [H,W,3] each, or a bag of tiles.

        They are kept for the rounds to come, up to PIXELS bytes: a label is not taken back. Tiles
        are not.
        """
        wanted = self.readable(ids)
        kept = {id: self._pixels[id] for id in wanted if id in self._pixels}
        images = [(id, self.manifest.path(id)) for id in wanted if id not in kept]
        workers = self.engine.workers
        found = pool.decode(
            images, self.spec, workers=workers, ahead=4 * workers, hashes=self.hashes
        )
        for id, decoded in found:
            if isinstance(decoded, str):
                self._set_aside[id] = decoded
            else:
                kept[id] = decoded
                small = self.spec.tiles is None
                if small and (len(self._pixels) + 1) * decoded.nbytes <= PIXELS:
                    self._pixels[id] = decoded
        return {id: kept[id] for id in wanted if id in kept}

    def tiles(self, photograph: np.ndarray) -> Float[Tensor, "t d"]:
        """Return the features of each tile of a photograph, uint8 [rows,columns,H,W,3]."""
        return self._executor(torch.from_numpy(photograph).flatten(0, 1))

    def warm_up(self, trunk: nn.Module | None = None) -> None:
        """Run a blank batch in each thread, if anything is to be computed: memory is then known.

        Args:
            trunk: A trunk in training; None: the initial one.
        """
        if self.backbone is None:
            return
        if trunk is None and not self._open.missing(self.hashes.values()):
            return
        streams = self.engine.streams
        blank = torch.zeros((self.engine.batch_size, *self.spec.shape, 3), dtype=torch.uint8)
        with threads(self.engine.share):
            executor = self._executor if trunk is None else self._ready(trunk)
            with ThreadPoolExecutor(streams) as workers:
                for _ in workers.map(executor, [blank] * streams):
                    pass

    @property
    def _embeddings(self) -> np.ndarray:
        assert self.manifest.features is not None
        return self.manifest.features

    @cached_property
    def _executor(self) -> Executor:
        """Return the initial trunk, ready to run."""
        assert self.backbone is not None
        return self._ready(self.backbone.trunk)

    def _ready(self, trunk: nn.Module) -> Executor:
        assert self.backbone is not None
        return Executor(
            trunk,
            self.engine,
            mean=self.backbone.mean,
            std=self.backbone.std,
            shape=self.spec.shape,
        )

    @property
    def _key(self) -> dict[str, object]:
        """Return what features depend on beside the image."""
        assert self.backbone is not None
        key: dict[str, object] = {
            "trunk": self.backbone.fingerprint,
            "image": self.spec.to_dict(),
            "normalisation": [self.backbone.mean, self.backbone.std],
            "engine": self.engine.key,
        }
        if self.spec.tiles is not None:
            key["bags"] = bags.POOLING
        return key

    @cached_property
    def _open(self) -> FeatureCache:
        """Return the cache as it is found."""
        return FeatureCache(cache_folder() / "features", self._key)

    @cached_property
    def _cache(self) -> FeatureCache:
        """Return the cache, filled for the whole manifest."""
        assert self.backbone is not None
        cache, trunk = self._open, self.backbone.trunk
        id_of = {self.hashes[id]: id for id in self.manifest.ids if id in self.hashes}

        def run(
            trunk: nn.Module, hashes: list[str], executor: Executor | None = None
        ) -> Iterator[tuple[list[str], np.ndarray]]:
            images = [id_of[hash] for hash in hashes]
            done = 0
            self.tell(done, len(images))
            for ids, features in self._trunk_pass(trunk, images, executor):
                yield [self.hashes[id] for id in ids], features.numpy()
                done += len(ids)
                self.tell(done, len(images))
            self.tell(len(images), len(images))  # what cannot be read is done too

        def compute(hashes: list[str]) -> Iterator[tuple[list[str], np.ndarray]]:
            executor = None
            if self.engine.devices == 1:
                with threads(self.engine.share):
                    executor = self._executor
            yield from run(trunk, hashes, executor)

        if self._patches is not None:
            self._patches.fill(list(id_of), cache, run)
        if cache.missing(id_of):
            cache.fill(list(id_of), compute)
            for gone in cache_maintenance.evict(
                cache.folder.parent, cache_limit(), keep=cache.folder
            ):
                _log.warning("features not used for long are gone from the full cache: %s", gone)
        for hash in cache.missing(id_of):
            # What one copy says holds for all copies of the same bytes.
            reason = self._set_aside[id_of[hash]]
            copies = (id for id in self.manifest.ids if self.hashes.get(id) == hash)
            self._set_aside.update(dict.fromkeys(copies, reason))
        return cache

    def _trunk_pass(
        self, trunk: nn.Module, ids: Sequence[SampleId], executor: Executor | None = None
    ) -> Iterator[pool.Chunk]:
        assert self.backbone is not None
        images = [(id, self.manifest.path(id)) for id in ids]
        return ranks.trunk_features(
            trunk, images, self.spec, self.engine,
            mean=self.backbone.mean, std=self.backbone.std, set_aside=self._set_aside,
            hashes=self.hashes, executor=executor,
        )  # fmt: skip
