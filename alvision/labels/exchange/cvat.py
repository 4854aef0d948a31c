"""CVAT for images 1.1: one XML file with the images and their shapes and tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as Xml

from alvision.labels.exchange.foreign import ForeignImage
from alvision.labels.exchange.read_xml import Element

_MARKS = frozenset(
    {"tag", "box", "polygon", "polyline", "points", "ellipse", "cuboid", "skeleton", "mask"}
)


def read(top: Element) -> list[ForeignImage]:
    """Return the images with the labels of their shapes and tags.

    Raises:
        UserError: It is of another kind of CVAT's, or an image is there twice.
    """
    if top.tag != "annotations":
        raise top.wrong(f"<{top.tag}> is not <annotations> of CVAT for images")
    images: dict[str, ForeignImage] = {}
    for image in top.children:
        if image.tag == "track":
            raise image.wrong("this is CVAT for video: export it as CVAT for images 1.1")
        if image.tag != "image":
            continue  # the version, and the task's own data
        name = image.attribute("name")
        if name in images:
            raise image.wrong(f"{name!r} is there twice, first at {images[name].where}: keep one")
        classes = []
        for mark in image.children:
            if mark.tag not in _MARKS:
                raise mark.wrong(f"<{mark.tag}> is no shape and no tag of CVAT")
            classes.append(mark.attribute("label"))
        images[name] = ForeignImage(name, tuple(classes), image.where)
    return [*images.values()]


def content(sizes: Mapping[str, tuple[int, int]], labels: Mapping[str, str]) -> str:
    """Return the XML of these images, with a tag where an image has a class.

    Args:
        sizes: Width and height in pixels of every image, by its name in CVAT.
        labels: The class of each image that has one.
    """
    top = Xml.Element("annotations")
    Xml.SubElement(top, "version").text = "1.1"
    for number, (name, (width, height)) in enumerate(sizes.items()):
        image = Xml.SubElement(
            top, "image", id=str(number), name=name, width=str(width), height=str(height)
        )
        if name in labels:
            Xml.SubElement(image, "tag", label=labels[name], source="manual")
    Xml.indent(top)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + Xml.tostring(top, encoding="unicode") + "\n"


def label_settings(classes: Sequence[str]) -> list[dict[str, Any]]:
    """Return what CVAT's "Raw" editor of a task's labels takes: each class as a tag."""
    return [{"name": name, "type": "tag", "attributes": []} for name in classes]
