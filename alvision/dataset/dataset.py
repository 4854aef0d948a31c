"""The data of a configuration: its images and classes, where its labels lie, its parts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from alvision.core.errors import UserError
from alvision.core.seeding import derive
from alvision.data.hashes import content_hashes
from alvision.data.image_spec import ImageSpec
from alvision.data.manifest import Manifest, build
from alvision.data.splits import FOLDS, Split, audit_split, image_key, simulated_split
from alvision.data.thin_defects import thinned
from alvision.labels.location import audit_location, labels_location, read_audit
from alvision.labels.store import LabelStore

if TYPE_CHECKING:
    from alvision.config.schema import RunConfig


@dataclass(frozen=True)
class Sources:
    """The data of a configuration, looked at once."""

    manifest: Manifest
    hashes: Mapping[str, str]
    spec: ImageSpec
    classes: tuple[str, ...]


def sources(config: RunConfig) -> Sources:
    """Read the data set that a configuration names.

    Raises:
        UserError: There is none, or its classes are not those of the configuration.
    """
    from alvision.config.checks import validate

    validate(config)
    spec = ImageSpec.from_config(config.data.image)
    manifest = build(config.data)
    return Sources(manifest, content_hashes(manifest), spec, _classes(config, manifest))


def digest(data: Sources) -> str:
    """Name a labelled data set by its content: ids, bytes and classes, wherever it lies."""
    manifest = data.manifest
    rows = zip(manifest.ids, map(data.hashes.get, manifest.ids), manifest.truth, strict=True)
    return hashlib.sha256(repr(list(rows)).encode()).hexdigest()[:32]


def judged_by(config: RunConfig, manifest: Manifest) -> dict[str, str]:
    """Return the class of every image of a simulated run, for a report on its held-out images."""
    if people(config):
        return {}
    return {id: label for id, label in zip(manifest.ids, manifest.truth, strict=True) if label}


def people(config: RunConfig) -> bool:
    """Tell whether people answer, not the truth."""
    return config.oracle.kind != "simulated"


def label_store(config: RunConfig) -> LabelStore:
    """Open the store that a configuration's labels live in.

    With people one store for the data, beside its root; in a simulated run one in the run's folder.
    """
    if config.labels.url:
        return LabelStore(config.labels.url, shared=people(config))
    return LabelStore(_labels_path(config), shared=people(config))


def _classes(config: RunConfig, manifest: Manifest) -> tuple[str, ...]:
    from alvision.config.checks import validate_classes

    found = sorted({name for name in manifest.truth if name is not None})
    if config.classes is None:
        if people(config):
            raise UserError('classes= is missing: say what can be answered, "classes=[ok,worn]"')
        if not found:
            raise UserError(
                f"{manifest.root} says no image's class, so nothing can be simulated; give class "
                "folders or a label column, or let people answer (oracle=files)"
            )
        validate_classes(found, config.defects)
        return tuple(found)
    strange = [name for name in found if name not in config.classes]
    if strange and not people(config):
        raise UserError(
            f"the data has the class {', '.join(map(repr, strange[:3]))}, which "
            f"classes={config.classes} does not name; add it, or mend the data"
        )
    return tuple(config.classes)


def split_of(config: RunConfig, manifest: Manifest, groups: tuple[str, ...]) -> Split:
    """Return the parts of a data set as the configured run has them; nothing is written."""
    audit = audit_file(config, manifest) if people(config) else None
    return split_and_parts(config, manifest, groups, audit)[0]


def audit_file(config: RunConfig, manifest: Manifest) -> Path:
    """Return the file that says, with people, which part each group belongs to."""
    with label_store(config) as store:
        return audit_location(store.path, manifest.root)


def split_and_parts(
    config: RunConfig, manifest: Manifest, groups: tuple[str, ...], audit: Path | None
) -> tuple[Split, dict[str, str]]:
    """Split the images; with people (`audit`), also return the parts to keep if any is new."""
    if audit is None:
        return _simulated(config, manifest, groups), {}
    known = read_audit(audit)
    split = audit_split(manifest.ids, groups, share=config.audit.share, known=known)
    parts = dict(known)
    for id, group in zip(manifest.ids, groups, strict=True):
        # A joined group's name changes when an exact duplicate arrives; an id never does.
        parts.setdefault(group, split.part(id))
        parts.setdefault(image_key(id), split.part(id))
    return split, parts if parts != known else {}


def _simulated(config: RunConfig, manifest: Manifest, groups: tuple[str, ...]) -> Split:
    from alvision.config.checks import BY_SEED, known_defects

    fold = config.seed % FOLDS if config.data.fold == BY_SEED else config.data.fold
    share = config.audit.share
    split = simulated_split(manifest, groups, seed=config.seed, share=share, fold=fold)
    if config.data.defect_share is None:
        return split
    return thinned(
        split,
        manifest,
        config.defects or (),
        share=config.data.defect_share,
        known=known_defects(config),
        seed=config.seed,
    )


def audit_order(split: Split) -> tuple[str, ...]:
    """Shuffle the held-out parts once for ever and alternate them, so that both grow together."""
    monitor, seal = (
        sorted(ids, key=lambda id: derive(0, "audit", id)) for ids in (split.monitor, split.seal)
    )
    order = []
    for i in range(max(len(monitor), len(seal))):
        order += monitor[i : i + 1] + seal[i : i + 1]
    return tuple(order)


def _labels_path(config: RunConfig) -> Path:
    if people(config):
        if config.data.root is None:
            raise UserError("data.root= is missing: the folder whose labels are meant")
        return labels_location(Path(config.data.root))
    return Path(str(config.out)) / "labels.db"
