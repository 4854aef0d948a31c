"""Pools of few defects, for simulated runs: some are known beforehand, the rest are thinned."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from alvision.core.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from alvision.core.records import SampleId
    from alvision.data.manifest import Manifest
    from alvision.data.splits import Split


def thinned(
    split: Split,
    manifest: Manifest,
    defects: Collection[str],
    *,
    share: float,
    known: int,
    seed: int,
) -> Split:
    """Leave so few defects in the pool that they are `share` of it; the test part stays whole.

    Of G normals and a share s, round(s·G / (1 - s)) defects stay, at least one, and beside them
    those that are known beforehand. Which ones stay depends on the seed and their ids alone.

    Args:
        split: The parts of the data.
        manifest: The images.
        defects: The classes that are defects.
        share: Share of the defects in the pool, above 0 and below 1.
        known: Number of defects that are known beforehand, on top of the share.
        seed: The run's seed.

    Raises:
        UserError: The pool has fewer defects than that.
    """
    order = pool_defects(split, manifest, defects, seed=seed)
    normals = len(split.pool) - len(order)
    kept = known + max(1, round(share * normals / (1 - share)))
    if kept > len(order):
        raise UserError(
            f"data.defect_share={share} needs {kept} defects in the pool, which has {len(order)}; "
            "take a smaller share"
        )
    gone = frozenset(order[kept:])
    return replace(split, pool=tuple(id for id in split.pool if id not in gone))


def pool_defects(
    split: Split, manifest: Manifest, defects: Collection[str], *, seed: int
) -> Sequence[SampleId]:
    """Return the defects of a pool in an order that the seed draws.

    The first ones are those that `cold_start.known_defects` knows; thinning keeps them.
    """
    own = frozenset(split.pool)
    found = [
        id
        for id, label in zip(manifest.ids, manifest.truth, strict=True)
        if label in defects and id in own
    ]
    return sorted(found, key=lambda id: _draw(seed, id))


def _draw(seed: int, id: SampleId) -> bytes:
    return hashlib.blake2b(f"{seed}\x1f{id}".encode(), person=b"defects").digest()
