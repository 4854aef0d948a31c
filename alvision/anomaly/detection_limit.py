"""Which defects a setting can still see: synthetic ones on good photographs, and a memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from alvision.anomaly.maps import hot_level, peaks, photograph_map
from alvision.anomaly.memory import PatchMemory, fold_of
from alvision.anomaly.robust import FOLDS, build, sample
from alvision.core.errors import UserError
from alvision.core.seeding import derive
from alvision.data.framing import crop_box, inside_roi
from alvision.data.image_spec import ImageSpec
from alvision.data.images import UnreadableImage, as_seen, opened
from alvision.data.pixels import upright_pixels
from alvision.data.synthetic import KINDS, pasted

MEMORY = 200
"""Photographs that the memory is made of at most: what is usual shows in fewer."""
SHOWN = 10
"""Photographs that defects are drawn on: a share in steps of a tenth."""
LEAST = 20
"""Photographs that are needed: with fewer the memory knows too little of what is usual."""
SIZES = (6, 12, 24, 48, 96, 192)
"""Pixels of the photograph."""
LARGEST = 0.25
"""Share of the photograph's shorter side that a defect takes at most."""
CONTRASTS = (8, 16, 32, 64)
"""Grey levels, of 255."""
SEEN, UNSEEN = 0.9, 0.5
"""A cell is a yes from this share of the photographs on, and a no below the other."""

Places = Callable[[UInt8[np.ndarray, "n h w 3"]], Float[Tensor, "n p d"]]
"""Gives the patches of frames."""


@dataclass(frozen=True)
class Cell:
    """How often defects of one kind, size and contrast were seen.

    Attributes:
        kind: One of `synthetic.KINDS`.
        size: Pixels of the photograph.
        contrast: Grey levels.
        seen: Photographs whose map is hot there with the defect.
        of: Photographs whose map is not hot there without it.
    """

    kind: str
    size: int
    contrast: int
    seen: int
    of: int

    @property
    def word(self) -> str:
        """Return yes, no, or how many of how many; `–` where nothing could be shown."""
        if not self.of:
            return "–"
        share = self.seen / self.of
        if share >= SEEN:
            return "yes"
        return "no" if share < UNSEEN else f"{self.seen} of {self.of}"


@dataclass(frozen=True)
class DetectionLimit:
    """What a setting can see.

    Attributes:
        cells: Kind by kind, size by size, contrast by contrast.
        memory: Photographs that the memory is made of.
        shown: Photographs that defects were drawn on.
        hot: Those of them with a hot spot of their own, without a defect.
    """

    cells: tuple[Cell, ...]
    memory: int
    shown: int
    hot: int

    def smallest(self, kind: str) -> Cell | None:
        """Return the smallest defect of a kind that is seen, at its least contrast; None: none."""
        return next((cell for cell in self.cells if cell.kind == kind and cell.word == "yes"), None)


