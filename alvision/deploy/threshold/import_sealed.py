"""Import known parts of a shop as sealed test images, photographed as the line does."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from alvision.core.errors import UserError
from alvision.core.records import SampleId
from alvision.labels.consensus import standing
from alvision.labels.location import write_audit

if TYPE_CHECKING:
    from alvision.dataset.dataset import DataSet


def import_sealed(data: DataSet, ids: Collection[SampleId]) -> None:
    """Set images apart as sealed test images for ever, with all images of their groups.

    Images that are sealed already stay as they are.

    Args:
        data: The data set.
        ids: The images to seal.

    Raises:
        UserError: People do not answer here, or an image of the groups has been answered already,
            so it may have been trained on, chosen because it was hard, or used as monitor image.
    """
    if not data.answered_by_people:
        raise UserError("slot=seal needs labels of people, beside data.root; leave out out=")
    groups = dict(zip(data.manifest.ids, data.groups, strict=True))
    chosen = {groups[id] for id in ids}
    members = [id for id, group in groups.items() if group in chosen]
    known, hashes, manifest = data.recorded_parts, data.hashes, data.manifest
    with data.label_store() as store:
        spoken = standing(store.events(), data.resolve)
    given = dict(zip(manifest.ids, manifest.groups, strict=True))
    for id in members:
        was = known.own(id, given[id], hashes.get(id))
        if id in spoken and not was == data.split.part(id) == "seal":
            raise UserError(
                f"{id} has been answered already, so it proves nothing: choose parts that nobody "
                "has labelled here before; nothing was imported"
            )
    before = {id: part for id, part in data.split.parts.items() if id in known.images}
    sealed = before | dict.fromkeys(members, "seal")
    write_audit(data.audit_file, known.with_parts(manifest, hashes, sealed).rows())
