"""How strange each image of a run is: a memory of patches and the scores by it, in a file."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from alvision.anomaly.maps import hot_level, peaks
from alvision.anomaly.memory import PatchMemory, fold_of
from alvision.anomaly.robust import FOLDS, build, sample
from alvision.anomaly.scores import image_scores
from alvision.anomaly.whitening import Whitening
from alvision.core.errors import UserError
from alvision.core.rounds import write_atomically

FILE = "novelty.npz"
"""A run keeps its memory and its scores under this name."""

Patches = Callable[[Sequence[str]], Iterator[tuple[Sequence[str], Float[Tensor, "b p d"]]]]


class Novelty:
    """Says how strange images are, by the images that may be learned from.

    The memory is built once for a run, of its pool and never of images that are held out, and so
    are the pool's scores: a resumed run reads the same numbers. An image that comes later is
    compared with the same memory.

    Args:
        patches: Gives digests and patches of the images of such digests, some at a time; copies of
            one content come once, and what cannot be read does not come.
        pool: Digests of the images that may be learned from.
        source: Names what gives the patches: the network, and how they are read of it.
        grid: Rows and columns of an image's patches.
        path: The file; None: memory and scores are kept nowhere.

    Attributes:
        left_out: Gives the places of images that never come into the memory, by digest; it is asked
            when the memory is made.
    """

    def __init__(
        self,
        patches: Patches,
        pool: Sequence[str],
        source: str,
        grid: tuple[int, int],
        path: Path | None = None,
    ) -> None:
        self.patches = patches
        self.pool = tuple(dict.fromkeys(pool))
        self.source = source
        self.grid = grid
        self.path = path
        self.left_out: Callable[[], Mapping[str, np.ndarray]] = dict

    def scores(self, digests: Sequence[str]) -> Float[Tensor, " n"]:
        """Return how strange images are, 0 or more; higher = stranger.

        Raises:
            UserError: The file is damaged or belongs to other patches; or there is no image.
        """
        memory, known = self._kept.memory, self._kept.scores
        new = [digest for digest in dict.fromkeys(digests) if digest not in known]
        if new:
            known.update(self._of(memory, new)[0])
        return torch.tensor([known[digest] for digest in digests], dtype=torch.float32)

    @property
    def memory(self) -> PatchMemory:
        """Return the run's memory."""
        return self._kept.memory

    @property
    def level(self) -> float:
        """Return the value above which a map is hot, see `maps.hot_level`."""
        return self._kept.level

    def places(self, digests: Sequence[str]) -> dict[str, Float[np.ndarray, " p"]]:
        """Return how strange each place of images is, rows first; of those that can be read."""
        found: dict[str, np.ndarray] = {}
        for names, distances in self._distances(self.memory, digests):
            found.update(zip(names, distances.numpy(), strict=True))
        return found

    @cached_property
    def _kept(self) -> _Kept:
        if self.path is None:
            return self._make()
        if not self.path.exists():
            made = self._make()
            write_atomically(self.path, lambda beside: _write(beside, made, self.source))
        return _read(self.path, self.source)

    def _make(self) -> _Kept:
        drawn = sample(self.patches(self.pool), len(self.pool), left_out=self.left_out())
        if not any(map(len, drawn.patches)):
            raise UserError("no image of the pool can be read, so nothing tells what is usual here")
        if len(self.pool) < 2:
            raise UserError(
                "all images of the pool are copies of one picture, so nothing tells what is usual "
                "here: add photographs of other parts, or take cold_start=typiclust and "
                "acquisition=uncertainty_herding"
            )
        memory = build(drawn)
        return _Kept(memory, *self._of(memory, self.pool))

    def _of(self, memory: PatchMemory, digests: Sequence[str]) -> tuple[dict[str, float], float]:
        """Return the score of each image, and the level above which a map of one is hot."""
        scores: dict[str, float] = {}
        highest: list[np.ndarray] = []
        for names, distances in self._distances(memory, digests):
            scores.update(zip(names, image_scores(distances).tolist(), strict=True))
            highest.append(peaks(distances.numpy(), self.grid))
        return scores, hot_level(np.concatenate(highest)) if highest else math.nan

    def _distances(
        self, memory: PatchMemory, digests: Sequence[str]
    ) -> Iterator[tuple[Sequence[str], Float[Tensor, "b p"]]]:
        for names, patches in self.patches(digests):
            yield names, memory.distances(patches, [fold_of(name, FOLDS) for name in names])


@dataclass(frozen=True)
class _Kept:
    """What the file holds: the memory, the scores by it, and where a map is hot."""

    memory: PatchMemory
    scores: dict[str, float]
    level: float


def _write(path: Path, kept: _Kept, source: str) -> None:
    memory, scores = kept.memory, kept.scores
    with path.open("wb") as file:  # a name would get .npz appended
        np.savez(
            file,
            mean=memory.standard.mean.numpy(),
            turn=memory.standard.turn.numpy(),
            patches=torch.cat(memory.parts).numpy(),
            counts=np.array([len(part) for part in memory.parts]),
            images=np.array(list(scores), dtype="S64"),
            scores=np.array(list(scores.values()), np.float32),
            level=np.array(kept.level),
            source=np.array(source),
        )


def _read(path: Path, source: str) -> _Kept:
    try:
        # From memory: numpy leaves a damaged file open.
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
        of = str(arrays.get("source"))  # an earlier version named the network alone
        if of != source:
            raise UserError(
                f"{path} was made of other patches, by another network or another version of "
                "alvision; delete it, and it is made again from the pool of today"
            )
        standard = Whitening(*(torch.from_numpy(arrays[name]) for name in ("mean", "turn")))
        parts = torch.from_numpy(arrays["patches"]).split(arrays["counts"].tolist())
        images = [name.decode() for name in arrays["images"]]
        scores = dict(zip(images, arrays["scores"].tolist(), strict=True))
        level = float(arrays["level"])
    except UserError:
        raise
    except Exception as error:  # a damaged archive raises errors of many kinds
        raise UserError(
            f"{path} cannot be read; delete it, and it is made again from the pool of today"
        ) from error
    return _Kept(PatchMemory(tuple(parts), standard), scores, level)
