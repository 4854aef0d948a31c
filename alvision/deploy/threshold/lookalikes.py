"""Sealed photographs that look like another one: they may show a part that is known already."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from alvision.core.records import SampleId
from alvision.data.checks import near
from alvision.data.checks.scan import scan_images
from alvision.labels.consensus import standing

if TYPE_CHECKING:
    from alvision.dataset.dataset import DataSet

NAMED = 5
"""Most pairs that a warning names."""


def lookalikes(data: DataSet, ids: Collection[SampleId]) -> list[tuple[SampleId, SampleId]]:
    """Find sealed images that are nearly the same picture as another known one.

    A part that was trained on proves nothing in a second photograph either, and a part that is
    sealed twice proves as much as one. Labelled images that are not held out count as trained on.

    Args:
        data: The data set.
        ids: Sealed images.

    Returns:
        Pairs of a sealed image and the other one: a trained image, or a sealed one of another
        group. Each sealed image is named once. None for embeddings, which have no pictures.
    """
    if data.manifest.features is not None:
        return []
    with data.label_store() as store:
        spoken = standing(store.events(), data.resolve)
    trained = {id for id in spoken if data.split.part(id) == "pool"} - set(ids)
    manifest = data.manifest.subset({*ids, *trained})
    scan = scan_images(manifest, data.spec)
    pairs = near.alike(scan.vectors, near.close_pairs(scan.bits))
    names = [manifest.ids[row] for row in scan.rows]
    alike = [(names[one], names[other]) for one, other in pairs.tolist()]
    groups = dict(zip(data.manifest.ids, data.groups, strict=True))
    return _of_other_parts(alike, set(ids), groups)


def warning(pairs: Sequence[tuple[SampleId, SampleId]]) -> str:
    """Name pairs of `lookalikes` in a line.

    >>> print(warning([("drawer/3.png", "00.png")]))
    warning: 1 sealed image looks like another known one: drawer/3.png like 00.png. A part that \
was trained on, or sealed before, proves nothing new: photograph another part
    """
    named = ", ".join(f"{sealed} like {other}" for sealed, other in pairs[:NAMED])
    more = f" and {len(pairs) - NAMED} more" if len(pairs) > NAMED else ""
    one = len(pairs) == 1
    return (
        f"warning: {len(pairs)} sealed image{' looks' if one else 's look'} like another known "
        f"one: {named}{more}. A part that was trained on, or sealed before, proves nothing new: "
        f"photograph {'another part' if one else 'other parts'}"
    )


def _of_other_parts(
    pairs: Sequence[tuple[SampleId, SampleId]],
    sealed: Collection[SampleId],
    groups: Mapping[SampleId, str],
) -> list[tuple[SampleId, SampleId]]:
    """Keep a pair for each sealed image, if the two do not share a group; a trained one first."""
    found: dict[SampleId, SampleId] = {}
    for one, other in sorted(pairs, key=lambda pair: sum(id in sealed for id in pair)):
        mine, its = (one, other) if one in sealed else (other, one)
        if mine in sealed and groups[mine] != groups[its]:
            found.setdefault(mine, its)
    return sorted(found.items())
