"""COCO: images, annotations and categories in one JSON file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alvision.core.records import SampleId
from alvision.labels.exchange.foreign import ForeignImage
from alvision.labels.exchange.read_json import Node, shown


def read(file: Node) -> list[ForeignImage]:
    """Return the images of a COCO file with the categories of their annotations.

    Raises:
        UserError: A number is there twice, or names no image or no category.
    """
    categories = _by_id(file["categories"], "name")
    names = _by_id(file["images"], "file_name")
    found: dict[int | str, list[str]] = {id: [] for id in names}
    for annotation in file["annotations"]:
        image, category = annotation["image_id"], annotation["category_id"]
        for reference, known, what in ((image, names, "image"), (category, categories, "category")):
            if reference.key() not in known:
                raise reference.wrong(f"no {what} has the id {shown(reference.value)}")
        found[image.key()].append(categories[category.key()][0])
    _refuse_twice(names.values())
    return [ForeignImage(name, tuple(found[id]), node.where) for id, (name, node) in names.items()]


def content(
    labels: Mapping[SampleId, str],
    sizes: Mapping[SampleId, tuple[int, int]],
    classes: Sequence[str],
) -> dict[str, Any]:
    """Return a COCO file: an annotation without a box for each image that has a class.

    Args:
        labels: The class of each image that has one.
        sizes: Width and height in pixels of every image, upright.
        classes: The class names, in their order.
    """
    numbers = {name: number for number, name in enumerate(classes, start=1)}
    images = [
        {"id": number, "file_name": id, "width": width, "height": height}
        for number, (id, (width, height)) in enumerate(sizes.items(), start=1)
    ]
    annotations = [
        {
            "id": image["id"],
            "image_id": image["id"],
            "category_id": numbers[labels[str(image["file_name"])]],
        }
        for image in images
        if image["file_name"] in labels
    ]
    categories = [{"id": number, "name": name} for name, number in numbers.items()]
    return {"images": images, "annotations": annotations, "categories": categories}


def _by_id(rows: Node, name: str) -> dict[int | str, tuple[str, Node]]:
    found: dict[int | str, tuple[str, Node]] = {}
    for row in rows:
        key, text = row["id"].key(), row[name].as_(str)
        if not text.strip():
            raise row[name].wrong("is empty")
        if key in found:
            raise row["id"].wrong(f"{shown(key)} is the id of {found[key][0]!r} too: keep one")
        found[key] = (text, row)
    return found


def _refuse_twice(rows: Any) -> None:
    seen: set[str] = set()
    for name, node in rows:
        if name in seen:
            raise node["file_name"].wrong(f"{name!r} is there twice: keep one")
        seen.add(name)
