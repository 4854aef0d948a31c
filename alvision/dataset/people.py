"""What people settled on the page, for every command: classes, defects, groups, labels."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from alvision.core.rounds import DOCUMENT, lock, read_document
from alvision.data.manifest import Manifest, build
from alvision.dataset.dataset import labelled_place, open_label_store
from alvision.labels.classes import class_list, marked, marks
from alvision.labels.consensus import consensus
from alvision.labels.content import resolver
from alvision.labels.csv_dialect import read_table
from alvision.labels.groups import chosen_groups
from alvision.labels.location import audit_location, stored_labels

if TYPE_CHECKING:
    from alvision.config.schema import RunConfig
    from alvision.core.records import SampleId
    from alvision.labels.store import LabelStore


GROUP_KEYS = ("data.group_by", "data.group_pattern", "data.group_column", "data.burst_seconds")
"""The settings that say which images belong together."""


def people_label(config: RunConfig) -> bool:
    """Tell whether people have begun to label this data, whoever answers in this command."""
    if config.labels.url:
        return True
    place = labelled_place(config)
    return place is not None and stored_labels(place) is not None


def only_people_know(config: RunConfig) -> bool:
    """Tell whether people have begun to label data that itself names no class."""
    return people_label(config) and not any(build(config.data).truth)


def as_people(config: RunConfig) -> RunConfig:
    """Return a configuration that means the labels of people."""
    if config.answered_by_people:
        return config
    return replace(config, oracle=replace(config.oracle, kind="files"))


def with_labels(manifest: Manifest, hashes: Mapping[SampleId, str], config: RunConfig) -> Manifest:
    """Return the images with the classes that people gave them, where the data names none."""
    with open_label_store(config) as store:
        given = consensus(store.events(), resolver(manifest.ids, hashes))
    truth = (
        given[id].label if known is None and id in given else known
        for id, known in zip(manifest.ids, manifest.truth, strict=True)
    )
    return replace(manifest, truth=tuple(truth))


def with_people_choices(config: RunConfig) -> RunConfig:
    """Return a configuration with what people settled; a simulated run's stays as it is.

    Raises:
        UserError: Nothing says where the labels are, or what is there is no label store.
    """
    if not config.answered_by_people:
        return config
    with open_label_store(config) as store:
        return with_choices(config, store)


def with_choices(config: RunConfig, store: LabelStore) -> RunConfig:
    """Return a configuration with what people settled in this store.

    Classes are added to the configured ones, and marks of defects are set or taken off. A rule for
    groups counts where the configuration has none.
    """
    events = store.events()
    keys = class_list(config.classes or (), events).keys
    defects = marked(config.defects or (), marks(events))
    data, rule = config.data, chosen_groups(events)
    if rule and data.group_by == "none":
        data = replace(data, group_by=rule.group_by, group_pattern=rule.pattern)
    return replace(
        config,
        data=data,
        classes=list(keys) or None,
        defects=[key for key in defects if key in keys] or None,
    )


def begin_anew_if_groups_changed(config: RunConfig) -> None:
    """Forget what a run drew under another rule for groups, while nobody has answered anything.

    The held-out parts and the first round follow from the groups, and nothing else does yet. Once
    there is an answer, all stays, and the run's folder refuses the other rule.
    """
    root = Path(str(config.out))
    if not config.answered_by_people or not (root / DOCUMENT).exists():
        return
    before = read_document(root)["fingerprint"]
    now = {key: getattr(config.data, key.removeprefix("data.")) for key in GROUP_KEYS}
    if all(before.get(key) == value for key, value in now.items()):
        return
    with open_label_store(config) as store:
        answered = any(event.id for event in store.events())
        parts = audit_location(store.path, labelled_place(config) or root)
    if answered or _filled_in(root) or list(root.glob("rounds/*/answers.csv")):
        return
    with lock(root):
        parts.unlink(missing_ok=True)
        shutil.rmtree(root / "rounds", ignore_errors=True)
        (root / DOCUMENT).unlink()


def _filled_in(root: Path) -> bool:
    """Tell whether somebody wrote a label into a table that waits to be read."""
    return any(
        row.cells.get("label", "").strip()
        for table in root.glob("rounds/*/to_label/answers.csv")
        for row in read_table(table).rows
    )
