"""A drawer of known parts, photographed as the line does: sealed images that a shop brings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from alvision.core.errors import UserError
from alvision.core.records import SampleId
from alvision.data.splits import group_keys, image_key
from alvision.dataset.dataset import audit_file, label_store, people
from alvision.labels.consensus import standing
from alvision.labels.content import resolver
from alvision.labels.location import read_audit, write_audit

if TYPE_CHECKING:
    from alvision.config.schema import RunConfig
    from alvision.data.manifest import Manifest


def import_sealed(
    config: RunConfig,
    manifest: Manifest,
    hashes: Mapping[SampleId, str],
    ids: Collection[SampleId],
) -> None:
    """Set images apart as sealed for ever, with all of their groups.

    Sealing again what is sealed changes nothing.

    Raises:
        UserError: An image of their groups has been answered already, so it may have been trained
            on, chosen because the model found it hard, or shown as monitor image.
    """
    if not people(config):
        raise UserError("slot=seal is for labels of people, beside data.root; leave out out=")
    path = audit_file(config, manifest)
    groups = dict(zip(manifest.ids, group_keys(manifest, hashes), strict=True))
    chosen = {groups[id] for id in ids}
    members = [id for id, group in groups.items() if group in chosen]
    parts = read_audit(path)
    with label_store(config) as store:
        spoken = standing(store.events(), resolver(manifest.ids, hashes))
    for id in members:
        sealed = parts.get(groups[id]) == parts.get(image_key(id)) == "seal"
        if id in spoken and not sealed:
            raise UserError(
                f"{id} has been answered already, so it proves nothing: the drawer must hold parts "
                "that nobody labelled here before; nothing was imported"
            )
    for id in members:
        parts[groups[id]] = parts[image_key(id)] = "seal"
    write_audit(path, parts)
