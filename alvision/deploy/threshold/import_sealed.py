"""Import known parts of a shop as sealed test images, photographed as the line does."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from alvision.core.errors import UserError
from alvision.core.records import SampleId
from alvision.data.splits import image_key
from alvision.labels.consensus import standing
from alvision.labels.location import read_audit, write_audit

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
    parts = read_audit(data.audit_file)
    with data.label_store() as store:
        spoken = standing(store.events(), data.resolve)
    for id in members:
        sealed = parts.get(groups[id]) == parts.get(image_key(id)) == "seal"
        if id in spoken and not sealed:
            raise UserError(
                f"{id} has been answered already, so it proves nothing: choose parts that nobody "
                "has labelled here before; nothing was imported"
            )
    for id in members:
        parts[groups[id]] = parts[image_key(id)] = "seal"
    write_audit(data.audit_file, parts)