def detection_limit(
    photographs: Mapping[str, Path],
    spec: ImageSpec,
    grid: tuple[int, int],
    places: Places,
    *,
    seed: int,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> DetectionLimit:
    """Draw defects on good photographs, and say which of them the map of a memory shows.

    A defect is seen where the map's highest value in its box reaches the level (`maps.hot_level`),
    and does not without it.

    Args:
        photographs: Files of photographs that are believed good, by their sha256.
        spec: How the network sees them.
        grid: Rows and columns of places of a frame.
        places: Gives the patches of frames.
        seed: Decides which photographs, and where and how a defect lies.
        tell: Is told how many steps are done, and of how many.

    Raises:
        UserError: There are too few photographs that can be read.
    """
    spec = replace(spec, reduced=False)  # a size is one of the whole photograph's pixels
    order = sorted(photographs, key=lambda digest: derive(seed, "simulate", digest))
    bench = _Bench(photographs, spec, grid, places)
    shown, steps = order[:SHOWN], 0
    remembered = order[SHOWN : SHOWN + MEMORY]
    total = 2 * len(remembered) + len(shown) * len(KINDS) * len(SIZES) * len(CONTRASTS)

    def step(count: int = 1) -> None:
        nonlocal steps
        steps += count
        tell(steps, total)

    if len(order) < LEAST:
        raise UserError(
            f"{len(order)} good photographs are too few to know what is usual: simulate needs at "
            f"least {LEAST}"
        )
    memory = bench.memory(remembered, step)
    level = bench.level(memory, remembered, step)
    seen: dict[tuple[str, int, int], list[bool]] = {}
    readable = hot = 0
    for digest in shown:
        pixels = bench.pixels(digest)
        if pixels is None:
            continue
        readable += 1
        clean = bench.distances(memory, digest, pixels)
        hot += bool(peaks(clean, grid).max() >= level)
        for key, changed, box in _drawn(pixels, spec, derive(seed, "simulate", digest)):
            step()
            size = pixels.shape[1], pixels.shape[0]
            without = photograph_map(clean.ravel(), grid, size, spec, box).max()
            if without < level:
                found = bench.distances(memory, digest, changed)
                there = photograph_map(found.ravel(), grid, size, spec, box).max() >= level
                seen.setdefault(key, []).append(bool(there))
    tell(total, total)
    if not seen:
        raise UserError(
            "no defect can be drawn: the photographs cannot be read, or the region that the "
            "network sees (data.image.roi, data.image.crop) is smaller than one; check it"
        )
    cells = (Cell(*key, sum(there), len(there)) for key, there in sorted(seen.items(), key=_place))
    return DetectionLimit(tuple(cells), len(remembered), readable, hot)


def _place(item: tuple[tuple[str, int, int], list[bool]]) -> tuple[int, int, int]:
    kind, size, contrast = item[0]
    return KINDS.index(kind), size, contrast


def _drawn(
    pixels: np.ndarray, spec: ImageSpec, seed: int
) -> Iterator[tuple[tuple[str, int, int], np.ndarray, tuple[int, int, int, int]]]:
    """Yield kind, size and contrast, the photograph with that defect, and its box.

    A kind has one place in a photograph, so that its sizes and contrasts can be compared.
    """
    for number, kind in enumerate(KINDS):
        middle = _middle(pixels, spec, np.random.default_rng([seed, number]))
        if middle is None:
            continue
        for size in SIZES:
            if size > LARGEST * min(pixels.shape[:2]):
                break
            for contrast in CONTRASTS:
                rng = np.random.default_rng([seed, number, size])
                yield (kind, size, contrast), *pasted(pixels, kind, size, contrast, middle, rng)


def _middle(
    pixels: np.ndarray, spec: ImageSpec, rng: np.random.Generator
) -> tuple[int, int] | None:
    """Return a place that the network sees; None where it sees none."""
    size = pixels.shape[1], pixels.shape[0]
    box = crop_box(size, spec.region)
    allowed = np.ones((box[3] - box[1], box[2] - box[0]), bool)
    if spec.roi is not None:
        allowed = np.asarray(inside_roi(size, box, spec.roi)) > 0
    rows, columns = np.nonzero(allowed)
    if not len(rows):
        return None
    one = rng.integers(len(rows))
    return int(box[0] + columns[one]), int(box[1] + rows[one])


@dataclass(frozen=True)
class _Bench:
    """Reads photographs and compares them with a memory."""

    photographs: Mapping[str, Path]
    spec: ImageSpec
    grid: tuple[int, int]
    places: Places

    def pixels(self, digest: str) -> np.ndarray | None:
        """Return an upright photograph; None if it cannot be read as frames."""
        try:
            with opened(self.photographs[digest]) as image:
                pixels = upright_pixels(image, self.spec)
            as_seen(pixels, self.spec)
        except UnreadableImage:
            return None
        return pixels

    def memory(self, digests: Sequence[str], step: Callable[[], None]) -> PatchMemory:
        drawn = sample(self._patches(digests, step), len(digests))
        if not any(map(len, drawn.patches)):
            raise UserError("no photograph can be read, so nothing tells what is usual here")
        return build(drawn)

    def level(self, memory: PatchMemory, digests: Sequence[str], step: Callable[[], None]) -> float:
        highest = [
            peaks(memory.distances(patches, [fold_of(names[0], FOLDS)] * len(names)).numpy(),
                  self.grid).max()
            for names, patches in self._patches(digests, step)
        ]  # fmt: skip
        return hot_level(np.array(highest))

    def distances(
        self, memory: PatchMemory, digest: str, pixels: np.ndarray
    ) -> Float[np.ndarray, "n p"]:
        patches = self._of(pixels)
        return memory.distances(patches, [fold_of(digest, FOLDS)] * len(patches)).numpy()

    def _patches(
        self, digests: Sequence[str], step: Callable[[], None]
    ) -> Iterator[tuple[list[str], Tensor]]:
        for digest in digests:
            pixels = self.pixels(digest)
            step()
            if pixels is not None:
                patches = self._of(pixels)
                yield [digest] * len(patches), patches

    def _of(self, pixels: np.ndarray) -> Float[Tensor, "n p d"]:
        frames = as_seen(pixels, self.spec)
        with torch.inference_mode():
            return self.places(frames.reshape(-1, *frames.shape[-3:])).clone()
