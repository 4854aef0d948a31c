"""COCO: images, annotations and categories in one JSON file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alvision.core.records import SampleId
from alvision.labels.boxes import Box
from alvision.labels.exchange.foreign import ForeignImage
from alvision.labels.exchange.read_json import Node, shown


def read(file: Node) -> list[ForeignImage]:
    """Return the images of a COCO file with the categories and boxes of their annotations.

    Raises:
        UserError: A number is there twice, or names no image or no category; or a box is none.
    """
    categories = _by_id(file["categories"], "name")
    names = _by_id(file["images"], "file_name")
    found: dict[int | str, list[str]] = {id: [] for id in names}
    boxes: dict[int | str, list[tuple[str, Box]]] = {id: [] for id in names}
    for annotation in file["annotations"]:
        image, category = annotation["image_id"], annotation["category_id"]
        for reference, known, what in ((image, names, "image"), (category, categories, "category")):
            if reference.key() not in known:
                raise reference.wrong(f"no {what} has the id {shown(reference.value)}")
        name = categories[category.key()][0]
        found[image.key()].append(name)
        if (box := _box(annotation["bbox"])) is not None:
            boxes[image.key()].append((name, box))
    _refuse_twice(names.values())
    return [
        ForeignImage(name, tuple(found[id]), node.where, boxes=tuple(boxes[id]))
        for id, (name, node) in names.items()
    ]


def content(
    labels: Mapping[SampleId, str],
    sizes: Mapping[SampleId, tuple[int, int]],
    classes: Sequence[str],
    boxes: Mapping[SampleId, Sequence[Box]],
) -> dict[str, Any]:
    """Return a COCO file: an annotation for each box of an image that has a class.

    Where nobody drew a box there is one annotation without.

    Args:
        labels: The class of each image that has one.
        sizes: Width and height in pixels of every image, upright.
        classes: The class names, in their order.
        boxes: The boxes that people drew.
    """
    numbers = {name: number for number, name in enumerate(classes, start=1)}
    images = [
        {"id": number, "file_name": id, "width": width, "height": height}
        for number, (id, (width, height)) in enumerate(sizes.items(), start=1)
    ]
    said = [
        (image["id"], numbers[labels[id]], box)
        for id, image in zip(sizes, images, strict=True)
        if id in labels
        for box in boxes.get(id) or (None,)
    ]
    annotations = [
        {"id": number, "image_id": image, "category_id": category, **_shape(box)}
        for number, (image, category, box) in enumerate(said, start=1)
    ]
    categories = [{"id": number, "name": name} for name, number in numbers.items()]
    return {"images": images, "annotations": annotations, "categories": categories}


def _shape(box: Box | None) -> dict[str, Any]:
    if box is None:
        return {}
    bbox = [box.x, box.y, box.width, box.height]
    return {"bbox": bbox, "area": box.width * box.height, "iscrowd": 0}


def _box(node: Node) -> Box | None:
    """Return a box in whole pixels, none smaller than one; None where there is none.

    Raises:
        UserError: It is something else.
    """
    if node.value in (None, []):
        return None
    sides = [one.value for one in node]
    number = all(isinstance(one, int | float) and not isinstance(one, bool) for one in sides)
    # Tools write boxes at the edge that stick out by a rounding error.
    lowest = (-1, -1, 0, 0)
    fits = len(sides) == 4 and number
    if not fits or not all(low <= one < 1e6 for low, one in zip(lowest, sides, strict=True)):
        raise node.wrong(f"is {shown(node.value)} and not a box [x, y, width, height] in pixels")
    x, y, width, height = sides
    return Box(max(0, int(x)), max(0, int(y)), max(1, round(width)), max(1, round(height)))


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
