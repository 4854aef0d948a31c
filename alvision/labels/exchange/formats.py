"""The formats of other tools by name, and which of them a file or folder is in."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

from alvision.core.errors import UserError
from alvision.labels.exchange import coco as coco_file
from alvision.labels.exchange import cvat, fiftyone, label_studio_file, voc, yolo
from alvision.labels.exchange.foreign import ForeignImage
from alvision.labels.exchange.read_json import Node, read_json
from alvision.labels.exchange.read_xml import read_xml

OWN = ("csv", "folders")
"""Formats with a reader of their own: `csv_file` and `folders`."""
_INSIDE = {
    "cvat": ("annotations.xml",),
    "coco": ("_annotations.coco.json", "annotations.json"),
    "fiftyone": ("samples.json", "labels.json"),
}
"""The file that is meant where a folder is named."""


def format_of(place: Path) -> str:
    """Return the format of a file or folder by what is in it: a key of `READERS`, or of `OWN`.

    Raises:
        UserError: It does not exist, is packed, or may be in several formats.
    """
    if place.is_dir():
        return _folder_format(place)
    if not place.exists():
        raise UserError(f"{place} does not exist: check from=")
    if zipfile.is_zipfile(place) and place.suffix.lower() == ".zip":
        raise UserError(f"{place} is packed: unpack it, and name the file or folder inside")
    suffix = place.suffix.lower()
    if suffix == ".xml":
        return "voc" if read_xml(place).tag == "annotation" else "cvat"
    return _json_format(read_json(place)) if suffix == ".json" else "csv"


def _folder_format(folder: Path) -> str:
    found = [
        format for format, names in _INSIDE.items() if any((folder / n).is_file() for n in names)
    ]
    if yolo.names_file(folder):
        found.append("yolo")
    if "cvat" not in found and voc.annotations_below(folder):
        found.append("voc")
    if len(found) > 1:
        raise UserError(f"{folder} may be in several formats: name one, format={'|'.join(found)}")
    return found[0] if found else "folders"


def _json_format(file: Node) -> str:
    if isinstance(file.value, list):
        return "label_studio"
    keys = file.as_(dict).keys()
    if {"images", "annotations", "categories"} & keys:
        return "coco"
    if {"samples", "labels"} & keys:
        return "fiftyone"
    raise file.wrong(
        "it is in none of the known formats (COCO, FiftyOne, Label Studio): name one, format="
    )


def _inside(place: Path, format: str) -> Path:
    if not place.is_dir():
        return place
    found = [place / name for name in _INSIDE.get(format, ()) if (place / name).is_file()]
    if len(found) != 1:
        raise UserError(f"{place} is a folder: name the file of format={format} in it")
    return found[0]


def _json(
    read: Callable[[Node], list[ForeignImage]], format: str
) -> Callable[[Path], list[ForeignImage]]:
    return lambda place: read(read_json(_inside(place, format)))


READERS: dict[str, Callable[[Path], list[ForeignImage]]] = {
    "coco": _json(coco_file.read, "coco"),
    "cvat": lambda place: cvat.read(read_xml(_inside(place, "cvat"))),
    "fiftyone": _json(fiftyone.read, "fiftyone"),
    "label_studio": _json(label_studio_file.read, "label_studio"),
    "voc": voc.read,
    "yolo": yolo.read,
}
"""Every format of another tool, and its reader."""
