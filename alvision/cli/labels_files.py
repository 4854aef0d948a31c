"""`labels export` and `labels import`: labels to files and back, in the formats of many tools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from alvision.cli.open_labels import LabelsOptions, OpenLabels
from alvision.cli.options import option
from alvision.config.limits import choice
from alvision.core.errors import UserError

if TYPE_CHECKING:
    from alvision.core.records import SampleId


@dataclass(frozen=True, kw_only=True)
class ExportOptions(LabelsOptions):
    """The words of `labels export`."""

    command = "labels export"
    example = "alvision labels export data.root=photos to=labels.csv"

    form: str = option(
        "log: every event; votes: what each person says now; folders: class folders; or the class "
        "of each image for another tool: coco, cvat, fiftyone.",
        default="log",
        limits=choice("log", "votes", "folders", "coco", "cvat", "fiftyone"),
    )
    to: Path | None = option(
        "The file, or the folder of the class folders or of FiftyOne's files.",
        default=None,
        shown="labels.csv",
    )


@dataclass(frozen=True, kw_only=True)
class ImportOptions(LabelsOptions):
    """The words of `labels import`."""

    command = "labels import"
    example = (
        "labels import needs from=FILE, a table with the columns id and label, or from=FOLDER, "
        "class folders or a backup"
    )

    source: Path = option("A file or folder with labels, or a backup.", key="from")
    format: str | None = option(
        "csv, folders, coco, cvat, fiftyone, label_studio, voc or yolo.",
        default=None,
        limits=choice("csv", "folders", "coco", "cvat", "fiftyone", "label_studio", "voc", "yolo"),
        shown="what the file looks like",
    )
    none: str | None = option(
        "The class of an image without a box.", default=None, shown="it stays without a label"
    )
    several: tuple[str, ...] = option(
        "The order in which classes count where an image has boxes of several.",
        default=(),
        shown="such an image is refused",
    )
    by: str = option("Who said it, where the file does not say.", default="import")
    slot: str | None = option(
        "seal: set the images apart for `alvision threshold`.", default=None, limits=choice("seal")
    )


def export_labels(opened: OpenLabels, options: ExportOptions) -> int:
    """Write the labels in the form that is asked for."""
    from alvision.labels.boxes import boxes
    from alvision.labels.consensus import consensus
    from alvision.labels.exchange.csv_file import export_labels, export_votes
    from alvision.labels.exchange.folders import export_folders

    if options.form not in ("log", "votes") and options.to is None:
        what = "FOLDER" if options.form in ("folders", "fiftyone") else "FILE"
        raise UserError(f"form={options.form} needs to={what}, where the labels go")
    to = options.to or Path("labels.csv")
    if options.form == "log":
        print(f"{export_labels(opened.store, to)} events written to {to}")
        return 0
    resolve = opened.data.resolve
    if options.form == "votes":
        print(f"{export_votes(opened.store, to, resolve)} votes written to {to}")
        return 0
    events = opened.store.events()
    settled = consensus(events, resolve)
    path_of = opened.data.manifest.path
    if options.form == "folders":
        count = export_folders(settled, to, path_of)
        print(f"{count} images copied into class folders in {to}")
        return 0
    from alvision.labels.exchange.foreign_files import write_labels

    labels = {id: image.label for id, image in sorted(settled.items())}
    count = write_labels(
        labels,
        to,
        options.form,
        path_of=path_of,
        size_of=opened.size_of,
        classes=opened.classes.open,
        boxes=boxes(events, resolve),
    )
    print(f"{count} labels written to {to}")
    return 0


def import_labels(opened: OpenLabels, options: ImportOptions) -> int:
    """Read labels from a file or folder, or rebuild the store from a backup."""
    from alvision.labels.backup import is_backup, rebuild
    from alvision.labels.exchange.csv_file import images_named, import_labels
    from alvision.labels.exchange.folders import import_folders
    from alvision.labels.exchange.foreign import Rule, import_foreign
    from alvision.labels.exchange.formats import OWN, READERS, format_of

    source = options.source
    if is_backup(source):
        # An empty store has used no parts yet; a log of the seal's uses is never written over.
        missing = [
            file for file in opened.beside if file == opened.data.audit_file or not file.exists()
        ]
        print(f"rebuilt: {rebuild(opened.store, source, beside=missing)} events")
        return 0
    classes = opened.needs_classes()
    format = options.format or format_of(source)
    if format in OWN and (options.none or options.several):
        raise UserError(
            f"none= and several= are about boxes, and {source} has none: leave them out"
        )
    if options.slot:
        from alvision.deploy.threshold.import_sealed import import_sealed
        from alvision.deploy.threshold.lookalikes import lookalikes, warning

        if format != "csv":
            raise UserError("slot=seal needs from=FILE, a table that names the images")
        named = images_named(source, opened.data.manifest.ids)
        import_sealed(opened.data, named)
        if pairs := lookalikes(opened.data, named):
            print(warning(pairs))
    ids, hashes, asked = opened.data.manifest.ids, opened.data.hashes, _asked(opened, options)
    if format in OWN:
        bring = import_folders if format == "folders" else import_labels
        counts = bring(
            opened.store,
            source,
            classes=classes,
            ids=ids,
            hashes=hashes,
            by=options.by,
            asked=asked,
        )
    else:
        counts = import_foreign(
            opened.store,
            READERS[format](source),
            source,
            ids=ids,
            hashes=hashes,
            classes=classes,
            rule=Rule(options.none, options.several),
            by=options.by,
            asked=asked,
        )
        if counts.blank and options.none is None:
            print(f"{counts.blank} images have no box and no class: none=CLASS would name it")
    print(f"imported: {counts}")
    return 0


def _asked(opened: OpenLabels, options: ImportOptions) -> Mapping[SampleId, int]:
    """Return the round that asks for each image, where a run of people is named."""
    if options.out is None or not opened.config.answered_by_people or opened.query is None:
        return {}
    return dict.fromkeys(opened.query.ids, opened.query.round)
