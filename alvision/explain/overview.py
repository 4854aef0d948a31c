"""Look over the unlabelled pool in the background, for grids of images that look alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from alvision.core.records import Query, SampleId
from alvision.core.rounds import Round
from alvision.core.seeding import generator
from alvision.run_folder.overview import Overview

MOST = 20_000
"""Images of one overview: more than people answer between two rounds."""

AT_ONCE = 256
"""Images looked at in one piece, because the loop goes on only between two pieces."""

_PLACES = 256


class PoolOverview:
    """Write the overview of the pool into the run's folder, piece by piece.

    It is no step of the loop: it can be made again, and nothing waits for it.

    Args:
        root: The run's folder.
        round_of: Gives the round of a number.
        learner: What infers.
        pool: Gives the unlabelled images of now, without those that are held out.
        hashes: The sha256 of each image.
        seed: Seed of the run.
    """

    def __init__(
        self,
        root: Path,
        round_of: Callable[[int], Round],
        learner: Any,
        pool: Callable[[], Sequence[SampleId]],
        hashes: Mapping[SampleId, str],
        seed: int,
    ) -> None:
        self._root = root
        self._round_of = round_of
        self._learner = learner
        self._pool = pool
        self._hashes = hashes
        self._seed = seed

    def __call__(self, query: Query) -> Iterator[None]:
        """Look at the pool with the model of the round before; yield after each piece."""
        rnd = self._round_of(query.round)
        model = rnd.previous.read("model.ckpt") if rnd.previous else None
        if model is None or not model.fitted:
            return
        asked = frozenset(query.ids)
        # By content: of a pool too large to be looked at whole, no folder comes first.
        order = {id: (id not in asked, self._hashes.get(id, id)) for id in self._pool()}
        ids = sorted(order, key=order.__getitem__)[:MOST]
        pieces: list[Overview] = []
        for start in range(0, len(ids), AT_ONCE):
            pieces.append(self._look(model, ids[start : start + AT_ONCE], query.round))
            yield
        if pieces:
            _joined(pieces).write(self._root)

    def _look(self, model: Any, ids: list[SampleId], number: int) -> Overview:
        seen = self._learner.infer(model, ids, needs={"log_probs", "features"}, round=number)
        means = seen.log_probs.exp().mean(1)
        shares, columns = means.max(1)
        names = self._learner.classes
        return Overview(
            tuple(seen.ids),
            tuple(self._hashes.get(id) for id in seen.ids),
            tuple(names[column] for column in columns.tolist()),
            shares.float().numpy(),
            project(seen.features, self._seed).numpy(),
        )


def project(features: Float[Tensor, "n d"], seed: int) -> Float[Tensor, "n p"]:
    """Shorten normalised features to at most 256 numbers that keep their distances.

    A Gaussian random projection: |Rx - Ry|² is |x - y|² up to some 9 % (one standard deviation,
    the root of 2 / 256; Johnson and Lindenstrauss, see DOI 10.1016/S0022-0000(03)00025-4). It reads
    no image, so pieces of a pool can be shortened one after the other.
    """
    unit = normalize(features.float(), dim=1)
    width = unit.shape[1]
    if width <= _PLACES:
        return unit
    rng = generator(seed, "overview")
    return unit @ torch.randn(width, _PLACES, generator=rng) / math.sqrt(_PLACES)


def _joined(pieces: Sequence[Overview]) -> Overview:
    return Overview(
        tuple(id for piece in pieces for id in piece.ids),
        tuple(sha256 for piece in pieces for sha256 in piece.sha256),
        tuple(name for piece in pieces for name in piece.predictions),
        np.concatenate([piece.shares for piece in pieces]),
        np.concatenate([piece.places for piece in pieces]),
    )


def alternately(*works: Iterator[None]) -> Iterator[None]:
    """Do a piece of each work in turn, until all are done."""
    waiting = list(works)
    while waiting:
        for work in tuple(waiting):
            if next(work, False) is False:
                waiting.remove(work)
            else:
                yield
